//! The rules that stand above every table, written a second time and without a state machine: what a call was told and
//! what it wanted, compared after every input.

#[path = "oracle/commands.rs"]
mod commands;
#[path = "oracle/inputs.rs"]
mod inputs;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crankback::call::{AdmissionRefusal, Attempt, CallSpec, Command, Input, LegEvent, LegId, Now, TimeLimit, Timer};
use crankback::carrier::{CarrierId, Technology};
use crankback::verdict::{
    AbandonReason, Action, CarrierPolicies, CarrierPolicy, Circumstances, DialStatus, DialerResult, EndedBy, Evidence,
    FailoverAfter183, Finding, Progress, Rulebook, Verdict, judge,
};

use crate::tally::{Rule, Tally};

/// One leg as the oracle knows it.
struct Leg {
    carrier: CarrierId,
    at_our_limit: bool,
    has_ring_timer: bool,
    progress: Progress,
    answered: bool,
    taken: bool,
    settled: bool,
}

/// What is known of a call.
pub struct Oracle {
    plan: Vec<CarrierId>,
    /// How long each carrier may ring.
    ring: BTreeMap<CarrierId, Duration>,
    policies: Arc<CarrierPolicies>,
    limit: TimeLimit,
    /// How many attempts may be made in all.
    allowed: usize,
    one_more_was_said: bool,
    /// How many carriers have been proposed to the door.
    proposed: usize,
    at_the_door: Option<LegId>,
    changes_offers: bool,
    repeat_after: Duration,
    /// The carrier whose refused request goes out again.
    repairing: Option<CarrierId>,
    /// The request waits after this leg.
    pausing: Option<LegId>,
    /// Carriers whose request was repaired.
    repaired: Vec<CarrierId>,
    legs: BTreeMap<LegId, Leg>,
    refused_for_a_limit: bool,
    engine_lost: bool,
    caller_gone: bool,
    /// The caller left before the call had a result.
    caller_left_first: bool,
    last_word: Option<(Finding, DialerResult)>,
    words: u32,
}

/// What one batch of commands did.
#[derive(Default)]
struct Batch {
    proposes: bool,
    starts: Option<LegId>,
    connects: Option<LegId>,
    settles: Option<(LegId, Verdict)>,
    finishes: bool,
    abandons: Vec<(LegId, AbandonReason)>,
    rings_until: Option<(LegId, Instant)>,
    asks: Option<LegId>,
}

impl Batch {
    fn is_nothing(&self) -> bool {
        !self.proposes && !self.finishes && self.settles.is_none() && self.abandons.is_empty() && self.asks.is_none()
    }
}

type Checked = Result<(), String>;

fn demand(holds: bool, rule: &str) -> Checked {
    if holds { Ok(()) } else { Err(rule.to_owned()) }
}

impl Oracle {
    /// Of a call that is about to begin.
    pub fn new(spec: &CallSpec) -> Self {
        let legs = || spec.plan.stages.iter().flat_map(|stage| &stage.legs);
        Self {
            plan: legs().map(|leg| leg.carrier.clone()).collect(),
            ring: legs()
                .filter_map(|leg| Some((leg.carrier.clone(), leg.timers.ring?)))
                .collect(),
            policies: Arc::clone(&spec.policies),
            limit: spec.limit,
            allowed: spec.maximum_attempts.max(1) as usize,
            one_more_was_said: false,
            proposed: 0,
            at_the_door: None,
            changes_offers: spec.changes_offers,
            repeat_after: spec.repeat_after,
            repairing: None,
            pausing: None,
            repaired: Vec::new(),
            legs: BTreeMap::new(),
            refused_for_a_limit: false,
            engine_lost: false,
            caller_gone: false,
            caller_left_first: false,
            last_word: None,
            words: 0,
        }
    }

    /// Whether the call must be over.
    pub const fn is_over(&self) -> bool {
        self.words > 0 || self.caller_left_first
    }

    /// The first commands.
    pub fn began(&mut self, commands: &[Command], now: Now, tally: &mut Tally) -> Checked {
        let batch = self.take(None, commands, now, tally)?;
        demand(
            batch.proposes != self.plan.is_empty(),
            "the first carrier is tried at once",
        )?;
        let too_late = self.left(now) < self.limit.minimum_attempt;
        tally.count_if(batch.proposes && too_late, Rule::FirstAttemptGoesOutLate);
        Ok(())
    }

    /// One input and what the call made of it.
    pub fn heard(&mut self, input: &Input, commands: &[Command], now: Now, tally: &mut Tally) -> Checked {
        let was_over = self.is_over();
        let could_move_on = self.could_move_on(now);
        let (live, at_the_door) = (self.live(), self.at_the_door);
        let (pausing, repairs) = (self.pausing, self.repairing.is_some());
        self.learn(input, tally);
        let batch = self.take(Some(input), commands, now, tally)?;

        if was_over {
            let only_tidies = commands.iter().all(|it| matches!(it, Command::AbandonLeg(..)));
            demand(only_tidies, "after the end nothing but tidying up")?;
            tally.count(Rule::AfterTheEnd);
        }
        match input {
            Input::Leg(id, event) if Some(*id) == live && !was_over => {
                self.live_leg(*id, event, &batch, could_move_on, now, tally)
            }
            Input::Leg(id, event) => self.settled_leg(*id, event, commands, tally),
            Input::CallerGone => Self::caller_went(was_over, live, commands),
            Input::TimerFired(timer) if !was_over => match (pausing, timer) {
                (Some(after), Timer::Again(id)) if after == *id => self.pause_is_over(&batch, now, tally),
                // Comes first only where the timer of the pause is very late.
                (Some(_), Timer::Limit) => {
                    demand(batch.finishes && batch.abandons.is_empty(), "the limit ends a pause")
                }
                _ => self.timer(*timer, live, &batch, could_move_on, tally),
            },
            Input::TimerFired(_) => demand(commands.is_empty(), "timers mean nothing after the end"),
            Input::Refused(id, _) => {
                let was_asked = !was_over && at_the_door == Some(*id);
                tally.count_if(was_asked && repairs, Rule::RepairRefusedAtTheDoor);
                Self::refused(was_asked, &batch, could_move_on, tally)
            }
            Input::Admitted(_) | Input::AdmittedAtLimit(_) | Input::EngineLost => Ok(()),
            Input::EngineBack => {
                tally.count_if(batch.asks.is_some(), Rule::EngineBackAsks);
                Ok(())
            }
        }
    }

    /// After the last event: everything is settled.
    pub fn ended(&self) -> Checked {
        demand(self.is_over(), "every call ends")?;
        demand(
            self.words + u32::from(self.caller_left_first) == 1,
            "one last word, and none for a caller that has left",
        )?;
        demand(
            self.legs.values().all(|leg| leg.settled),
            "every leg has its end on record",
        )
    }

    /// The leg that is out or connected.
    fn live(&self) -> Option<LegId> {
        let mut live = self.legs.iter().filter(|(_, leg)| !leg.settled);
        live.next().map(|(id, _)| *id)
    }

    fn left(&self, now: Now) -> Duration {
        self.limit.hunt_until.saturating_duration_since(now.monotonic)
    }

    /// Whether there is time for one more attempt.
    fn in_time(&self, now: Now) -> bool {
        self.left(now) >= self.limit.minimum_attempt && now.monotonic < self.limit.setup_until
    }

    /// Carriers, attempts and time are left.
    fn could_move_on(&self, now: Now) -> bool {
        self.proposed < self.plan.len() && self.legs.len() < self.allowed && self.in_time(now)
    }

    /// Whether a refusal is about the form of a request that can be changed.
    fn is_repairable(&self, evidence: &Evidence) -> bool {
        let is_possible = match evidence.final_reply().map(|reply| reply.code) {
            Some(415 | 488 | 606) => self.changes_offers,
            Some(420 | 422) => false,
            Some(_) => true,
            None => self.changes_offers && matches!(evidence.q850, Some(58 | 88)),
        };
        is_possible && evidence.technology != Technology::Iax2 && evidence.ended_by == EndedBy::Carrier
    }

    /// Whether the tables would have this refusal repaired, had nothing else a say.
    fn tables_say_repair(&self, id: LegId, evidence: &Evidence) -> bool {
        let leg = &self.legs[&id];
        let policy = CarrierPolicy {
            repair_allowed: true,
            ..self.policy(id).clone()
        };
        let circumstances = Circumstances {
            policy: &policy,
            rules: Rulebook::built_in(),
            at_our_limit: leg.at_our_limit,
        };
        let evidence = Evidence {
            progress: leg.progress,
            ..evidence.clone()
        };
        judge(&evidence, &circumstances).action == Action::RepairAndRetry
    }

    fn policy(&self, id: LegId) -> &CarrierPolicy {
        self.policies.of(&self.legs[&id].carrier)
    }

    /// Takes in what the input tells, before the commands are looked at.
    fn learn(&mut self, input: &Input, tally: &mut Tally) {
        let live = if self.is_over() { None } else { self.live() };
        match input {
            Input::CallerGone => {
                if !self.is_over() {
                    let talks = live.is_some_and(|id| self.legs[&id].answered);
                    tally.count(match (live, talks) {
                        (None, _) => Rule::CallerGoneWhileAdmitting,
                        (Some(_), true) => Rule::CallerGoneWhileTalking,
                        (Some(_), false) => Rule::CallerGoneWhileTrying,
                    });
                    self.caller_left_first = true;
                }
                self.caller_gone = true;
            }
            Input::EngineLost => self.engine_lost = true,
            Input::EngineBack => self.engine_lost = false,
            Input::Refused(id, why) if self.at_the_door == Some(*id) && !self.is_over() => {
                self.repairing = None;
                match why {
                    AdmissionRefusal::PassedOn => {
                        let carrier = self.plan[self.proposed - 1].clone();
                        self.plan.push(carrier);
                    }
                    AdmissionRefusal::ShuttingDown => {}
                    AdmissionRefusal::ChannelLimit
                    | AdmissionRefusal::CallsPerSecondLimit
                    | AdmissionRefusal::RetryBudget
                    | AdmissionRefusal::TakenOut => self.refused_for_a_limit = true,
                }
            }
            Input::Leg(id, event) if live == Some(*id) => {
                let leg = self.legs.get_mut(id).expect("live legs are known");
                match event {
                    LegEvent::Trying(_) => leg.progress = leg.progress.max(Progress::Trying),
                    LegEvent::Ringing(_) => leg.progress = leg.progress.max(Progress::Ringing),
                    LegEvent::Media(_) => leg.progress = leg.progress.max(Progress::Media),
                    LegEvent::Answered(_) => {
                        tally.count_if(leg.answered, Rule::AnswerTwice);
                        leg.progress = Progress::Answered;
                        leg.answered = true;
                    }
                    LegEvent::Ended(evidence) => leg.progress = leg.progress.max(evidence.progress),
                    LegEvent::Taken => {
                        tally.count(if leg.answered {
                            Rule::Taken
                        } else {
                            Rule::TakenWhileTrying
                        });
                        leg.taken = true;
                    }
                    LegEvent::Started | LegEvent::Silent | LegEvent::Connected => {}
                }
            }
            Input::Leg(id, event) => {
                let is_failure = matches!(event, LegEvent::Ended(_) | LegEvent::Silent);
                tally.count_if(is_failure && self.caller_left_first, Rule::AfterCallerGone);
                if let Some(leg) = self.legs.get_mut(id) {
                    tally.count_if(leg.taken, Rule::TakenLegSpeaks);
                    // Given up, answered all the same, and now a customer of the dialer.
                    leg.taken |= matches!(event, LegEvent::Taken);
                }
            }
            Input::Admitted(_) | Input::AdmittedAtLimit(_) => {
                tally.count_if(self.caller_left_first, Rule::AfterCallerGone);
            }
            Input::Refused(..) | Input::TimerFired(_) => {}
        }
    }
}
