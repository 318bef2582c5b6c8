//! The daemon: wires the rooms together, in order, and takes them down again.

mod carriers;
mod engine_choice;
mod fast_agi;
mod figures;
mod gauges;
mod handle;
mod health;
mod lost;
mod notices;
mod operator_words;
mod operators;
mod probes;
mod qualify;
mod records;
mod registrations;
mod reload;
mod running;
mod start;
mod survivors;
mod tables;

use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

use crate::ari;
use crate::config::{ConfigError, Settings};
use crate::spool::SpoolError;
use crate::store::StoreError;

use running::EndedBy;

/// Why the daemon could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Attempts cannot be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The ARI settings are not usable.
    #[error("[ari] in the configuration: {0}")]
    AriSettings(#[from] ari::ConfigError),
    /// Asterisk refused us or cannot be asked.
    #[error("Asterisk at {endpoint}: {source}")]
    Ari {
        /// The base address.
        endpoint: ari::Endpoint,
        /// What the request met.
        source: ari::Error,
    },
    /// The process could not listen for signals.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
}

impl Error {
    /// A stable name for metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => "store",
            Self::Spool(error) => error.code(),
            Self::AriSettings(_) => "ari_settings",
            Self::Ari { .. } => "ari",
            Self::Signals(_) => "signals",
        }
    }
}

/// Runs until SIGTERM or SIGINT, or until another process takes the application over.
///
/// `reread` reads the configuration again when an operator asks for it.
///
/// An Asterisk that is not there yet is waited for; a password that it refuses ends the start.
///
/// # Errors
/// [`Error`] says what is missing; nothing has been taken from Asterisk then.
pub async fn run(
    settings: Settings,
    reread: impl Fn() -> Result<Settings, ConfigError> + Send + Sync + 'static,
) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let hangup = signal(SignalKind::hangup()).map_err(Error::Signals)?;
    let mut running = start::start(settings, Box::new(reread), hangup).await?;
    let ended_by = tokio::select! {
        _ = terminate.recv() => EndedBy::Signal("SIGTERM"),
        _ = interrupt.recv() => EndedBy::Signal("SIGINT"),
        () = running.replaced() => EndedBy::AnotherProcess,
    };
    running.stop(ended_by).await;
    Ok(())
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd cannot be notified");
    }
}
