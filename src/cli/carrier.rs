//! `crankback carrier`: the carriers as crankback understands them.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::config::Settings;
use crate::control::{
    self, CarrierOperate, CarrierOperateView, CarrierSetView, CarrierView, CarriersView, LeftWithout, Query,
};
use crate::health::OperatorWord;

use super::ask;
use super::error::CliError;
use super::output::{Answer, effect, fields, table};
use super::time::{parse_span, utc};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// All carriers of this dialer
    List,
    /// One carrier with its patterns, number formats, timers and backups
    Show {
        /// The carrier's id on the Carriers screen
        id: String,
    },
    /// Set something about a carrier beside its row on the Carriers screen; it holds for the next call
    #[command(after_help = AFTER_HELP)]
    Set {
        /// The carrier's id on the Carriers screen
        id: String,
        /// What to set; without a value the setting is taken back
        #[arg(value_name = "KEY=VALUE", required = true)]
        settings: Vec<String>,
    },
    /// Send no call through a carrier; calls that are up go on
    #[command(after_help = HOLDS)]
    Disable(Said),
    /// Let evidence decide again whether a carrier takes calls
    Enable {
        /// The carrier's id on the Carriers screen
        id: String,
        /// Why; goes on record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Send no new call through a carrier, and let the calls that are up end by themselves, before maintenance
    #[command(after_help = HOLDS)]
    Drain(Said),
    /// Where a call may go through this carrier, send it through no other, whatever the evidence
    #[command(after_help = HOLDS)]
    Only(Said),
}

/// A word about a carrier.
#[derive(Debug, Args)]
pub(super) struct Said {
    /// The carrier's id on the Carriers screen
    id: String,
    /// Why: shown to whoever finds the carrier like this
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// For how long, for example 90s, 15m, 2h, 1d [default: until somebody says otherwise]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_span)]
    lasts: Option<Duration>,
}

impl Said {
    fn command(self, word: OperatorWord) -> control::Command {
        control::Command::CarrierOperate(CarrierOperate {
            id: self.id,
            word,
            reason: Some(self.reason),
            for_s: self.lasts.map(|lasts| lasts.as_secs()),
        })
    }
}

const HOLDS: &str = "It holds for the next call on every dialer of this database, over restarts, until the time that --for gives \
is over or until `crankback carrier enable`. Nothing automatic changes it.";

const AFTER_HELP: &str = "Keys:
  guard_ms=3000            nothing came back for so long: the next carrier
  progress_ms=8000         neither ringing nor media for so long: the next carrier
  fakes_progress=yes       its 180 and 183 say nothing: failures after them go to the next carrier
  failover_after_183=if_5xx  a server's failure soon after 183 goes to the next carrier
  preset=NAME              what answers of its provider are known to mean (crankback verdict table)
  verdict:503=stop         what an answer means: SIP code, 5xx, Q.850 cause or name, phrase:WORDS
  max_channels=30          legs at one time
  max_cps=5                legs a second";

pub(super) async fn perform(command: Command, settings: &Settings) -> Result<Answer, CliError> {
    match command {
        Command::List => Ok(list(&ask::query(settings, Query::Carriers).await?, settings)),
        Command::Set { id, settings: wanted } => {
            let command = control::Command::CarrierSet { id, settings: wanted };
            Ok(set(&ask::command(settings, command).await?))
        }
        Command::Disable(said) => operate(settings, said.command(OperatorWord::Disabled)).await,
        Command::Drain(said) => operate(settings, said.command(OperatorWord::Draining)).await,
        Command::Only(said) => operate(settings, said.command(OperatorWord::Only)).await,
        Command::Enable { id, reason } => {
            let wanted = CarrierOperate {
                id,
                word: OperatorWord::Enabled,
                reason,
                for_s: None,
            };
            operate(settings, control::Command::CarrierOperate(wanted)).await
        }
        Command::Show { id } => Ok(show(&ask::query(settings, Query::Carrier { id }).await?)),
    }
}

fn list(view: &CarriersView, settings: &Settings) -> Answer {
    let mut text = if view.carriers.is_empty() {
        format!(
            "no carriers for server {} in {}",
            settings.server.ip, settings.store.url
        )
    } else {
        let rows = view.carriers.iter().map(|carrier| {
            let patterns: Vec<_> = carrier.patterns.iter().map(|entry| entry.pattern.clone()).collect();
            [
                carrier.id.clone(),
                carrier.name.clone(),
                carrier.technology.clone(),
                carrier.peer.clone(),
                or_dash(&patterns),
                or_dash(&carrier.backups),
                if carrier.problems.is_empty() {
                    "-".to_owned()
                } else {
                    carrier.problems.len().to_string()
                },
            ]
        });
        table(
            ["ID", "NAME", "TECHNOLOGY", "PEER", "PATTERNS", "BACKUPS", "PROBLEMS"],
            rows,
        )
    };
    // Carriers that were left out have no line of their own: what is wrong with them stands among the problems.
    for problem in &view.problems {
        text.push_str(&format!("\nproblem: {problem}"));
    }
    Answer::new(view, text)
}

fn show(view: &CarrierView) -> Answer {
    let mut lines = vec![
        ("carrier", view.id.clone()),
        ("name", view.name.clone()),
        ("technology", view.technology.clone()),
        ("peer", view.peer.clone()),
    ];
    for entry in &view.patterns {
        lines.push((
            "pattern",
            format!("{}: {}; Dial options {:?}", entry.pattern, entry.format, entry.options),
        ));
    }
    if view.patterns.is_empty() {
        lines.push(("pattern", "none: no dialplan entry of its own".to_owned()));
    }
    if let Some(format) = &view.number_format {
        lines.push(("format", format.clone()));
    }
    lines.push(("guard", format!("{} ms", view.guard_ms)));
    lines.push(("progress", format!("{} ms", view.progress_ms)));
    if !view.settings.is_empty() {
        lines.push(("settings", view.settings.join(" ")));
    }
    lines.push(("backups", or_dash(&view.backups)));
    lines.extend(view.problems.iter().map(|problem| ("problem", problem.clone())));
    Answer::new(view, fields(&lines))
}

fn set(view: &CarrierSetView) -> Answer {
    let text = format!(
        "carrier {}: {}{}",
        view.id,
        or_dash(&view.settings),
        effect(view.effect)
    );
    Answer::new(view, text)
}

async fn operate(settings: &Settings, command: control::Command) -> Result<Answer, CliError> {
    let view: CarrierOperateView = ask::command(settings, command).await?;
    let mut text = format!("carrier {}: {}", view.id, view.operator.word.as_str());
    if let Some(until_ms) = view.operator.until_ms {
        text.push_str(&format!(" until {} UTC", utc(until_ms)));
    }
    text.push_str(effect(view.effect));
    for left in &view.left_without {
        text.push_str(&format!("\nWARNING: {}", warning(left)));
    }
    Ok(Answer::new(&view, text))
}

fn warning(left: &LeftWithout) -> String {
    let routes: Vec<String> = left.but_routes.iter().map(ToString::to_string).collect();
    let but = if routes.is_empty() {
        String::new()
    } else {
        format!(", but for those of route {}", routes.join(", "))
    };
    format!("calls of {} have no carrier left{but}", left.entry)
}

fn or_dash(words: &[String]) -> String {
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(" ")
    }
}
