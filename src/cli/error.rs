//! Why a command could not do what was asked.

use std::io;
use std::path::PathBuf;

use crate::config::ConfigError;
use crate::control::{self, Refusal};
use crate::daemon;
use crate::install::InstallError;
use crate::socket::ClientError;
use crate::store::{NotAStoreUrl, StoreError};
use crate::verdict::OverrideError;

use super::output::Format;

/// A command failed; nothing was half done.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Daemon(#[from] daemon::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{}", .0.message)]
    Refused(Refusal),
    #[error(transparent)]
    Override(#[from] OverrideError),
    #[error("the daemon answered {name} to another question; restart it if it runs another version")]
    Unexpected { name: String },
    #[error("cannot write the manual{}: {source}", directory.as_ref().map(|it| format!(" to {}", it.display())).unwrap_or_default())]
    Manual {
        directory: Option<PathBuf>,
        source: io::Error,
    },
    #[error("FROM_URL {0}")]
    ImportSource(NotAStoreUrl),
    #[error("no password: give --password-file, or run this in a terminal and be asked")]
    NoPassword,
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error("cannot read {path}: {error}; check the path and its rights", path = path.display())]
    PasswordFile { path: PathBuf, error: io::Error },
}

impl CliError {
    /// The answer to another question than the one that was asked.
    pub fn unexpected(answer: &control::Answer) -> Self {
        let name = serde_json::to_value(answer)
            .ok()
            .and_then(|value| Some(value.get("name")?.as_str()?.to_owned()));
        Self::Unexpected {
            name: name.unwrap_or_default(),
        }
    }

    /// A stable word for this kind of error.
    fn code(&self) -> &str {
        match self {
            Self::Config(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Runtime(_) => "runtime",
            Self::Daemon(error) => error.code(),
            Self::Client(error) => error.code(),
            Self::Refused(refusal) => &refusal.code,
            Self::Override(error) => error.code(),
            Self::Unexpected { .. } => "daemon_not_understood",
            Self::Manual { .. } => "manual",
            Self::ImportSource(_) => "import_source",
            Self::NoPassword => "no_password",
            Self::Install(error) => error.code(),
            Self::PasswordFile { .. } => "password_file",
        }
    }

    /// Prints the error to standard error.
    pub fn print(&self, format: Format) {
        match format {
            Format::Table => eprintln!("crankback: {self}"),
            Format::Json => {
                eprintln!(
                    "{:#}",
                    serde_json::json!({ "error": { "code": self.code(), "message": self.to_string() } })
                );
            }
        }
    }
}
