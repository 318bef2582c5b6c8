//! The task of the side-car: it owns who wants to know what, and asks Asterisk for those events.

use std::collections::HashMap;

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};

use super::glance::{Sign, glance};
use super::{LegEnd, Seen, SeenLeg};
use crate::ari::{Client, Dial, Error, Event, EventSource, LostReason, Notice};

/// What the task is asked for.
pub(super) enum Registration {
    /// Tell a call what is seen of its caller's legs.
    Watch {
        caller: String,
        call: mpsc::Sender<Seen>,
        ready: oneshot::Sender<()>,
    },
    /// Tell a call how far the leg has come that its caller dials, and watch it unless it is answered already.
    Look { caller: String, call: mpsc::Sender<Seen> },
    /// A caller cannot be watched.
    Failed { caller: String },
    /// A call needs no more: its leg was answered, and `Dial()` tells the rest. Its events cost Asterisk more than the request
    /// that ends them.
    Enough { caller: String },
    /// A call is over, and its subscription with it.
    Forget { caller: String },
    /// Tell the end of a leg's channel.
    Follow { leg: String, end: oneshot::Sender<LegEnd> },
    /// A leg that was to be followed is gone.
    Gone { leg: String },
}

/// The task.
pub(super) struct Desk {
    ari: Client,
    callers: HashMap<String, mpsc::Sender<Seen>>,
    /// Legs that no session of ours dials, by channel.
    legs: HashMap<String, oneshot::Sender<LegEnd>>,
    connected: bool,
    failures: mpsc::WeakUnboundedSender<Registration>,
}

impl Desk {
    /// `failures` leads into its own mailbox.
    pub(super) fn new(ari: Client, failures: mpsc::WeakUnboundedSender<Registration>) -> Self {
        Self {
            ari,
            callers: HashMap::new(),
            legs: HashMap::new(),
            connected: false,
            failures,
        }
    }

    pub(super) async fn run(
        mut self,
        mut notices: mpsc::Receiver<Notice>,
        mut mailbox: mpsc::UnboundedReceiver<Registration>,
    ) {
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
                    tokio::spawn(self.subscriber(&caller).watch(ready));
                } else {
                    tell(&call, Seen::Lost);
                }
                self.callers.insert(caller, call);
            }
            Registration::Look { caller, call } => {
                if self.connected {
                    tokio::spawn(self.subscriber(&caller).look(call.clone()));
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
            Registration::Enough { caller } => {
                if self.callers.remove(&caller).is_some() && self.connected {
                    self.unsubscribe(caller);
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

    fn subscriber(&self, caller: &str) -> Subscriber {
        Subscriber {
            ari: self.ari.clone(),
            caller: caller.to_owned(),
            desk: self.failures.clone(),
        }
    }

    /// A subscription that stays because this fails ends with its channel.
    fn unsubscribe(&self, caller: String) {
        let ari = self.ari.clone();
        tokio::spawn(async move {
            let source = EventSource::Channel(&caller);
            if let Err(error) = ari.applications().unsubscribe(ari.app(), source).await {
                debug!(call = caller, %error, "a caller is watched although its leg was answered");
            }
        });
    }

    /// Asks for the events of a leg. Where that fails for another reason than that it is gone, the next connection asks again.
    fn follow(&self, leg: String) {
        let (ari, failures) = (self.ari.clone(), self.failures.clone());
        tokio::spawn(async move {
            match ari
                .applications()
                .subscribe(ari.app(), EventSource::Channel(&leg))
                .await
            {
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
            Notice::Connected { .. } => {
                info!(calls = self.callers.len(), "legs of FastAGI calls are watched");
                self.connected = true;
                for (caller, call) in &self.callers {
                    tokio::spawn(self.subscriber(caller).watch_again(call.clone()));
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
                | Event::DeviceStateChanged(_)
                | Event::ApplicationReplaced(_)
                | Event::Other { .. } => {}
            },
        }
    }

    fn dialled(&self, dial: Dial) {
        let caller = dial.caller.as_ref().and_then(|caller| self.callers.get(&caller.id));
        if let Some(call) = caller {
            let leg = SeenLeg {
                channel: dial.peer.id,
                name: dial.peer.name,
                status: dial.dialstatus,
            };
            tell(call, Seen::Leg(Box::new(leg)));
        }
    }

    fn lost(&mut self) {
        self.connected = false;
        for call in self.callers.values() {
            tell(call, Seen::Lost);
        }
    }
}

/// What asks Asterisk for one caller's events.
struct Subscriber {
    ari: Client,
    caller: String,
    desk: mpsc::WeakUnboundedSender<Registration>,
}

impl Subscriber {
    /// Asks for them, and says so to whoever waits.
    async fn watch(self, ready: oneshot::Sender<()>) {
        if self.subscribe().await {
            let _ = ready.send(());
        }
    }

    /// Asks for them after an interruption, and tells what was missed.
    async fn watch_again(self, call: mpsc::Sender<Seen>) {
        if self.subscribe().await {
            tell(&call, Seen::Back);
            self.tell_sight(&call).await;
        }
    }

    /// Asks for them unless the leg is answered already: then there is nothing to wait for.
    async fn look(self, call: mpsc::Sender<Seen>) {
        if let Ok(sight) = glance(&self.ari, &self.caller).await
            && matches!(sight.sign, Sign::Answered(_))
        {
            self.tell_desk(Registration::Forget {
                caller: self.caller.clone(),
            });
            return tell(&call, Seen::Sight(Box::new(sight)));
        }
        if self.subscribe().await {
            // What came before the subscription.
            self.tell_sight(&call).await;
        }
    }

    async fn tell_sight(&self, call: &mpsc::Sender<Seen>) {
        match glance(&self.ari, &self.caller).await {
            Ok(sight) => tell(call, Seen::Sight(Box::new(sight))),
            Err(error) => debug!(call = self.caller, %error, "the leg could not be looked at"),
        }
    }

    async fn subscribe(&self) -> bool {
        let source = EventSource::Channel(&self.caller);
        let subscribed = self.ari.applications().subscribe(self.ari.app(), source).await;
        if let Err(error) = &subscribed {
            if !is_gone(error) {
                warn!(call = self.caller, %error, "a caller cannot be watched: its legs have no guard");
            }
            self.tell_desk(Registration::Failed {
                caller: self.caller.clone(),
            });
        }
        subscribed.is_ok()
    }

    fn tell_desk(&self, registration: Registration) {
        if let Some(desk) = self.desk.upgrade() {
            let _ = desk.send(registration);
        }
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
