//! What can go wrong with a request, told apart by what the caller may do next.

use std::error::Error as StdError;
use std::fmt::Write as _;

/// A request that did not give its result. Every variant names the operation and its target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No HTTP client could be made.
    #[error("cannot set up the ARI client: {reason}")]
    Setup {
        /// What was wrong.
        reason: String,
    },
    /// Asterisk never saw the request: sending it again is safe.
    #[error("{operation}: not sent: {reason}")]
    NotSent {
        /// The operation and its target.
        operation: String,
        /// Why it was not sent.
        reason: String,
    },
    /// The request went out and no answer came back: Asterisk may or may not have carried it out.
    #[error("{operation}: sent, but the outcome is unknown: {reason}")]
    OutcomeUnknown {
        /// The operation and its target.
        operation: String,
        /// How the answer was lost.
        reason: String,
    },
    /// Asterisk refused the user or the password.
    #[error("{operation}: Asterisk refused the ARI user or its password (see ari.conf)")]
    Unauthorized {
        /// The operation and its target.
        operation: String,
    },
    /// Asterisk answered with an error.
    #[error("{operation}: Asterisk answered {code}: {message}")]
    Status {
        /// The operation and its target.
        operation: String,
        /// The HTTP status code.
        code: u16,
        /// Asterisk's own words.
        message: String,
    },
    /// Asterisk carried the request out, but the answer is not what this operation promises.
    #[error("{operation}: the answer does not decode at {path}: {reason}")]
    Decode {
        /// The operation and its target.
        operation: String,
        /// Where in the answer.
        path: String,
        /// What was wrong there.
        reason: String,
    },
}

impl Error {
    /// A stable name for this kind of error, fit for a metric label.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Setup { .. } => "setup",
            Self::NotSent { .. } => "not_sent",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Status { .. } => "status",
            Self::Decode { .. } => "decode",
        }
    }

    /// Asterisk's HTTP status, where it gave one.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } => Some(*code),
            Self::Unauthorized { .. } => Some(401),
            Self::Setup { .. } | Self::NotSent { .. } | Self::OutcomeUnknown { .. } | Self::Decode { .. } => None,
        }
    }

    /// Asterisk knows us and says no (wrong password, read-only user, bad application name): trying again soon is useless.
    pub(super) const fn is_refusal(&self) -> bool {
        matches!(self.status(), Some(400 | 401 | 403))
    }
}

/// An error with its causes in one line: `connect: Connection refused (os error 111)`.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
