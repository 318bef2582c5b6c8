//! Why something cannot be done.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::carrier::{CarrierId, NumberTooShort};
use crate::engine::stasis::TestCallError;
use crate::nearest::nearest;
use crate::routing::{NumberMatchError, Rejection, ScheduleError};
use crate::store::StoreError;
use crate::vicidial::edits::EditState;

use super::carrier_add::CarrierAddError;
use super::carrier_settings::SettingError;
use super::carrier_test::CarrierTestError;
use super::operator_word::OperatorWordError;
use super::port::RefreshError;

/// A command or query was refused; nothing was half done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store cannot do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon cannot read configuration or tables again.
    #[error("cannot be read again: {0}; what was read before goes on to serve")]
    Refresh(RefreshError),
    /// A setting of a carrier that cannot be understood.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A carrier that cannot be added.
    #[error(transparent)]
    CarrierAdd(#[from] CarrierAddError),
    /// A test call that cannot be understood.
    #[error(transparent)]
    CarrierTest(#[from] CarrierTestError),
    /// A test call that could not be placed.
    #[error(transparent)]
    TestCall(#[from] TestCallError),
    /// An operator's word that cannot be taken.
    #[error(transparent)]
    OperatorWord(#[from] OperatorWordError),
    /// Only a running daemon knows.
    #[error("the daemon is not running")]
    DaemonNotRunning,
    /// No such carrier.
    #[error(
        "unknown carrier {id}: not among the active carriers of server {server_ip} and of 0.0.0.0{}{}",
        meant(id, known),
        listed(known)
    )]
    UnknownCarrier {
        /// The carrier as it was named.
        id: String,
        /// Whose carriers are used.
        server_ip: Ipv4Addr,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The carrier's row is new, and Asterisk does not have it.
    #[error("carrier {id} is not in Asterisk yet: {state}; VICIdial writes its files once a minute")]
    NotLoaded {
        /// The carrier.
        id: String,
        /// What it waits for.
        state: EditState,
    },
    /// The carrier is there but could not be understood.
    #[error("carrier {id} cannot be used:\n  {}", problems.join("\n  "))]
    UnusableCarrier {
        /// The carrier.
        id: String,
        /// What could not be understood.
        problems: Vec<String>,
    },
    /// No such campaign.
    #[error("unknown campaign {id}{}", listed(known))]
    UnknownCampaign {
        /// The campaign as it was named.
        id: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The numbers of a route cannot be matched.
    #[error("{0}")]
    NumberMatch(#[from] NumberMatchError),
    /// The schedule of a route cannot be understood.
    #[error("{0}")]
    Schedule(#[from] ScheduleError),
    /// A prefix that cannot be dialled.
    #[error("{text:?} cannot be put before a number: write digits, and + * # where the carrier wants them")]
    AddPrefix {
        /// The prefix as it was written.
        text: String,
    },
    /// A text does not fit its column.
    #[error("{what} is longer than {limit} characters")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// Characters that fit.
        limit: usize,
    },
    /// The number that a backup would be sent is not certain.
    #[error("refused: {carrier} as a backup of {entry}: {rejection}")]
    Unproven {
        /// Whose calls.
        entry: CarrierId,
        /// The backup.
        carrier: CarrierId,
        /// What is missing.
        rejection: Rejection,
    },
    /// A route for every entry carrier, but there is none.
    #[error("refused: no carrier has a dialplan entry that calls could come from")]
    NoEntry,
    /// There is such a route.
    #[error("refused: route {0} says the same")]
    DuplicateRoute(i64),
    /// Nothing dials the number.
    #[error("{number} matches no dialplan entry of {of}: give the number as it is dialled, dial prefix included")]
    NoPattern {
        /// The number.
        number: String,
        /// Whose entries were looked at.
        of: String,
    },
    /// The entry carrier's own line cannot dial the number.
    #[error("carrier {carrier}, pattern {pattern}: {error}")]
    EntryNumber {
        /// The entry carrier.
        carrier: CarrierId,
        /// Its pattern.
        pattern: String,
        /// What is wrong.
        error: NumberTooShort,
    },
    /// No such route.
    #[error("no route has the id {0}: `crankback route list` shows them")]
    UnknownRoute(i64),
}

impl Error {
    /// A stable word for this kind of error: on the wire, on record, in metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Refresh(error) => error.code(),
            Self::Setting(error) => error.code(),
            Self::CarrierAdd(error) => error.code(),
            Self::CarrierTest(error) => error.code(),
            Self::TestCall(error) => error.code(),
            Self::OperatorWord(error) => error.code(),
            Self::DaemonNotRunning => "daemon_not_running",
            Self::UnknownCarrier { .. } => "unknown_carrier",
            Self::NotLoaded { .. } => "carrier_not_loaded",
            Self::UnusableCarrier { .. } => "unusable_carrier",
            Self::UnknownCampaign { .. } => "unknown_campaign",
            Self::NumberMatch(error) => error.code(),
            Self::Schedule(error) => error.code(),
            Self::AddPrefix { .. } => "add_prefix",
            Self::TooLong { .. } => "too_long",
            Self::Unproven { rejection, .. } => rejection.code(),
            Self::NoEntry => "no_entry",
            Self::DuplicateRoute(_) => "duplicate_route",
            Self::NoPattern { .. } => "no_pattern",
            Self::EntryNumber { error, .. } => error.code(),
            Self::UnknownRoute(_) => "unknown_route",
        }
    }
}

impl From<RefreshError> for Error {
    /// A store that fails is told the same way whoever asked it.
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Store(error) => Self::Store(error),
            RefreshError::Lost(_) | RefreshError::Configuration(_) => Self::Refresh(error),
        }
    }
}

/// An error as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A stable word for the kind of error.
    pub code: String,
    /// What is wrong and what to do, for people.
    pub message: String,
}

impl Refusal {
    /// A refusal with a stable code.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// The carrier that was probably meant: case apart, or with a slip of the hand.
fn meant(id: &str, known: &[String]) -> String {
    let same = known.iter().find(|known| known.eq_ignore_ascii_case(id));
    let meant = same
        .map(String::as_str)
        .or_else(|| nearest(id, known.iter().map(String::as_str)));
    meant
        .map(|meant| format!("; did you mean {meant}?"))
        .unwrap_or_default()
}

fn listed(known: &[String]) -> String {
    if known.is_empty() {
        "; there are none".to_owned()
    } else {
        format!("; these are {}", known.join(", "))
    }
}
