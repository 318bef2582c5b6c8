//! The ARI side: what `Dial()` does not tell while it runs.
//!
//! One task owns which caller belongs to which call. It subscribes to callers one by one: then Asterisk sends the `Dial`
//! events of their legs, and nothing of anybody else. A subscription ends by itself with its channel.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::ari::{
    self, ChannelState, Client, Dial, Dialplan, Error, Event, EventFilter, HangupReason, LostReason, Notice,
};
use crate::verdict::SipReply;

/// What the side-car tells a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A `Dial` event of one of its legs.
    Leg {
        /// The leg's channel id.
        channel: String,
        /// The leg's channel name.
        name: String,
        /// Where the channel is in the dialplan.
        place: Dialplan,
        /// Empty at the beginning, then `RINGING`, `PROGRESS`, `ANSWER` or how the leg ended.
        status: String,
    },
    /// From now on nothing is seen.
    Lost,
    /// The caller is watched again; what happened in between was not seen.
    Back,
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

enum Registration {
    Watch {
        caller: String,
        call: mpsc::Sender<Seen>,
        ready: oneshot::Sender<()>,
    },
    Failed {
        caller: String,
    },
    Forget {
        caller: String,
    },
    Follow {
        leg: String,
        end: oneshot::Sender<LegEnd>,
    },
    /// A leg that was to be followed is gone.
    Gone {
        leg: String,
    },
}

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
    /// Starts the task; it ends with the stream of notices.
    pub fn start(ari: Client, notices: mpsc::Receiver<Notice>, counters: Arc<Counters>) -> Self {
        let (registrations, mailbox) = mpsc::unbounded_channel();
        let desk = Desk {
            ari: ari.clone(),
            callers: HashMap::new(),
            legs: HashMap::new(),
            connected: false,
            failures: registrations.downgrade(),
        };
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
            // A final code on a living leg is an authentication challenge or an earlier address: silence since then.
            (false, Some(reply)) if !reply.is_final() => Sign::Provisional(reply),
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

/// The task.
struct Desk {
    ari: Client,
    callers: HashMap<String, mpsc::Sender<Seen>>,
    /// Legs that no session of ours dials, by channel.
    legs: HashMap<String, oneshot::Sender<LegEnd>>,
    connected: bool,
    failures: mpsc::WeakUnboundedSender<Registration>,
}

impl Desk {
    async fn run(mut self, mut notices: mpsc::Receiver<Notice>, mut mailbox: mpsc::UnboundedReceiver<Registration>) {
        let mut has_notices = true;
        loop {
            tokio::select! {
                biased;
                registration = mailbox.recv() => match registration {
                    Some(registration) => self.register(registration),
                    None => return,
                },
                notice = notices.recv(), if has_notices => match notice {
                    Some(notice) => self.notice(notice),
                    None => {
                        has_notices = false;
                        self.lost();
                    }
                },
            }
        }
    }

    fn register(&mut self, registration: Registration) {
        match registration {
            Registration::Watch { caller, call, ready } => {
                if self.connected {
                    self.subscribe(caller.clone(), None, Some(ready));
                } else {
                    tell(&call, Seen::Lost);
                }
                self.callers.insert(caller, call);
            }
            Registration::Failed { caller } => {
                if let Some(call) = self.callers.get(&caller) {
                    tell(call, Seen::Lost);
                }
            }
            Registration::Forget { caller } => {
                self.callers.remove(&caller);
            }
            Registration::Follow { leg, end } => {
                if self.connected {
                    self.follow(leg.clone());
                }
                self.legs.insert(leg, end);
            }
            Registration::Gone { leg } => self.leg_ended(&leg, LegEnd::Unseen),
        }
    }

    /// Asks for a caller's events; then says so to its call, or to whoever waits.
    fn subscribe(&self, caller: String, call: Option<mpsc::Sender<Seen>>, ready: Option<oneshot::Sender<()>>) {
        let (ari, failures) = (self.ari.clone(), self.failures.clone());
        tokio::spawn(async move {
            match ari.applications().subscribe(ari.app(), &caller).await {
                Ok(()) => {
                    if let Some(call) = call {
                        tell(&call, Seen::Back);
                    }
                    if let Some(ready) = ready {
                        let _ = ready.send(());
                    }
                }
                Err(error) => {
                    if !is_gone(&error) {
                        warn!(call = caller, %error, "a caller cannot be watched: its legs have no guard");
                    }
                    if let Some(failures) = failures.upgrade() {
                        let _ = failures.send(Registration::Failed { caller });
                    }
                }
            }
        });
    }

    /// Asks for the events of a leg. Where that fails for another reason than that it is gone, the next connection asks again.
    fn follow(&self, leg: String) {
        let (ari, failures) = (self.ari.clone(), self.failures.clone());
        tokio::spawn(async move {
            match ari.applications().subscribe(ari.app(), &leg).await {
                Ok(()) => {}
                Err(error) if is_gone(&error) => {
                    if let Some(failures) = failures.upgrade() {
                        let _ = failures.send(Registration::Gone { leg });
                    }
                }
                Err(error) => {
                    warn!(leg, %error, "a leg cannot be watched: its place stays taken until Asterisk is back")
                }
            }
        });
    }

    fn leg_ended(&mut self, leg: &str, end: LegEnd) {
        if let Some(waits) = self.legs.remove(leg) {
            let _ = waits.send(end);
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Connected { asterisk, .. } => {
                info!(calls = self.callers.len(), "legs of FastAGI calls are watched");
                self.connected = true;
                self.introduce(asterisk.version.capabilities());
                for (caller, call) in &self.callers {
                    self.subscribe(caller.clone(), Some(call.clone()), None);
                }
                for leg in self.legs.keys() {
                    self.follow(leg.clone());
                }
            }
            Notice::Lost { reason, .. } => {
                if reason == LostReason::Replaced {
                    info!("another process watches the legs now");
                }
                self.lost();
            }
            Notice::Event { event, .. } => match *event {
                Event::Dial(dial) => self.dialled(dial),
                Event::ChannelDestroyed(destroyed) => {
                    let cause = destroyed.cause.and_then(|cause| u8::try_from(cause).ok());
                    self.leg_ended(&destroyed.channel.id, LegEnd::Seen(cause.filter(|cause| *cause != 0)));
                }
                Event::StasisStart(_)
                | Event::StasisEnd(_)
                | Event::ChannelStateChange(_)
                | Event::ChannelHangupRequest(_)
                | Event::ChannelEnteredBridge(_)
                | Event::ChannelLeftBridge(_)
                | Event::BridgeDestroyed(_)
                | Event::ApplicationReplaced(_)
                | Event::Other { .. } => {}
            },
        }
    }

    fn dialled(&self, dial: Dial) {
        let caller = dial.caller.as_ref().and_then(|caller| self.callers.get(&caller.id));
        if let Some(call) = caller {
            let seen = Seen::Leg {
                channel: dial.peer.id,
                name: dial.peer.name,
                place: dial.peer.dialplan,
                status: dial.dialstatus,
            };
            tell(call, seen);
        }
    }

    fn lost(&mut self) {
        self.connected = false;
        for call in self.callers.values() {
            tell(call, Seen::Lost);
        }
    }

    /// Tells Asterisk which events are wanted here.
    fn introduce(&self, capabilities: ari::Capabilities) {
        if !capabilities.event_filter {
            return;
        }
        let ari = self.ari.clone();
        tokio::spawn(async move {
            let filter = EventFilter::allow(["Dial", "ChannelDestroyed", "ApplicationReplaced"]);
            if let Err(error) = ari.applications().filter(ari.app(), &filter).await {
                warn!(%error, "more events than are needed come from Asterisk");
            }
        });
    }
}

/// The channel that was to be watched has just ended.
fn is_gone(error: &Error) -> bool {
    matches!(error.status(), Some(404 | 422))
}

fn tell(call: &mpsc::Sender<Seen>, seen: Seen) {
    if let Err(mpsc::error::TrySendError::Full(seen)) = call.try_send(seen) {
        warn!(?seen, "a call does not take what the side-car sees: it is lost");
    }
}
