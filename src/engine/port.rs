//! What the runner asks of an engine, and what an engine asks of the dialer's contract.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::call::{Attempt, Indication, Input, LegId, LegSpec, Now, TimeLimit};
use crate::carrier::CarrierId;
use crate::config::EarlyMedia;
use crate::verdict::{AbandonReason, CarrierPolicies, DialerResult};

use super::recorded::Recorded;

/// One way of carrying a call out. Every method but `next` and `close` only begins its work.
pub trait Driver: Send {
    /// Sends a leg on its way, not before what led to it is on record.
    fn start_leg(&mut self, spec: LegSpec, recorded: Recorded);
    /// Finds out whether anything has come back from the leg; answers with `Silent` or `Trying`.
    fn ask_leg(&mut self, leg: LegId);
    /// Gives a leg up. A leg that is no longer ours is left alone.
    fn abandon_leg(&mut self, leg: LegId, reason: AbandonReason);
    /// Connects the answered leg and the caller, then answers the caller.
    fn connect(&mut self, leg: LegId);
    /// Lets the caller know how far the call is.
    fn indicate(&mut self, indication: Indication);
    /// Tells the dialer the result and lets the caller go on in the dialplan.
    fn finish(&mut self, result: DialerResult);
    /// Lets the caller go on to plain `Dial()`.
    fn hand_back(&mut self);
    /// The next thing that happened; `None` where it is no business of the call but the driver may be idle now. Dropping the
    /// future loses nothing.
    fn next(&mut self) -> impl Future<Output = Option<Input>> + Send;
    /// Nothing is under way and no leg or caller is held any more.
    fn is_idle(&self) -> bool;
    /// Another process has taken the call over: its events go there, and nothing may be decided here any more.
    fn is_replaced(&self) -> bool;
    /// The channel id of a leg, for the record.
    fn channel_id(&self, leg: LegId) -> Option<&str>;
    /// Takes away what is left of the call.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// One call as the dialplan handed it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerEntry {
    /// The caller channel's id (Asterisk's uniqueid).
    pub channel_id: String,
    /// The caller channel's name.
    pub channel_name: String,
    /// Caller id name; VICIdial's call code.
    pub caller_name: String,
    /// Caller id number.
    pub caller_number: String,
    /// The caller was already up when it came.
    pub is_up: bool,
    /// Creation of the caller channel, milliseconds since 1970.
    pub created_ms: i64,
    /// Answer of a caller that was already up, milliseconds since 1970.
    pub answered_ms: Option<i64>,
    /// The carrier whose dialplan line sent the call.
    pub carrier: CarrierId,
    /// The dialled extension.
    pub dialled: String,
    /// The first argument of the `Dial()` that stood there.
    pub dial_string: String,
    /// The second argument of that `Dial()`.
    pub limit: Option<Duration>,
    /// The campaign, where the dialer told it.
    pub campaign: Option<String>,
    /// The third argument of that `Dial()`.
    pub options: String,
}

impl CallerEntry {
    /// Whether somebody is at the other end before the answer: an agent's conference, or a telephone on a channel of its own.
    /// The half of a Local channel that runs the dialplan is alone until it is answered.
    pub fn hears_before_answer(&self) -> bool {
        self.is_up || !self.channel_name.starts_with("Local/")
    }

    /// What a dialer has to know of it beside each of its legs.
    pub(super) fn of_leg(&self) -> LegCaller {
        LegCaller {
            channel_id: self.channel_id.clone(),
            channel_name: self.channel_name.clone(),
            caller_name: self.caller_name.clone(),
            created_ms: self.created_ms,
        }
    }

    /// Whether a single-letter option stands in the `Dial()` options, outside of any option's argument.
    pub fn has_option(&self, option: char) -> bool {
        let mut depth = 0_u32;
        self.options.chars().any(|character| {
            match character {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && character == option
        })
    }
}

/// The channel that a leg was made for, as far as a dialer has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegCaller {
    /// The channel's id (Asterisk's uniqueid).
    pub channel_id: String,
    /// The channel's name.
    pub channel_name: String,
    /// Caller id name; VICIdial's call code.
    pub caller_name: String,
    /// Creation of the channel, milliseconds since 1970.
    pub created_ms: i64,
}

/// A leg that Asterisk has made, as a dialer may have to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedLeg {
    /// Whose leg it is.
    pub caller: LegCaller,
    /// Which leg of its call.
    pub leg: LegId,
    /// Its channel's id (Asterisk's uniqueid).
    pub channel_id: String,
    /// Its channel's name.
    pub channel_name: String,
    /// The id of the oldest channel of the call (Asterisk's linkedid); empty when Asterisk did not tell it any more.
    pub linked_id: String,
}

/// What a dialer expects of whoever replaces its `Dial()`.
pub trait DialerContract: Send + Sync + fmt::Debug {
    /// A channel id for the next leg of this caller. Never the same twice.
    fn leg_identity(&self, caller: &CallerEntry) -> String;
    /// How long the call may take, counted from now; `setup` is what its entry carrier has instead of the set-up time of all
    /// calls.
    fn time_limit(&self, caller: &CallerEntry, setup: Option<Duration>, now: Now) -> TimeLimit;
    /// What carriers' answers may mean for this caller; `policies` unless the dialer allows less.
    fn policies(&self, _caller: &CallerEntry, policies: Arc<CarrierPolicies>) -> Arc<CarrierPolicies> {
        policies
    }
    /// Whether the dialer has to know this caller's legs. Only then are the next two asked.
    fn follows_legs(&self, _caller: &CallerEntry) -> bool {
        false
    }
    /// A leg is on its way. Never waits.
    fn leg_started(&self, _leg: PlacedLeg) {}
    /// A leg is answered, and its caller about to be: resolves when that may happen, in good time whatever goes wrong.
    fn before_answer(&self, _leg: PlacedLeg) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What holds for every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallPolicy {
    /// Attempts that one call may make.
    pub maximum_attempts: u32,
    /// Whether media before the answer reaches the caller.
    pub early_media: EarlyMedia,
}

/// What identifies a call on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallIdentity {
    /// The caller channel's id.
    pub call_id: String,
    /// The caller channel's name.
    pub caller_channel: String,
    /// The caller id name; VICIdial's call code.
    pub call_code: String,
    /// The dialled extension.
    pub dialled: String,
    /// The carrier whose dialplan line sent the call.
    pub entry: CarrierId,
    /// The campaign.
    pub campaign: Option<String>,
}

/// One attempt with its call, for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// The call.
    pub call: CallIdentity,
    /// The attempt.
    pub attempt: Attempt,
    /// The leg's channel id.
    pub channel_id: Option<String>,
    /// Of a test call: nobody's call fared so.
    pub is_test: bool,
}

/// Where attempts go on record.
pub trait AttemptLog: Send + Sync + fmt::Debug {
    /// Takes a record; never waits. The receiver resolves when a crash of this process cannot lose the record any more, and
    /// fails when it could not be kept.
    fn keep(&self, record: AttemptRecord) -> oneshot::Receiver<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_options_only_outside_of_their_arguments() {
        let entry = |options: &str| CallerEntry {
            channel_id: "1.1".into(),
            channel_name: String::new(),
            caller_name: String::new(),
            caller_number: String::new(),
            is_up: false,
            created_ms: 0,
            answered_ms: None,
            carrier: CarrierId::from("A"),
            dialled: String::new(),
            dial_string: String::new(),
            limit: None,
            campaign: None,
            options: options.into(),
        };
        assert!(entry("tTor").has_option('r'));
        assert!(!entry("To").has_option('r'));
        assert!(!entry("U(rerun)To").has_option('r'));
        assert!(entry("U(x)r").has_option('r'));
    }
}
