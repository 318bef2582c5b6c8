//! `crankback completions` and `crankback man`: what the arguments themselves say, for shells and for readers.

use std::io;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Arguments;
use super::error::CliError;
use super::output::Answer;

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write a page for each command into this directory instead of the main page to standard output
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

/// The script that makes a shell complete our commands.
pub(super) fn completions(shell: Shell) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "crankback", &mut script);
    Answer::text(String::from_utf8_lossy(&script))
}

/// The manual, in roff.
pub(super) fn man(arguments: &Man) -> Result<Answer, CliError> {
    let told = |source| CliError::Manual {
        directory: arguments.directory.clone(),
        source,
    };
    match &arguments.directory {
        Some(directory) => {
            clap_mangen::generate_to(Arguments::command(), directory).map_err(told)?;
            Ok(Answer::text(format!("manual pages written to {}", directory.display())))
        }
        None => {
            let mut page: Vec<u8> = Vec::new();
            let written: io::Result<()> = clap_mangen::Man::new(Arguments::command()).render(&mut page);
            written.map_err(told)?;
            Ok(Answer::text(String::from_utf8_lossy(&page)))
        }
    }
}
