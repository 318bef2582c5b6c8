//! A route decision among 100,000 routes, and what it takes to put such a table in the place of another.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crankback::carrier::{AfterDial, Carrier, CarrierId, DialEntry, NumberFormat, Technology};
use crankback::health::HealthView;
use crankback::routing::{CallRequest, Fitness, NumberMatch, Plan, Route, RouteTable};
use divan::{Bencher, black_box};

const ROUTES: i64 = 100_000;
/// Carriers whose dialplan lines send calls; each has its share of the routes.
const ENTRIES: i64 = 20;
/// Carriers behind them.
const BACKUPS: i64 = 40;
/// Different calls whose decisions are timed one by one.
const CALLS: u64 = 200_000;

fn entry(number: i64) -> CarrierId {
    CarrierId::from(format!("ENTRY{number}").as_str())
}

fn backup(number: i64) -> CarrierId {
    CarrierId::from(format!("BACKUP{number}").as_str())
}

fn carriers() -> Vec<Carrier> {
    let of = |id: CarrierId| {
        let mut carrier = Carrier::new(id.clone(), Technology::Pjsip, &id.as_str().to_lowercase());
        carrier.entries.push(DialEntry {
            pattern: "_91NXXNXXXXXX".to_owned(),
            format: NumberFormat {
                strip: 1,
                prefix: String::new(),
            },
            options: "To".to_owned(),
            after: AfterDial::HangsUp,
        });
        carrier
    };
    (0..ENTRIES)
        .map(entry)
        .chain((0..BACKUPS).map(backup))
        .map(of)
        .collect()
}

/// Of each entry's routes a few are for all numbers, a few for patterns, every tenth for one campaign; the rest are the
/// prefixes of exchanges, as a least-cost table has them.
fn routes() -> Vec<Route> {
    let of = |id: i64| {
        let (of_entry, nth) = (id % ENTRIES, id / ENTRIES);
        let number_match = match nth {
            0..3 => NumberMatch::Any,
            3..20 => NumberMatch::parse("pattern", &format!("_1{}XXNXXXXXX", 2 + nth % 8)).expect("a pattern"),
            _ => NumberMatch::Prefix(format!("1{}", 200_000 + nth * 160).as_str().into()),
        };
        Route {
            id,
            entry: Some(entry(of_entry)),
            campaign: (nth % 10 == 9).then(|| "SALES".into()),
            number_match,
            carrier: backup((id * 7) % BACKUPS),
            priority: i32::try_from(nth % 4).expect("a small number"),
            weight: 1,
            schedule: None,
            number_format: None,
            enabled: true,
        }
    };
    (0..ROUTES).map(of).collect()
}

fn table() -> RouteTable {
    let prefixes = [("SALES", "9"), ("CARE", "9")].map(|(campaign, prefix)| (campaign.to_owned(), prefix.to_owned()));
    RouteTable::build(carriers(), routes(), HashMap::from(prefixes))
}

/// One of many different calls.
fn request(call: u64) -> CallRequest {
    // Numbers all over the country, no two alike: each part takes steps that share no factor with its range.
    let (area, exchange) = (200 + call * 7 % 800, 200 + call / 800 * 11 % 800);
    let number = format!("1{area}{exchange}{:04}", call % 10_000);
    let of_entry = i64::try_from(call % ENTRIES.unsigned_abs()).expect("a small number");
    CallRequest {
        entry: entry(of_entry),
        dialled: format!("9{number}"),
        dial_string: format!("PJSIP/{number}@entry{of_entry}"),
        campaign: Some(if call.is_multiple_of(3) { "SALES" } else { "CARE" }.to_owned()),
        at_ms: 0,
    }
}

fn decide(table: &RouteTable, health: &HealthView, call: u64, request: &CallRequest) -> Plan {
    table.plan(
        request,
        &Fitness::of_call(health.clone(), &format!("1700000000.{call}")),
    )
}

#[divan::bench]
fn decision_among_100_000_routes(bencher: Bencher<'_, '_>) {
    let (table, health) = (table(), HealthView::default());
    let mut call = 0;
    bencher
        .with_inputs(|| {
            call += 1;
            (call, request(call))
        })
        .bench_local_refs(|(call, request)| decide(black_box(&table), &health, *call, request));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn build_100_000_routes(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(|| (carriers(), routes()))
        .bench_local_values(|(carriers, routes)| RouteTable::build(carriers, routes, HashMap::new()));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn swap_100_000_routes_in(bencher: Bencher<'_, '_>) {
    let live = ArcSwap::from_pointee(table());
    // What is swapped out comes back to the caller: dropping it is another measure.
    bencher
        .with_inputs(|| Arc::new(table()))
        .bench_local_values(|next| live.swap(next));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn drop_100_000_routes(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(table).bench_local_values(drop);
}

/// How long decisions took, each timed by itself.
pub struct Decisions {
    p50: Duration,
    /// The slowest of a hundred.
    pub p99: Duration,
    p999: Duration,
    slowest: Duration,
}

impl Decisions {
    /// Decides for many different calls.
    pub fn take() -> Self {
        let (table, health) = (table(), HealthView::default());
        let mut times: Vec<Duration> = (0..CALLS)
            .map(|call| {
                let request = request(call);
                let began = Instant::now();
                let plan = black_box(decide(&table, &health, call, &request));
                let took = began.elapsed();
                assert_eq!(plan.stages.len(), 3, "the entry and two backups: {plan:?}");
                took
            })
            .collect();
        times.sort_unstable();
        let of = |per_mille: usize| times[(times.len() - 1) * per_mille / 1_000];
        Self {
            p50: of(500),
            p99: of(990),
            p999: of(999),
            slowest: of(1_000),
        }
    }
}

impl fmt::Display for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            p50,
            p99,
            p999,
            slowest,
        } = self;
        write!(
            f,
            "{CALLS} different calls, {ROUTES} routes: decision p50 {p50:?}, p99 {p99:?}, p99.9 {p999:?}, slowest {slowest:?}"
        )
    }
}
