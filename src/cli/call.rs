//! `crankback call`: the calls that the daemon is carrying.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use clap::Subcommand;

use crate::config::Settings;
use crate::control::{CallsView, Query};

use super::ask;
use super::error::CliError;
use super::output::{Answer, Exit, Format, table};
use super::time::span;

/// How often a watched list is shown.
const REFRESH: Duration = Duration::from_secs(1);
/// Puts the cursor into the corner of the terminal and clears what stands below.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The calls that are not over, with the carrier that each of them is with now
    List {
        /// Show the list again every second until interrupted
        #[arg(short, long)]
        watch: bool,
    },
}

pub(super) async fn perform(command: Command, settings: &Settings, format: Format) -> Result<Answer, CliError> {
    match command {
        Command::List { watch: false } => Ok(list(&ask::query(settings, Query::Calls).await?)),
        Command::List { watch: true } => watch(settings, format).await,
    }
}

/// Ends when nobody reads any more, or with the first error.
async fn watch(settings: &Settings, format: Format) -> Result<Answer, CliError> {
    let on_a_screen = format == Format::Table && stdout().is_terminal();
    loop {
        let answer = list(&ask::query(settings, Query::Calls).await?);
        let before = if on_a_screen { CLEAR } else { "" };
        if answer.write(before, format).is_err() {
            return Ok(Answer::silent(Exit::Fine));
        }
        tokio::time::sleep(REFRESH).await;
    }
}

fn list(view: &CallsView) -> Answer {
    if view.calls.is_empty() {
        return Answer::new(view, "no calls");
    }
    let dash = || "-".to_owned();
    let rows = view.calls.iter().map(|call| {
        [
            call.call_id.clone(),
            call.code.clone(),
            call.number.clone(),
            call.entry.clone(),
            call.carrier.clone().unwrap_or_else(dash),
            call.state.clone(),
            call.attempt.to_string(),
            span(call.age_ms),
        ]
    });
    let header = ["CALL", "CODE", "NUMBER", "ENTRY", "CARRIER", "STATE", "ATTEMPT", "AGE"];
    Answer::new(view, table(header, rows))
}
