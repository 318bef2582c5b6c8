//! The record of one attempt.

use crate::carrier::CarrierId;
use crate::verdict::{Evidence, Progress, SipReply, Verdict};

/// One leg of a call as it goes on record; its key is the call and `n`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The leg's number within the call, from 1.
    pub n: u32,
    /// The carrier.
    pub carrier: CarrierId,
    /// The number that went out on the wire.
    pub wire_number: String,
    /// Start, milliseconds since 1970.
    pub started_ms: i64,
    /// How far it came.
    pub progress: Progress,
    /// From start to the first 180 or 183 (post-dial delay), milliseconds.
    pub pdd_ms: Option<i64>,
    /// From start to answer, milliseconds.
    pub answered_after_ms: Option<i64>,
    /// End, milliseconds since 1970; `None` while the leg lives.
    pub ended_ms: Option<i64>,
    /// The last SIP response.
    pub reply: Option<SipReply>,
    /// Asterisk's hangup cause (Q.850).
    pub q850: Option<u8>,
    /// What ended it; `None` while the leg lives.
    pub evidence: Option<Evidence>,
    /// What the end meant; `None` while the leg lives.
    pub verdict: Option<Verdict>,
}
