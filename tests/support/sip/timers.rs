//! RFC 3261 timer values, and the queue of what is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tokio::time::Instant;

/// The base timers of RFC 3261 (table 4). Tests may shorten them; the derived ones follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SipTimers {
    /// First retransmission interval.
    pub t1: Duration,
    /// Longest retransmission interval.
    pub t2: Duration,
    /// How long a finished call stays to absorb what is still on its way.
    pub t4: Duration,
}

impl Default for SipTimers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

impl SipTimers {
    /// How long a final response is repeated and its ACK awaited (timer H), 32 s with the usual T1.
    pub fn give_up(&self) -> Duration {
        self.t1 * 64
    }

    /// The interval after `interval` (timer G).
    pub fn next_interval(&self, interval: Duration) -> Duration {
        (interval * 2).min(self.t2)
    }
}

/// Names a call within its carrier; counts from 1.
pub(super) type CallNumber = u64;

/// What is due when a timer fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The script's pause is over.
    NextStep,
    /// Repeat the final response unless it was acknowledged; holds the interval that has passed (timer G).
    RepeatFinal(Duration),
    /// Repeat the final response whatever came: the script asked for copies.
    CopyFinal,
    /// No ACK came (timer H).
    NoAck,
    /// The script hangs up.
    HangUp,
    /// Repeat our BYE unless it was answered; holds the interval that has passed (timer E).
    RepeatBye(Duration),
    /// Nothing can come for this call any more.
    Forget,
}

/// One timer of one call. `round` tells a call that has moved on that the timer is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    pub(super) call: CallNumber,
    pub(super) round: u32,
    pub(super) due: Due,
}

/// All timers of a carrier, earliest first.
#[derive(Debug, Default)]
pub(super) struct TimerQueue {
    queue: BinaryHeap<Reverse<(Instant, Timer)>>,
}

impl TimerQueue {
    pub(super) fn set(&mut self, after: Duration, timer: Timer) {
        self.queue.push(Reverse((Instant::now() + after, timer)));
    }

    /// Waits for the next timer; for ever when there is none. Safe to drop while waiting.
    pub(super) async fn next(&mut self) -> Timer {
        let Some(Reverse((at, _))) = self.queue.peek() else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(*at).await;
        match self.queue.pop() {
            Some(Reverse((_, timer))) => timer,
            None => std::future::pending().await,
        }
    }
}
