//! A call that another process began: the machine goes on where that process stopped.

use std::collections::VecDeque;

use crate::call::{CallSpec, Command, LegId, Now, Timer};
use crate::routing::Candidate;
use crate::verdict::{LastWord, Progress, SipReply};

use super::{Call, Leg, Room, State};

/// How far a leg of another process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumedStage {
    /// Not answered.
    OnItsWay,
    /// Answered; the caller may not be connected yet.
    Answered,
    /// Caller and called party talk.
    Connected,
}

/// A leg that another process placed.
#[derive(Clone, Debug)]
pub struct ResumedLeg {
    /// Its number within the call.
    pub id: LegId,
    /// Its carrier; what the plan knows of the carrier goes before this.
    pub candidate: Candidate,
    /// When it was started.
    pub started: Now,
    /// How far it has come, for the verdict.
    pub progress: Progress,
    /// The last SIP response.
    pub reply: Option<SipReply>,
    /// How far it has come, for the call.
    pub stage: ResumedStage,
}

impl Call {
    /// A call that another process began, with the leg that is out or connected, and its first commands here.
    pub fn resume(spec: CallSpec, resumed: ResumedLeg, now: Now) -> (Self, Vec<Command>) {
        let mut waiting: VecDeque<Candidate> = spec.plan.stages.into_iter().flat_map(|stage| stage.legs).collect();
        let place = waiting
            .iter()
            .position(|candidate| candidate.carrier == resumed.candidate.carrier);
        let candidate = match place {
            Some(place) => waiting.drain(..=place).next_back().unwrap_or(resumed.candidate),
            // No longer in the plan: the leg goes on, and nothing comes after it.
            None => {
                waiting.clear();
                resumed.candidate
            }
        };
        let (id, timers, carrier) = (resumed.id, candidate.timers, candidate.carrier.clone());
        let leg = Leg {
            id,
            candidate,
            started: resumed.started,
            progress: resumed.progress,
            last_reply: resumed.reply,
            first_progress: None,
            room: Room::Left,
            answered: (resumed.progress == Progress::Answered).then_some(resumed.started),
        };
        let mut commands = Vec::new();
        let state = match resumed.stage {
            ResumedStage::OnItsWay => {
                if let Some(ring_until) = spec.limit.ring_until {
                    commands.push(Command::ArmTimer(Timer::Limit, ring_until));
                }
                commands.push(Command::ArmTimer(Timer::Guard(id), now.monotonic + timers.guard));
                commands.push(Command::ArmTimer(Timer::Progress(id), now.monotonic + timers.progress));
                if let Some(ring) = timers.ring.filter(|_| resumed.progress >= Progress::Ringing) {
                    commands.push(Command::ArmTimer(Timer::Ring(id), now.monotonic + ring));
                }
                State::Trying { leg }
            }
            ResumedStage::Answered => {
                commands.push(Command::Connect(id));
                State::Connecting { leg }
            }
            ResumedStage::Connected => State::Connected { leg },
        };
        let call = Self {
            state,
            waiting,
            policies: spec.policies,
            limit: spec.limit,
            attempts_left: spec.maximum_attempts.saturating_sub(id.0),
            legs_started: id.0,
            // The leg may be a repaired one already.
            repaired: vec![carrier],
            passed_on: Vec::new(),
            repeat_after: spec.repeat_after,
            changes_offers: spec.changes_offers,
            ring_indicated: resumed.progress >= Progress::Ringing,
            is_held_back: false,
            engine_lost: false,
            last_word: LastWord::default(),
        };
        (call, commands)
    }
}
