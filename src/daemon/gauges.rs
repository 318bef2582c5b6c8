//! The numbers that are looked at when a collector asks for the metrics.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::ari;
use crate::engine::{Door, HealthDesk, LiveState, LiveView, now};
use crate::metrics::{Metrics, Refresh};
use crate::spool::Waiting;
use crate::vicidial::recent_channels::RecentChannelCounters;

use super::tables::Tables;

/// Where the numbers are.
#[derive(Clone, Debug)]
pub(super) struct Gauges {
    pub metrics: Metrics,
    pub live: LiveView,
    pub door: Door,
    pub health: HealthDesk,
    pub waiting: Waiting,
    pub tables: Tables,
    pub ari_state: watch::Receiver<ari::State>,
    /// With VICIdial's database.
    pub recent_channels: Option<Arc<RecentChannelCounters>>,
}

impl Gauges {
    /// Brings them all up to date, each time that it is called.
    pub(super) fn refresh(self) -> Refresh {
        Arc::new(move || {
            let gauges = self.clone();
            Box::pin(async move { gauges.look().await })
        })
    }

    async fn look(&self) {
        let metrics = &self.metrics;
        let calls = self.live.calls().await;
        for state in [LiveState::Trying, LiveState::Ringing, LiveState::Connected] {
            let count = calls.iter().filter(|call| call.state == state).count();
            metrics.calls(state.as_str(), count);
        }
        metrics.admission(&self.door.books().await);
        let reports = self.health.reports().await;
        metrics.carriers(reports.iter().map(|(carrier, report)| (carrier, &report.class)));
        metrics.attempts_waiting(self.waiting.count());
        let stale_since_ms = self.tables.published().stale.map(|stale| stale.since_ms);
        let stale_ms = stale_since_ms.map_or(0, |since_ms| now().wall_ms.saturating_sub(since_ms));
        metrics.tables_stale(Duration::from_millis(u64::try_from(stale_ms).unwrap_or(0)));
        let expiries = self.recent_channels.iter().flat_map(|counters| counters.expired());
        for (occasion, expiry, count) in expiries {
            metrics.recent_channel_expiries(occasion.as_str(), expiry.as_str(), count);
        }
        metrics.ari_connected(matches!(*self.ari_state.borrow(), ari::State::Connected { .. }));
    }
}
