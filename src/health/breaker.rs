//! The breaker: opens when too many calls fail, sheds part of them before that, and lets trial calls close it again.

use std::time::{Duration, Instant};

use super::settings::HealthSettings;
use super::state::Because;
use super::window::{Sample, Tally, Window};

/// After a good trial the next one need not wait so long: the carrier is probably back, and three of them must fit in behind the
/// longest back-off before a minute and five seconds are over.
const SOONER_AFTER_A_GOOD_TRIAL: u32 = 5;

/// Where the breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Calls go through.
    Closed,
    /// No calls before that moment.
    Open {
        /// The end of the back-off.
        until: Instant,
    },
    /// Single calls try.
    HalfOpen {
        /// The next trial may go out from then on.
        next_trial: Instant,
    },
}

/// One carrier's breaker.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    phase: Phase,
    because: Because,
    window: Window,
    strong_row: u32,
    last_strong: Option<Instant>,
    last_rule: String,
    /// The last back-off; zero before the first one.
    back_off: Duration,
    closed_at: Option<Instant>,
    good_trials: u32,
}

impl Breaker {
    pub(super) fn new(settings: &HealthSettings) -> Self {
        Self {
            phase: Phase::Closed,
            because: Because::NothingKnown,
            window: Window::new(settings.window),
            strong_row: 0,
            last_strong: None,
            last_rule: String::new(),
            back_off: Duration::ZERO,
            closed_at: None,
            good_trials: 0,
        }
    }

    /// As it stood when the daemon went down.
    pub(super) fn restore(&mut self, phase: Phase, back_off: Duration, because: Because) {
        self.phase = phase;
        self.back_off = back_off;
        self.because = because;
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Why the phase is what it is.
    pub(super) const fn because(&self) -> &Because {
        &self.because
    }

    /// The rule that judged the last failure.
    pub(super) fn last_rule(&self) -> &str {
        &self.last_rule
    }

    /// The last back-off; zero if it never opened.
    pub(super) const fn back_off(&self) -> Duration {
        self.back_off
    }

    pub(super) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Takes a sample. Failures of calls that were out before the breaker opened say nothing new.
    pub(super) fn sample(
        &mut self,
        sample: Sample,
        is_trial: bool,
        suspects: u32,
        rule: &str,
        now: Instant,
        settings: &HealthSettings,
    ) {
        if sample != Sample::Good {
            rule.clone_into(&mut self.last_rule);
        }
        match (self.phase, is_trial) {
            (Phase::Closed, _) => self.sample_closed(sample, suspects, rule, now, settings),
            (Phase::Open { .. } | Phase::HalfOpen { .. }, false) => {}
            (Phase::Open { .. } | Phase::HalfOpen { .. }, true) => self.sample_trial(sample, rule, now, settings),
        }
    }

    fn sample_closed(&mut self, sample: Sample, suspects: u32, rule: &str, now: Instant, settings: &HealthSettings) {
        self.window.add(sample, now);
        let is_row = self
            .last_strong
            .is_some_and(|last| now.saturating_duration_since(last) <= settings.row_lasts);
        match sample {
            Sample::Good | Sample::Weak => self.strong_row = 0,
            Sample::Strong => {
                self.strong_row = if is_row { self.strong_row + 1 } else { 1 };
                self.last_strong = Some(now);
            }
        }
        // Legs that are only suspect never open the breaker alone: a leg that failed for sure must speak first.
        let mut tally = self.window.tally(now);
        if sample == Sample::Strong {
            tally = tally.with_strong(suspects);
        }
        if sample != Sample::Good
            && tally.samples >= settings.minimum_samples
            && tally.failed_share() >= settings.open_at
        {
            let because = Because::CallsFail {
                failed_percent: percent(tally.failed_share()),
                samples: tally.samples,
                last_rule: rule.to_owned(),
            };
            self.open(because, now, settings);
        } else if self.strong_row >= settings.strong_in_a_row {
            let because = Because::CallsFailInARow {
                count: self.strong_row,
                last_rule: rule.to_owned(),
            };
            self.open(because, now, settings);
        }
    }

    fn sample_trial(&mut self, sample: Sample, rule: &str, now: Instant, settings: &HealthSettings) {
        match sample {
            Sample::Good => {
                self.good_trials += 1;
                // Calls that went out for want of another carrier count, but nothing changes before the back-off is over.
                let Phase::HalfOpen { next_trial } = self.phase else {
                    return;
                };
                if self.good_trials >= settings.trials_to_close {
                    let count = self.good_trials;
                    self.close(Because::TrialsSucceeded { count }, Some(now));
                } else {
                    let soon = now + settings.trial_interval / SOONER_AFTER_A_GOOD_TRIAL;
                    self.phase = Phase::HalfOpen {
                        next_trial: next_trial.min(soon),
                    };
                }
            }
            Sample::Weak => {}
            Sample::Strong => {
                self.good_trials = 0;
                if matches!(self.phase, Phase::HalfOpen { .. }) {
                    let because = Because::CallsFailInARow {
                        count: 1,
                        last_rule: rule.to_owned(),
                    };
                    self.open(because, now, settings);
                }
            }
        }
    }

    fn open(&mut self, because: Because, now: Instant, settings: &HealthSettings) {
        let goes_on = !self.is_closed()
            || self
                .closed_at
                .is_some_and(|closed| now.saturating_duration_since(closed) < settings.flapping_within);
        self.back_off = if goes_on && !self.back_off.is_zero() {
            (self.back_off * 2).min(settings.longest_back_off)
        } else {
            settings.first_back_off
        };
        self.phase = Phase::Open {
            until: now + self.back_off,
        };
        self.because = because;
        self.good_trials = 0;
        self.strong_row = 0;
        self.window.clear();
    }

    /// Closes it; without a moment the next opening starts with the first back-off again.
    pub(super) fn close(&mut self, because: Because, at: Option<Instant>) {
        self.phase = Phase::Closed;
        self.because = because;
        self.closed_at = at;
        self.good_trials = 0;
        self.strong_row = 0;
        self.window.clear();
    }

    /// Lets time pass: after the back-off it is half open, unless `is_held` because trials could not succeed.
    pub(super) fn advance(&mut self, now: Instant, is_held: bool) {
        if let Phase::Open { until } = self.phase
            && now >= until
            && !is_held
        {
            self.phase = Phase::HalfOpen { next_trial: now };
            self.because = Because::Trials;
        }
    }

    /// Whether a trial call may go out now.
    pub(super) fn trial_is_due(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::HalfOpen { next_trial } if now >= next_trial)
    }

    /// A trial call goes out.
    pub(super) fn take_trial(&mut self, now: Instant, settings: &HealthSettings) {
        self.phase = Phase::HalfOpen {
            next_trial: now + settings.trial_interval,
        };
    }

    /// What calls say lately, with legs that are only suspect.
    pub(super) fn tally(&self, suspects: u32, now: Instant) -> Tally {
        self.window.tally(now).with_strong(suspects)
    }

    /// The share of calls that is passed on while closed, 0 to 1: it grows between the two thresholds.
    pub(super) fn shed_share(&self, suspects: u32, now: Instant, settings: &HealthSettings) -> f64 {
        let tally = self.tally(suspects, now);
        if !self.is_closed() || tally.samples < settings.minimum_samples {
            return 0.0;
        }
        let share = (tally.failed_share() - settings.shed_from) / (settings.open_at - settings.shed_from);
        share.clamp(0.0, settings.suspect_shed_limit)
    }
}

/// A share of 0 to 1 in whole percents.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1"
)]
pub(super) fn percent(share: f64) -> u8 {
    (share.clamp(0.0, 1.0) * 100.0).round() as u8
}
