//! The ARI side: what `Dial()` does not tell while it runs.
//!
//! One task owns which caller belongs to which call. It subscribes to callers one by one: then Asterisk sends the `Dial`
//! events of their legs, and nothing of anybody else. A subscription ends by itself with its channel. Every variable that is
//! set on a subscribed caller costs Asterisk an event, and `Dial()` sets a dozen before it dials; so a caller is looked at
//! first when its leg is a moment old. The same task follows legs that no session of ours dials to their ends.

mod desk;
mod glance;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use self::desk::{Desk, Registration};
pub(super) use self::glance::GivenUp;
use self::glance::is_in_dials_hands;
pub use self::glance::{FoundLeg, Glance, Sign};
use crate::ari::{ChannelState, Client, Error, HangupReason, Notice};
use crate::verdict::SipReply;

/// What the side-car tells a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A `Dial` event of one of its legs. Boxed: a mailbox has room for dozens of these from its first moment.
    Leg(Box<SeenLeg>),
    /// The leg that is out was looked at: what came before, or in between.
    Sight(Box<Glance>),
    /// From now on nothing is seen.
    Lost,
    /// The caller is watched again; what happened in between was not seen. A look follows.
    Back,
}

/// A `Dial` event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenLeg {
    /// The leg's channel id.
    pub channel: String,
    /// The leg's channel name.
    pub name: String,
    /// Empty at the beginning, then `RINGING`, `PROGRESS`, `ANSWER` or how the leg ended.
    pub status: String,
}

/// Events that wait for one call.
const MAILBOX: usize = 256;
/// How long whoever asks for it waits for a caller to be watched.
const SUBSCRIBE_LIMIT: Duration = Duration::from_millis(100);
/// A leg that is given up is asked to go so often, with a pause in between.
const END_TRIES: u32 = 5;
const END_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How long Asterisk's list of channels may lag behind, and how often it is looked at again.
const LIST_LAGS: Duration = Duration::from_millis(20);
const LIST_LOOKS: u32 = 5;
/// All looks together.
const LIST_LIMIT: Duration = Duration::from_millis(300);

/// The end of a leg's channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// With this cause (Q.850), where Asterisk has one.
    Seen(Option<u8>),
    /// While nobody watched.
    Unseen,
}

/// What the side-car has counted.
#[derive(Debug, Default)]
pub struct Counters {
    unwatched: AtomicU64,
}

impl Counters {
    /// Calls that went on without guard for some time because ARI was away.
    pub fn unwatched(&self) -> u64 {
        self.unwatched.load(Ordering::Relaxed)
    }
}

/// A handle on the side-car. Its mailbox is unbounded because forgetting a call must never wait; every call has few messages
/// in it.
#[derive(Clone, Debug)]
pub struct Sidecar {
    ari: Client,
    registrations: mpsc::UnboundedSender<Registration>,
    counters: Arc<Counters>,
}

impl Sidecar {
    /// The types of the events that are of use here.
    pub const EVENTS: [&str; 3] = ["Dial", "ChannelDestroyed", "ApplicationReplaced"];

    /// Starts the task; it ends with the stream of notices.
    pub fn start(ari: Client, notices: mpsc::Receiver<Notice>, counters: Arc<Counters>) -> Self {
        let (registrations, mailbox) = mpsc::unbounded_channel();
        let desk = Desk::new(ari.clone(), registrations.downgrade());
        tokio::spawn(desk.run(notices, mailbox));
        Self {
            ari,
            registrations,
            counters,
        }
    }

    /// Begins to watch a caller.
    pub fn watch(&self, caller: &str) -> Watch {
        let (ready, is_ready) = oneshot::channel();
        let registration = |caller, call| Registration::Watch { caller, call, ready };
        self.register(caller, registration, Some(is_ready))
    }

    /// Looks at the leg that a caller dials, and begins to watch it unless it is answered.
    pub(super) fn look(&self, caller: &str) -> Watch {
        self.register(caller, |caller, call| Registration::Look { caller, call }, None)
    }

    fn register(
        &self,
        caller: &str,
        registration: impl FnOnce(String, mpsc::Sender<Seen>) -> Registration,
        is_ready: Option<oneshot::Receiver<()>>,
    ) -> Watch {
        let (call, seen) = mpsc::channel(MAILBOX);
        let _ = self.registrations.send(registration(caller.to_owned(), call));
        Watch {
            caller: caller.to_owned(),
            seen,
            is_ready,
            registrations: self.registrations.clone(),
        }
    }

    /// What waits for the end of a leg that no session dials. It begins to watch now.
    pub fn end_of(&self, leg: &str) -> impl Future<Output = LegEnd> + Send + 'static {
        let (end, ended) = oneshot::channel();
        let leg = leg.to_owned();
        let _ = self.registrations.send(Registration::Follow { leg, end });
        async move { ended.await.unwrap_or(LegEnd::Unseen) }
    }

    /// How far the leg has come that a caller dials.
    pub(super) async fn glance(&self, caller: &str) -> Result<Glance, Error> {
        glance::glance(&self.ari, caller).await
    }

    /// The last response on a leg that has one, by its channel's id and name; `None` where it cannot be asked.
    pub(super) async fn response(&self, leg: &str, name: &str) -> Option<SipReply> {
        glance::response(&self.ari, leg, name).await
    }

    /// The answered leg of a caller, if it lives on although `Dial()` has let go of it: the dialer has redirected it away.
    pub(super) async fn lives_on(&self, caller: &str, leg: Option<String>) -> Option<String> {
        let looks = async {
            let leg = match leg {
                Some(leg) => leg,
                None => self.glance(caller).await.ok()?.leg?.channel,
            };
            for _ in 0..LIST_LOOKS {
                match self.ari.channels().get(&leg).await {
                    // One that has just ended is listed a moment longer, and one that was just taken as it was before.
                    Ok(channel) if is_in_dials_hands(&channel) => tokio::time::sleep(LIST_LAGS).await,
                    Ok(_) => break,
                    Err(_) => return None,
                }
            }
            Some(leg)
        };
        // The caller waits meanwhile.
        tokio::time::timeout(LIST_LIMIT, looks).await.ok().flatten()
    }

    /// Ends a leg, unless it has been answered: then `Dial()` has connected it. `Dial()` comes back with what the reason stands
    /// for. To be dropped when `Dial()` has come back: what would be found then may be the next leg of the call.
    pub(super) async fn end(&self, given_up: GivenUp, reason: HangupReason) {
        let call = &given_up.caller;
        for _ in 0..END_TRIES {
            let ended = match given_up.channel(&self.ari).await {
                Ok(Some(leg)) => self.end_unless_up(&leg, reason).await,
                Ok(None) => {
                    debug!(call, "a leg that is given up has no channel yet, or none any more");
                    tokio::time::sleep(END_AGAIN_AFTER).await;
                    continue;
                }
                Err(error) => Err(error),
            };
            match ended {
                Ok(()) => return,
                Err(error) if error.status() == Some(404) => return,
                Err(error) => {
                    warn!(call, %error, "a leg that is given up could not be ended yet");
                    tokio::time::sleep(END_AGAIN_AFTER).await;
                }
            }
        }
        warn!(
            call,
            "a leg that is given up was not ended: it goes on until Dial() gives it up"
        );
    }

    async fn end_unless_up(&self, leg: &str, reason: HangupReason) -> Result<(), Error> {
        let channels = self.ari.channels();
        if channels.get(leg).await?.state == ChannelState::Up {
            return Ok(());
        }
        channels.hangup(leg, reason).await
    }

    /// One more call went on without guard.
    pub(super) fn count_unwatched(&self) {
        self.counters.unwatched.fetch_add(1, Ordering::Relaxed);
    }
}

/// A call's end of the side-car; dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    caller: String,
    seen: mpsc::Receiver<Seen>,
    is_ready: Option<oneshot::Receiver<()>>,
    registrations: mpsc::UnboundedSender<Registration>,
}

impl Watch {
    /// What comes to an end when the caller is watched, or cannot be, or that takes too long; the first time only.
    pub fn ready(&mut self) -> impl Future<Output = ()> + Send + 'static {
        let is_ready = self.is_ready.take();
        async move {
            if let Some(is_ready) = is_ready {
                let _ = tokio::time::timeout(SUBSCRIBE_LIMIT, is_ready).await;
            }
        }
    }

    /// Ends the watch: nothing more is seen.
    pub fn stop(&self) {
        let caller = self.caller.clone();
        let _ = self.registrations.send(Registration::Enough { caller });
    }

    /// What is seen next. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Seen {
        match self.seen.recv().await {
            Some(seen) => seen,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let caller = std::mem::take(&mut self.caller);
        let _ = self.registrations.send(Registration::Forget { caller });
    }
}
