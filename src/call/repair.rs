//! What can be changed about a request that a carrier refused, so that the same carrier may take it.

use crate::carrier::Technology;
use crate::verdict::Evidence;

/// How the next attempt through the same carrier differs from the one that it refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// It offers other codecs.
    OtherCodecs,
    /// It is the same request once more, a moment later.
    Again,
}

/// Q.850 causes of a codec that the other side does not have.
const CODEC_CAUSES: [u8; 2] = [58, 88];

impl Repair {
    /// What can be done about a refusal; `None` where nothing can.
    pub fn of(evidence: &Evidence) -> Option<Self> {
        if evidence.technology == Technology::Iax2 {
            return None;
        }
        match evidence.final_reply().map(|reply| reply.code) {
            Some(415 | 488 | 606) => Some(Self::OtherCodecs),
            // The extension cannot be left out, and PJSIP has already asked for a longer session by itself.
            Some(420 | 422) => None,
            Some(_) => Some(Self::Again),
            None => evidence
                .q850
                .filter(|cause| CODEC_CAUSES.contains(cause))
                .map(|_| Self::OtherCodecs),
        }
    }

    /// Whether the engine must be able to offer other codecs.
    pub const fn changes_offer(self) -> bool {
        matches!(self, Self::OtherCodecs)
    }

    /// Whether it waits a moment: two requests that crossed must not cross again (RFC 3261, 14.1).
    pub const fn waits(self) -> bool {
        matches!(self, Self::Again)
    }
}
