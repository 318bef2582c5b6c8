//! What can go wrong in a session.

use std::io;
use std::time::Duration;

/// Why a session, or one command of it, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Asterisk closed the connection, or died.
    #[error("Asterisk closed the connection")]
    Closed,
    /// The connection failed.
    #[error("the connection to Asterisk failed: {0}")]
    Io(#[from] io::Error),
    /// More than a session takes: a line, or the prelude as a whole.
    #[error("Asterisk sent {what} of more than {limit} bytes or lines")]
    TooMuch {
        /// What was too long.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// Nothing came in time.
    #[error("Asterisk did not send its {what} within {} ms", limit.as_millis())]
    Late {
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// Something that is no FastAGI.
    #[error("not FastAGI: {0:?}")]
    Malformed(String),
    /// A command that Asterisk would cut off; nothing was sent.
    #[error(
        "a command of {length} bytes: Asterisk reads {} at most",
        super::command::MAXIMUM_LENGTH
    )]
    CommandTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A line break or a zero byte in an argument; nothing was sent.
    #[error("an argument holds a line break or a zero byte")]
    Unquotable,
    /// 510: this Asterisk has no such command.
    #[error("Asterisk does not know the command (510)")]
    UnknownCommand,
    /// 511: the channel has hung up and the command needs a living one.
    #[error("the channel has hung up (511)")]
    DeadChannel,
    /// 520: the command's arguments are wrong.
    #[error("Asterisk refused the command's arguments (520): {0}")]
    Usage(String),
}

impl Error {
    /// A stable name for metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Closed => "agi_closed",
            Self::Io(_) => "agi_io",
            Self::TooMuch { .. } => "agi_too_much",
            Self::Late { .. } => "agi_late",
            Self::Malformed(_) => "agi_malformed",
            Self::CommandTooLong { .. } => "agi_command_too_long",
            Self::Unquotable => "agi_unquotable",
            Self::UnknownCommand => "agi_unknown_command",
            Self::DeadChannel => "agi_dead_channel",
            Self::Usage(_) => "agi_usage",
        }
    }
}
