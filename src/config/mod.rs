//! Configuration: `crankback.toml`, the `CRANKBACK_*` environment and VICIdial's `astguiclient.conf` become one [`Settings`], a
//! struct per room.
//!
//! Owns the keys, their defaults, the order in which sources win (defaults, then VICIdial's file, then ours, then the
//! environment) and the wording of every complaint. It must not know what a room does with its settings, and it opens nothing
//! but these files and the password files.
//!
//! A new key is a field in `settings.rs`, with its default in that struct's `Default`, and a paragraph in
//! `examples/crankback.toml`; a test compares the two.

mod astguiclient;
mod document;
mod environment;
mod error;
mod keys;
mod notify;
mod settings;
mod validate;

use std::path::{Path, PathBuf};

pub use error::{ConfigError, Problem};
pub use settings::{
    AgiSettings, AmiSettings, AriSettings, AttemptsSettings, CallSettings, ControlSettings, EarlyMedia, Engine,
    EngineSettings, HealthConfig, Listen, LogFormat, LogLevel, LogSettings, MetricsSettings, OwnOptions, ProbeSettings,
    ServerSettings, Settings, Steering, StoreSettings,
};

/// Where the configuration is looked for when nobody names a file.
pub const DEFAULT_PATH: &str = "/etc/crankback/crankback.toml";

/// Which file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// [`DEFAULT_PATH`]; it may be missing when the environment says everything.
    Default,
    /// A file that somebody named; it must be there.
    File(PathBuf),
}

impl Source {
    fn path(&self) -> &Path {
        match self {
            Self::Default => Path::new(DEFAULT_PATH),
            Self::File(path) => path,
        }
    }
}

/// Reads the file, fills in what VICIdial knows, lays the environment over it and validates the whole.
///
/// `environment` is every variable of the process; those that do not start with `CRANKBACK_` are ignored.
///
/// # Errors
/// [`ConfigError`], each with the file and line, or the variable, or the keys that are wrong.
pub fn load(source: &Source, environment: impl IntoIterator<Item = (String, String)>) -> Result<Settings, ConfigError> {
    let path = source.path();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if *source == Source::Default && error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => {
            return Err(ConfigError::Unreadable {
                path: path.to_owned(),
                source,
            });
        }
    };
    let mut table = document::parse(path, &text)?;
    let environment: Vec<(String, String)> = environment.into_iter().collect();
    astguiclient::fill_in(&mut table, &environment);
    environment::overlay(&mut table, environment)?;
    let document = document::Document::try_from(table).map_err(|error| ConfigError::Combined {
        message: error.message().to_owned(),
    })?;
    validate::settings(document, path)
}

#[cfg(test)]
mod tests;
