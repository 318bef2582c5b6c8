//! The pace of notices: about the state of one carrier at most one in an interval, and the last word is always told.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::carrier::CarrierId;

use super::notice::Notice;

/// A notice that may go out now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Due {
    pub(super) notice: Notice,
    /// Notices about the same carrier that came before it and did not go out.
    pub(super) suppressed: u32,
}

#[derive(Debug)]
struct Entry {
    /// The next one may go out from then on.
    free_at: Instant,
    /// The newest one that had to wait.
    held: Option<Due>,
}

/// Lets the first notice about a carrier out at once, and of those that follow within the interval only the newest, at its
/// end.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    carriers: HashMap<CarrierId, Entry>,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            carriers: HashMap::new(),
        }
    }

    /// A new notice; it is given back if it may go out now.
    pub(super) fn offer(&mut self, notice: Notice, now: Instant) -> Option<Due> {
        let Some(carrier) = notice.pace_key().cloned() else {
            return Some(Due { notice, suppressed: 0 });
        };
        let free_at = now + self.interval;
        let Some(entry) = self.carriers.get_mut(&carrier) else {
            self.carriers.insert(carrier, Entry { free_at, held: None });
            return Some(Due { notice, suppressed: 0 });
        };
        let suppressed = entry.held.take().map_or(0, |held| held.suppressed.saturating_add(1));
        let due = Due { notice, suppressed };
        if now >= entry.free_at {
            entry.free_at = free_at;
            Some(due)
        } else {
            entry.held = Some(due);
            None
        }
    }

    /// Those that had to wait and may go out now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Due> {
        let interval = self.interval;
        // A carrier whose interval is over and that has nothing to say is as if it had never spoken.
        self.carriers
            .retain(|_, entry| entry.held.is_some() || now < entry.free_at);
        let over = self.carriers.values_mut().filter(|entry| now >= entry.free_at);
        over.filter_map(|entry| {
            entry.free_at = now + interval;
            entry.held.take()
        })
        .collect()
    }

    /// All that had to wait.
    pub(super) fn rest(&mut self) -> Vec<Due> {
        self.carriers
            .values_mut()
            .filter_map(|entry| entry.held.take())
            .collect()
    }

    /// When [`Pace::due`] gives something next.
    pub(super) fn next(&self) -> Option<Instant> {
        let waiting = self.carriers.values().filter(|entry| entry.held.is_some());
        waiting.map(|entry| entry.free_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Because, Change, State};

    const INTERVAL: Duration = Duration::from_secs(60);

    fn notice(carrier: &str, to: State) -> Notice {
        let change = Change {
            at_ms: 0,
            from: State::Active,
            to,
            because: Because::NothingKnown,
        };
        Notice::State(carrier.into(), change)
    }

    fn due(carrier: &str, to: State, suppressed: u32) -> Due {
        Due {
            notice: notice(carrier, to),
            suppressed,
        }
    }

    #[test]
    fn the_first_goes_out_and_the_last_of_the_interval_with_the_count_of_the_others() {
        use State::{Active, Failed, HalfOpen};
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(INTERVAL);
        assert_eq!(pace.offer(notice("A", Failed), at(0)), Some(due("A", Failed, 0)));
        assert_eq!(pace.next(), None);
        for (second, state) in [(5, HalfOpen), (10, Failed), (15, HalfOpen), (20, Active)] {
            assert_eq!(pace.offer(notice("A", state), at(second)), None);
        }
        assert_eq!(pace.offer(notice("B", Failed), at(21)), Some(due("B", Failed, 0)));
        assert_eq!(pace.next(), Some(at(60)));
        assert_eq!(pace.due(at(59)), []);
        assert_eq!(pace.due(at(60)), [due("A", Active, 3)]);
        assert_eq!((pace.next(), pace.due(at(61))), (None, vec![]));
        assert_eq!(
            pace.offer(notice("A", Failed), at(100)),
            None,
            "the interval began anew"
        );
        assert_eq!(pace.due(at(120)), [due("A", Failed, 0)]);
        assert_eq!(pace.offer(notice("A", Active), at(180)), Some(due("A", Active, 0)));
    }

    #[test]
    fn one_that_waits_longer_than_the_interval_is_counted_by_the_next() {
        let start = Instant::now();
        let mut pace = Pace::new(INTERVAL);
        pace.offer(notice("A", State::Failed), start);
        pace.offer(notice("A", State::Active), start);
        let late = start + INTERVAL;
        assert_eq!(
            pace.offer(notice("A", State::Failed), late),
            Some(due("A", State::Failed, 1))
        );
        assert_eq!(pace.next(), None);
    }

    #[test]
    fn carriers_that_are_quiet_are_forgotten() {
        let start = Instant::now();
        let mut pace = Pace::new(INTERVAL);
        pace.offer(notice("A", State::Failed), start);
        pace.due(start + INTERVAL);
        assert!(pace.carriers.is_empty());
    }
}
