//! The calls that are not over.

use serde::{Deserialize, Serialize};

use crate::engine::LiveCall;

/// Answers [`Query::Calls`](super::Query::Calls).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsView {
    /// The oldest first.
    pub calls: Vec<CallView>,
}

/// One call at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallView {
    /// The caller channel's id; with an attempt's number the key of its record.
    pub call_id: String,
    /// The caller id name: VICIdial's call code.
    pub code: String,
    /// The extension that was dialled, dial prefix included.
    pub number: String,
    /// The carrier whose dialplan line sent the call.
    pub entry: String,
    /// The campaign, where the dialer told it.
    pub campaign: Option<String>,
    /// The carrier of the latest leg; `None` before the first.
    pub carrier: Option<String>,
    /// `trying`, `ringing` (also: media before the answer) or `connected`.
    pub state: String,
    /// The number of the latest leg, from 1; 0 before the first.
    pub attempt: u32,
    /// How long the call has been here, milliseconds.
    pub age_ms: i64,
}

impl CallView {
    pub(super) fn new(call: &LiveCall, now_ms: i64) -> Self {
        let identity = &call.identity;
        Self {
            call_id: identity.call_id.clone(),
            code: identity.call_code.clone(),
            number: identity.dialled.clone(),
            entry: identity.entry.to_string(),
            campaign: identity.campaign.clone(),
            carrier: call.carrier.as_ref().map(ToString::to_string),
            state: call.state.as_str().to_owned(),
            attempt: call.attempt,
            age_ms: now_ms.saturating_sub(call.began_ms).max(0),
        }
    }
}
