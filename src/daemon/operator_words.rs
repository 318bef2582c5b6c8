//! The words of operators about carriers while the daemon runs: read each second, and at once when one was said.
//!
//! A task of its own: neither a hundred thousand routes nor an Asterisk that does not answer holds up the word that takes a
//! carrier out of use.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use tracing::debug;

use crate::control::RefreshError;
use crate::engine::{HealthDesk, now};
use crate::health::OperatorBook;
use crate::notify::{Notice, Notifier};
use crate::snapshot::operator_words;
use crate::store::{CarrierSettingsRow, Store, StoreError};

/// How often the words are read: another dialer's operator may have said one.
const POLL: Duration = Duration::from_secs(1);
/// Requests to read at once that may wait; each has somebody waiting for its answer.
const MAILBOX: usize = 64;

type Asked = oneshot::Sender<Result<(), RefreshError>>;

/// A handle on the task.
#[derive(Clone, Debug)]
pub(super) struct Words {
    asks: mpsc::Sender<Asked>,
}

impl Words {
    /// Begins with the words that stand in `rows` and starts the task, which ends with the last handle.
    pub(super) async fn keep(
        rows: &[CarrierSettingsRow],
        store: Store,
        health: HealthDesk,
        notifier: Notifier,
    ) -> Self {
        let words = operator_words(rows);
        for (carrier, setting) in &words {
            health.set_operator(carrier, setting.clone()).await;
        }
        let keeper = Keeper {
            store,
            health,
            notifier,
            book: OperatorBook::new(words, now().wall_ms),
        };
        let (asks, mailbox) = mpsc::channel(MAILBOX);
        tokio::spawn(keeper.run(mailbox));
        Self { asks }
    }

    /// Reads the words now; when this returns, the next call goes by them.
    pub(super) async fn take(&self) -> Result<(), RefreshError> {
        let (answer, done) = oneshot::channel();
        // The task lives as long as a handle does.
        if self.asks.send(answer).await.is_err() {
            return Ok(());
        }
        done.await.unwrap_or(Ok(()))
    }
}

/// The task's own side.
#[derive(Debug)]
struct Keeper {
    store: Store,
    health: HealthDesk,
    notifier: Notifier,
    book: OperatorBook,
}

impl Keeper {
    async fn run(mut self, mut mailbox: mpsc::Receiver<Asked>) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        poll.reset();
        loop {
            tokio::select! {
                asked = mailbox.recv() => match asked {
                    Some(answer) => {
                        let read = self.read().await;
                        let _asker_is_gone = answer.send(read.map_err(RefreshError::from));
                    }
                    None => return,
                },
                _ = poll.tick() => {
                    // That the store is away is told by whoever reads the tables.
                    if let Err(error) = self.read().await {
                        debug!(%error, "the words of operators cannot be read; those that were read last hold");
                    }
                }
            }
        }
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        let now_ms = now().wall_ms;
        for change in self.book.advance(now_ms) {
            self.notifier.tell(Notice::Operator(change));
        }
        let words = operator_words(&self.store.carrier_settings().await?);
        for change in self.book.take(words, now_ms) {
            self.health.set_operator(&change.carrier, change.setting.clone()).await;
            self.notifier.tell(Notice::Operator(change));
        }
        Ok(())
    }
}
