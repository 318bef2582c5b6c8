//! What can be wrong with a configuration.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// The configuration cannot be used; the text says where and what to do. It never repeats a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}; name another with --config", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of the file is wrong.
    #[error("{path}:{line}:{column}: {complaint}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The key and what is wrong with it.
        complaint: String,
    },
    /// A `CRANKBACK_` variable is wrong.
    #[error("environment variable {variable}: {complaint}")]
    Environment {
        /// The variable.
        variable: String,
        /// The key and what is wrong with it.
        complaint: String,
    },
    /// File and environment are each right but do not fit together.
    #[error("file and environment do not fit together: {message}")]
    Combined {
        /// What is wrong.
        message: String,
    },
    /// Every key can be read, but the whole cannot work.
    #[error("{}", list(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All of it, not only the first.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// A stable word for this kind of error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "config_unreadable",
            Self::File { .. } => "config_file",
            Self::Environment { .. } => "config_environment",
            Self::Combined { .. } => "config_combined",
            Self::Invalid { .. } => "config_invalid",
        }
    }
}

/// One thing that is wrong with the configuration as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `section.key`.
    pub key: Cow<'static, str>,
    /// What is wrong and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

fn list(path: &std::path::Path, problems: &[Problem]) -> String {
    let mut text = format!("the configuration {} cannot work:", path.display());
    for problem in problems {
        text.push_str(&format!("\n  {problem}"));
    }
    text
}
