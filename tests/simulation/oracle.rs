//! The rules that stand above every table, written a second time and without a state machine: what a call was told and
//! what it wanted, compared after every input.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crankback::call::{AdmissionRefusal, Attempt, CallSpec, Command, Input, LegEvent, LegId, Now, TimeLimit, Timer};
use crankback::carrier::CarrierId;
use crankback::verdict::{
    AbandonReason, Action, CarrierPolicies, CarrierPolicy, DialStatus, DialerResult, EndedBy, Evidence,
    FailoverAfter183, Finding, Progress, Verdict,
};

use crate::tally::{Rule, Tally};

/// One leg as the oracle knows it.
struct Leg {
    carrier: CarrierId,
    progress: Progress,
    answered: bool,
    taken: bool,
    settled: bool,
}

/// What is known of a call.
pub struct Oracle {
    plan: Vec<CarrierId>,
    policies: Arc<CarrierPolicies>,
    limit: TimeLimit,
    /// How many attempts may be made in all.
    allowed: usize,
    one_more_was_said: bool,
    /// How many carriers have been proposed to the door.
    proposed: usize,
    at_the_door: Option<LegId>,
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
    asks: Option<LegId>,
}

type Checked = Result<(), String>;

fn demand(holds: bool, rule: &str) -> Checked {
    if holds { Ok(()) } else { Err(rule.to_owned()) }
}

impl Oracle {
    /// Of a call that is about to begin.
    pub fn new(spec: &CallSpec) -> Self {
        let legs = spec.plan.stages.iter().flat_map(|stage| &stage.legs);
        Self {
            plan: legs.map(|leg| leg.carrier.clone()).collect(),
            policies: Arc::clone(&spec.policies),
            limit: spec.limit,
            allowed: spec.maximum_attempts.max(1) as usize,
            one_more_was_said: false,
            proposed: 0,
            at_the_door: None,
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
            Input::TimerFired(timer) if !was_over => self.timer(*timer, live, &batch, could_move_on, tally),
            Input::TimerFired(_) => demand(commands.is_empty(), "timers mean nothing after the end"),
            Input::Refused(id, _) => {
                let was_asked = !was_over && at_the_door == Some(*id);
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

    /// Carriers, attempts and time are left.
    fn could_move_on(&self, now: Now) -> bool {
        self.proposed < self.plan.len()
            && self.legs.len() < self.allowed
            && self.left(now) >= self.limit.minimum_attempt
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
            Input::Refused(id, why) if self.at_the_door == Some(*id) && !self.is_over() => match why {
                AdmissionRefusal::PassedOn => {
                    let carrier = self.plan[self.proposed - 1].clone();
                    self.plan.push(carrier);
                }
                AdmissionRefusal::ShuttingDown => {}
                AdmissionRefusal::ChannelLimit
                | AdmissionRefusal::CallsPerSecondLimit
                | AdmissionRefusal::RetryBudget
                | AdmissionRefusal::TakenOut => self.refused_for_a_limit = true,
            },
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
                tally.count_if(self.legs.get(id).is_some_and(|leg| leg.taken), Rule::TakenLegSpeaks);
            }
            Input::Admitted(_) | Input::AdmittedAtLimit(_) => {
                tally.count_if(self.caller_left_first, Rule::AfterCallerGone);
            }
            Input::Refused(..) | Input::TimerFired(_) => {}
        }
    }

    /// Every command by itself: may it be given at all?
    fn take(
        &mut self,
        input: Option<&Input>,
        commands: &[Command],
        now: Now,
        tally: &mut Tally,
    ) -> Result<Batch, String> {
        let mut batch = Batch::default();
        let mut opened = None;
        for command in commands {
            match command {
                Command::Admit {
                    leg: id,
                    carrier,
                    is_last_choice,
                } => {
                    self.may_propose(*id, carrier, now)?;
                    (self.proposed, self.at_the_door) = (self.proposed + 1, Some(*id));
                    let nobody_is_left =
                        self.proposed == self.plan.len() || self.plan[..self.proposed - 1].contains(carrier);
                    demand(
                        *is_last_choice == nobody_is_left,
                        "a carrier passes a call on only to another",
                    )?;
                    batch.proposes = true;
                }
                Command::StartLeg(spec) => {
                    let admitted = match input {
                        Some(Input::Admitted(id) | Input::AdmittedAtLimit(id)) => Some(*id),
                        _ => None,
                    };
                    demand(admitted == Some(spec.leg), "no leg but the one that was let out")?;
                    demand(self.at_the_door.take() == admitted, "no leg that was not asked for")?;
                    demand(opened == admitted, "a leg is on record before it goes out")?;
                    demand(!self.caller_gone, "no leg for a caller that has left")?;
                    demand(self.legs.len() < self.allowed, "no more attempts than allowed")?;
                    self.start(spec.leg, &spec.carrier)?;
                    batch.starts = Some(spec.leg);
                }
                Command::Record(attempt) => match &attempt.verdict {
                    None => opened = Some(LegId(attempt.n)),
                    Some(verdict) => batch.settles = Some(self.settle(attempt, verdict, tally)?),
                },
                Command::Connect(id) => {
                    let is_its_answer = matches!(input, Some(Input::Leg(leg, LegEvent::Answered(_))) if leg == id);
                    demand(is_its_answer, "no leg is connected but at its answer")?;
                    demand(self.live() == Some(*id), "no settled leg is connected")?;
                    let answered = self.legs.values().filter(|leg| leg.answered).count();
                    demand(answered == 1, "one leg is answered, and no more")?;
                    batch.connects = Some(*id);
                }
                Command::AbandonLeg(id, reason) => {
                    let leg = self.legs.get(id).ok_or("no unknown leg is given up")?;
                    demand(leg.settled, "a leg has its end on record before it is given up")?;
                    demand(!leg.taken, "a leg that the dialer took is never touched")?;
                    batch.abandons.push((*id, *reason));
                }
                Command::AskLeg(id) => {
                    let is_silent = self.live() == Some(*id) && self.legs[id].progress == Progress::None;
                    demand(is_silent, "only a silent leg is asked")?;
                    batch.asks = Some(*id);
                }
                Command::Finish(result) => {
                    self.word()?;
                    batch.finishes = true;
                    self.is_the_right_word(result, tally)?;
                }
                Command::HandBack => {
                    self.word()?;
                    batch.finishes = true;
                    let nothing_dialled = self.legs.is_empty() && !self.refused_for_a_limit;
                    demand(
                        nothing_dialled,
                        "plain Dial() only where nothing was dialled or refused for a limit",
                    )?;
                    tally.count(Rule::HandedBack);
                }
                Command::Indicate(_) | Command::ArmTimer(..) => {}
            }
        }
        Ok(batch)
    }

    fn may_propose(&self, id: LegId, carrier: &CarrierId, now: Now) -> Checked {
        demand(!self.caller_gone, "no attempt after the caller has gone")?;
        demand(
            !self.legs.values().any(|leg| leg.answered),
            "no attempt after an answer",
        )?;
        demand(self.words == 0, "no attempt after the last word")?;
        demand(
            self.live().is_none(),
            "one leg at a time, and each is settled before the next",
        )?;
        demand(
            self.plan.get(self.proposed) == Some(carrier),
            "carriers in the order of the plan, each once unless it passed the call on",
        )?;
        demand(!self.legs.contains_key(&id), "every attempt is a new leg")?;
        demand(self.legs.len() < self.allowed, "no more attempts than allowed")?;
        let in_time = self.proposed == 0 || self.left(now) >= self.limit.minimum_attempt;
        demand(in_time, "no attempt but the first with less than the minimum left")
    }

    fn start(&mut self, id: LegId, carrier: &CarrierId) -> Checked {
        let leg = Leg {
            carrier: carrier.clone(),
            progress: Progress::None,
            answered: false,
            taken: false,
            settled: false,
        };
        demand(self.legs.insert(id, leg).is_none(), "every attempt is a new leg")
    }

    fn settle(&mut self, attempt: &Attempt, verdict: &Verdict, tally: &mut Tally) -> Result<(LegId, Verdict), String> {
        let id = LegId(attempt.n);
        let leg = self
            .legs
            .get_mut(&id)
            .ok_or("no end on record of a leg that was not started")?;
        demand(!leg.settled, "one decision and one end on record for each leg")?;
        demand(attempt.ended_ms.is_some(), "an end has its time")?;
        leg.settled = true;
        let stands = self
            .last_word
            .as_ref()
            .is_some_and(|(finding, _)| *finding == Finding::Definitive && verdict.finding == Finding::Nothing);
        tally.count_if(stands, Rule::DefinitiveStands);
        if !stands {
            self.last_word = Some((verdict.finding, verdict.dialer.clone()));
        }
        Ok((id, verdict.clone()))
    }

    fn word(&mut self) -> Checked {
        demand(!self.caller_gone, "no last word for a caller that has left")?;
        self.words += 1;
        demand(self.words == 1, "one last word")?;
        demand(self.live().is_none(), "every leg is settled before the last word")
    }

    fn is_the_right_word(&self, result: &DialerResult, tally: &mut Tally) -> Checked {
        match &self.last_word {
            Some((_, word)) => demand(
                result == word,
                "the last attempt's result, busy and dead numbers not hidden",
            ),
            None => {
                tally.count(Rule::NoCircuit);
                demand(self.refused_for_a_limit, "no result without an attempt or a limit")?;
                demand(result.dialstatus == DialStatus::Congestion, "no circuit is congestion")
            }
        }
    }

    /// The one decision about the leg that is out, or none.
    fn live_leg(
        &mut self,
        id: LegId,
        event: &LegEvent,
        batch: &Batch,
        could: bool,
        now: Now,
        tally: &mut Tally,
    ) -> Checked {
        let answered = self.legs[&id].answered;
        match event {
            LegEvent::Started
            | LegEvent::Connected
            | LegEvent::Trying(_)
            | LegEvent::Ringing(_)
            | LegEvent::Media(_) => demand(
                batch.settles.is_none() && !batch.proposes,
                "signs of life decide nothing",
            ),
            LegEvent::Silent => {
                let silent = self.legs[&id].progress == Progress::None;
                let left = batch.abandons.contains(&(id, AbandonReason::NoResponse));
                demand(
                    left == (silent && could),
                    "a silent leg is left when there is another carrier, and only then",
                )?;
                demand(left == batch.proposes, "the guard only moves on")?;
                tally.count_if(left, Rule::GuardMovesOn);
                tally.count_if(silent && !could, Rule::LastCandidateKeepsItsTime);
                Ok(())
            }
            LegEvent::Answered(_) => demand(
                batch.settles.is_none() && batch.abandons.is_empty() && !batch.finishes,
                "an answer goes to the caller",
            ),
            LegEvent::Taken => demand(batch.finishes && batch.abandons.is_empty(), "a taken leg ends the call"),
            LegEvent::Ended(_) if answered => {
                tally.count_if(self.proposed < self.plan.len(), Rule::AnsweredOnce);
                demand(batch.finishes && !batch.proposes, "an answered call has had its answer")
            }
            LegEvent::Ended(evidence) => self.failed(id, evidence, batch, could, now, tally),
        }
    }

    /// A leg ended without an answer.
    fn failed(
        &mut self,
        id: LegId,
        evidence: &Evidence,
        batch: &Batch,
        could: bool,
        now: Now,
        tally: &mut Tally,
    ) -> Checked {
        let (settled, verdict) = batch.settles.as_ref().ok_or("an end is decided about")?;
        demand(*settled == id, "the decision is about the leg that ended")?;
        let progress = self.legs[&id].progress;
        if progress == Progress::Answered {
            return demand(
                batch.finishes && !batch.proposes,
                "a leg that was answered unseen is an answer",
            );
        }
        let policy = self.policy(id);
        let after_media = progress == Progress::Media && is_early_server_failure(evidence, policy);
        let reached = progress >= Progress::Ringing;
        let unseen = evidence.ended_by == EndedBy::Unseen && evidence.elapsed >= Duration::from_secs(1);
        if reached && !policy.fakes_progress && !after_media {
            tally.count_if(could, Rule::RangStops);
            return demand(batch.finishes && !batch.proposes, "after ringing no further attempt");
        }
        if unseen {
            tally.count_if(could, Rule::UnseenEndStops);
            return demand(
                batch.finishes && !batch.proposes,
                "no further attempt after an end that nobody saw",
            );
        }
        tally.count_if(
            batch.proposes && reached && policy.fakes_progress,
            Rule::FakedProgressMovesOn,
        );
        tally.count_if(
            batch.proposes && after_media && !policy.fakes_progress,
            Rule::EarlyFailureAfterMediaMovesOn,
        );
        let moves_on = match verdict.action {
            Action::Stop => false,
            Action::Next | Action::OneMore | Action::RepairAndRetry => true,
        };
        tally.count_if(!moves_on && could, Rule::VerdictStops);
        if moves_on {
            self.count_what_is_left(tally, now);
        }
        demand(
            batch.proposes == (moves_on && could),
            "a verdict that moves on does, while anything is left",
        )?;
        demand(batch.finishes != batch.proposes, "the next carrier or the last word")?;
        tally.count_if(batch.proposes, Rule::MovesOn);
        if verdict.action == Action::OneMore {
            tally.count_if(batch.proposes, Rule::OneMore);
            self.one_more_was_said = true;
            self.allowed = self.allowed.min(self.legs.len() + 1);
        }
        Ok(())
    }

    fn count_what_is_left(&self, tally: &mut Tally, now: Now) {
        let carriers = self.proposed < self.plan.len();
        let attempts = self.legs.len() < self.allowed;
        let time = self.left(now) >= self.limit.minimum_attempt;
        tally.count_if(carriers && !attempts && time, Rule::AttemptsExhausted);
        tally.count_if(
            carriers && !attempts && time && self.one_more_was_said,
            Rule::OneMoreWasTheLast,
        );
        tally.count_if(carriers && attempts && !time, Rule::TimeExhausted);
    }

    /// A leg that is settled, or was never known.
    fn settled_leg(&self, id: LegId, event: &LegEvent, commands: &[Command], tally: &mut Tally) -> Checked {
        let is_answer = matches!(event, LegEvent::Answered(_));
        tally.count(if is_answer {
            Rule::LateAnswer
        } else {
            Rule::SettledLegSpeaks
        });
        if is_answer {
            let hung_up = [Command::AbandonLeg(id, AbandonReason::LateAnswer)];
            return demand(commands == hung_up, "a late answer is hung up and nothing else");
        }
        demand(commands.is_empty(), "a settled leg's events change nothing")
    }

    fn caller_went(was_over: bool, live: Option<LegId>, commands: &[Command]) -> Checked {
        match (was_over, live) {
            (true, _) | (false, None) => {
                demand(commands.is_empty(), "nothing is left to do for a caller that has left")
            }
            (false, Some(id)) => match commands {
                [
                    Command::Record(attempt),
                    Command::AbandonLeg(leg, AbandonReason::CallerGone),
                ] => demand(attempt.n == id.0 && *leg == id, "the leg goes with its caller"),
                _ => Err("the leg goes with its caller".to_owned()),
            },
        }
    }

    fn refused(was_asked: bool, batch: &Batch, could: bool, tally: &mut Tally) -> Checked {
        if !was_asked {
            return Ok(());
        }
        tally.count_if(batch.proposes, Rule::RefusedAtTheDoor);
        demand(
            batch.proposes == could,
            "a refusal at the door goes on while anything is left",
        )?;
        demand(batch.finishes != batch.proposes, "the next carrier or the last word")
    }

    fn timer(&self, timer: Timer, live: Option<LegId>, batch: &Batch, could: bool, tally: &mut Tally) -> Checked {
        let waits_for = |id: LegId, below: Progress| live == Some(id) && self.legs[&id].progress < below;
        match timer {
            Timer::Ring(_) | Timer::Again(_) => demand(false, "nothing arms a timer for ringing or for a repair here"),
            Timer::Guard(id) => {
                let silent = waits_for(id, Progress::Trying);
                tally.count_if(silent && self.engine_lost, Rule::EngineLostHoldsTimers);
                tally.count_if(batch.asks.is_some(), Rule::GuardAsks);
                demand(!batch.proposes && batch.settles.is_none(), "a guard only asks")?;
                demand(
                    batch.asks == Some(id).filter(|_| silent && could && !self.engine_lost),
                    "a guard asks",
                )
            }
            Timer::Progress(id) => {
                let quiet = live == Some(id) || batch.settles.as_ref().is_some_and(|(settled, _)| *settled == id);
                let quiet = quiet && self.legs[&id].progress < Progress::Ringing;
                tally.count_if(quiet && self.engine_lost, Rule::EngineLostHoldsTimers);
                tally.count_if(batch.proposes, Rule::ProgressMovesOn);
                let moves_on = quiet && could && !self.engine_lost;
                demand(
                    batch.proposes == moves_on,
                    "a leg without progress is left while anything is left",
                )?;
                demand(
                    batch.abandons.contains(&(id, AbandonReason::NoProgress)) == moves_on,
                    "a leg that is left is given up",
                )
            }
            Timer::Limit => {
                let unanswered = live.filter(|id| !self.legs[id].answered);
                tally.count_if(unanswered.is_some(), Rule::LimitEnds);
                demand(
                    batch.finishes == unanswered.is_some(),
                    "the limit ends what is not answered",
                )?;
                let given_up = unanswered.map(|id| (id, AbandonReason::OutOfTime));
                demand(
                    batch.abandons == Vec::from_iter(given_up),
                    "what the limit ends is given up",
                )
            }
        }
    }
}

/// What `FailoverAfter183::IfServerFailure` lets move on: 500, 502, 503 and 504 within three seconds.
fn is_early_server_failure(evidence: &Evidence, policy: &CarrierPolicy) -> bool {
    policy.failover_after_183 == FailoverAfter183::IfServerFailure
        && evidence.ended_by == EndedBy::Carrier
        && evidence.elapsed < Duration::from_secs(3)
        && evidence
            .received_reply()
            .is_some_and(|reply| matches!(reply.code, 500 | 502 | 503 | 504))
}
