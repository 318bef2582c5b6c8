//! A channel's outbox: a bounded queue, retries with growing pauses, and counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

use super::notice::Letter;

/// How much a channel is asked to bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Notices that may wait.
    pub queue: usize,
    /// Times that one notice is tried.
    pub tries: u32,
    /// The pause after the first try that failed; each further one is twice as long.
    pub first_pause: Duration,
    /// How long one try may take.
    pub try_limit: Duration,
}

impl Default for Limits {
    /// Seven tries within about a minute: a receiver that restarts misses nothing, one that is gone holds up later notices no
    /// longer than that.
    fn default() -> Self {
        Self {
            queue: 256,
            tries: 7,
            first_pause: Duration::from_secs(1),
            try_limit: Duration::from_secs(10),
        }
    }
}

/// What became of the notices of one channel.
#[derive(Debug, Default)]
pub struct ChannelCounters {
    sent: AtomicU64,
    retried: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl ChannelCounters {
    /// Arrived.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Tries that failed and were made again.
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }

    /// Given up.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Why a notice did not arrive. The text holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The receiver cannot be reached or is not well; it may take the notice later.
    #[error("{0}")]
    Passing(String),
    /// The receiver will never take it: wrong address, wrong credentials.
    #[error("{0}")]
    Final(String),
}

impl SendError {
    /// A stable word for this kind of error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Passing(_) => "notice_not_taken_now",
            Self::Final(_) => "notice_refused",
        }
    }
}

/// A way out.
pub(super) trait Channel: Send + Sync + 'static {
    /// One word: `webhook`, `mail`.
    fn name(&self) -> &'static str;
    /// Where it leads, for people; holds no secret.
    fn target(&self) -> String;
    /// Tries once.
    fn send<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), SendError>>;
}

/// Tries once, for as long as `limit` allows.
pub(super) async fn try_once(channel: &dyn Channel, letter: &Letter, limit: Duration) -> Result<(), SendError> {
    match tokio::time::timeout(limit, channel.send(letter)).await {
        Ok(result) => result,
        Err(_) => Err(SendError::Passing(format!(
            "no answer within {} s",
            limit.as_secs_f32()
        ))),
    }
}

/// A handle on a channel's queue.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    pub(super) name: &'static str,
    pub(super) counters: Arc<ChannelCounters>,
    queue: mpsc::Sender<Arc<Letter>>,
    /// Letters that wait or are being sent.
    left: watch::Sender<usize>,
}

impl Outbox {
    /// Starts the task that sends; it ends when the last handle is gone and the queue is empty.
    pub(super) fn open(channel: impl Channel, limits: Limits) -> Self {
        let (queue, letters) = mpsc::channel(limits.queue);
        let outbox = Self {
            name: channel.name(),
            counters: Arc::default(),
            queue,
            left: watch::Sender::new(0),
        };
        let (counters, left) = (Arc::clone(&outbox.counters), outbox.left.clone());
        tokio::spawn(deliver(channel, letters, counters, left, limits));
        outbox
    }

    /// Puts a letter into the queue; drops and counts it where there is no room.
    pub(super) fn put(&self, letter: Arc<Letter>) {
        self.left.send_modify(|left| *left += 1);
        if let Err(refused) = self.queue.try_send(letter) {
            self.left.send_modify(|left| *left -= 1);
            let dropped = self.counters.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            let (mpsc::error::TrySendError::Full(letter) | mpsc::error::TrySendError::Closed(letter)) = refused;
            warn!(
                channel = self.name,
                id = letter.id,
                dropped,
                "notice dropped: the queue is full"
            );
        }
    }

    /// Letters that wait or are being sent.
    pub(super) fn left(&self) -> usize {
        *self.left.borrow()
    }

    /// Waits until there are none.
    pub(super) async fn is_empty(&self) {
        // Fails only without a sender, and `self` is one.
        let _ = self.left.subscribe().wait_for(|left| *left == 0).await;
    }
}

async fn deliver(
    channel: impl Channel,
    mut letters: mpsc::Receiver<Arc<Letter>>,
    counters: Arc<ChannelCounters>,
    left: watch::Sender<usize>,
    limits: Limits,
) {
    while let Some(letter) = letters.recv().await {
        match send(&channel, &letter, &counters, limits).await {
            Ok(()) => {
                counters.sent.fetch_add(1, Ordering::Relaxed);
                debug!(channel = channel.name(), id = letter.id, "notice sent");
            }
            Err(error) => {
                let failed = counters.failed.fetch_add(1, Ordering::Relaxed) + 1;
                warn!(
                    channel = channel.name(),
                    target = channel.target(),
                    id = letter.id,
                    failed,
                    %error,
                    "notice given up; try it with `crankback notify test`"
                );
            }
        }
        left.send_modify(|left| *left -= 1);
    }
}

async fn send(
    channel: &impl Channel,
    letter: &Letter,
    counters: &ChannelCounters,
    limits: Limits,
) -> Result<(), SendError> {
    let mut pause = limits.first_pause;
    let mut tried = 1;
    loop {
        match try_once(channel, letter, limits.try_limit).await {
            Err(SendError::Passing(why)) if tried < limits.tries => {
                debug!(
                    channel = channel.name(),
                    id = letter.id,
                    tried,
                    why,
                    "notice not sent yet"
                );
            }
            result => return result,
        }
        counters.retried.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(pause).await;
        pause *= 2;
        tried += 1;
    }
}
