//! The daemon while it runs, and how it is taken down: callers first, what is known last.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::notify::Notifier;
use crate::spool::Moving;

use super::fast_agi::FastAgi;
use super::notify;

/// How long a daemon that goes down waits for unanswered calls.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
/// How long a daemon that goes down waits for the receivers of its last notices: two retries.
const NOTICES_LIMIT: Duration = Duration::from_secs(5);
/// How long what is known may take to be written down.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// Why the daemon goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndedBy {
    /// This signal.
    Signal(&'static str),
    /// The application has gone over to another process.
    AnotherProcess,
}

/// Everything that must be ended, or waited for.
pub(super) struct Running {
    /// Serves the callers of the Stasis engine.
    pub dispatcher: JoinHandle<()>,
    pub fast_agi: FastAgi,
    /// Serves the socket.
    pub operators: JoinHandle<()>,
    /// Writes down what is known of the carriers.
    pub health_kept: JoinHandle<()>,
    pub notifier: Notifier,
    pub moving: Moving,
    /// No more callers.
    pub leaving: CancellationToken,
    /// No more questions, by socket or for metrics.
    pub doors_close: CancellationToken,
    /// No more of Asterisk, and nothing more to learn.
    pub over: CancellationToken,
}

impl Running {
    /// Resolves when another process serves the application.
    pub(super) async fn replaced(&mut self) {
        let _ended = (&mut self.dispatcher).await;
    }

    /// Takes everything down in order. Calls that are not answered are waited for unless another process has them.
    pub(super) async fn stop(mut self, ended_by: EndedBy) {
        notify(&[sd_notify::NotifyState::Stopping]);
        match ended_by {
            EndedBy::Signal(signal) => {
                info!(signal, "stopping: waiting for calls that are not answered yet");
                self.leaving.cancel();
                if tokio::time::timeout(DRAIN_LIMIT, &mut self.dispatcher).await.is_err() {
                    warn!("calls are left; answered ones go on without us and end by the dialplan");
                    self.dispatcher.abort();
                }
            }
            EndedBy::AnotherProcess => info!("another process serves the application; leaving"),
        }
        self.leaving.cancel();
        self.fast_agi.drain(DRAIN_LIMIT).await;
        // Whoever took the application over waits for the socket.
        self.doors_close.cancel();
        if self.operators.await.is_err() {
            error!("the task that serves operators had failed");
        }
        self.over.cancel();
        if tokio::time::timeout(WRITE_LIMIT, self.health_kept).await.is_err() {
            warn!("what is known of the carriers could not be written down in time");
        }
        self.notifier.finish(NOTICES_LIMIT).await;
        // It ends with the last call.
        if tokio::time::timeout(WRITE_LIMIT, self.moving.finished()).await.is_err() {
            warn!("attempts are left in the spool: the next daemon moves them to the store");
        }
    }
}
