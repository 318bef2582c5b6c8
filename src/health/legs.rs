//! Legs that are out: which of them are silent for longer than their carrier usually is.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::settings::HealthSettings;

/// Names one leg that is out; unique among the legs of one board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegKey(pub u64);

#[derive(Clone, Copy, Debug)]
struct Leg {
    started: Instant,
    is_trial: bool,
    is_heard: bool,
    is_good: bool,
}

/// What is left to say of a leg that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndedLeg {
    /// It went out while the breaker was not closed.
    pub(super) is_trial: bool,
    /// It was counted as good already.
    pub(super) is_good: bool,
}

/// The legs of one carrier.
#[derive(Clone, Debug, Default)]
pub(super) struct Legs {
    out: HashMap<LegKey, Leg>,
    /// Those that nothing was heard of, by start.
    unheard: BTreeSet<(Instant, LegKey)>,
    last_sign: Option<Instant>,
    /// A moving average from the start of a leg to its first sign of life.
    usual_first_sign: Option<Duration>,
}

impl Legs {
    pub(super) fn start(&mut self, key: LegKey, is_trial: bool, now: Instant) {
        let leg = Leg {
            started: now,
            is_trial,
            is_heard: false,
            is_good: false,
        };
        if let Some(before) = self.out.insert(key, leg) {
            self.unheard.remove(&(before.started, key));
        }
        self.unheard.insert((now, key));
    }

    /// The carrier sent something about this leg.
    pub(super) fn hear(&mut self, key: LegKey, now: Instant) {
        self.last_sign = Some(now);
        let Some(leg) = self.out.get_mut(&key) else { return };
        if std::mem::replace(&mut leg.is_heard, true) {
            return;
        }
        self.unheard.remove(&(leg.started, key));
        let took = now.saturating_duration_since(leg.started);
        self.usual_first_sign = Some(self.usual_first_sign.map_or(took, |usual| (usual * 7 + took) / 8));
    }

    /// The leg came through. Returns whether it is a trial, the first time that this is said of it.
    pub(super) fn good(&mut self, key: LegKey) -> Option<bool> {
        let leg = self.out.get_mut(&key)?;
        (!std::mem::replace(&mut leg.is_good, true)).then_some(leg.is_trial)
    }

    pub(super) fn end(&mut self, key: LegKey) -> Option<EndedLeg> {
        let leg = self.out.remove(&key)?;
        self.unheard.remove(&(leg.started, key));
        Some(EndedLeg {
            is_trial: leg.is_trial,
            is_good: leg.is_good,
        })
    }

    /// Legs that are out for longer than usual while the carrier has sent nothing at all since they started.
    pub(super) fn suspects(&self, now: Instant, settings: &HealthSettings) -> u32 {
        let patience = self
            .usual_first_sign
            .map_or(settings.suspect_after, |usual| settings.suspect_after.max(usual * 2));
        let suspects = self.unheard.iter().filter(|(started, _)| {
            now.saturating_duration_since(*started) >= patience && self.last_sign.is_none_or(|sign| sign < *started)
        });
        u32::try_from(suspects.count()).unwrap_or(u32::MAX)
    }

    /// Legs that are out.
    pub(super) fn count(&self) -> usize {
        self.out.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_is_suspect_until_its_carrier_sends_anything() {
        let settings = HealthSettings::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut legs = Legs::default();
        legs.start(LegKey(1), false, at(0));
        legs.start(LegKey(2), false, at(500));
        assert_eq!(legs.suspects(at(1_999), &settings), 0);
        assert_eq!(legs.suspects(at(2_500), &settings), 2);
        legs.start(LegKey(3), false, at(2_600));
        legs.hear(LegKey(1), at(2_700));
        assert_eq!(legs.suspects(at(4_800), &settings), 0, "the carrier lives");
        legs.end(LegKey(2));
        legs.start(LegKey(4), false, at(3_000));
        assert_eq!(legs.suspects(at(6_000), &settings), 0, "it usually takes 2.7 s here");
        assert_eq!(legs.suspects(at(8_400), &settings), 1);
        assert_eq!((legs.good(LegKey(4)), legs.good(LegKey(4))), (Some(false), None));
        let ended = EndedLeg {
            is_trial: false,
            is_good: true,
        };
        assert_eq!((legs.end(LegKey(4)), legs.end(LegKey(4))), (Some(ended), None));
    }
}
