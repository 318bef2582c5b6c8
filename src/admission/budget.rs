//! The retry budget: a backup without limits of its own gets no more retries than there are calls.
//!
//! A retry counts where the first attempt of its call does, and is forgotten together with it: however late a call fails, and
//! however unevenly calls come, one retry for each is never refused.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far back attempts count.
const WINDOW: Duration = Duration::from_secs(10);
const BUCKET: Duration = Duration::from_millis(500);
/// Retries that are free beyond the share, so that few calls can fail over all the same.
const FREE: u32 = 20;

/// Events of the last ten seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    buckets: VecDeque<(Instant, u32)>,
}

impl Recent {
    /// Counts an event that happens now.
    pub(super) fn add(&mut self, now: Instant) {
        self.forget(now);
        match self.buckets.back_mut() {
            Some((start, count)) if now.saturating_duration_since(*start) < BUCKET => *count += 1,
            Some(_) | None => self.buckets.push_back((now, 1)),
        }
    }

    /// Counts an event in a bucket of somebody else's.
    pub(super) fn add_to(&mut self, bucket: Instant) {
        let at = self.buckets.partition_point(|(start, _)| *start < bucket);
        match self.buckets.get_mut(at) {
            Some((start, count)) if *start == bucket => *count += 1,
            Some(_) | None => self.buckets.insert(at, (bucket, 1)),
        }
    }

    /// The bucket in which an event of that time was counted, unless it is forgotten.
    pub(super) fn bucket_of(&self, at: Instant) -> Option<Instant> {
        let behind = self.buckets.partition_point(|(start, _)| *start <= at);
        self.buckets.get(behind.checked_sub(1)?).map(|(start, _)| *start)
    }

    pub(super) fn count(&mut self, now: Instant) -> u32 {
        self.forget(now);
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    fn forget(&mut self, now: Instant) {
        while let Some((start, _)) = self.buckets.front()
            && now.saturating_duration_since(*start) >= WINDOW
        {
            self.buckets.pop_front();
        }
    }
}

/// Whether a backup that had `retries` in the last ten seconds may have one more, given the first attempts of all calls in
/// that time: at most one retry for each of them, and a few more.
pub(super) const fn allows(retries: u32, first_attempts: u32) -> bool {
    retries < first_attempts.saturating_add(FREE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_ten_seconds_is_forgotten() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut recent = Recent::default();
        for ms in [0, 100, 5_000, 9_999] {
            recent.add(at(ms));
        }
        assert_eq!((recent.count(at(9_999)), recent.count(at(10_000))), (4, 2));
        assert_eq!((recent.count(at(15_000)), recent.count(at(30_000))), (1, 0));
        assert!(allows(19, 0) && !allows(20, 0) && allows(119, 100) && !allows(120, 100));
    }

    #[test]
    fn an_event_can_be_counted_beside_another() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let (mut firsts, mut retries) = (Recent::default(), Recent::default());
        firsts.add(at(100));
        firsts.add(at(700));
        assert_eq!(firsts.bucket_of(at(99)), None);
        for (ms, bucket) in [(699, 100), (100, 100), (700, 700), (1_900, 700)] {
            assert_eq!(firsts.bucket_of(at(ms)), Some(at(bucket)), "{ms}");
            retries.add_to(at(bucket));
        }
        assert_eq!((retries.count(at(10_099)), retries.count(at(10_100))), (4, 2));
        assert_eq!((firsts.count(at(10_099)), firsts.count(at(10_100))), (2, 1));
    }
}
