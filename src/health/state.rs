//! What a carrier can be in, why, and since when.

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The state that evidence puts a carrier in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Takes all its calls.
    #[default]
    Active,
    /// Part of its calls is passed on.
    Degraded,
    /// The carrier told us our own limit: takes as many calls as it seems to bear.
    Throttled,
    /// The breaker was open; single calls try whether the carrier is back.
    HalfOpen,
    /// Probes fail: used when nothing better is left.
    Standby,
    /// The breaker is open.
    Failed,
    /// Credentials or number format are wrong: needs a person or a good test call.
    ConfigError,
}

impl State {
    /// All states, the best first.
    pub const ALL: [Self; 7] = [
        Self::Active,
        Self::Degraded,
        Self::Throttled,
        Self::HalfOpen,
        Self::Standby,
        Self::Failed,
        Self::ConfigError,
    ];

    /// One word, the same in snapshots, metrics and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Degraded => "degraded",
            Self::Throttled => "throttled",
            Self::HalfOpen => "half_open",
            Self::Standby => "standby",
            Self::Failed => "failed",
            Self::ConfigError => "config_error",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The evidence behind a state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Because {
    /// Nothing is known against the carrier.
    #[default]
    #[error("nothing is known against it")]
    NothingKnown,
    /// Too many calls fail.
    #[error("{failed_percent} % of {samples} calls failed")]
    CallsFail {
        /// Weighted share of failures, 0 to 100.
        failed_percent: u8,
        /// Samples behind it.
        samples: u32,
        /// The rule that judged the last failure.
        last_rule: String,
    },
    /// Strong failures in a row, though calls are few.
    #[error("{count} calls in a row failed, the last by {last_rule}")]
    CallsFailInARow {
        /// How many.
        count: u32,
        /// The rule that judged the last one.
        last_rule: String,
    },
    /// Legs are out and nothing comes back.
    #[error("{legs} legs are out without a sign of life")]
    LegsWithoutReply {
        /// How many.
        legs: u32,
    },
    /// The carrier answers OPTIONS with 503.
    #[error("answers OPTIONS with 503")]
    ProbeUnavailable,
    /// Asterisk's qualify does not reach the carrier.
    #[error("Asterisk's qualify does not reach it")]
    AsteriskCannotReach,
    /// Asterisk is not registered with the carrier.
    #[error("Asterisk is not registered with it")]
    NotRegistered,
    /// The carrier refused calls for being more than we may send.
    #[error("told us our limit ({last_rule}); takes {share_percent} % of its calls")]
    OurLimit {
        /// The rule that judged the last refusal.
        last_rule: String,
        /// Share of its calls that it gets, 0 to 100.
        share_percent: u8,
    },
    /// The carrier asked for a pause.
    #[error("asked for a pause of {seconds} s ({last_rule})")]
    CoolDown {
        /// How long it is granted.
        seconds: u64,
        /// The rule that judged the refusal.
        last_rule: String,
    },
    /// Many different numbers, all refused as wrong.
    #[error("{numbers} different numbers in a row were refused as wrong: check strip and prefix")]
    WrongNumbers {
        /// How many.
        numbers: usize,
    },
    /// Our configuration for the carrier is at fault.
    #[error(
        "{count} calls in a row failed by our configuration, the last by {last_rule}: check credentials and address"
    )]
    ConfigFaults {
        /// How many.
        count: u32,
        /// The rule that judged the last one.
        last_rule: String,
    },
    /// The back-off is over and trial calls may go out.
    #[error("trial calls find out whether it is back")]
    Trials,
    /// Trial calls came through.
    #[error("{count} trial calls in a row came through")]
    TrialsSucceeded {
        /// How many.
        count: u32,
    },
    /// A call came through.
    #[error("a call came through")]
    CallSucceeded,
    /// What was known against the carrier no longer holds.
    #[error("recovered")]
    Recovered,
    /// A person said so.
    #[error("reset by {by}: {why}")]
    Reset {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// What was known when the daemon went down is too old to go by.
    #[error("the state on record is too old")]
    StaleRecord,
}

impl Because {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NothingKnown => "nothing_known",
            Self::CallsFail { .. } => "calls_fail",
            Self::CallsFailInARow { .. } => "calls_fail_in_a_row",
            Self::LegsWithoutReply { .. } => "legs_without_reply",
            Self::ProbeUnavailable => "probe_unavailable",
            Self::AsteriskCannotReach => "asterisk_cannot_reach",
            Self::NotRegistered => "not_registered",
            Self::OurLimit { .. } => "our_limit",
            Self::CoolDown { .. } => "cool_down",
            Self::WrongNumbers { .. } => "wrong_numbers",
            Self::ConfigFaults { .. } => "config_faults",
            Self::Trials => "trials",
            Self::TrialsSucceeded { .. } => "trials_succeeded",
            Self::CallSucceeded => "call_succeeded",
            Self::Recovered => "recovered",
            Self::Reset { .. } => "reset",
            Self::StaleRecord => "stale_record",
        }
    }
}

/// One change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// From.
    pub from: State,
    /// To.
    pub to: State,
    /// The evidence.
    pub because: Because,
}

/// The last changes of one carrier, the oldest first; a bounded list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline(VecDeque<Change>);

impl Timeline {
    /// Adds a change; with `length` of them the oldest goes.
    pub(super) fn push(&mut self, change: Change, length: usize) {
        self.0.push_back(change);
        while self.0.len() > length {
            self.0.pop_front();
        }
    }

    /// The changes, the oldest first.
    pub fn changes(&self) -> impl DoubleEndedIterator<Item = &Change> {
        self.0.iter()
    }
}
