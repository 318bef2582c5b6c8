//! The ARI side: what `Dial()` does not tell while it runs.
//!
//! One task owns which caller belongs to which call. It subscribes to callers one by one: then Asterisk sends the `Dial`
//! events of their legs, and nothing of anybody else. A subscription ends by itself with its channel. The same task follows
//! legs that no session of ours dials to their ends.

mod desk;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use self::desk::{Desk, Registration};
use crate::ari::{ChannelState, Client, Dialplan, Error, HangupReason, Notice};
use crate::verdict::SipReply;

/// What the side-car tells a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A `Dial` event of one of its legs. Boxed: a mailbox has room for dozens of these from its first moment.
    Leg(Box<SeenLeg>),
    /// From now on nothing is seen.
    Lost,
    /// The caller is watched again; what happened in between was not seen.
    Back,
}

/// A `Dial` event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenLeg {
    /// The leg's channel id.
    pub channel: String,
    /// The leg's channel name.
    pub name: String,
    /// Where the channel is in the dialplan.
    pub place: Dialplan,
    /// Empty at the beginning, then `RINGING`, `PROGRESS`, `ANSWER` or how the leg ended.
    pub status: String,
}

/// What a leg shows when it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It is up; with its response, where that can be read.
    Answered(Option<SipReply>),
    /// The last response is a provisional one.
    Provisional(SipReply),
    /// Nothing has come back.
    Silent,
}

/// Events that wait for one call.
const MAILBOX: usize = 256;
/// How long the first attempt waits for its caller to be watched.
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
        let (call, seen) = mpsc::channel(MAILBOX);
        let (ready, is_ready) = oneshot::channel();
        let caller = caller.to_owned();
        let watch = Registration::Watch {
            caller: caller.clone(),
            call,
            ready,
        };
        let _ = self.registrations.send(watch);
        Watch {
            caller,
            seen,
            is_ready: Some(is_ready),
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

    /// How far a leg has come.
    pub(super) async fn look_at(&self, leg: &str) -> Result<Sign, Error> {
        let channels = self.ari.channels();
        let channel = channels.get(leg).await?;
        let name = channels.get_variable(leg, "HANGUPCAUSE_KEYS()").await?;
        let reply = match name.filter(|name| !name.is_empty()) {
            Some(name) => self.response(leg, &name).await,
            None => None,
        };
        Ok(match (channel.state == ChannelState::Up, reply) {
            (true, reply) => Sign::Answered(reply),
            // A refusal on a living leg is an authentication challenge or an earlier address: silence since then.
            (false, Some(reply)) if !reply.is_refusal() => Sign::Provisional(reply),
            (false, Some(_) | None) => Sign::Silent,
        })
    }

    /// The last response on a leg that has one, by its channel's id and name; `None` where it cannot be asked.
    pub(super) async fn response(&self, leg: &str, name: &str) -> Option<SipReply> {
        let variable = format!("HANGUPCAUSE({name},tech)");
        let text = self.ari.channels().get_variable(leg, &variable).await;
        text.ok().flatten().as_deref().and_then(SipReply::parse)
    }

    /// Whether a leg that `Dial()` has let go of lives on: the dialer has redirected it away from where it was.
    pub(super) async fn lives_on(&self, leg: &str, was_at: &Dialplan) -> bool {
        let looks = async {
            for _ in 0..LIST_LOOKS {
                match self.ari.channels().get(leg).await {
                    Ok(channel) if channel.dialplan != *was_at => return true,
                    // One that has just ended is listed a moment longer, and one that was just taken as it was before.
                    Ok(_) => tokio::time::sleep(LIST_LAGS).await,
                    Err(_) => return false,
                }
            }
            true
        };
        // The caller waits meanwhile.
        tokio::time::timeout(LIST_LIMIT, looks).await.unwrap_or(false)
    }

    /// Ends a leg that is given up, unless it has been answered: then `Dial()` has connected it. `Dial()` comes back with what
    /// the reason stands for.
    pub(super) async fn end(&self, leg: &str, reason: HangupReason) {
        for _ in 0..END_TRIES {
            match self.end_unless_up(leg, reason).await {
                Err(error @ (Error::NotSent { .. } | Error::OutcomeUnknown { .. })) => {
                    warn!(leg, %error, "a leg that is given up could not be ended yet");
                    tokio::time::sleep(END_AGAIN_AFTER).await;
                }
                Err(error) if error.status() != Some(404) => return warn!(leg, %error, "ending a leg failed"),
                Ok(()) | Err(_) => return,
            }
        }
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
