//! `crankback call`: the calls that the daemon is carrying.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use clap::Subcommand;

use crate::config::Settings;
use crate::control::{Attempts, AttemptsView, CallsView, MOST_ATTEMPTS, Query};
use crate::store::AttemptRow;

use super::ask;
use super::attempt::reply;
use super::error::CliError;
use super::output::{Answer, Exit, Format, table};
use super::time::{span, utc};

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
    /// A call of the past: every attempt with what came back, what was made of it and by which rule
    Show {
        /// The call's id, as `attempt list` and the log have it
        id: String,
    },
}

pub(super) async fn perform(command: Command, settings: &Settings, format: Format) -> Result<Answer, CliError> {
    match command {
        Command::List { watch: false } => Ok(list(&ask::query(settings, Query::Calls).await?)),
        Command::Show { id } => {
            let wanted = Attempts {
                call: Some(id.clone()),
                limit: Some(MOST_ATTEMPTS),
                ..Attempts::default()
            };
            let mut view: AttemptsView = ask::query(settings, Query::Attempts(wanted)).await?;
            view.attempts.sort_by_key(|attempt| (attempt.started_ms, attempt.n));
            Ok(show(&id, &view))
        }
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

fn show(id: &str, view: &AttemptsView) -> Answer {
    let Some(first) = view.attempts.first() else {
        return Answer::new(view, format!("no attempts of call {id} on record"));
    };
    let origin = match first.caller_channel.as_str() {
        "" => "a test call".to_owned(),
        channel => format!("entry carrier {}, channel {channel}", first.entry_carrier),
    };
    let mut text = format!("call {id}, {} UTC, {origin}", utc(first.started_ms));
    for attempt in &view.attempts {
        let at = |moment_ms: i64| format!("{:>8} ms", moment_ms - first.started_ms);
        text.push_str(&format!(
            "\n{}  {}. {} {}",
            at(attempt.started_ms),
            attempt.n,
            attempt.carrier_id,
            attempt.number
        ));
        if let Some(progress_ms) = attempt.progress_ms {
            let progress = match attempt.progress.as_str() {
                "answered" => "ringing or media",
                progress => progress,
            };
            text.push_str(&format!("\n{}     {progress}", at(progress_ms)));
        }
        if let Some(answered_ms) = attempt.answered_ms {
            text.push_str(&format!("\n{}     answered", at(answered_ms)));
        }
        match attempt.ended_ms {
            Some(ended_ms) => text.push_str(&format!(
                "\n{}     {}{} -> {} ({}; rule {}{}), {}",
                at(ended_ms),
                reply(attempt),
                ended_by(attempt),
                attempt.verdict,
                attempt.why,
                attempt.rule.as_deref().unwrap_or("-"),
                following(", ", attempt.authority.as_deref()),
                attempt.dialstatus
            )),
            None => text.push_str("\n               out"),
        }
    }
    Answer::new(view, text)
}

/// Who ended the attempt, and who made its failure where that is known.
fn ended_by(attempt: &AttemptRow) -> String {
    let source = attempt.source.as_deref().filter(|source| *source != "unknown");
    format!(
        "{}{}",
        following(", ended by ", attempt.ended_by.as_deref()),
        following(", ", source)
    )
}

/// A word with what leads to it; nothing where there is no word.
fn following(lead: &str, word: Option<&str>) -> String {
    word.map(|word| format!("{lead}{word}")).unwrap_or_default()
}
