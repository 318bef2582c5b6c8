//! The health of the carriers, while the daemon runs.

use crate::engine::{HealthDesk, Steering};
use crate::health::{HealthBoard, HealthSettings};

/// Starts to keep it.
pub(super) fn open() -> HealthDesk {
    HealthDesk::open(HealthBoard::new(HealthSettings::default()), Steering::default())
}
