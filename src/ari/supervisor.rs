//! Staying connected: reconnection, the stream of notices, the watched state.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::session::Session;
use super::{AsteriskInfo, Client, Error, Event, EventFilter, Limits, LostReason};

/// One entry of the ordered stream: what lies between a `Connected` and the next `Lost` came over one connection.
#[derive(Clone, Debug)]
pub enum Notice {
    /// The connection is up, the application is registered. Whatever happened before is not in the stream: ask
    /// Asterisk's lists.
    Connected {
        /// Counts the connections of this stream, from 1.
        epoch: u64,
        /// The Asterisk that we are connected to; it may have been restarted or replaced by another version.
        asterisk: Arc<AsteriskInfo>,
    },
    /// The connection is gone. Channels and bridges live on in Asterisk; events until the next `Connected` are missed.
    Lost {
        /// The connection that was lost.
        epoch: u64,
        /// Why.
        reason: LostReason,
    },
    /// Something happened.
    Event {
        /// What; never [`Event::Other`] and never [`Event::ApplicationReplaced`], which becomes [`LostReason::Replaced`].
        event: Box<Event>,
        /// When it was read from the connection.
        received_at: Instant,
    },
}

/// How the connection is right now.
#[derive(Clone, Debug)]
pub enum State {
    /// Not connected, and trying.
    Connecting {
        /// Since when.
        since: Instant,
        /// Attempts that failed since then.
        failures: u64,
        /// What the last attempt met.
        last_error: Option<Arc<Error>>,
    },
    /// Connected.
    Connected {
        /// Counts the connections, from 1.
        epoch: u64,
        /// Since when.
        since: Instant,
        /// The Asterisk that we are connected to.
        asterisk: Arc<AsteriskInfo>,
    },
    /// Ended: another connection took the application name over.
    Replaced,
    /// Ended: cancelled, or nobody takes the notices any more.
    Stopped,
}

impl State {
    /// A stable name for this state, fit for a metric label.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Connecting { .. } => "connecting",
            Self::Connected { .. } => "connected",
            Self::Replaced => "replaced",
            Self::Stopped => "stopped",
        }
    }

    fn connecting() -> Self {
        Self::Connecting {
            since: Instant::now(),
            failures: 0,
            last_error: None,
        }
    }
}

/// `Connected` and `Lost`: the two notices of a connection that are no events.
const CONTROL_NOTICES: usize = 2;

/// Starts the task that stays connected.
pub(super) fn spawn(client: Client, cancel: CancellationToken) -> (mpsc::Receiver<Notice>, watch::Receiver<State>) {
    let (mailbox, notices) = mpsc::channel(client.limits().mailbox_capacity.max(1) + CONTROL_NOTICES);
    let (state, watched) = watch::channel(State::connecting());
    tokio::spawn(async move {
        let supervisor = Supervisor {
            client,
            mailbox,
            state,
            cancel,
            epoch: 0,
        };
        supervisor.supervise().await;
    });
    (notices, watched)
}

struct Supervisor {
    client: Client,
    mailbox: mpsc::Sender<Notice>,
    state: watch::Sender<State>,
    cancel: CancellationToken,
    epoch: u64,
}

impl Supervisor {
    async fn supervise(mut self) {
        let last = loop {
            let started = Instant::now();
            match self.connect_and_run().await {
                Ok(LostReason::Replaced) => break State::Replaced,
                Ok(_) => self.state.send_replace(State::connecting()),
                Err(Stopped) => break State::Stopped,
            };
            // The first attempt after a loss comes at once, but a connection that dies as soon as it is made must not
            // turn that into a tight loop.
            if started.elapsed() < self.client.limits().ping_interval && self.pause(self.retry_pause()).await.is_err() {
                break State::Stopped;
            }
        };
        tracing::info!(app = self.client.app(), state = last.code(), "ARI connection ended");
        self.state.send_replace(last);
    }

    /// One connection, from the first attempt to its end.
    async fn connect_and_run(&mut self) -> Result<LostReason, Stopped> {
        // Room for `Connected` and `Lost` is taken beforehand: neither waits later, and an overrun cannot swallow them.
        // A reader that is behind is waited for here, where no connection suffers from it.
        let mailbox = self.mailbox.clone();
        let connected = self.or_stopped(mailbox.reserve()).await?.map_err(|_| Stopped)?;
        let lost = self.or_stopped(mailbox.reserve()).await?.map_err(|_| Stopped)?;

        let (asterisk, session) = self.establish().await?;
        let asterisk = Arc::new(asterisk);
        self.epoch += 1;
        let epoch = self.epoch;
        self.client.counters().add_connection();
        tracing::info!(app = self.client.app(), epoch, version = %asterisk.version, "ARI connected");
        self.state.send_replace(State::Connected {
            epoch,
            since: Instant::now(),
            asterisk: Arc::clone(&asterisk),
        });
        connected.send(Notice::Connected { epoch, asterisk });

        let reason = session
            .run(&self.client, &self.mailbox, &self.cancel)
            .await
            .ok_or(Stopped)?;
        tracing::warn!(app = self.client.app(), epoch, code = reason.code(), %reason, "ARI connection lost");
        lost.send(Notice::Lost {
            epoch,
            reason: reason.clone(),
        });
        Ok(reason)
    }

    /// Tries until a connection stands.
    async fn establish(&self) -> Result<(AsteriskInfo, Session), Stopped> {
        let mut failures = 0;
        let mut reported = None;
        loop {
            let error = match self.or_stopped(attempt(&self.client)).await? {
                Ok(established) => return Ok(established),
                Err(error) => Arc::new(error),
            };
            failures += 1;
            let kind = (error.code(), error.status());
            if reported.replace(kind) != Some(kind) {
                tracing::warn!(app = self.client.app(), code = error.code(), %error, "no ARI connection; trying again");
            }
            let pause = if error.is_refusal() {
                self.client.limits().refused_delay
            } else {
                self.retry_pause()
            };
            self.state.send_modify(|state| {
                if let State::Connecting {
                    failures: counted,
                    last_error,
                    ..
                } = state
                {
                    (*counted, *last_error) = (failures, Some(error));
                }
            });
            self.pause(pause).await?;
        }
    }

    /// A pause between three quarters of the retry delay and the whole of it, so that daemons do not march in step.
    fn retry_pause(&self) -> Duration {
        let Limits { retry_delay, .. } = self.client.limits();
        let quarter = retry_delay.as_millis() as u64 / 4;
        let jitter = RandomState::new().hash_one(()) % (quarter + 1);
        *retry_delay - Duration::from_millis(jitter)
    }

    async fn pause(&self, pause: Duration) -> Result<(), Stopped> {
        self.or_stopped(tokio::time::sleep(pause)).await
    }

    /// Waits for `work`, unless we are cancelled or nobody takes notices any more.
    async fn or_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Stopped),
            () = self.mailbox.closed() => Err(Stopped),
            done = work => Ok(done),
        }
    }
}

/// We ended it ourselves.
struct Stopped;

/// One attempt: the version first, for it decides what may be asked; then the events; then which events.
async fn attempt(client: &Client) -> Result<(AsteriskInfo, Session), Error> {
    let asterisk = client.asterisk().info().await?;
    let session = Session::open(client).await?;
    if asterisk.capabilities.event_filter {
        client
            .applications()
            .filter(client.app(), &EventFilter::allow(client.events().iter().copied()))
            .await?;
    }
    Ok((asterisk, session))
}
