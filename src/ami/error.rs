//! What can go wrong between us and Asterisk's manager interface.

use std::net::SocketAddr;
use std::time::Duration;

/// A question to the manager interface that was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing listens there, or the connection broke.
    #[error("{address}: {source}")]
    Connection {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something listens there and says nothing.
    #[error("{address}: no answer to {action} in {limit:?}")]
    Silent {
        /// Where.
        address: SocketAddr,
        /// What was asked.
        action: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// Something else than a manager interface listens there.
    #[error("{address}: no manager interface: it began with {greeting:?}")]
    Stranger {
        /// Where.
        address: SocketAddr,
        /// The start of what it said.
        greeting: String,
    },
    /// Wrong user or secret, or an address that the user's `permit` does not cover.
    #[error("{address}: the login as {user} was refused: {said}")]
    Login {
        /// Where.
        address: SocketAddr,
        /// As whom.
        user: String,
        /// Asterisk's words.
        said: String,
    },
    /// The user may not ask that.
    #[error("{address}: {user} may not use {action}: {said}")]
    Forbidden {
        /// Where.
        address: SocketAddr,
        /// As whom.
        user: String,
        /// What was asked.
        action: &'static str,
        /// Asterisk's words.
        said: String,
    },
    /// An answer beyond every measure.
    #[error("{address}: the answer to {action} is longer than {limit} bytes")]
    TooLong {
        /// Where.
        address: SocketAddr,
        /// What was asked.
        action: &'static str,
        /// The most that is read.
        limit: usize,
    },
}

impl Error {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Connection { .. } => "ami_connection",
            Self::Silent { .. } => "ami_silent",
            Self::Stranger { .. } => "ami_stranger",
            Self::Login { .. } => "ami_login",
            Self::Forbidden { .. } => "ami_forbidden",
            Self::TooLong { .. } => "ami_too_long",
        }
    }
}
