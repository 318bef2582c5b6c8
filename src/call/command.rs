//! What a call wants done. Intents only: an engine knows how.

use std::time::{Duration, Instant};

use crate::carrier::{CarrierId, Technology};
use crate::verdict::{AbandonReason, DialerResult};

use super::attempt::Attempt;
use super::input::{LegId, Timer};
use super::repair::Repair;

/// Everything an engine needs to send a leg on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegSpec {
    /// The leg.
    pub leg: LegId,
    /// The carrier.
    pub carrier: CarrierId,
    /// The channel driver.
    pub technology: Technology,
    /// What `Dial()` would be given.
    pub dial_string: String,
    /// The number that goes out on the wire.
    pub wire_number: String,
    /// How it differs from the attempt before it, which the carrier refused.
    pub repair: Option<Repair>,
    /// A backstop for the case that nobody is left to end the leg; the call's own timers come first.
    pub backstop: Duration,
}

/// What the caller is to hear or see before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indication {
    /// Ringing (180).
    Ringing,
    /// Progress (183).
    Progress,
}

/// What a call wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ask whether a leg may go out now.
    Admit {
        /// The leg.
        leg: LegId,
        /// Its carrier.
        carrier: CarrierId,
        /// No other carrier is left for the call, or this one has passed it on already: how well it is does not matter.
        is_last_choice: bool,
    },
    /// Send a leg on its way.
    StartLeg(LegSpec),
    /// Ask whether anything has come back from the leg; answered by `Silent` or `Trying`.
    AskLeg(LegId),
    /// Give a leg up.
    AbandonLeg(LegId, AbandonReason),
    /// Connect the answered leg and the caller, then answer the caller.
    Connect(LegId),
    /// Let the caller know how far the call is.
    Indicate(Indication),
    /// Report back at that moment.
    ArmTimer(Timer, Instant),
    /// Tell the dialer the result and let the caller go on in the dialplan.
    Finish(DialerResult),
    /// Nothing was dialled: give the caller back for plain `Dial()`.
    HandBack,
    /// Put the attempt on record.
    Record(Attempt),
}
