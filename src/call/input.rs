//! What can happen to a call.

use std::fmt;

use crate::verdict::{Evidence, SipReply};

/// One leg of a call: its number, counted from 1. Every attempt is a new leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub u32);

impl LegId {
    /// The first leg of a call.
    pub const FIRST: Self = Self(1);
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a leg was not let out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdmissionRefusal {
    /// The daemon is going down.
    ShuttingDown,
    /// As many legs are out through the carrier as it allows.
    ChannelLimit,
    /// As many legs have gone out within a second as the carrier allows.
    CallsPerSecondLimit,
    /// The backup has had its share of retries.
    RetryBudget,
    /// The carrier is not well enough for this call while another is left for it.
    PassedOn,
    /// The operator takes the carrier out.
    TakenOut,
}

impl AdmissionRefusal {
    /// One word, the same in the store and in metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ShuttingDown => "shutting_down",
            Self::ChannelLimit => "channel_limit",
            Self::CallsPerSecondLimit => "calls_per_second_limit",
            Self::RetryBudget => "retry_budget",
            Self::PassedOn => "passed_on",
            Self::TakenOut => "taken_out",
        }
    }
}

/// The timers of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The carrier should have sent something by now.
    Guard(LegId),
    /// The carrier should have rung or sent media by now.
    Progress(LegId),
    /// The leg has rung for as long as its carrier may.
    Ring(LegId),
    /// The attempt after this leg, through the same carrier, has waited long enough.
    Again(LegId),
    /// The dialer's own limit for the whole call.
    Limit,
}

/// What an engine reports of one leg; with the SIP response behind it where the engine can see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEvent {
    /// The engine has sent the leg on its way.
    Started,
    /// Asked for signs of life: nothing has come back.
    Silent,
    /// The carrier answered with 100 Trying.
    Trying(Option<SipReply>),
    /// 180 Ringing.
    Ringing(Option<SipReply>),
    /// 183 Session Progress, or 180 with a session description.
    Media(Option<SipReply>),
    /// Answered.
    Answered(Option<SipReply>),
    /// The answered leg and the caller hear each other.
    Connected,
    /// The leg is over.
    Ended(Evidence),
    /// The leg was redirected away by the dialer: it is a live customer and no longer ours.
    Taken,
}

/// What can happen to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The leg may go out.
    Admitted(LegId),
    /// The leg may go out; it took the last place that its carrier allows, so that a refusal may be our own doing.
    AdmittedAtLimit(LegId),
    /// The leg may not go out.
    Refused(LegId, AdmissionRefusal),
    /// Something happened to a leg.
    Leg(LegId, LegEvent),
    /// The caller hung up or was redirected away.
    CallerGone,
    /// A timer that was armed has fired.
    TimerFired(Timer),
    /// The engine lost its connection; events may be missing until it is back.
    EngineLost,
    /// The engine is connected again and has told what it missed.
    EngineBack,
}
