//! `crankback verdict`: what an answer of a carrier means, and why. It asks nobody: the tables are in the program.

mod explain;
mod table;

use clap::Subcommand;

use super::error::CliError;
use super::output::Answer;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What an answer of a carrier means: which rule decides, and what the others would have said
    Explain(explain::Explain),
    /// The tables: SIP codes, Q.850 causes, reason phrases, provider presets, and the rules above them
    Table(table::Arguments),
}

pub(super) fn perform(command: Command) -> Result<Answer, CliError> {
    match command {
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Table(arguments) => Ok(table::table(&arguments)),
    }
}
