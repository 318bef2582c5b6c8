//! `--cluster`: what twenty busy daemons ask of the one database that they share.
//!
//! No calls are placed: each daemon's part is its own store and spool, given the rows of fifty legs a second, and its look each
//! second whether a table has changed. Every other leg is refused at once, so that its end is written with its start; the
//! others ring and end three seconds later.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crankback::spool::Spool;
use crankback::store::{AttemptRow, IfMissing, Store, StoreUrl};
use mysql_async::prelude::Queryable;
use serde_json::json;
use tokio::task::JoinSet;

use crate::process::cpu_of;
use crate::support::error::LabError;
use crate::support::mariadb::{Flavour, Server};

const DAEMONS: u32 = 20;
const LEGS_PER_SECOND: u32 = 50;
const LASTS: Duration = Duration::from_secs(30);
/// How often a daemon looks whether a table has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What is written last may reach the database so much later; a daemon's last look is part of it.
const KEEPS_UP_WITHIN: Duration = Duration::from_secs(2);
/// Legs that are out at once: those of three seconds that were not refused.
const OUT: usize = 75;

/// Runs it and prints what came out; whether the database has every row and kept up.
pub async fn run(json: bool) -> Result<bool, LabError> {
    let server = Server::start(Flavour::Defaults);
    let database = server.new_database().await;
    let url: StoreUrl = server.url("custom", &database).parse().map_err(told)?;
    let directory = tempfile::tempdir().map_err(told)?;
    let mut daemons = Vec::new();
    for number in 0..DAEMONS {
        let store = Store::open(&url, IfMissing::Create).await.map_err(told)?;
        daemons.push((number, store));
    }
    let (database_before, own_before) = (cpu_of(server.pid())?, cpu_of(std::process::id())?);
    let began = Instant::now();
    let mut running = JoinSet::new();
    for (number, store) in daemons {
        let spool = directory.path().join(number.to_string());
        running.spawn(daemon(number, store, spool));
    }
    let mut all = Outcome::default();
    while let Some(of_one) = running.join_next().await {
        all.add(of_one.map_err(told)??);
    }
    let took = began.elapsed();
    let percent = |before: Duration, after: Duration| (after - before).as_secs_f64() * 100.0 / took.as_secs_f64();
    let database_percent = percent(database_before, cpu_of(server.pid())?);
    let own_percent = percent(own_before, cpu_of(std::process::id())?);
    let rows = rows(&server, &database).await?;
    let kept_up = rows == all.legs && took < LASTS + KEEPS_UP_WITHIN;
    let result = json!({
        "daemons": DAEMONS,
        "legs_per_second": f64::from(all.legs) / LASTS.as_secs_f64(),
        "legs": all.legs,
        "rows": rows,
        "took_s": took.as_secs_f64(),
        "most_rows_waiting_at_one": all.most_waiting,
        "slowest_look_ms": all.slowest_look.as_secs_f64() * 1_000.0,
        "database_percent_of_a_core": database_percent,
        "all_daemons_percent_of_a_core": own_percent,
    });
    match json {
        true => println!("{result}"),
        false => println!("{result:#}"),
    }
    Ok(kept_up)
}

/// What one daemon did, or all of them.
#[derive(Default)]
struct Outcome {
    legs: u32,
    most_waiting: usize,
    slowest_look: Duration,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.legs += other.legs;
        self.most_waiting = self.most_waiting.max(other.most_waiting);
        self.slowest_look = self.slowest_look.max(other.slowest_look);
    }
}

/// One daemon's part, until all of its rows are in the database.
async fn daemon(number: u32, store: Store, spool: PathBuf) -> Result<Outcome, LabError> {
    let (spool, waiting, moving) = Spool::open(&spool, store.clone()).map_err(told)?;
    let legs = tokio::spawn(place_legs(number, spool));
    let mut outcome = Outcome::default();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    while !legs.is_finished() {
        looks.tick().await;
        let began = Instant::now();
        store.fingerprint().await.map_err(told)?;
        outcome.slowest_look = outcome.slowest_look.max(began.elapsed());
        outcome.most_waiting = outcome.most_waiting.max(waiting.count());
    }
    outcome.legs = legs.await.map_err(told)?;
    moving.finished().await;
    Ok(outcome)
}

/// Gives the spool what so many legs give it; how many there were.
async fn place_legs(number: u32, spool: Spool) -> u32 {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / LEGS_PER_SECOND);
    let began = Instant::now();
    let (mut legs, mut out) = (0, VecDeque::new());
    while began.elapsed() < LASTS {
        pace.tick().await;
        legs += 1;
        let leg = leg(number, legs);
        // The rows are in the spool's file when the spool has ended.
        drop(spool.keep(leg.clone()));
        if legs % 2 == 0 {
            drop(spool.keep(ended(leg)));
        } else {
            out.push_back(leg);
        }
        if out.len() > OUT {
            out.drain(..1).for_each(|leg| drop(spool.keep(ended(leg))));
        }
    }
    out.drain(..).for_each(|leg| drop(spool.keep(ended(leg))));
    legs
}

/// A leg that is out.
fn leg(daemon: u32, leg: u32) -> AttemptRow {
    let started_ms = 1_795_220_185_000 + i64::from(leg) * 20;
    AttemptRow {
        server_ip: format!("10.0.0.{daemon}"),
        call_id: format!("1795220185.{leg}"),
        n: 1,
        number: "13125550100".into(),
        carrier_id: "PRIMARY".into(),
        entry_carrier: "PRIMARY".into(),
        campaign: Some("TEST".into()),
        started_ms,
        progress: "none".into(),
        verdict: "open".into(),
        channel_id: format!("1795220185.9{daemon:02}{leg:06}"),
        caller_channel: format!("Local/913125550100@default-{leg:08x};2"),
        technology: Some("PJSIP".into()),
        ..AttemptRow::default()
    }
}

/// The same when it was refused.
fn ended(leg: AttemptRow) -> AttemptRow {
    AttemptRow {
        progress: "trying".into(),
        progress_ms: Some(leg.started_ms + 40),
        ended_ms: Some(leg.started_ms + 90),
        sip_code: Some(503),
        sip_phrase: Some("Service Unavailable".into()),
        q850_cause: Some(34),
        verdict: "next".into(),
        why: "503: the carrier has no circuit".into(),
        dialstatus: "CONGESTION".into(),
        elapsed_ms: Some(91),
        ended_by: Some("carrier".into()),
        source: Some("received".into()),
        authority: Some("default".into()),
        health: Some("strong".into()),
        ..leg
    }
}

/// How many legs the database has with their end.
async fn rows(server: &Server, database: &str) -> Result<u32, LabError> {
    let sql = format!("SELECT COUNT(*) FROM {database}.crankback_attempts WHERE ended_ms IS NOT NULL");
    let count: Option<u32> = server.administrator().await.query_first(sql).await.map_err(told)?;
    Ok(count.unwrap_or_default())
}

fn told(error: impl std::fmt::Display) -> LabError {
    LabError::Missing(error.to_string())
}
