//! The throttle: a carrier that tells us our own limit gets fewer calls for a while. It never opens the breaker.

use std::time::{Duration, Instant};

use super::breaker::percent;
use super::settings::HealthSettings;
use super::state::Because;

/// What is left of the share after a step down.
const STEP_DOWN: f64 = 0.7;
/// What is added to the share in a step up.
const STEP_UP: f64 = 0.05;
/// The least share: some calls must go on asking.
const LEAST_SHARE: f64 = 0.05;

/// One carrier's throttle.
#[derive(Clone, Debug)]
pub(super) struct Throttle {
    share: f64,
    lowered: Option<Instant>,
    /// The last refusal, or the last step up after it.
    quiet_since: Option<Instant>,
    pause: Option<(Instant, Duration)>,
    last_rule: String,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            share: 1.0,
            lowered: None,
            quiet_since: None,
            pause: None,
            last_rule: String::new(),
        }
    }
}

impl Throttle {
    /// The carrier refused a call for our own limit. A burst of refusals is one step: they tell the same thing.
    pub(super) fn limit(&mut self, rule: &str, now: Instant, settings: &HealthSettings) {
        let is_due = self
            .lowered
            .is_none_or(|lowered| now.saturating_duration_since(lowered) >= settings.throttle_step);
        if is_due {
            self.share = (self.share * STEP_DOWN).max(LEAST_SHARE);
            self.lowered = Some(now);
        }
        self.quiet_since = Some(now);
        rule.clone_into(&mut self.last_rule);
    }

    /// The carrier asked for a pause. A shorter one does not cut a longer one off.
    pub(super) fn cool_down(&mut self, pause: Duration, rule: &str, now: Instant) {
        let until = now + pause;
        if self.pause.is_none_or(|(already, _)| already < until) {
            self.pause = Some((until, pause));
        }
        rule.clone_into(&mut self.last_rule);
    }

    /// Lets time pass: step by step the share comes back.
    pub(super) fn advance(&mut self, now: Instant, settings: &HealthSettings) {
        if self.pause.is_some_and(|(until, _)| until <= now) {
            self.pause = None;
        }
        while self.share < 1.0
            && let Some(since) = self.quiet_since
            && now.saturating_duration_since(since) >= settings.throttle_step
        {
            self.share = (self.share + STEP_UP).min(1.0);
            self.quiet_since = Some(since + settings.throttle_step);
        }
    }

    /// The share of its calls that the carrier gets, 0 to 1.
    pub(super) const fn share(&self) -> f64 {
        if self.pause.is_some() { 0.0 } else { self.share }
    }

    /// Why it gets fewer calls, if it does.
    pub(super) fn because(&self) -> Option<Because> {
        if let Some((_, pause)) = self.pause {
            return Some(Because::CoolDown {
                seconds: pause.as_secs(),
                last_rule: self.last_rule.clone(),
            });
        }
        (self.share < 1.0).then(|| Because::OurLimit {
            last_rule: self.last_rule.clone(),
            share_percent: percent(self.share),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_one_step_and_the_share_comes_back() {
        let settings = HealthSettings::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut throttle = Throttle::default();
        for ms in (0..1_000).step_by(10) {
            throttle.limit("limit", at(ms), &settings);
        }
        assert_eq!(throttle.share(), 0.7);
        throttle.limit("limit", at(1_000), &settings);
        assert!(
            (throttle.share() - 0.49).abs() < 1e-9,
            "refusals without end go on lowering it"
        );
        throttle.advance(at(1_000 + 3_000), &settings);
        assert!((throttle.share() - 0.64).abs() < 1e-9);
        throttle.advance(at(20_000), &settings);
        assert_eq!((throttle.share(), throttle.because()), (1.0, None));
    }

    #[test]
    fn the_longest_pause_counts() {
        let settings = HealthSettings::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut throttle = Throttle::default();
        throttle.cool_down(Duration::from_secs(10), "cool", at(0));
        throttle.cool_down(Duration::from_secs(1), "cool", at(1));
        throttle.advance(at(9), &settings);
        assert_eq!(throttle.share(), 0.0);
        throttle.advance(at(10), &settings);
        assert_eq!(throttle.share(), 1.0);
    }
}
