//! `crankback status` and `crankback reload`: the running daemon itself.

use crate::config::Settings;
use crate::control::{AriStatus, Command, Query, Reloaded, StatusView, TablesStatus};

use super::ask;
use super::error::CliError;
use super::output::{Answer, Exit, fields};
use super::time::{span, utc};

/// How the daemon is: 0 fine, 1 not running, 2 degraded.
pub(super) async fn status(settings: &Settings) -> Result<Answer, CliError> {
    Ok(shown(&ask::query(settings, Query::Status).await?))
}

/// Makes the daemon read the tables now.
pub(super) async fn reload(settings: &Settings) -> Result<Answer, CliError> {
    Ok(reloaded(&ask::command(settings, Command::Reload).await?))
}

fn shown(view: &StatusView) -> Answer {
    let calls = &view.calls;
    let legs: Vec<String> = view
        .legs_out
        .iter()
        .map(|(carrier, legs)| format!("{carrier} {legs}"))
        .collect();
    let counters: Vec<String> = view
        .counters
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let lines = [
        (
            "daemon",
            format!(
                "crankback {}, pid {}, since {} UTC ({}){}",
                view.version,
                view.pid,
                utc(view.started_ms),
                span(view.now_ms - view.started_ms),
                if view.draining { ", stopping" } else { "" }
            ),
        ),
        ("asterisk", asterisk(&view.ari, view.now_ms)),
        (
            "calls",
            format!(
                "{}: {} trying, {} ringing, {} connected",
                calls.total(),
                calls.trying,
                calls.ringing,
                calls.connected
            ),
        ),
        (
            "legs out",
            if legs.is_empty() {
                "none".to_owned()
            } else {
                legs.join(", ")
            },
        ),
        ("tables", tables(&view.tables, view.now_ms)),
        ("attempts", format!("{} waiting for the store", view.attempts_waiting)),
        ("counters", counters.join(", ")),
    ];
    let exit = if view.is_degraded() { Exit::Degraded } else { Exit::Fine };
    Answer::new(view, fields(&lines)).with_exit(exit)
}

fn asterisk(ari: &AriStatus, now_ms: i64) -> String {
    let mut text = match &ari.asterisk {
        Some(version) => format!("{version}, {}", ari.state),
        None => ari.state.clone(),
    };
    if let Some(since_ms) = ari.since_ms {
        text.push_str(&format!(" for {}", span(now_ms - since_ms)));
    }
    if let Some(epoch) = ari.epoch {
        text.push_str(&format!(", connection {epoch}"));
    }
    if let Some(failures) = ari.failures {
        text.push_str(&format!(", {failures} attempts failed"));
    }
    if let Some(error) = &ari.last_error {
        text.push_str(&format!(": {error}"));
    }
    format!("{text}, application {}", ari.application)
}

fn tables(tables: &TablesStatus, now_ms: i64) -> String {
    let mut text = format!(
        "{} carriers, {} routes, {} problems; read {} ago, checked {} ago",
        tables.carriers,
        tables.routes,
        tables.problems,
        span(now_ms - tables.read_ms),
        span(now_ms - tables.checked_ms)
    );
    if let Some(stale_since_ms) = tables.stale_since_ms {
        text.push_str(&format!(
            "; STALE for {}: {}",
            span(now_ms - stale_since_ms),
            tables.stale_because.as_deref().unwrap_or("unknown")
        ));
    }
    for carrier in &tables.held_back {
        text.push_str(&format!("; {carrier}"));
    }
    text
}

fn reloaded(view: &Reloaded) -> Answer {
    let mut text = format!("tables read: {} carriers, {} routes", view.carriers, view.routes);
    for problem in &view.problems {
        text.push_str(&format!("\nproblem: {problem}"));
    }
    Answer::new(view, text)
}
