//! The pace of new legs: a token bucket with a small burst, and never more than the limit in any one second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
/// The bucket holds this part of a second's legs, at least one: carriers refuse bursts even when the average is right.
const BURST_PART: u32 = 5;

/// The pace of one carrier.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    per_second: u32,
    tokens: f64,
    filled: Option<Instant>,
    /// Legs of the last second, the oldest first; at most `per_second` of them.
    recent: VecDeque<Instant>,
}

impl Pace {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            tokens: burst(per_second),
            filled: None,
            recent: VecDeque::new(),
        }
    }

    /// Another limit from now on; the legs of the last second still count.
    pub(super) fn change(&mut self, per_second: u32) {
        self.per_second = per_second;
        self.tokens = self.tokens.min(burst(per_second));
    }

    /// Whether one more leg may go out now; it is counted by [`Pace::count`].
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        let passed = self
            .filled
            .map_or(SECOND, |filled| now.saturating_duration_since(filled));
        self.filled = Some(now);
        self.tokens = (self.tokens + passed.as_secs_f64() * f64::from(self.per_second)).min(burst(self.per_second));
        while let Some(oldest) = self.recent.front()
            && now.saturating_duration_since(*oldest) >= SECOND
        {
            self.recent.pop_front();
        }
        // Parts of a token that rounding took away must not hold a leg back.
        self.tokens >= 1.0 - 1e-9 && self.recent.len() < self.per_second as usize
    }

    /// A leg went out.
    pub(super) fn count(&mut self, now: Instant) {
        self.tokens = (self.tokens - 1.0).max(0.0);
        self.recent.push_back(now);
    }

    /// Whether the last second's legs are all that the limit allows.
    pub(super) fn is_used_up(&self) -> bool {
        self.recent.len() >= self.per_second as usize
    }
}

fn burst(per_second: u32) -> f64 {
    f64::from((per_second / BURST_PART).max(u32::from(per_second > 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(per_second: u32, step: Duration, seconds: u32) -> Vec<Duration> {
        let start = Instant::now();
        let mut pace = Pace::new(per_second);
        let mut sent = Vec::new();
        let mut elapsed = Duration::ZERO;
        while elapsed < SECOND * seconds {
            if pace.allows(start + elapsed) {
                pace.count(start + elapsed);
                sent.push(elapsed);
            }
            elapsed += step;
        }
        sent
    }

    #[test]
    fn the_limit_is_used_up_and_held_in_every_second() {
        for per_second in [1, 2, 3, 10, 30] {
            let sent = sent(per_second, Duration::from_millis(1), 20);
            let expected = per_second as usize * 20;
            assert!(
                sent.len() <= expected && sent.len() * 100 >= expected * 95,
                "{} legs at {per_second} a second",
                sent.len()
            );
            for window in sent.windows(per_second as usize + 1) {
                let span = window[per_second as usize] - window[0];
                assert!(span >= SECOND, "{} legs in {span:?}", window.len());
            }
        }
    }

    #[test]
    fn a_burst_is_small_and_zero_is_zero() {
        let at_once = |per_second| sent(per_second, SECOND, 1).len();
        assert_eq!((at_once(1), at_once(0)), (1, 0));
        let start = Instant::now();
        let mut pace = Pace::new(30);
        let burst = (0..30)
            .filter(|_| {
                let allowed = pace.allows(start);
                if allowed {
                    pace.count(start);
                }
                allowed
            })
            .count();
        assert_eq!(burst, 6);
    }
}
