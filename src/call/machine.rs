//! The machine: every transition of a call stands in this file.
//!
//! An attempt goes on record before what follows from it is done: a process that dies in between has not forgotten it.

mod resume;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::routing::{Candidate, Plan};
use crate::verdict::{
    AbandonReason, Action, CarrierPolicies, Circumstances, DialerResult, EndedBy, Evidence, LastWord, Progress,
    Rulebook, SipReply, Source, Verdict, judge,
};

use super::attempt::Attempt;
use super::command::{Command, Indication, LegSpec};
use super::input::{AdmissionRefusal, Input, LegEvent, LegId, Now, Timer};

pub use resume::{ResumedLeg, ResumedStage};

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimit {
    /// Until when attempts may be started and moved on from.
    pub hunt_until: Instant,
    /// When the call ends with NOANSWER, as `Dial(…,limit)` would. `None`: the dialer's own timeout ends it by hanging up.
    pub ring_until: Option<Instant>,
    /// No attempt but the first starts with less time left than this.
    pub minimum_attempt: Duration,
}

/// What a call starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSpec {
    /// The carriers that may be tried, in order.
    pub plan: Plan,
    /// How carriers differ in what their answers mean.
    pub policies: Arc<CarrierPolicies>,
    /// How long it may take.
    pub limit: TimeLimit,
    /// At most so many attempts.
    pub maximum_attempts: u32,
    /// The caller hears ringing at once (`r` of `Dial()`).
    pub ring_at_once: bool,
}

/// A leg that ends by itself if nobody is left to end it.
const BACKSTOP: Duration = Duration::from_secs(125);

/// After a lost connection: by then an engine has told how far its legs have come.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// Q.850 cause 16.
const NORMAL_CLEARING: u8 = 16;

/// One leg of the call.
#[derive(Clone, Debug)]
struct Leg {
    id: LegId,
    candidate: Candidate,
    started: Now,
    progress: Progress,
    last_reply: Option<SipReply>,
    first_progress: Option<Now>,
    answered: Option<Now>,
    room: Room,
}

/// Whether the carrier had room for more when a leg went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// More legs might have gone out.
    Left,
    /// It took the last place.
    Taken,
}

#[derive(Clone, Debug)]
enum State {
    /// The door is asked whether the next leg may go out.
    Admitting { id: LegId, candidate: Candidate },
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
    ring_indicated: bool,
    /// A leg was not let out because of a limit.
    is_over_limit: bool,
    engine_lost: bool,
    last_word: LastWord,
}

impl Call {
    /// A new call and its first commands.
    pub fn new(spec: CallSpec, now: Now) -> (Self, Vec<Command>) {
        let mut call = Self {
            state: State::Over,
            waiting: spec.plan.stages.into_iter().flat_map(|stage| stage.legs).collect(),
            policies: spec.policies,
            limit: spec.limit,
            attempts_left: spec.maximum_attempts.max(1),
            legs_started: 0,
            ring_indicated: false,
            is_over_limit: false,
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
            State::Admitting { id: asked, candidate } if asked == id => {
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
                commands.push(Command::Record(leg.attempt(None, None, None)));
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
                    backstop: self.limit.ring_until.map_or(BACKSTOP, |until| {
                        until.saturating_duration_since(now.monotonic) + Duration::from_secs(5)
                    }),
                }));
                commands.push(Command::ArmTimer(Timer::Guard(id), now.monotonic + timers.guard));
                commands.push(Command::ArmTimer(Timer::Progress(id), now.monotonic + timers.progress));
                self.state = State::Trying { leg };
            }
            state @ (State::Admitting { .. }
            | State::Trying { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Over) => self.state = state,
        }
    }

    fn refused(&mut self, id: LegId, refusal: AdmissionRefusal, now: Now, commands: &mut Vec<Command>) {
        match &self.state {
            State::Admitting { id: asked, .. } if *asked == id => {
                self.attempts_left += 1;
                self.is_over_limit |= refusal != AdmissionRefusal::ShuttingDown;
                self.next_candidate(now, commands);
            }
            State::Admitting { .. }
            | State::Trying { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Over => {}
        }
    }

    fn leg_event(&mut self, id: LegId, event: LegEvent, now: Now, commands: &mut Vec<Command>) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Trying { leg } if leg.id == id => self.trying(leg, event, now, commands),
            State::Connecting { leg } if leg.id == id => self.answered(leg, Connection::Pending, event, now, commands),
            State::Connected { leg } if leg.id == id => self.answered(leg, Connection::Made, event, now, commands),
            state @ (State::Admitting { .. }
            | State::Trying { .. }
            | State::Connecting { .. }
            | State::Connected { .. }
            | State::Over) => {
                self.state = state;
                // A settled leg's late events only clean up.
                if matches!(event, LegEvent::Answered(_)) {
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
                leg.first_progress.get_or_insert(now);
                self.indicate_ringing(commands);
                self.state = State::Trying { leg };
            }
            LegEvent::Media(reply) => {
                leg.heard(Progress::Media, reply);
                leg.first_progress.get_or_insert(now);
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
                commands.push(Command::Record(leg.attempt(None, None, None)));
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
    fn answered(&mut self, leg: Leg, connection: Connection, event: LegEvent, now: Now, commands: &mut Vec<Command>) {
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
                let verdict = self.judge(&leg, &evidence);
                commands.push(Command::Record(leg.attempt(Some(now), evidence.q850, Some(verdict))));
                commands.push(Command::AbandonLeg(leg.id, AbandonReason::CallerGone));
            }
            State::Admitting { .. } | State::Over => {}
        }
    }

    fn timer_fired(&mut self, timer: Timer, now: Now, commands: &mut Vec<Command>) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Trying { leg } => match timer {
                Timer::Guard(id) if id == leg.id && leg.progress == Progress::None && !self.engine_lost => {
                    if self.can_move_on(now) {
                        commands.push(Command::AskLeg(id));
                    }
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
                Timer::Limit => {
                    let evidence = leg.given_up(AbandonReason::OutOfTime, now);
                    let abandoned = leg.id;
                    self.finish(leg, &evidence, now, commands);
                    commands.push(Command::AbandonLeg(abandoned, AbandonReason::OutOfTime));
                }
                Timer::Guard(_) | Timer::Progress(_) => self.state = State::Trying { leg },
            },
            state @ (State::Admitting { .. } | State::Connecting { .. } | State::Connected { .. } | State::Over) => {
                self.state = state;
            }
        }
    }

    fn engine_back(&mut self, now: Now, commands: &mut Vec<Command>) {
        self.engine_lost = false;
        let State::Trying { leg } = &self.state else { return };
        // Both timers may have fired while nothing could be seen or asked.
        let since_start = now.monotonic.saturating_duration_since(leg.started.monotonic);
        if leg.progress == Progress::None && since_start >= leg.candidate.timers.guard {
            commands.push(Command::AskLeg(leg.id));
        }
        if leg.progress < Progress::Ringing && since_start >= leg.candidate.timers.progress {
            commands.push(Command::ArmTimer(Timer::Progress(leg.id), now.monotonic + SECOND_LOOK));
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

    /// The leg has ended without an answer: the one decision about it.
    fn settle(&mut self, leg: Leg, evidence: &Evidence, now: Now, commands: &mut Vec<Command>) {
        let verdict = self.judge(&leg, evidence);
        let action = verdict.action;
        self.last_word.hear(&verdict);
        commands.push(Command::Record(leg.attempt(Some(now), evidence.q850, Some(verdict))));
        match action {
            // Repairing needs an engine that can change the request; until then the next carrier is tried.
            Action::Next | Action::RepairAndRetry => self.next_candidate(now, commands),
            Action::OneMore => {
                self.attempts_left = self.attempts_left.min(1);
                self.next_candidate(now, commands);
            }
            Action::Stop => self.end(commands),
        }
    }

    /// The call ends with what this leg's end means.
    fn finish(&mut self, leg: Leg, evidence: &Evidence, now: Now, commands: &mut Vec<Command>) {
        let verdict = self.judge(&leg, evidence);
        self.last_word.hear(&verdict);
        commands.push(Command::Record(leg.attempt(Some(now), evidence.q850, Some(verdict))));
        self.end(commands);
    }

    fn judge(&self, leg: &Leg, evidence: &Evidence) -> Verdict {
        let circumstances = Circumstances {
            policy: self.policies.of(&leg.candidate.carrier),
            rules: Rulebook::built_in(),
            at_our_limit: leg.room == Room::Taken,
        };
        judge(evidence, &circumstances)
    }

    fn end(&mut self, commands: &mut Vec<Command>) {
        self.state = State::Over;
        commands.push(match std::mem::take(&mut self.last_word).into_result() {
            Some(result) => Command::Finish(result),
            // Plain Dial() would go above the limit that no leg was let out for.
            None if self.is_over_limit => Command::Finish(DialerResult::no_circuit()),
            None => Command::HandBack,
        });
    }

    fn can_move_on(&self, now: Now) -> bool {
        let enough_time = self.limit.hunt_until.saturating_duration_since(now.monotonic) >= self.limit.minimum_attempt;
        !self.waiting.is_empty() && self.attempts_left > 0 && enough_time
    }

    fn next_candidate(&mut self, now: Now, commands: &mut Vec<Command>) {
        // The first attempt always goes out: crankback never makes a call less likely to be placed.
        if self.legs_started > 0 && !self.can_move_on(now) {
            return self.end(commands);
        }
        match self.waiting.pop_front() {
            Some(candidate) if self.attempts_left > 0 => {
                self.attempts_left -= 1;
                self.legs_started += 1;
                let id = LegId(self.legs_started);
                commands.push(Command::Admit(id, candidate.carrier.clone()));
                self.state = State::Admitting { id, candidate };
            }
            Some(_) | None => self.end(commands),
        }
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

impl Leg {
    fn heard(&mut self, progress: Progress, reply: Option<SipReply>) {
        self.progress = self.progress.max(progress);
        self.last_reply = reply.or_else(|| self.last_reply.take());
    }

    fn given_up(&self, reason: AbandonReason, now: Now) -> Evidence {
        self.evidence(EndedBy::Us(reason), None, now)
    }

    /// The dialer redirected the answered leg away: for the caller that is a normal end.
    fn taken(&self, now: Now) -> Evidence {
        self.evidence(EndedBy::Carrier, Some(NORMAL_CLEARING), now)
    }

    fn evidence(&self, ended_by: EndedBy, q850: Option<u8>, now: Now) -> Evidence {
        Evidence {
            sip: self.last_reply.clone(),
            q850,
            source: Source::Unknown,
            progress: self.progress,
            ended_by,
            refused: false,
            elapsed: now.monotonic.saturating_duration_since(self.started.monotonic),
            technology: self.candidate.technology,
            retry_after: None,
        }
    }

    fn attempt(&self, ended: Option<Now>, q850: Option<u8>, verdict: Option<Verdict>) -> Attempt {
        let since_start = |then: Now| then.wall_ms - self.started.wall_ms;
        Attempt {
            n: self.id.0,
            carrier: self.candidate.carrier.clone(),
            wire_number: self.candidate.wire_number.clone(),
            started_ms: self.started.wall_ms,
            progress: self.progress,
            pdd_ms: self.first_progress.map(since_start),
            answered_after_ms: self.answered.map(since_start),
            ended_ms: ended.map(|now| now.wall_ms),
            reply: verdict
                .as_ref()
                .and_then(|verdict| verdict.dialer.tech.clone())
                .or_else(|| self.last_reply.clone()),
            q850,
            verdict,
        }
    }
}
