//! The sliding window of samples: how many calls there were lately, and what share of them failed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The window is kept in so many buckets.
const BUCKETS: u32 = 10;

/// What one call says of its carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    /// The carrier did its work.
    Good,
    /// A weak sign of sickness: half a failure.
    Weak,
    /// A strong sign of sickness.
    Strong,
}

impl Sample {
    const fn half_failures(self) -> u32 {
        match self {
            Self::Good => 0,
            Self::Weak => 1,
            Self::Strong => 2,
        }
    }
}

/// Samples counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) samples: u32,
    half_failures: u32,
}

impl Tally {
    /// Counts one more.
    pub(super) fn add(&mut self, sample: Sample) {
        self.samples = self.samples.saturating_add(1);
        self.half_failures = self.half_failures.saturating_add(sample.half_failures());
    }

    /// The same with `count` strong failures more.
    pub(super) const fn with_strong(self, count: u32) -> Self {
        Self {
            samples: self.samples.saturating_add(count),
            half_failures: self.half_failures.saturating_add(count.saturating_mul(2)),
        }
    }

    /// The share of failures, 0 to 1; 0 without samples.
    pub(super) fn failed_share(self) -> f64 {
        if self.samples == 0 {
            return 0.0;
        }
        f64::from(self.half_failures) / (2.0 * f64::from(self.samples))
    }
}

/// Samples of the last seconds.
#[derive(Clone, Debug)]
pub(super) struct Window {
    span: Duration,
    buckets: VecDeque<(Instant, Tally)>,
}

impl Window {
    pub(super) const fn new(span: Duration) -> Self {
        Self {
            span,
            buckets: VecDeque::new(),
        }
    }

    pub(super) fn add(&mut self, sample: Sample, now: Instant) {
        self.forget_before(now);
        let width = self.span / BUCKETS;
        match self.buckets.back_mut() {
            Some((start, tally)) if now.saturating_duration_since(*start) < width => tally.add(sample),
            Some(_) | None => {
                let mut tally = Tally::default();
                tally.add(sample);
                self.buckets.push_back((now, tally));
            }
        }
    }

    /// What there was within the window.
    pub(super) fn tally(&self, now: Instant) -> Tally {
        let recent = self
            .buckets
            .iter()
            .filter(|(start, _)| now.saturating_duration_since(*start) < self.span);
        recent.fold(Tally::default(), |sum, (_, bucket)| Tally {
            samples: sum.samples.saturating_add(bucket.samples),
            half_failures: sum.half_failures.saturating_add(bucket.half_failures),
        })
    }

    pub(super) fn clear(&mut self) {
        self.buckets.clear();
    }

    fn forget_before(&mut self, now: Instant) {
        while let Some((start, _)) = self.buckets.front()
            && now.saturating_duration_since(*start) >= self.span
        {
            self.buckets.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_sample_is_half_a_failure_and_old_samples_go() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut window = Window::new(Duration::from_secs(10));
        for (second, sample) in [
            (0, Sample::Strong),
            (5, Sample::Weak),
            (5, Sample::Good),
            (9, Sample::Good),
        ] {
            window.add(sample, at(second));
        }
        let tally = window.tally(at(9));
        assert_eq!((tally.samples, tally.failed_share()), (4, 3.0 / 8.0));
        assert_eq!(tally.with_strong(4).failed_share(), 11.0 / 16.0);
        let tally = window.tally(at(10));
        assert_eq!((tally.samples, tally.failed_share()), (3, 1.0 / 6.0));
        assert_eq!(window.tally(at(30)).samples, 0);
        assert_eq!(window.tally(at(30)).failed_share(), 0.0);
    }
}
