//! What a call starts from.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::routing::Plan;
use crate::verdict::CarrierPolicies;

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimit {
    /// Until when attempts may be started and moved on from.
    pub hunt_until: Instant,
    /// Until when further attempts may be started: whatever is out then is the last. A caller does not wait for ever for the
    /// first ringing.
    pub setup_until: Instant,
    /// When the call ends with NOANSWER, as `Dial(…,limit)` would. `None`: the dialer's own timeout ends it by hanging up.
    pub ring_until: Option<Instant>,
    /// No attempt but the first starts with less time left than this.
    pub minimum_attempt: Duration,
}

/// What a call starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSpec {
    /// The carriers that may be tried, in order.
    pub plan: Plan,
    /// How carriers differ in what their answers mean.
    pub policies: Arc<CarrierPolicies>,
    /// How long it may take.
    pub limit: TimeLimit,
    /// At most so many attempts, repaired ones among them.
    pub maximum_attempts: u32,
    /// The caller hears ringing at once (`r` of `Dial()`).
    pub ring_at_once: bool,
    /// The engine can offer other codecs than the trunk's.
    pub changes_offers: bool,
    /// How long a request waits that is sent once more as it was: 0.1 to 2 seconds, drawn at random for every call.
    pub repeat_after: Duration,
}
