//! The health of the carriers over restarts, and who hears of its changes: the log, the metrics, the store.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::config::HealthConfig;
use crate::engine::{HealthDesk, now};
use crate::health::{HealthBoard, Snapshot};
use crate::metrics::Metrics;
use crate::notify::{Notice, Notifier};
use crate::store::Store;

/// What a crash may lose.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// However fast states change, the store is not written to more often than this.
const SAVE_PAUSE: Duration = Duration::from_secs(1);

/// Where this dialer's carriers' health is kept.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) store: Store,
    pub(super) server_ip: String,
}

impl Record {
    /// Goes on with what was known before a restart, as far as that still holds.
    /// A record that cannot be read is no reason not to serve calls.
    pub(super) async fn open(&self, config: &HealthConfig) -> HealthDesk {
        let text = self.store.health_snapshot(&self.server_ip).await;
        let text = text.unwrap_or_else(|error| {
            warn!(code = error.code(), %error, "the carriers' health on record cannot be read; starting without it");
            None
        });
        let board = text.and_then(|text| read(&text, config));
        let board = board.unwrap_or_else(|| HealthBoard::new(config.settings()));
        HealthDesk::open(board, config.steering)
    }

    /// Writes down what is known whenever it has changed, and once more when it is `over`.
    pub(super) async fn keep(self, desk: HealthDesk, over: CancellationToken) {
        let mut changes = desk.changes();
        let mut save = tokio::time::interval(SAVE_EVERY);
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut written = Vec::new();
        loop {
            tokio::select! {
                () = over.cancelled() => break,
                // A carrier that has just failed must not get the first calls after a crash.
                changed = changes.recv() => if changed == Err(RecvError::Closed) { break },
                _ = save.tick() => {}
            }
            self.save(&desk, &mut written).await;
            tokio::select! {
                () = over.cancelled() => break,
                () = tokio::time::sleep(SAVE_PAUSE) => {}
            }
        }
        self.save(&desk, &mut written).await;
    }

    /// `written` is what was written last, without the time of it.
    async fn save(&self, desk: &HealthDesk, written: &mut Vec<String>) {
        let Some(snapshot) = desk.snapshot().await else { return };
        let told = snapshot.states();
        if told == *written {
            return;
        }
        let Ok(text) = serde_json::to_string(&snapshot) else {
            return;
        };
        match self
            .store
            .keep_health_snapshot(&self.server_ip, now().wall_ms, text)
            .await
        {
            Ok(()) => *written = told,
            Err(error) => warn!(code = error.code(), %error, "the carriers' health cannot be written down"),
        }
    }
}

fn read(text: &str, config: &HealthConfig) -> Option<HealthBoard> {
    let snapshot: Snapshot = match serde_json::from_str(text) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            warn!(%error, "the carriers' health on record cannot be read; starting without it");
            return None;
        }
    };
    match HealthBoard::restore(config.settings(), snapshot, now()) {
        Ok(board) => Some(board),
        Err(error) => {
            warn!(code = error.code(), %error, "starting without the carriers' health on record");
            None
        }
    }
}

/// Tells every change of a carrier's state to whoever wants to know, and counts it; ends with the desk.
pub(super) async fn tell_changes(desk: HealthDesk, metrics: Metrics, notifier: Notifier) {
    let mut changes = desk.changes();
    drop(desk);
    loop {
        match changes.recv().await {
            Ok((carrier, change)) => {
                metrics.carrier_changed(&carrier, &change);
                notifier.tell(Notice::State(carrier, change));
            }
            Err(RecvError::Lagged(missed)) => warn!(missed, "changes of carriers' states came too fast to tell all"),
            Err(RecvError::Closed) => return,
        }
    }
}
