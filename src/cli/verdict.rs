//! `crankback verdict`: what an answer of a carrier means, and why. The tables are in the program; only a carrier's
//! own settings are asked for.

mod explain;
mod table;

use clap::Subcommand;

use crate::config::{ConfigError, Settings};
use crate::control::Query;

use super::ask;
use super::error::CliError;
use super::output::Answer;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What an answer of a carrier means: which rule decides, and what the others would have said
    Explain(explain::Explain),
    /// The tables: SIP codes, Q.850 causes, reason phrases, provider presets, and the rules above them
    Table(table::Arguments),
}

pub(super) async fn perform(
    command: Command,
    settings: impl FnOnce() -> Result<Settings, ConfigError>,
) -> Result<Answer, CliError> {
    match command {
        Command::Explain(mut arguments) => {
            if let Some(id) = arguments.carrier() {
                arguments.take_over(&ask::query(&settings()?, Query::Carrier { id }).await?);
            }
            explain::explain(&arguments)
        }
        Command::Table(arguments) => Ok(table::table(&arguments)),
    }
}
