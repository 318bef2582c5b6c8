//! The machine: every transition of a call stands in this file.
//!
//! An attempt goes on record before what follows from it is done: a process that dies in between has not forgotten it.

mod leg;
mod resume;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::carrier::CarrierId;
use crate::moment::Now;
use crate::routing::Candidate;
use crate::verdict::{
    AbandonReason, Action, CarrierPolicies, CarrierPolicy, Circumstances, DialerResult, EndedBy, Evidence, LastWord,
    Progress, Rulebook, Verdict, judge,
};

use super::command::{Command, Indication, LegSpec};
use super::input::{AdmissionRefusal, Input, LegEvent, LegId, Timer};
use super::repair::Repair;
use super::spec::{CallSpec, TimeLimit};

use leg::{Leg, Room};
pub use resume::{ResumedLeg, ResumedStage};

/// A leg that ends by itself if nobody is left to end it.
const BACKSTOP: Duration = Duration::from_secs(125);

/// After a lost connection: by then an engine has told how far its legs have come.
const SECOND_LOOK: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
enum State {
    /// The door is asked whether the next leg may go out.
    Admitting {
        id: LegId,
        candidate: Candidate,
        repair: Option<Repair>,
    },
    /// The next attempt, through the same carrier, waits for its moment.
    Pausing {
        after: LegId,
        candidate: Candidate,
        repair: Repair,
    },
    /// A leg is out and not answered.
    Trying { leg: Leg },
    /// The leg is answered, the caller is being connected.
    Connecting { leg: Leg },
    /// Caller and called party talk.
    Connected { leg: Leg },
    /// The call has its result; only stragglers are cleaned up.
    Over,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    state: State,
    waiting: VecDeque<Candidate>,
    policies: Arc<CarrierPolicies>,
    limit: TimeLimit,
    attempts_left: u32,
    legs_started: u32,
    /// Carriers whose refused request was repaired: once is enough.
    repaired: Vec<CarrierId>,
    /// Legs that the dialer has redirected away: live customers.
    taken: Vec<LegId>,
    /// Carriers that passed the call on: they come again behind the others, and do not pass it on once more.
    passed_on: Vec<CarrierId>,
    repeat_after: Duration,
    changes_offers: bool,
    ring_indicated: bool,
    /// A leg was not let out because of a limit, or no carrier may be used.
    is_held_back: bool,
    engine_lost: bool,
    last_word: LastWord,
}

impl Call {
    /// A new call and its first commands.
    pub fn new(spec: CallSpec, now: Now) -> (Self, Vec<Command>) {
        let is_held_back = spec.plan.is_held_back();
        let mut call = Self {
            state: State::Over,
            waiting: spec.plan.stages.into_iter().flat_map(|stage| stage.legs).collect(),
            policies: spec.policies,
            limit: spec.limit,
            attempts_left: spec.maximum_attempts.max(1),
            legs_started: 0,
            repaired: Vec::new(),
            taken: Vec::new(),
            passed_on: Vec::new(),
            repeat_after: spec.repeat_after,
            changes_offers: spec.changes_offers,
            ring_indicated: false,
            is_held_back,
            engine_lost: false,
            last_word: LastWord::default(),
        };
        let mut commands = Vec::with_capacity(4);
        if let Some(ring_until) = call.limit.ring_until {
            commands.push(Command::ArmTimer(Timer::Limit, ring_until));
        }
        if spec.ring_at_once {
            call.indicate_ringing(&mut commands);
        }
        call.next_candidate(now, &mut commands);
        (call, commands)
    }

    /// Whether the call has its result.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Whether caller and called party talk: from here on the call needs nobody but for its end.
    pub const fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected { .. })
    }

    /// One input, its consequences.
    pub fn handle(&mut self, input: Input, now: Now) -> Vec<Command> {
        let mut commands = Vec::new();
        match input {
            Input::Admitted(id) => self.admitted(id, Room::Left, now, &mut commands),
            Input::AdmittedAtLimit(id) => self.admitted(id, Room::Taken, now, &mut commands),
            Input::Refused(id, refusal) => self.refused(id, refusal, now, &mut commands),
            Input::Leg(id, event) => self.leg_event(id, event, now, &mut commands),
            Input::CallerGone => self.caller_gone(now, &mut commands),
            Input::TimerFired(timer) => self.timer_fired(timer, now, &mut commands),
            Input::EngineLost => self.engine_lost = true,
            Input::EngineBack => self.engine_back(now, &mut commands),
        }
        commands
    }

    fn admitted(&mut self, id: LegId, room: Room, now: Now, commands: &mut Vec<Command>) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Admitting {
                id: asked,
                candidate,
                repair,
            } if asked == id => {
                let leg = Leg {
                    id,
                    candidate,
                    started: now,
                    progress: Progress::None,
                    last_reply: None,
                    first_progress: None,
                    answered: None,
                    room,
                };
                commands.push(Command::Record(leg.attempt()));
                let Candidate {
                    carrier,
                    technology,
                    dial_string,
                    wire_number,
                    timers,
                    ..
                } = &leg.candidate;
                commands.push(Command::StartLeg(LegSpec {
                    leg: id,
                    carrier: carrier.clone(),
                    technology: *technology,
                    dial_string: dial_string.clone(),
                    wire_number: wire_number.clone(),
                    repair,
                    backstop: self.limit.ring_until.map_or(BACKSTOP, |until| {
                        until.saturating_duration_since(now.monotonic) + Duration::from_secs(5)
                    }),
                }));
                commands.push(Command::ArmTimer(Timer::Guard(id), now.monotonic + timers.guard));
                commands.push(Command::ArmTimer(Timer::Progress(id), now.monotonic + timers.progress));
                self.state = State::Trying { leg };
            }
            state @ (State::Admitting { .. }
            | State::Pausing { .. }
            | State::Trying { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Over) => self.state = state,
        }
    }

    fn refused(&mut self, id: LegId, refusal: AdmissionRefusal, now: Now, commands: &mut Vec<Command>) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Admitting {
                id: asked, candidate, ..
            } if asked == id => {
                self.attempts_left += 1;
                match refusal {
                    AdmissionRefusal::PassedOn => {
                        self.passed_on.push(candidate.carrier.clone());
                        self.waiting.push_back(candidate);
                    }
                    AdmissionRefusal::ShuttingDown => {}
                    AdmissionRefusal::ChannelLimit
                    | AdmissionRefusal::CallsPerSecondLimit
                    | AdmissionRefusal::RetryBudget
                    | AdmissionRefusal::TakenOut => self.is_held_back = true,
                }
                self.next_candidate(now, commands);
            }
            state @ (State::Admitting { .. }
            | State::Pausing { .. }
            | State::Trying { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Over) => self.state = state,
        }
    }

    fn leg_event(&mut self, id: LegId, event: LegEvent, now: Now, commands: &mut Vec<Command>) {
        if event == LegEvent::Taken && !self.taken.contains(&id) {
            self.taken.push(id);
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Trying { leg } if leg.id == id => self.trying(leg, event, now, commands),
            State::Connecting { leg } if leg.id == id => self.answered(leg, Connection::Pending, event, now, commands),
            State::Connected { leg } if leg.id == id => self.answered(leg, Connection::Made, event, now, commands),
            state @ (State::Admitting { .. }
            | State::Pausing { .. }
            | State::Trying { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Over) => {
                self.state = state;
                // A settled leg's late events only clean up, and a live customer is nothing to clean up.
                if matches!(event, LegEvent::Answered(_)) && !self.taken.contains(&id) {
                    commands.push(Command::AbandonLeg(id, AbandonReason::LateAnswer));
                }
            }
        }
    }

    /// An event of the leg that is out and not answered.
    fn trying(&mut self, mut leg: Leg, event: LegEvent, now: Now, commands: &mut Vec<Command>) {
        match event {
            LegEvent::Started | LegEvent::Connected => self.state = State::Trying { leg },
            LegEvent::Trying(reply) => {
                leg.heard(Progress::Trying, reply);
                self.state = State::Trying { leg };
            }
            LegEvent::Ringing(reply) => {
                leg.heard(Progress::Ringing, reply);
                leg.rings(now, commands);
                self.indicate_ringing(commands);
                self.state = State::Trying { leg };
            }
            LegEvent::Media(reply) => {
                leg.heard(Progress::Media, reply);
                leg.rings(now, commands);
                commands.push(Command::Indicate(Indication::Progress));
                self.state = State::Trying { leg };
            }
            LegEvent::Silent => {
                if leg.progress == Progress::None && self.can_move_on(now) {
                    self.give_up(leg, AbandonReason::NoResponse, now, commands);
                } else {
                    self.state = State::Trying { leg };
                }
            }
            LegEvent::Answered(reply) => {
                leg.heard(Progress::Answered, reply);
                leg.answered = Some(now);
                commands.push(Command::Record(leg.attempt()));
                commands.push(Command::Connect(leg.id));
                self.state = State::Connecting { leg };
            }
            LegEvent::Ended(mut evidence) => {
                evidence.progress = evidence.progress.max(leg.progress);
                self.settle(leg, &evidence, now, commands);
            }
            LegEvent::Taken => {
                let evidence = leg.taken(now);
                self.finish(leg, &evidence, now, commands);
            }
        }
    }

    /// An event of the answered leg.
    fn answered(
        &mut self,
        mut leg: Leg,
        connection: Connection,
        event: LegEvent,
        now: Now,
        commands: &mut Vec<Command>,
    ) {
        match event {
            LegEvent::Connected => self.state = State::Connected { leg },
            LegEvent::Ended(mut evidence) => {
                evidence.progress = Progress::Answered;
                self.finish(leg, &evidence, now, commands);
            }
            LegEvent::Taken => {
                let evidence = leg.taken(now);
                self.finish(leg, &evidence, now, commands);
            }
            LegEvent::Started
            | LegEvent::Silent
            | LegEvent::Trying(_)
            | LegEvent::Ringing(_)
            | LegEvent::Media(_)
            | LegEvent::Answered(_) => {
                self.state = match connection {
                    Connection::Pending => State::Connecting { leg },
                    Connection::Made => State::Connected { leg },
                };
            }
        }
    }

    fn caller_gone(&mut self, now: Now, commands: &mut Vec<Command>) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Trying { leg } | State::Connecting { leg } | State::Connected { leg } => {
                let evidence = leg.evidence(EndedBy::Caller, None, now);
                let verdict = self.judge(&leg, &evidence, None);
                commands.push(Command::Record(leg.ended_attempt(&evidence, verdict, now)));
                commands.push(Command::AbandonLeg(leg.id, AbandonReason::CallerGone));
            }
            State::Admitting { .. } | State::Pausing { .. } | State::Over => {}
        }
    }

    fn timer_fired(&mut self, timer: Timer, now: Now, commands: &mut Vec<Command>) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Trying { leg } => match timer {
                Timer::Guard(id) if id == leg.id && leg.progress == Progress::None && !self.engine_lost => {
                    // A last leg, too: the dialer is told of its last response should the caller give up.
                    commands.push(Command::AskLeg(id));
                    self.state = State::Trying { leg };
                }
                Timer::Progress(id)
                    if id == leg.id
                        && leg.progress < Progress::Ringing
                        && !self.engine_lost
                        && self.can_move_on(now) =>
                {
                    self.give_up(leg, AbandonReason::NoProgress, now, commands);
                }
                Timer::Ring(id) if id == leg.id && !self.engine_lost => {
                    self.let_go(leg, AbandonReason::RingLimit, now, commands)
                }
                Timer::Limit => self.let_go(leg, AbandonReason::OutOfTime, now, commands),
                Timer::Guard(_) | Timer::Progress(_) | Timer::Ring(_) | Timer::Again(_) => {
                    self.state = State::Trying { leg };
                }
            },
            State::Pausing {
                after,
                candidate,
                repair,
            } => match timer {
                Timer::Again(id) if id == after && self.may_start(now) => {
                    self.ask_for(candidate, Some(repair), commands);
                }
                Timer::Again(id) if id == after => self.end(commands),
                Timer::Limit => self.end(commands),
                Timer::Guard(_) | Timer::Progress(_) | Timer::Ring(_) | Timer::Again(_) => {
                    self.state = State::Pausing {
                        after,
                        candidate,
                        repair,
                    };
                }
            },
            state @ (State::Admitting { .. } | State::Connecting { .. } | State::Connected { .. } | State::Over) => {
                self.state = state;
            }
        }
    }

    fn engine_back(&mut self, now: Now, commands: &mut Vec<Command>) {
        self.engine_lost = false;
        let State::Trying { leg } = &self.state else { return };
        // Its timers may have fired while nothing could be seen or asked.
        let since_start = now.monotonic.saturating_duration_since(leg.started.monotonic);
        if leg.progress == Progress::None && since_start >= leg.candidate.timers.guard {
            commands.push(Command::AskLeg(leg.id));
        }
        if leg.progress < Progress::Ringing && since_start >= leg.candidate.timers.progress {
            commands.push(Command::ArmTimer(Timer::Progress(leg.id), now.monotonic + SECOND_LOOK));
        }
        if leg.has_rung_too_long(now) {
            commands.push(Command::ArmTimer(Timer::Ring(leg.id), now.monotonic + SECOND_LOOK));
        }
    }

    /// Gives a leg up for the next candidate; its evidence is ours to write.
    fn give_up(&mut self, leg: Leg, reason: AbandonReason, now: Now, commands: &mut Vec<Command>) {
        let evidence = leg.given_up(reason, now);
        let abandoned = leg.id;
        self.settle(leg, &evidence, now, commands);
        // After the next leg is on its way: tidying up must not delay it.
        commands.push(Command::AbandonLeg(abandoned, reason));
    }

    /// Gives a leg up, and the call with it.
    fn let_go(&mut self, leg: Leg, reason: AbandonReason, now: Now, commands: &mut Vec<Command>) {
        let evidence = leg.given_up(reason, now);
        let abandoned = leg.id;
        self.finish(leg, &evidence, now, commands);
        commands.push(Command::AbandonLeg(abandoned, reason));
    }

    /// The leg has ended without an answer: the one decision about it.
    fn settle(&mut self, leg: Leg, evidence: &Evidence, now: Now, commands: &mut Vec<Command>) {
        let repair = self.repair_of(&leg, evidence, now);
        let verdict = self.judge(&leg, evidence, repair);
        let action = verdict.action;
        self.last_word.hear(&verdict);
        commands.push(Command::Record(leg.ended_attempt(evidence, verdict, now)));
        match (action, repair) {
            (Action::RepairAndRetry, Some(repair)) => self.try_again(leg, repair, now, commands),
            (Action::Next | Action::RepairAndRetry, _) => self.next_candidate(now, commands),
            (Action::OneMore, _) => {
                self.attempts_left = self.attempts_left.min(1);
                self.next_candidate(now, commands);
            }
            (Action::Stop, _) => self.end(commands),
        }
    }

    /// What may be changed for one more attempt through the same carrier: once a carrier, and never after ringing.
    fn repair_of(&self, leg: &Leg, evidence: &Evidence, now: Now) -> Option<Repair> {
        let is_first = !self.repaired.contains(&leg.candidate.carrier);
        let rang = evidence.progress >= Progress::Ringing;
        let repair = Repair::of(evidence).filter(|repair| self.changes_offers || !repair.changes_offer());
        let is_left = self.attempts_left > 0 && self.may_start(now);
        repair.filter(|_| is_first && !rang && evidence.ended_by == EndedBy::Carrier && is_left)
    }

    /// The same carrier once more.
    fn try_again(&mut self, leg: Leg, repair: Repair, now: Now, commands: &mut Vec<Command>) {
        self.repaired.push(leg.candidate.carrier.clone());
        if repair.waits() {
            let at = now.monotonic + self.repeat_after;
            commands.push(Command::ArmTimer(Timer::Again(leg.id), at));
            self.state = State::Pausing {
                after: leg.id,
                candidate: leg.candidate,
                repair,
            };
        } else {
            self.ask_for(leg.candidate, Some(repair), commands);
        }
    }

    /// The call ends with what this leg's end means.
    fn finish(&mut self, leg: Leg, evidence: &Evidence, now: Now, commands: &mut Vec<Command>) {
        let verdict = self.judge(&leg, evidence, None);
        self.last_word.hear(&verdict);
        commands.push(Command::Record(leg.ended_attempt(evidence, verdict, now)));
        self.end(commands);
    }

    fn judge(&self, leg: &Leg, evidence: &Evidence, repair: Option<Repair>) -> Verdict {
        let policy = CarrierPolicy {
            repair_allowed: repair.is_some(),
            ..self.policies.of(&leg.candidate.carrier).clone()
        };
        let circumstances = Circumstances {
            policy: &policy,
            rules: Rulebook::built_in(),
            at_our_limit: leg.room == Room::Taken,
        };
        judge(evidence, &circumstances)
    }

    fn end(&mut self, commands: &mut Vec<Command>) {
        self.state = State::Over;
        commands.push(match std::mem::take(&mut self.last_word).into_result() {
            Some(result) => Command::Finish(result),
            // Plain Dial() would do what no leg was let out for.
            None if self.is_held_back => Command::Finish(DialerResult::no_circuit()),
            None => Command::HandBack,
        });
    }

    fn can_move_on(&self, now: Now) -> bool {
        !self.waiting.is_empty() && self.attempts_left > 0 && self.may_start(now)
    }

    /// Whether there is time for one more attempt.
    fn may_start(&self, now: Now) -> bool {
        let left = self.limit.hunt_until.saturating_duration_since(now.monotonic);
        left >= self.limit.minimum_attempt && now.monotonic < self.limit.setup_until
    }

    fn next_candidate(&mut self, now: Now, commands: &mut Vec<Command>) {
        // The first attempt always goes out: crankback never makes a call less likely to be placed.
        if self.legs_started > 0 && !self.can_move_on(now) {
            return self.end(commands);
        }
        match self.waiting.pop_front() {
            Some(candidate) if self.attempts_left > 0 => {
                self.ask_for(candidate, None, commands);
            }
            Some(_) | None => self.end(commands),
        }
    }

    /// Asks the door for the next leg.
    fn ask_for(&mut self, candidate: Candidate, repair: Option<Repair>, commands: &mut Vec<Command>) {
        self.attempts_left = self.attempts_left.saturating_sub(1);
        self.legs_started += 1;
        let id = LegId(self.legs_started);
        let carrier = candidate.carrier.clone();
        commands.push(Command::Admit {
            leg: id,
            is_last_choice: repair.is_some() || self.waiting.is_empty() || self.passed_on.contains(&carrier),
            carrier,
        });
        self.state = State::Admitting { id, candidate, repair };
    }

    fn indicate_ringing(&mut self, commands: &mut Vec<Command>) {
        if !std::mem::replace(&mut self.ring_indicated, true) {
            commands.push(Command::Indicate(Indication::Ringing));
        }
    }
}

/// Whether the caller has been connected to the answered leg.
#[derive(Clone, Copy)]
enum Connection {
    Pending,
    Made,
}
