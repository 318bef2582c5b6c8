//! `crankback check`: prints what [`crate::check`] found.

use crate::check::{self, Level, Report};
use crate::config::{ConfigError, Settings};

use super::error::CliError;
use super::output::{Answer, Exit};

/// Looks at everything and tells all of it, good and bad.
pub(super) async fn check(settings: Result<Settings, ConfigError>) -> Result<Answer, CliError> {
    Ok(answer(&check::check(&settings).await))
}

pub(super) fn answer(report: &Report) -> Answer {
    let (exit, status) = match report.worst() {
        Level::Ok | Level::Advice => (Exit::Fine, "fine"),
        Level::Warning => (Exit::Degraded, "degraded"),
        Level::Error => (Exit::Error, "error"),
    };
    let mut text = String::new();
    for finding in &report.findings {
        let level = match finding.level {
            Level::Ok => "ok     ",
            Level::Advice => "advice ",
            Level::Warning => "WARNING",
            Level::Error => "ERROR  ",
        };
        text.push_str(&format!("{level}  {finding}\n"));
    }
    text.push_str(status);
    let json = serde_json::json!({ "status": status, "findings": report.findings });
    Answer::new(&json, text).with_exit(exit)
}
