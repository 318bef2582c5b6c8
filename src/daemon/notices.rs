//! What became of the notices of carriers' changes.

use std::collections::BTreeMap;

use crate::notify::Notifier;

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
