//! One leg as the driver sees it: its channel, where it is in its life, what came back.

use std::time::Instant;

use crate::ari::Channel;
use crate::call::{LegSpec, ResumedStage};
use crate::verdict::{AbandonReason, Progress, SipReply};

use super::translate;

/// How a leg is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// Originated; it comes under our control when it answers.
    Originated,
    /// Created, in the caller's bridge before it is dialled: what it says and plays before the answer reaches the caller.
    InBridge,
}

/// Where a leg is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Asked for; Asterisk has not confirmed it.
    Asked,
    /// On its way.
    Out,
    /// Answered.
    Up,
    /// Gone, or no longer ours.
    Gone,
}

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) channel: String,
    pub(super) spec: LegSpec,
    pub(super) placement: Placement,
    pub(super) phase: Phase,
    pub(super) progress: Progress,
    pub(super) started: Instant,
    /// The channel's name.
    pub(super) name: String,
    /// The context at its answer: the endpoint's own. A later one is somebody else's doing.
    pub(super) context: String,
    pub(super) reply: Option<SipReply>,
    pub(super) hangup_requested: bool,
    /// The Q.850 cause of its end, where Asterisk tells it before the end.
    pub(super) hangup_cause: Option<u8>,
    /// The carrier wants us to call somebody else (3xx).
    pub(super) redirected: bool,
    pub(super) abandoned: Option<AbandonReason>,
    /// How often Asterisk was asked for it.
    pub(super) requests: u32,
}

/// A leg that another process placed.
#[derive(Clone, Debug)]
pub(super) struct AdoptedLeg {
    pub(super) channel: Channel,
    pub(super) spec: LegSpec,
    pub(super) placement: Placement,
    pub(super) stage: ResumedStage,
}

/// How far a leg of another process has come.
pub(super) fn progress_of(channel: &Channel, stage: ResumedStage) -> Progress {
    match stage {
        ResumedStage::Answered | ResumedStage::Connected => Progress::Answered,
        ResumedStage::OnItsWay => match translate::last_reply(channel).map(|reply| reply.code) {
            Some(180) => Progress::Ringing,
            Some(181..=199) => Progress::Media,
            Some(_) => Progress::Trying,
            None => Progress::None,
        },
    }
}

impl Leg {
    pub(super) fn new(channel: String, spec: LegSpec, placement: Placement) -> Self {
        Self {
            channel,
            spec,
            placement,
            phase: Phase::Asked,
            progress: Progress::None,
            started: Instant::now(),
            name: String::new(),
            context: String::new(),
            reply: None,
            hangup_requested: false,
            hangup_cause: None,
            redirected: false,
            abandoned: None,
            requests: 0,
        }
    }

    pub(super) fn adopted(adopted: AdoptedLeg) -> Self {
        let mut leg = Self::new(adopted.channel.id.clone(), adopted.spec, adopted.placement);
        leg.see(&adopted.channel);
        leg.reach(progress_of(&adopted.channel, adopted.stage));
        leg
    }

    /// Takes in what an event or answer shows of the leg's channel.
    pub(super) fn see(&mut self, channel: &Channel) {
        if self.name.is_empty() {
            self.name.clone_from(&channel.name);
        }
        if self.context.is_empty() {
            self.context.clone_from(&channel.dialplan.context);
        }
        if self.phase == Phase::Asked {
            self.phase = Phase::Out;
        }
        self.reply = translate::last_reply(channel).or_else(|| self.reply.take());
    }

    /// Raises how far the leg has come.
    pub(super) fn reach(&mut self, progress: Progress) {
        self.progress = self.progress.max(progress);
        if progress == Progress::Answered {
            self.phase = Phase::Up;
        }
    }
}
