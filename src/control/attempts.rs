//! Attempts on record.

use serde::{Deserialize, Serialize};

use crate::store::{AttemptFilter, AttemptRow};

/// Attempts that are given when nobody says how many.
pub const DEFAULT_ATTEMPTS: u32 = 50;
/// The most attempts that one answer holds.
pub const MOST_ATTEMPTS: u32 = 10_000;

/// Which attempts are wanted; what is left out does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attempts {
    /// Started at this moment (milliseconds since 1970) or later.
    pub since_ms: Option<i64>,
    /// Through this carrier; one that is no longer in the table, too.
    pub carrier: Option<String>,
    /// Ended with this SIP status.
    pub code: Option<u16>,
    /// Of this call.
    pub call: Option<String>,
    /// At most so many; [`DEFAULT_ATTEMPTS`] when left out, never more than [`MOST_ATTEMPTS`].
    pub limit: Option<u32>,
}

/// Answers [`Query::Attempts`](super::Query::Attempts).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptsView {
    /// The newest first.
    pub attempts: Vec<AttemptRow>,
}

impl From<Attempts> for AttemptFilter {
    fn from(wanted: Attempts) -> Self {
        Self {
            since_ms: wanted.since_ms,
            carrier_id: wanted.carrier,
            sip_code: wanted.code,
            call_id: wanted.call,
            limit: wanted.limit.unwrap_or(DEFAULT_ATTEMPTS).min(MOST_ATTEMPTS),
        }
    }
}
