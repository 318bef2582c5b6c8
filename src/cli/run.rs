//! `crankback run`: the daemon in the foreground.

use crate::config::Settings;
use crate::daemon;

use super::error::CliError;
use super::output::Answer;

/// Runs until the daemon is told to stop.
pub(super) async fn run(settings: Settings) -> Result<Answer, CliError> {
    daemon::run(settings).await?;
    Ok(Answer::new(&serde_json::json!({"stopped": true}), "stopped"))
}
