//! One leg as the driver sees it: one `Dial()`.

use std::time::{Duration, Instant};

use crate::ari::Dialplan;
use crate::call::LegSpec;
use crate::engine::agi::dial::Attempted;
use crate::verdict::AbandonReason;

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) spec: LegSpec,
    pub(super) started: Instant,
    /// What `Dial()` was given.
    pub(super) timeout: Option<Duration>,
    /// Its channel's id, as soon as the side-car has seen it.
    pub(super) channel: Option<String>,
    /// Where its channel was in the dialplan when it was seen last: in the hands of `Dial()`.
    pub(super) place: Dialplan,
    pub(super) abandoned: Option<AbandonReason>,
    /// It was dialled, or its channel was made, while nobody watched.
    pub(super) is_unwatched: bool,
}

impl Leg {
    pub(super) fn attempted(&self) -> Attempted {
        Attempted {
            technology: self.spec.technology,
            started: self.started,
            timeout: self.timeout,
            leg_was_seen: self.channel.is_some(),
        }
    }
}
