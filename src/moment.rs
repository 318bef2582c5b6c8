//! A moment in both kinds of time: time is an argument of the brain, never asked for there.

use std::time::{Duration, Instant};

/// The time at which something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For measuring and for timers; never jumps.
    pub monotonic: Instant,
    /// For records: milliseconds since 1970.
    pub wall_ms: i64,
}

impl Now {
    /// The same moment shifted, for tests and timers.
    pub fn after(self, elapsed: Duration) -> Self {
        let wall_ms = self
            .wall_ms
            .saturating_add(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX));
        Self {
            monotonic: self.monotonic + elapsed,
            wall_ms,
        }
    }
}
