//! `crankback run`: the daemon in the foreground.

use crate::config::{ConfigError, Settings};
use crate::daemon;

use super::error::CliError;
use super::output::Answer;

/// Runs until the daemon is told to stop.
pub(super) async fn run(
    settings: Settings,
    reread: impl Fn() -> Result<Settings, ConfigError> + Send + Sync + 'static,
) -> Result<Answer, CliError> {
    daemon::run(settings, reread).await?;
    Ok(Answer::new(&serde_json::json!({"stopped": true}), "stopped"))
}
