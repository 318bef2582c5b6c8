//! What the engine counts since the daemon started.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that only grow.
#[derive(Debug, Default)]
pub struct EngineCounters {
    late_answers: AtomicU64,
}

impl EngineCounters {
    /// A leg was answered after it had been given up, and is hung up.
    pub fn late_answer(&self) {
        self.late_answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Legs that were answered after they had been given up. An answer that crosses our CANCEL on its way is not among them:
    /// Asterisk ends it by itself and tells nobody.
    pub fn late_answers(&self) -> u64 {
        self.late_answers.load(Ordering::Relaxed)
    }
}
