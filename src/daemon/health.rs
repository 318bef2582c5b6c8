//! The health of the carriers, while the daemon runs.

use crate::config::HealthConfig;
use crate::engine::HealthDesk;
use crate::health::HealthBoard;

/// Starts to keep it.
pub(super) fn open(config: &HealthConfig) -> HealthDesk {
    HealthDesk::open(HealthBoard::new(config.settings()), config.steering)
}
