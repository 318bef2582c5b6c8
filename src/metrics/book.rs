//! All metrics as one value: written by whoever sees something happen, read when a collector asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use crate::admission::CarrierBooks;
use crate::carrier::CarrierId;
use crate::health::{Change, Class, OperatorWord, State};

use super::names::{
    self, AttemptLabels, BuildLabels, CarrierLabels, CarrierStateLabels, ChangeLabels, Name, OccasionLabels,
    OperatorLabels, ReasonLabels, StateLabels,
};

type Ratio = Gauge<f64, AtomicU64>;

/// A handle on all metrics; clones write to the same ones.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    attempts: Family<AttemptLabels, Counter>,
    failover_gap: Histogram,
    calls: Family<StateLabels, Gauge>,
    attempts_waiting: Gauge,
    tables_stale: Ratio,
    ari_connected: Gauge,
    recent_channel_expiries: Family<OccasionLabels, Counter>,
    legs_out: Family<CarrierLabels, Gauge>,
    legs_limit: Family<CarrierLabels, Gauge>,
    cps_limit: Family<CarrierLabels, Gauge>,
    refusals: Family<ReasonLabels, Counter>,
    carrier_state: Family<CarrierStateLabels, Gauge>,
    carrier_operator: Family<OperatorLabels, Gauge>,
    carrier_share: Family<CarrierLabels, Ratio>,
    carrier_changes: Family<ChangeLabels, Counter>,
    probe_seconds: Family<CarrierLabels, Histogram>,
    probe_failures: Family<ReasonLabels, Counter>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics, at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let version = BuildLabels {
            version: env!("CARGO_PKG_VERSION"),
        };
        registry.register(names::BUILD.name, names::BUILD.help, Info::new(version));
        Self {
            attempts: register(&mut registry, names::ATTEMPTS, Family::default()),
            failover_gap: register(&mut registry, names::FAILOVER_GAP, Histogram::new(names::GAP_BOUNDS)),
            calls: register(&mut registry, names::CALLS, Family::default()),
            attempts_waiting: register(&mut registry, names::ATTEMPTS_WAITING, Gauge::default()),
            tables_stale: register(&mut registry, names::TABLES_STALE, Gauge::default()),
            ari_connected: register(&mut registry, names::ARI_CONNECTED, Gauge::default()),
            recent_channel_expiries: register(&mut registry, names::RECENT_CHANNEL_EXPIRIES, Family::default()),
            legs_out: register(&mut registry, names::LEGS_OUT, Family::default()),
            legs_limit: register(&mut registry, names::LEGS_LIMIT, Family::default()),
            cps_limit: register(&mut registry, names::CPS_LIMIT, Family::default()),
            refusals: register(&mut registry, names::REFUSALS, Family::default()),
            carrier_state: register(&mut registry, names::CARRIER_STATE, Family::default()),
            carrier_operator: register(&mut registry, names::CARRIER_OPERATOR, Family::default()),
            carrier_share: register(&mut registry, names::CARRIER_SHARE, Family::default()),
            carrier_changes: register(&mut registry, names::CARRIER_CHANGES, Family::default()),
            probe_seconds: register(
                &mut registry,
                names::PROBE_SECONDS,
                Family::new_with_constructor(|| Histogram::new(names::PROBE_BOUNDS)),
            ),
            probe_failures: register(&mut registry, names::PROBE_FAILURES, Family::default()),
            registry: Arc::new(registry),
        }
    }

    /// An attempt ended; `action` and `rule` are its verdict's.
    pub fn attempt(&self, carrier: &CarrierId, action: &str, rule: &str) {
        let labels = AttemptLabels {
            carrier: carrier.to_string(),
            action: action.to_owned(),
            rule: rule.to_owned(),
        };
        self.attempts.get_or_create(&labels).inc();
    }

    /// A call went on to its next leg so long after the last one had failed.
    pub fn failover_gap(&self, gap: Duration) {
        self.failover_gap.observe(gap.as_secs_f64());
    }

    /// So many calls are in this state (`trying`, `ringing`, `connected`).
    pub fn calls(&self, state: &'static str, count: usize) {
        self.calls.get_or_create(&StateLabels { state }).set(whole(count));
    }

    /// So many attempts wait for the store.
    pub fn attempts_waiting(&self, count: usize) {
        self.attempts_waiting.set(whole(count));
    }

    /// The tables could not be read for so long; zero while they can.
    pub fn tables_stale(&self, age: Duration) {
        self.tables_stale.set(age.as_secs_f64());
    }

    /// Whether Asterisk's events come in.
    pub fn ari_connected(&self, is_connected: bool) {
        self.ari_connected.set(is_connected.into());
    }

    /// So many rows of VICIdial's table were not written in time on this occasion for this reason, altogether.
    pub fn recent_channel_expiries(&self, occasion: &'static str, reason: &'static str, count: u64) {
        let labels = OccasionLabels { occasion, reason };
        // They are counted where they happen; here stands what was counted.
        self.recent_channel_expiries
            .get_or_create(&labels)
            .inner()
            .store(count, Ordering::Relaxed);
    }

    /// What admission's books say of each carrier. Carriers that are not in them any more are dropped.
    pub fn admission(&self, books: &[(CarrierId, CarrierBooks)]) {
        self.legs_out.clear();
        self.legs_limit.clear();
        self.cps_limit.clear();
        for (carrier, books) in books {
            let labels = of(carrier);
            self.legs_out.get_or_create(&labels).set(books.legs_out.into());
            let limits = [
                (books.limits.max_channels, &self.legs_limit),
                (books.limits.max_calls_per_second, &self.cps_limit),
            ];
            for (limit, gauge) in limits {
                if let Some(limit) = limit {
                    gauge.get_or_create(&labels).set(limit.into());
                }
            }
            for (reason, count) in &books.refusals {
                let labels = ReasonLabels {
                    carrier: carrier.to_string(),
                    reason,
                };
                // The books count by themselves; here stands what they have counted.
                self.refusals
                    .get_or_create(&labels)
                    .inner()
                    .store(*count, Ordering::Relaxed);
            }
        }
    }

    /// The classes of all carriers. Carriers that are not among them are dropped.
    pub fn carriers<'a>(&self, classes: impl IntoIterator<Item = (&'a CarrierId, &'a Class)>) {
        self.carrier_state.clear();
        self.carrier_operator.clear();
        self.carrier_share.clear();
        for (carrier, class) in classes {
            for state in State::ALL {
                let labels = CarrierStateLabels {
                    carrier: carrier.to_string(),
                    state: state.as_str(),
                };
                let is_in = state == class.state;
                self.carrier_state.get_or_create(&labels).set(is_in.into());
            }
            for word in OperatorWord::ALL {
                let labels = OperatorLabels {
                    carrier: carrier.to_string(),
                    word: word.as_str(),
                };
                let holds = word == class.operator;
                self.carrier_operator.get_or_create(&labels).set(holds.into());
            }
            self.carrier_share.get_or_create(&of(carrier)).set(class.taken_share);
        }
    }

    /// A carrier's state changed.
    pub fn carrier_changed(&self, carrier: &CarrierId, change: &Change) {
        let labels = ChangeLabels {
            carrier: carrier.to_string(),
            from: change.from.as_str(),
            to: change.to.as_str(),
        };
        self.carrier_changes.get_or_create(&labels).inc();
    }

    /// A probe was answered.
    pub fn probe_answered(&self, carrier: &CarrierId, round_trip: Duration) {
        self.probe_seconds
            .get_or_create(&of(carrier))
            .observe(round_trip.as_secs_f64());
    }

    /// A probe found the carrier not alive; `reason` is a stable word.
    pub fn probe_failed(&self, carrier: &CarrierId, reason: &'static str) {
        let labels = ReasonLabels {
            carrier: carrier.to_string(),
            reason,
        };
        self.probe_failures.get_or_create(&labels).inc();
    }

    /// Everything in OpenMetrics text, which Prometheus reads.
    ///
    /// # Errors
    /// None that a `String` could meet; the writer's type has one.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn register<M: Metric + Clone>(registry: &mut Registry, name: Name, metric: M) -> M {
    registry.register(name.name, name.help, metric.clone());
    metric
}

fn of(carrier: &CarrierId) -> CarrierLabels {
    CarrierLabels {
        carrier: carrier.to_string(),
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::CarrierLimits;

    fn lines(metrics: &Metrics) -> Vec<String> {
        let text = metrics.text().expect("a string takes all");
        assert!(text.ends_with("# EOF\n"));
        let values = text.lines().filter(|line| !line.starts_with('#'));
        values.map(str::to_owned).collect()
    }

    #[track_caller]
    fn assert_has(metrics: &Metrics, line: &str) {
        let lines = lines(metrics);
        assert!(lines.iter().any(|found| found == line), "no {line} in {lines:#?}");
    }

    #[test]
    fn what_happens_is_counted_under_its_labels() {
        let (metrics, a) = (Metrics::new(), CarrierId::from("A"));
        metrics.recent_channel_expiries("answer", "timeout", 2);
        assert_has(
            &metrics,
            r#"crankback_recent_channel_expiries_total{occasion="answer",reason="timeout"} 2"#,
        );
        metrics.attempt(&a, "next", "sip_code");
        metrics.clone().attempt(&a, "next", "sip_code");
        metrics.failover_gap(Duration::from_millis(7));
        metrics.calls("ringing", 3);
        metrics.attempts_waiting(4);
        metrics.tables_stale(Duration::from_millis(2_500));
        metrics.probe_answered(&a, Duration::from_millis(30));
        metrics.probe_failed(&a, "unanswered");
        let expected = [
            r#"crankback_attempts_total{carrier="A",action="next",rule="sip_code"} 2"#,
            r#"crankback_failover_gap_seconds_bucket{le="0.005"} 0"#,
            r#"crankback_failover_gap_seconds_bucket{le="0.01"} 1"#,
            r#"crankback_calls{state="ringing"} 3"#,
            "crankback_attempts_waiting 4",
            "crankback_tables_stale_seconds 2.5",
            r#"crankback_probe_seconds_bucket{le="0.05",carrier="A"} 1"#,
            r#"crankback_probe_failures_total{carrier="A",reason="unanswered"} 1"#,
        ];
        for line in expected {
            assert_has(&metrics, line);
        }
    }

    #[test]
    fn carriers_that_are_gone_are_dropped_and_counters_stay() {
        let (metrics, a, b) = (Metrics::new(), CarrierId::from("A"), CarrierId::from("B"));
        let books = |refused| CarrierBooks {
            legs_out: 2,
            limits: CarrierLimits {
                max_channels: Some(30),
                max_calls_per_second: None,
            },
            refusals: [("channel_limit", refused)].into(),
        };
        let class = Class {
            state: State::Failed,
            ..Class::default()
        };
        metrics.carriers([(&a, &class), (&b, &Class::default())]);
        metrics.carriers([(&a, &class)]);
        metrics.admission(&[(a.clone(), books(5)), (b.clone(), books(1))]);
        metrics.admission(&[(a.clone(), books(7))]);
        for line in [
            r#"crankback_carrier_state{carrier="A",state="failed"} 1"#,
            r#"crankback_carrier_state{carrier="A",state="active"} 0"#,
            r#"crankback_carrier_operator{carrier="A",word="enabled"} 1"#,
            r#"crankback_carrier_legs{carrier="A"} 2"#,
            r#"crankback_carrier_legs_limit{carrier="A"} 30"#,
            r#"crankback_admission_refusals_total{carrier="A",reason="channel_limit"} 7"#,
            r#"crankback_admission_refusals_total{carrier="B",reason="channel_limit"} 1"#,
        ] {
            assert_has(&metrics, line);
        }
        let of_b = lines(&metrics)
            .into_iter()
            .filter(|line| line.contains(r#"carrier="B""#));
        assert_eq!(of_b.count(), 1, "only its counter");
    }
}
