//! `crankback attempt`: what was tried, what came back, what was made of it.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::config::Settings;
use crate::control::{Attempts, AttemptsView, DEFAULT_ATTEMPTS, MOST_ATTEMPTS, Query};
use crate::engine::now;
use crate::store::AttemptRow;

use super::ask;
use super::error::CliError;
use super::output::{Answer, table};
use super::time::{parse_span, utc};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Attempts on record, the newest first
    List(List),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Started within this time, for example 30s, 10m, 2h, 1d
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    since: Option<Duration>,
    /// Through this carrier
    #[arg(long)]
    carrier: Option<String>,
    /// Ended with this SIP status
    #[arg(long, value_name = "STATUS")]
    code: Option<u16>,
    /// Of this call, by its id in `call list`
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = DEFAULT_ATTEMPTS, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_ATTEMPTS)))]
    limit: u32,
}

pub(super) async fn perform(command: Command, settings: &Settings) -> Result<Answer, CliError> {
    let Command::List(arguments) = command;
    let since_ms = arguments.since.map(|since| {
        let since_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        now().wall_ms.saturating_sub(since_ms)
    });
    let wanted = Attempts {
        since_ms,
        carrier: arguments.carrier,
        code: arguments.code,
        call: arguments.call,
        limit: Some(arguments.limit),
    };
    Ok(list(&ask::query(settings, Query::Attempts(wanted)).await?))
}

const HEADER: [&str; 12] = [
    "SERVER",
    "STARTED (UTC)",
    "CALL",
    "N",
    "CARRIER",
    "NUMBER",
    "PROGRESS",
    "REPLY",
    "DIALSTATUS",
    "VERDICT",
    "WHY",
    "TOOK",
];

/// Attempts of several dialers are told apart by a column of their own.
fn list(view: &AttemptsView) -> Answer {
    let Some(first) = view.attempts.first() else {
        return Answer::new(view, "no such attempts");
    };
    let is_one_dialer = view.attempts.iter().all(|other| other.server_ip == first.server_ip);
    let rows = view.attempts.iter().map(columns);
    let text = if is_one_dialer {
        let [_, header @ ..] = HEADER;
        table(header, rows.map(|[_, row @ ..]| row))
    } else {
        table(HEADER, rows)
    };
    Answer::new(view, text)
}

/// In the order of [`HEADER`].
fn columns(attempt: &AttemptRow) -> [String; 12] {
    [
        attempt.server_ip.clone(),
        utc(attempt.started_ms),
        attempt.call_id.clone(),
        attempt.n.to_string(),
        attempt.carrier_id.clone(),
        attempt.number.clone(),
        attempt.progress.clone(),
        reply(attempt),
        attempt.dialstatus.clone(),
        attempt.verdict.clone(),
        attempt.why.clone(),
        took(attempt),
    ]
}

/// From start to end; `out` while there is no end.
fn took(attempt: &AttemptRow) -> String {
    match attempt.ended_ms {
        Some(ended_ms) => format!("{} ms", ended_ms.saturating_sub(attempt.started_ms)),
        None => "out".to_owned(),
    }
}

/// What came back: the SIP status, or the cause where there is none.
pub(super) fn reply(attempt: &AttemptRow) -> String {
    match (attempt.sip_code, &attempt.sip_phrase, attempt.q850_cause) {
        (Some(code), Some(phrase), _) => format!("{code} {phrase}"),
        (Some(code), None, _) => code.to_string(),
        (None, _, Some(cause)) => format!("cause {cause}"),
        (None, _, None) => "-".to_owned(),
    }
}
