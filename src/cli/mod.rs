//! The command line: noun, then verb. One file a noun.
//!
//! Owns the arguments, the shape of what is printed (a table for people, JSON for machines) and the exit code: 0 fine,
//! 1 error, 2 degraded. It must not decide anything: it asks the running daemon, or the same handlers on the store where
//! none runs, and prints their answers.

mod ask;
mod attempt;
mod call;
mod carrier;
mod check;
mod completions;
mod conf;
mod db;
mod error;
mod explain;
mod logging;
mod notify;
mod output;
mod route;
mod run;
mod status;
mod time;
mod verdict;

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use tokio::runtime;

use crate::config::{self, Source};

use error::CliError;
use output::{Answer, Exit, Format};

pub use time::parse_span;

/// Carrier failover for Asterisk and VICIdial.
#[derive(Debug, Parser)]
#[command(name = "crankback", version, arg_required_else_help = true)]
struct Arguments {
    /// The configuration file [default: /etc/crankback/crankback.toml]
    #[arg(long, global = true, value_name = "FILE", env = "CRANKBACK_CONFIG")]
    config: Option<PathBuf>,
    /// How answers are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon in the foreground
    Run,
    /// Check configuration, store, carriers, routes and Asterisk: 0 fine, 1 error, 2 degraded
    Check,
    /// How the running daemon is: 0 fine, 1 not running, 2 degraded
    Status,
    /// Make the running daemon read the tables now, as SIGHUP does
    Reload,
    /// Look at the calls that the daemon is carrying
    #[command(subcommand)]
    Call(call::Command),
    /// Look at attempts on record
    #[command(subcommand)]
    Attempt(attempt::Command),
    /// Look at the carriers as crankback understands them
    #[command(subcommand)]
    Carrier(carrier::Command),
    /// Choose backup carriers, and see what a call would do
    #[command(subcommand)]
    Route(route::Command),
    /// What an answer of a carrier means, and why
    #[command(subcommand)]
    Verdict(verdict::Command),
    /// Try who is told what happens to carriers
    #[command(subcommand)]
    Notify(notify::Command),
    /// Put crankback into VICIdial's carriers and Asterisk's files, and take it out again
    #[command(subcommand)]
    Conf(conf::Command),
    /// Look after the database
    #[command(subcommand)]
    Db(db::Command),
    /// Print the script that makes a shell complete these commands
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man(completions::Man),
}

/// Runs the program. `arguments` begin with the program's name; the environment is read from the process.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(told) => {
            // Help and version come here too; a mistake in the arguments is an error, not "degraded" (clap's own 2).
            let _nobody_listens = told.print();
            return if told.use_stderr() {
                Exit::Error.into()
            } else {
                Exit::Fine.into()
            };
        }
    };
    let source = arguments.config.map_or(Source::Default, Source::File);
    let settings = || config::load(&source, text_environment());
    let exit = match arguments.command {
        Command::Run => daemon(source.clone()),
        Command::Check => once(check::check(settings())),
        Command::Status => once(async { status::status(&settings()?).await }),
        Command::Reload => once(async { status::reload(&settings()?).await }),
        Command::Call(command) => once(async { call::perform(command, &settings()?, arguments.output).await }),
        Command::Attempt(command) => once(async { attempt::perform(command, &settings()?).await }),
        Command::Carrier(command) => once(async { carrier::perform(command, &settings()?).await }),
        Command::Route(command) => once(async { route::perform(command, &settings()?).await }),
        Command::Verdict(command) => once(verdict::perform(command, settings)),
        Command::Notify(command) => once(async { notify::perform(command, &settings()?).await }),
        Command::Conf(command) => once(async { conf::perform(command, &settings()?).await }),
        Command::Db(command) => once(async { db::perform(command, &settings()?).await }),
        Command::Completions { shell } => Ok(completions::completions(shell)),
        Command::Man(arguments) => completions::man(&arguments),
    }
    .map(|answer| answer.print(arguments.output));
    match exit {
        Ok(exit) => exit.into(),
        Err(error) => {
            error.print(arguments.output);
            Exit::Error.into()
        }
    }
}

fn daemon(source: Source) -> Result<Answer, CliError> {
    let read = move || config::load(&source, text_environment());
    let settings = read()?;
    let _written_to_the_end = logging::start(&settings.log);
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    runtime.block_on(run::run(settings, read))
}

/// Performs a command that asks and ends.
fn once(command: impl Future<Output = Result<Answer, CliError>>) -> Result<Answer, CliError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    runtime.block_on(command)
}

/// The variables whose name and value are text; no key of ours takes anything else.
fn text_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
