//! `crankback carrier`: the carriers as crankback understands them.

use clap::Subcommand;

use crate::config::Settings;
use crate::control::{self, CarrierSetView, CarrierView, CarriersView, Query};

use super::ask;
use super::error::CliError;
use super::output::{Answer, effect, fields, table};

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
}

const AFTER_HELP: &str = "Keys:
  guard_ms=3000            nothing came back for so long: the next carrier
  progress_ms=8000         neither ringing nor media for so long: the next carrier
  fakes_progress=yes       its 180 and 183 say nothing: failures after them go to the next carrier (agents' calls stay)
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

fn or_dash(words: &[String]) -> String {
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(" ")
    }
}
