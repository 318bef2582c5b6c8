//! From what happens to carriers to those who are told.

use std::collections::BTreeMap;

use tokio::sync::broadcast::error::RecvError;
use tracing::warn;

use crate::engine::HealthDesk;
use crate::notify::{Notice, Notifier};

/// Tells each change of a carrier's state, as long as there is a desk.
pub(super) fn tell_changes(health: &HealthDesk, notifier: Notifier) {
    let mut changes = health.changes();
    tokio::spawn(async move {
        loop {
            match changes.recv().await {
                Ok((carrier, change)) => notifier.tell(Notice::State(carrier, change)),
                Err(RecvError::Lagged(missed)) => warn!(missed, "changes of carriers' states were not told"),
                Err(RecvError::Closed) => return,
            }
        }
    });
}

/// Names for operators of what became of notices, with their values; those of channels that are not set up are missing.
pub(super) fn counters(notifier: &Notifier) -> BTreeMap<String, u64> {
    let of_channels = notifier.counters().flat_map(|(channel, counters)| {
        [
            ("sent", counters.sent()),
            ("retried", counters.retried()),
            ("failed", counters.failed()),
            ("dropped", counters.dropped()),
        ]
        .map(|(what, count)| (format!("notify_{channel}_{what}"), count))
    });
    let own = ("notify_overflows".to_owned(), notifier.overflows());
    of_channels.chain([own]).collect()
}
