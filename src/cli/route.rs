//! `crankback route`: which carriers back up which, and what a call would do.

use clap::{Args, Subcommand};

use crate::config::Settings;
use crate::control::{self, DEFAULT_PRIORITY, Numbers, Query, RouteAdd, RouteAddedView, RouteRemovedView, RoutesView};

use super::ask;
use super::error::CliError;
use super::explain;
use super::output::{Answer, effect, table};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a carrier the backup of another
    Add(Add),
    /// All routes, in the order in which they are tried
    List,
    /// Remove a route
    Remove {
        /// The route's id in `route list`
        id: i64,
    },
    /// What a call would do: each carrier with the number it would be sent, and why the others are not asked
    Explain(explain::Explain),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The carrier whose calls get the backup; without it, those of all carriers
    #[arg(long, value_name = "CARRIER")]
    entry: Option<String>,
    /// The backup
    #[arg(long, value_name = "CARRIER")]
    carrier: String,
    /// Lower is tried first; the entry carrier itself comes before all
    #[arg(long, default_value_t = DEFAULT_PRIORITY, value_name = "NUMBER")]
    priority: i32,
    /// For calls of this campaign only
    #[arg(long)]
    campaign: Option<String>,
    /// For numbers (phone code + number, without dial prefix) that start so
    #[arg(long, value_name = "DIGITS", conflicts_with = "pattern")]
    prefix: Option<String>,
    /// For numbers (phone code + number, without dial prefix) that match an Asterisk pattern, for example _1NXXNXXXXXX
    #[arg(long, value_name = "PATTERN")]
    pattern: Option<String>,
    /// Only at these times, for example "mon-fri 08:00-20:00, sat 10:00-14:00 Europe/Berlin"; the time zone ends it
    #[arg(long, value_name = "TIMES")]
    schedule: Option<String>,
    /// Drop so many characters from the front of the number (phone code + number)
    #[arg(long, value_name = "CHARACTERS")]
    strip: Option<u32>,
    /// Put this before what is left
    #[arg(long, value_name = "DIGITS")]
    add_prefix: Option<String>,
}

impl From<Add> for RouteAdd {
    fn from(arguments: Add) -> Self {
        let numbers = match (arguments.prefix, arguments.pattern) {
            (Some(prefix), _) => Numbers::Prefix(prefix),
            (None, Some(pattern)) => Numbers::Pattern(pattern),
            (None, None) => Numbers::Any,
        };
        Self {
            entry: arguments.entry,
            carrier: arguments.carrier,
            priority: arguments.priority,
            campaign: arguments.campaign,
            numbers,
            schedule: arguments.schedule,
            strip: arguments.strip,
            add_prefix: arguments.add_prefix,
        }
    }
}

pub(super) async fn perform(command: Command, settings: &Settings) -> Result<Answer, CliError> {
    Ok(match command {
        Command::Add(arguments) => {
            let command = control::Command::RouteAdd(arguments.into());
            added(&ask::command(settings, command).await?)
        }
        Command::List => list(&ask::query(settings, Query::Routes).await?),
        Command::Remove { id } => removed(&ask::command(settings, control::Command::RouteRemove { id }).await?),
        Command::Explain(arguments) => {
            explain::explained(&ask::query(settings, Query::Explain(arguments.into())).await?)
        }
    })
}

fn added(view: &RouteAddedView) -> Answer {
    let route = &view.route;
    let entry = route.entry.as_deref().unwrap_or("every carrier");
    let mut text = format!(
        "route {}: {} backs up {entry}, priority {}{}{}",
        route.id,
        route.carrier,
        route.priority,
        (route.schedule.as_ref()).map_or_else(String::new, |schedule| format!(", {schedule}")),
        effect(view.effect)
    );
    for example in &view.examples {
        text.push_str(&format!(
            "\n  {} {}: {} would be sent as {}",
            example.entry, example.pattern, example.dialled, example.wire_number
        ));
    }
    for warning in &view.warnings {
        text.push_str(&format!("\n  WARNING: {warning}"));
    }
    for unproven in &view.unproven {
        text.push_str(&format!("\n  {unproven}"));
    }
    Answer::new(view, text)
}

fn list(view: &RoutesView) -> Answer {
    let mut text = if view.routes.is_empty() {
        "no routes: every carrier stands alone; `crankback route add` chooses a backup".to_owned()
    } else {
        let rows = view.routes.iter().map(|route| {
            let any = || "any".to_owned();
            [
                route.id.to_string(),
                route.entry.clone().unwrap_or_else(any),
                route.campaign.clone().unwrap_or_else(any),
                route.numbers.clone(),
                route.carrier.clone(),
                route.priority.to_string(),
                route.schedule.clone().unwrap_or_else(|| "always".to_owned()),
                route.format.clone().unwrap_or_else(|| "the carrier's own".to_owned()),
                if route.enabled { "yes" } else { "no" }.to_owned(),
            ]
        });
        table(
            [
                "ID", "ENTRY", "CAMPAIGN", "NUMBERS", "CARRIER", "PRIORITY", "SCHEDULE", "FORMAT", "ENABLED",
            ],
            rows,
        )
    };
    for problem in &view.problems {
        text.push_str(&format!("\nproblem: {problem}"));
    }
    Answer::new(view, text)
}

fn removed(view: &RouteRemovedView) -> Answer {
    Answer::new(view, format!("route {} removed{}", view.removed, effect(view.effect)))
}
