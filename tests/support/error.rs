//! What can go wrong in the lab, in sentences that say what to do.

use std::fmt;
use std::io;
use std::time::Duration;

/// Why the lab could not do what a test asked for.
#[derive(thiserror::Error)]
pub enum LabError {
    /// A file, directory or socket did not behave.
    #[error("{what}: {source}")]
    Io {
        /// What was being done to what.
        what: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A program ended with a failure.
    #[error("`{command}` failed ({status}):\n{output}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// What it wrote, both streams.
        output: String,
    },
    /// The machine lacks something that the lab cannot install itself.
    #[error("{0}")]
    Missing(String),
    /// The wanted configuration cannot exist, for example a `chan_sip` trunk on Asterisk 22.
    #[error("{0}")]
    Configuration(String),
    /// Asterisk ended, or was not fully booted in time.
    #[error("{instance} did not boot: {why}\n--- end of its log ---\n{log_tail}")]
    NotBooted {
        /// Which instance: its directory.
        instance: String,
        /// What was seen.
        why: String,
        /// The last lines of its log and of its standard error.
        log_tail: String,
    },
    /// Asterisk answered an AMI action with an error, or the connection ended.
    #[error("AMI {action}: {message}")]
    Ami {
        /// The action's name.
        action: String,
        /// Asterisk's message.
        message: String,
    },
    /// What was waited for did not happen.
    #[error("no {what} within {after:?}")]
    Timeout {
        /// What was waited for, and what was seen instead.
        what: String,
        /// How long it was waited for.
        after: Duration,
    },
}

/// A test that returns an error shows its `Debug` form: make that the sentence.
impl fmt::Debug for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Turns an I/O error into a [`LabError`] that says what was being done.
pub trait IoContext<T> {
    /// Adds `what` was being done to the error.
    fn context(self, what: impl FnOnce() -> String) -> Result<T, LabError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T, LabError> {
        self.map_err(|source| LabError::Io { what: what(), source })
    }
}
