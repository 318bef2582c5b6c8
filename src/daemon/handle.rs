//! The running daemon, as control sees it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::ari;
use crate::carrier::CarrierId;
use crate::control::{self, AriStatus, CallCounts, CarrierNow, RefreshError, StatusView, TablesStatus};
use crate::engine::stasis::{TestCall, TestCallError, TestedCall, place_test_call};
use crate::engine::{AttemptLog, Door, EngineCounters, HealthDesk, LiveCall, LiveState, LiveView, now};
use crate::health::HealthView;
use crate::notify::Notifier;
use crate::snapshot::Snapshot;
use crate::spool::Waiting;
use crate::vicidial::edits::EditState;
use crate::vicidial::recent_channels::RecentChannelCounters;

use super::carriers;
use super::fast_agi;
use super::figures::CarrierFigures;
use super::notices;
use super::operator_words::Words;
use super::reload::Reload;
use super::tables::{Published, Tables};

/// Handles on what the daemon is made of.
#[derive(Debug)]
pub(super) struct Handle {
    pub started_ms: i64,
    pub application: String,
    pub ari: ari::Client,
    /// How Asterisk is reached, for connections of other applications.
    pub ari_config: ari::Config,
    /// Held while a test call is on its way.
    pub test_call: tokio::sync::Mutex<()>,
    pub ari_state: watch::Receiver<ari::State>,
    pub tables: Tables,
    pub words: Words,
    pub notifier: Notifier,
    pub figures: CarrierFigures,
    pub reload: Arc<Reload>,
    pub live: LiveView,
    pub door: Door,
    pub health: HealthDesk,
    /// Where test calls go on record, as all calls do.
    pub records: Arc<dyn AttemptLog>,
    pub engine: Arc<EngineCounters>,
    pub waiting: Waiting,
    pub agi_counters: fast_agi::Counters,
    /// With VICIdial's database.
    pub recent_channels: Option<Arc<RecentChannelCounters>>,
    pub leaving: CancellationToken,
}

impl control::Daemon for Handle {
    fn status(&self) -> BoxFuture<'_, StatusView> {
        Box::pin(async {
            let legs_out = self.door.legs_out_by_carrier().await;
            let calls = self.live.calls().await;
            StatusView {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                started_ms: self.started_ms,
                now_ms: now().wall_ms,
                draining: self.leaving.is_cancelled(),
                ari: self.ari_status(),
                calls: counts(&calls),
                legs_out: legs_out
                    .into_iter()
                    .map(|(carrier, legs)| (carrier.to_string(), legs))
                    .collect(),
                tables: tables_status(&self.tables.published()),
                attempts_waiting: self.waiting.count(),
                counters: self.counters(),
            }
        })
    }

    fn calls(&self) -> BoxFuture<'_, Vec<Arc<LiveCall>>> {
        Box::pin(self.live.calls())
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.tables.published().snapshot
    }

    fn health(&self) -> HealthView {
        self.health.view()
    }

    fn refresh(&self) -> BoxFuture<'_, Result<(), RefreshError>> {
        Box::pin(async {
            let words = self.words.take().await;
            self.reload.now().await.and(words)
        })
    }

    fn carriers(&self) -> BoxFuture<'_, HashMap<CarrierId, CarrierNow>> {
        Box::pin(carriers::now(&self.health, &self.door, &self.figures))
    }

    fn place_test_call(&self, call: TestCall) -> BoxFuture<'_, Result<TestedCall, TestCallError>> {
        Box::pin(async move {
            let _one_at_a_time = self.test_call.try_lock().map_err(|_| TestCallError::Busy)?;
            place_test_call(self.ari_config.clone(), &self.door, &*self.records, &call).await
        })
    }

    fn carrier_works<'a>(&'a self, carrier: &'a CarrierId, by: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.health.reset(carrier, by, "a test call was answered"))
    }

    fn take_operator_words(&self) -> BoxFuture<'_, Result<(), RefreshError>> {
        Box::pin(self.words.take())
    }
}

impl Handle {
    fn counters(&self) -> BTreeMap<String, u64> {
        let mut counters = counters(self.ari.counters(), &self.engine);
        let agi = self.agi_counters.named().into_iter();
        counters.insert("health_mailbox_overflows".to_owned(), self.health.overflows());
        counters.extend(notices::counters(&self.notifier));
        counters.extend(agi.map(|(name, count)| (name.to_owned(), count)));
        if let Some(rows) = &self.recent_channels {
            counters.insert("recent_channels_written".to_owned(), rows.written());
            let expired = rows.expired().map(|(_, _, count)| count).sum();
            counters.insert("recent_channels_expired".to_owned(), expired);
        }
        counters
    }

    fn ari_status(&self) -> AriStatus {
        let state = self.ari_state.borrow().clone();
        let mut status = AriStatus {
            application: self.application.clone(),
            state: state.code().to_owned(),
            since_ms: None,
            epoch: None,
            asterisk: None,
            failures: None,
            last_error: None,
        };
        match state {
            ari::State::Connecting {
                since,
                failures,
                last_error,
            } => {
                status.since_ms = Some(wall_ms(since));
                status.failures = Some(failures);
                status.last_error = last_error.map(|error| error.to_string());
            }
            ari::State::Connected { epoch, since, asterisk } => {
                status.since_ms = Some(wall_ms(since));
                status.epoch = Some(epoch);
                status.asterisk = Some(asterisk.version.as_str().to_owned());
            }
            ari::State::Replaced | ari::State::Stopped => {}
        }
        status
    }
}

/// The wall time of a moment that has passed.
fn wall_ms(moment: Instant) -> i64 {
    now().wall_ms - i64::try_from(moment.elapsed().as_millis()).unwrap_or(i64::MAX)
}

fn counts(calls: &[Arc<LiveCall>]) -> CallCounts {
    let mut counts = CallCounts::default();
    for call in calls {
        match call.state {
            LiveState::Trying => counts.trying += 1,
            LiveState::Ringing => counts.ringing += 1,
            LiveState::Connected => counts.connected += 1,
        }
    }
    counts
}

fn tables_status(published: &Published) -> TablesStatus {
    let snapshot = &published.snapshot;
    let held_back = snapshot
        .carrier_states
        .iter()
        .filter(|(_, state)| *state != EditState::Active);
    TablesStatus {
        carriers: snapshot.carriers.len(),
        routes: snapshot.routes().len(),
        problems: snapshot.carrier_problems.len() + snapshot.route_problems.len(),
        read_ms: published.read_ms,
        checked_ms: published.checked_ms,
        stale_since_ms: published.stale.as_ref().map(|stale| stale.since_ms),
        stale_because: published.stale.as_ref().map(|stale| stale.because.clone()),
        held_back: held_back
            .map(|(carrier, state)| format!("carrier {carrier}: {state}"))
            .collect(),
    }
}

fn counters(ari: &ari::Counters, engine: &EngineCounters) -> BTreeMap<String, u64> {
    let decode_errors = ari.decode_errors().map(|(_, count)| count).sum();
    [
        ("ari_connections", ari.connections()),
        ("ari_decode_errors", decode_errors),
        ("ari_events_delivered", ari.delivered()),
        ("ari_events_ignored", ari.ignored()),
        ("ari_overruns", ari.overruns()),
        ("late_answer", engine.late_answers()),
    ]
    .map(|(name, count)| (name.to_owned(), count))
    .into()
}
