//! One leg as the driver sees it: one `Dial()`.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::call::{LegSpec, Now};
use crate::engine::agi::dial::Attempted;
use crate::engine::agi::sidecar::FoundLeg;
use crate::verdict::AbandonReason;

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) spec: LegSpec,
    pub(super) started: Now,
    /// What `Dial()` was given.
    pub(super) timeout: Option<Duration>,
    /// Its channel, as soon as the side-car has seen it.
    pub(super) found: Option<FoundLeg>,
    pub(super) abandoned: Option<AbandonReason>,
    /// The call knows that it was answered.
    pub(super) answer_was_told: bool,
    /// Its `Dial()` has come back: nothing is to be done to it any longer.
    pub(super) is_over: CancellationToken,
}

impl Leg {
    /// Its channel's id.
    pub(super) fn channel(&self) -> Option<&str> {
        Some(&self.found.as_ref()?.channel)
    }

    pub(super) fn attempted(&self) -> Attempted {
        Attempted {
            technology: self.spec.technology,
            started: self.started.monotonic,
            timeout: self.timeout,
            leg_was_seen: self.found.is_some(),
        }
    }
}
