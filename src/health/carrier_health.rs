//! The health of one carrier: brings calls, probes, throttle and faults together into one state.

use std::time::Instant;

use crate::moment::Now;
use crate::verdict::{Health, Progress};

use super::breaker::{Breaker, Phase};
use super::choice::Class;
use super::faults::Faults;
use super::legs::{LegKey, Legs};
use super::operator::OperatorSetting;
use super::outcome::LegOutcome;
use super::settings::HealthSettings;
use super::state::{Because, Change, State, Timeline};
use super::throttle::Throttle;
use super::window::Sample;
use super::witness::{Report, Witness, Witnesses};

/// Below this part of `shed_from` a degraded carrier is active again, so that the state does not flicker at the threshold.
const DEGRADED_ENDS_AT: f64 = 0.6;

/// Everything that is known of one carrier.
#[derive(Clone, Debug)]
pub(super) struct CarrierHealth {
    pub(super) operator: OperatorSetting,
    pub(super) state: State,
    pub(super) because: Because,
    pub(super) since_ms: i64,
    pub(super) timeline: Timeline,
    pub(super) breaker: Breaker,
    pub(super) throttle: Throttle,
    pub(super) faults: Faults,
    pub(super) legs: Legs,
    pub(super) witnesses: Witnesses,
    last_good: Option<Instant>,
    reset_at: Option<Instant>,
}

impl CarrierHealth {
    pub(super) fn new(now: Now, settings: &HealthSettings) -> Self {
        Self {
            operator: OperatorSetting::default(),
            state: State::Active,
            because: Because::NothingKnown,
            since_ms: now.wall_ms,
            timeline: Timeline::default(),
            breaker: Breaker::new(settings),
            throttle: Throttle::default(),
            faults: Faults::default(),
            legs: Legs::default(),
            witnesses: Witnesses::default(),
            last_good: None,
            reset_at: None,
        }
    }

    pub(super) fn leg_started(&mut self, key: LegKey, now: Now) {
        self.legs.start(key, !self.breaker.is_closed(), now.monotonic);
    }

    pub(super) fn leg_heard(&mut self, key: LegKey, progress: Progress, now: Now, settings: &HealthSettings) {
        self.legs.hear(key, now.monotonic);
        if progress >= Progress::Ringing
            && let Some(is_trial) = self.legs.good(key)
        {
            self.good_call(is_trial, now, settings);
        }
    }

    pub(super) fn leg_ended(&mut self, key: LegKey, outcome: &LegOutcome, now: Now, settings: &HealthSettings) {
        if outcome.is_heard {
            self.legs.hear(key, now.monotonic);
        }
        let Some(leg) = self.legs.end(key) else { return };
        let sample = |breaker: &mut Breaker, sample| {
            let suspects = self.legs.suspects(now.monotonic, settings);
            breaker.sample(sample, leg.is_trial, suspects, &outcome.rule, now.monotonic, settings);
        };
        match outcome.health {
            Health::None if outcome.is_wrong_number => {
                sample(&mut self.breaker, Sample::Good);
                self.faults.wrong_number(&outcome.wire_number, settings);
            }
            Health::None if outcome.came_through && !leg.is_good => self.good_call(leg.is_trial, now, settings),
            Health::None => {}
            Health::Weak => {
                sample(&mut self.breaker, Sample::Weak);
                if outcome.is_wrong_number {
                    self.faults.wrong_number(&outcome.wire_number, settings);
                } else {
                    self.faults.other_failure();
                }
            }
            Health::Strong => {
                sample(&mut self.breaker, Sample::Strong);
                self.faults.other_failure();
                self.last_good = None;
            }
            Health::OurLimit => self.throttle.limit(&outcome.rule, now.monotonic, settings),
            Health::ConfigFault => self.faults.config_fault(&outcome.rule, settings),
            // A carrier that asks for a pause all the time is sick all the same.
            Health::CoolDown => {
                self.throttle.cool_down(outcome.pause, &outcome.rule, now.monotonic);
                sample(&mut self.breaker, Sample::Weak);
            }
        }
    }

    fn good_call(&mut self, is_trial: bool, now: Now, settings: &HealthSettings) {
        self.last_good = Some(now.monotonic);
        self.faults.good_call();
        self.breaker
            .sample(Sample::Good, is_trial, 0, "", now.monotonic, settings);
    }

    /// Takes a report; one that was asked for before the last reset is about a time that no longer counts.
    pub(super) fn report(
        &mut self,
        witness: Witness,
        report: Report,
        asked_at: Instant,
        now: Now,
        settings: &HealthSettings,
    ) {
        if self.reset_at.is_none_or(|reset| asked_at >= reset) {
            self.witnesses.take(witness, report, now.monotonic, settings);
        }
    }

    /// A person says that what was known no longer holds. The operator's own word stays.
    pub(super) fn reset(&mut self, by: &str, why: &str, now: Now, settings: &HealthSettings) {
        self.breaker = Breaker::new(settings);
        self.throttle = Throttle::default();
        self.faults = Faults::default();
        self.witnesses = Witnesses::default();
        self.last_good = None;
        self.reset_at = Some(now.monotonic);
        let because = Because::Reset {
            by: by.to_owned(),
            why: why.to_owned(),
        };
        self.enter(State::Active, because, now, settings);
    }

    /// Lets time pass and finds the state. Returns the change, if there is one.
    pub(super) fn advance(&mut self, now: Now, settings: &HealthSettings) -> Option<Change> {
        let is_held = self.witnesses.hold_trials(now.monotonic, settings);
        self.breaker.advance(now.monotonic, is_held);
        self.throttle.advance(now.monotonic, settings);
        let (state, because) = self.find_state(now, settings);
        self.enter(state, because, now, settings)
    }

    /// The state that a record speaks of.
    pub(super) const fn begin(&mut self, state: State, since_ms: i64) {
        self.state = state;
        self.since_ms = since_ms;
    }

    /// Takes a state on, with the evidence for it.
    pub(super) fn enter(
        &mut self,
        state: State,
        because: Because,
        now: Now,
        settings: &HealthSettings,
    ) -> Option<Change> {
        self.because = because.clone();
        if state == self.state {
            return None;
        }
        let change = Change {
            at_ms: now.wall_ms,
            from: self.state,
            to: state,
            because,
        };
        self.state = state;
        self.since_ms = now.wall_ms;
        self.timeline.push(change.clone(), settings.timeline_length);
        Some(change)
    }

    /// The worst that holds.
    fn find_state(&self, now: Now, settings: &HealthSettings) -> (State, Because) {
        if let Some(error) = self.faults.error() {
            return (State::ConfigError, error.clone());
        }
        match self.breaker.phase() {
            Phase::Open { .. } => return (State::Failed, self.breaker.because().clone()),
            Phase::HalfOpen { .. } => return (State::HalfOpen, self.breaker.because().clone()),
            Phase::Closed => {}
        }
        if let Some(down) = self.witnesses.down(now.monotonic)
            && !self.calls_come_through(now, settings)
        {
            return (State::Standby, down);
        }
        if let Some(because) = self.throttle.because() {
            return (State::Throttled, because);
        }
        if let Some(because) = self.degraded(now, settings) {
            return (State::Degraded, because);
        }
        let because = match self.state {
            State::Active => self.because.clone(),
            State::HalfOpen | State::Failed => self.breaker.because().clone(),
            State::ConfigError => Because::CallSucceeded,
            State::Standby if self.calls_come_through(now, settings) => Because::CallSucceeded,
            State::Standby | State::Degraded | State::Throttled => Because::Recovered,
        };
        (State::Active, because)
    }

    /// Calls outrank probes: a good call, and no strong failure since, outweighs witnesses for a while.
    fn calls_come_through(&self, now: Now, settings: &HealthSettings) -> bool {
        self.last_good
            .is_some_and(|good| now.monotonic.saturating_duration_since(good) <= settings.good_call_lasts)
    }

    fn degraded(&self, now: Now, settings: &HealthSettings) -> Option<Because> {
        let suspects = self.legs.suspects(now.monotonic, settings);
        let tally = self.breaker.tally(suspects, now.monotonic);
        let from = match self.state {
            State::Degraded => settings.shed_from * DEGRADED_ENDS_AT,
            State::Active
            | State::Throttled
            | State::HalfOpen
            | State::Standby
            | State::Failed
            | State::ConfigError => settings.shed_from,
        };
        if tally.samples < settings.minimum_samples || tally.failed_share() <= from {
            return None;
        }
        Some(if suspects * 2 > tally.samples {
            Because::LegsWithoutReply { legs: suspects }
        } else {
            Because::CallsFail {
                failed_percent: super::breaker::percent(tally.failed_share()),
                samples: tally.samples,
                last_rule: self.breaker.last_rule().to_owned(),
            }
        })
    }

    /// What choosing needs to know. Call [`CarrierHealth::advance`] first.
    pub(super) fn class(&self, now: Now, settings: &HealthSettings) -> Class {
        let suspects = self.legs.suspects(now.monotonic, settings);
        let shed = self.breaker.shed_share(suspects, now.monotonic, settings);
        let is_held = self.witnesses.hold_trials(now.monotonic, settings);
        Class {
            state: self.state,
            because: self.because.clone(),
            operator: self.operator.in_force(now.wall_ms),
            taken_share: (1.0 - shed) * self.throttle.share(),
            trial_is_due: self.state == State::HalfOpen && !is_held && self.breaker.trial_is_due(now.monotonic),
            back_off: self.breaker.back_off(),
        }
    }
}
