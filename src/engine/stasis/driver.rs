//! One call's hands on Asterisk: intents become ARI requests here, in `driver/placing.rs` and in `driver/ending.rs`, events become
//! inputs in `driver/events.rs`.
//!
//! Requests on the caller go one after the other through a lane; requests on legs run beside it, so that a slow command on
//! the caller (200 ms on Asterisk 16 while it is in no bridge) never delays a leg.

mod ending;
mod events;
mod follow;
mod placing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{OnceCell, mpsc};
use tracing::debug;

use crate::ari::{self, Capabilities, Channel, Client};
use crate::call::{Indication, Input, LegEvent, LegId, LegSpec};
use crate::carrier::AfterDial;
use crate::config::EarlyMedia;
use crate::engine::runner::sleep_until;
use crate::engine::{CallerEntry, DialerContract, Driver, Recorded};
use crate::verdict::{AbandonReason, DialStatus, DialerResult, SipReply};

use super::execute::{self, Label, Variable, dialplan_safe};
use super::lane::Lane;
use super::leg::{AdoptedLeg, Leg, Phase, Placement};
use super::registry::{CallEvent, Registration};
use super::translate;

/// What a driver needs besides its caller.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    pub(super) ari: Client,
    pub(super) capabilities: Capabilities,
    pub(super) contract: Arc<dyn DialerContract>,
    pub(super) registrations: mpsc::UnboundedSender<Registration>,
    pub(super) early_media: EarlyMedia,
}

/// What an operation came to.
enum Done {
    Placed(LegId, Box<Result<Channel, ari::Error>>),
    Signs(LegId, Result<Option<SipReply>, ari::Error>),
    Connected(LegId),
    Released,
    CallerMissing,
    PlaceAgain(LegId),
    LegMissing(LegId),
    LegTaken(LegId),
    LegSeen(LegId, Box<Channel>),
    Checked,
    Tidied,
}

/// Carries one call out over ARI.
pub(super) struct StasisDriver {
    tools: Tools,
    caller: CallerEntry,
    after_dial: AfterDial,
    caller_is_here: bool,
    /// The caller hung up when it was connected: its `h` hangs the leg up.
    h_ends_leg: bool,
    is_connected: bool,
    /// The answered leg that a caller's `h` hangs up, and when that must have happened.
    left_to_h: Option<(LegId, Instant)>,
    is_replaced: bool,
    released: bool,
    ring_indicated: bool,
    progress_indicated: bool,
    tech_told: bool,
    /// The id of the oldest channel of the call, once somebody had to know it.
    linked_id: Arc<OnceCell<String>>,
    legs: BTreeMap<LegId, Leg>,
    mailbox: mpsc::Receiver<CallEvent>,
    post: mpsc::Sender<CallEvent>,
    lane: Lane<Done>,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    inputs: VecDeque<Input>,
}

impl StasisDriver {
    pub(super) fn new(
        tools: Tools,
        caller: CallerEntry,
        after_dial: AfterDial,
        post: mpsc::Sender<CallEvent>,
        mailbox: mpsc::Receiver<CallEvent>,
    ) -> Self {
        let mut driver = Self::bare(tools, caller, after_dial, post, mailbox);
        driver.on_caller(|ari, caller| async move { execute::hold(&ari, &caller.channel_id).await });
        driver
    }

    /// A driver for a call that another process began. The dispatcher has registered the leg.
    pub(super) fn adopted(
        tools: Tools,
        caller: CallerEntry,
        after_dial: AfterDial,
        leg: AdoptedLeg,
        post: mpsc::Sender<CallEvent>,
        mailbox: mpsc::Receiver<CallEvent>,
    ) -> Self {
        let mut driver = Self::bare(tools, caller, after_dial, post, mailbox);
        driver.legs.insert(leg.spec.leg, Leg::adopted(leg));
        driver
    }

    fn bare(
        tools: Tools,
        caller: CallerEntry,
        after_dial: AfterDial,
        post: mpsc::Sender<CallEvent>,
        mailbox: mpsc::Receiver<CallEvent>,
    ) -> Self {
        Self {
            tools,
            caller,
            after_dial,
            caller_is_here: true,
            h_ends_leg: false,
            is_connected: false,
            left_to_h: None,
            is_replaced: false,
            released: false,
            ring_indicated: false,
            progress_indicated: false,
            tech_told: false,
            linked_id: Arc::default(),
            legs: BTreeMap::new(),
            mailbox,
            post,
            lane: Lane::new(),
            work: FuturesUnordered::new(),
            inputs: VecDeque::new(),
        }
    }

    fn register(&self, channel: &str) {
        let add = Registration::Add {
            channel: channel.to_owned(),
            call: self.post.clone(),
        };
        let _ = self.tools.registrations.send(add);
    }

    fn unregister(&self, channel: &str) {
        let _ = self.tools.registrations.send(Registration::Remove {
            channel: channel.to_owned(),
        });
    }

    /// One thing to do, beside everything else.
    fn beside(&self, operation: impl Future<Output = Done> + Send + 'static) {
        self.work.push(Box::pin(operation));
    }

    /// One thing to do on the caller, after what is to be done on it already.
    fn on_caller<F: Future<Output = ()> + Send + 'static>(&mut self, operation: impl FnOnce(Client, CallerEntry) -> F) {
        let operation = operation(self.tools.ari.clone(), self.caller.clone());
        self.lane.push(async move {
            operation.await;
            Done::Tidied
        });
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Placed(id, result) => self.placed(id, *result),
            Done::Signs(id, Ok(reply)) => {
                if let Some(reply) = &reply {
                    self.leave_word(dialplan_safe(reply));
                }
                // A refusal on a living leg is an authentication challenge, an earlier address, or one that chan_sip takes no
                // notice of (422, 423): silence since then.
                let sign = match reply.filter(|reply| !reply.is_refusal()) {
                    Some(reply) => LegEvent::Trying(Some(reply)),
                    None => LegEvent::Silent,
                };
                self.inputs.push_back(Input::Leg(id, sign));
            }
            Done::Signs(id, Err(error)) => {
                debug!(leg = %id, %error, "the leg could not be asked");
                // 404: it has just ended and its end is on the way. Otherwise Asterisk does not answer, which is silence.
                if error.status() != Some(404) {
                    self.inputs.push_back(Input::Leg(id, LegEvent::Silent));
                }
            }
            Done::Connected(id) => {
                self.is_connected = true;
                self.inputs.push_back(Input::Leg(id, LegEvent::Connected));
            }
            Done::Released => self.released = true,
            Done::CallerMissing => self.caller_gone(),
            Done::LegMissing(id) => {
                if let Some(leg) = self.legs.get(&id) {
                    let evidence = translate::vanished(leg.spec.technology, leg.progress, leg.started);
                    self.leg_gone(id, LegEvent::Ended(evidence));
                }
            }
            Done::LegTaken(id) => self.leg_gone(id, LegEvent::Taken),
            Done::PlaceAgain(id) => self.place(id, Recorded::default()),
            Done::LegSeen(id, channel) => self.catch_up(id, &channel),
            Done::Checked => self.inputs.push_back(Input::EngineBack),
            Done::Tidied => {}
        }
    }

    /// Tells the caller of the last response: if it hangs up now, its `h` runs before anything more can be told.
    fn leave_word(&mut self, tech: String) {
        self.tech_told = !tech.is_empty();
        self.on_caller(|ari, caller| async move {
            execute::set_all(&ari, &caller.channel_id, &[("CB_TECH", tech)]).await;
        });
    }

    fn release(&mut self, label: Label, variables: Vec<Variable>) {
        let (ari, caller) = (self.tools.ari.clone(), self.caller.channel_id.clone());
        self.lane.push(async move {
            execute::go_on(&ari, &caller, label, &variables).await;
            Done::Released
        });
    }
}

impl Driver for StasisDriver {
    fn start_leg(&mut self, spec: LegSpec, recorded: Recorded) {
        let id = spec.leg;
        let placement = match self.wants_early_media(spec.technology) {
            true => Placement::InBridge,
            false => Placement::Originated,
        };
        self.legs.insert(id, Leg::new(String::new(), spec, placement));
        self.place(id, recorded);
        if self.tech_told {
            // It was the response of the leg before.
            self.leave_word(String::new());
        }
    }

    fn ask_leg(&mut self, leg: LegId) {
        let Some(channel) = self.legs.get(&leg).map(|leg| leg.channel.clone()) else {
            return;
        };
        let ari = self.tools.ari.clone();
        self.beside(async move { Done::Signs(leg, execute::signs_of_life(&ari, &channel).await) });
    }

    fn abandon_leg(&mut self, id: LegId, reason: AbandonReason) {
        self.abandon(id, reason);
    }

    fn connect(&mut self, id: LegId) {
        let Some(leg) = self.legs.get(&id) else { return };
        let (ari, caller) = (self.tools.ari.clone(), self.caller.clone());
        let (channel, placement, capabilities) = (leg.channel.clone(), leg.placement, self.tools.capabilities);
        let variables = answer_variables(&caller, leg);
        let before_answer = self.before_answer(id);
        self.lane.push(async move {
            execute::connect(
                &ari,
                &caller,
                &channel,
                placement,
                &variables,
                &capabilities,
                before_answer,
            )
            .await;
            Done::Connected(id)
        });
    }

    fn indicate(&mut self, indication: Indication) {
        // A caller that is up hears what the bridge carries; Dial() sends it no ringing either. A leg in the caller's bridge
        // brings its ringing and progress there by itself.
        let shares_bridge = |leg: &Leg| leg.placement == Placement::InBridge;
        if self.caller.is_up || self.legs.values().next_back().is_some_and(shares_bridge) {
            return;
        }
        // Progress would silence a telephone's own ringing, and this leg's media does not come through.
        let indication = match indication {
            Indication::Progress if self.caller.hears_before_answer() => Indication::Ringing,
            Indication::Progress | Indication::Ringing => indication,
        };
        match indication {
            Indication::Ringing if std::mem::replace(&mut self.ring_indicated, true) => {}
            Indication::Ringing => {
                // If the caller hangs up now, its h runs before anything more can be told.
                let reply = self.legs.values().rev().find_map(|leg| leg.reply.as_ref());
                let told: Vec<Variable> = reply
                    .map(|reply| ("CB_TECH", dialplan_safe(reply)))
                    .into_iter()
                    .collect();
                self.tech_told |= !told.is_empty();
                self.on_caller(|ari, caller| async move { execute::ring(&ari, &caller.channel_id, &told).await });
            }
            Indication::Progress => {
                let capabilities = self.tools.capabilities;
                let first = !std::mem::replace(&mut self.progress_indicated, true);
                if first && capabilities.progress && !self.caller.has_option('r') {
                    self.on_caller(move |ari, caller| async move {
                        execute::progress(&ari, &caller.channel_id, &capabilities).await;
                    });
                }
            }
        }
    }

    fn finish(&mut self, result: DialerResult) {
        let cause = result.cause.filter(|&cause| cause != 0).map(|cause| cause.to_string());
        match result.dialstatus {
            DialStatus::Answer => {
                // DIALSTATUS is there since the answer; the cause is only worth a request when it is not the usual one.
                let unusual = cause.filter(|cause| cause != "16").map(|cause| ("CB_CAUSE", cause));
                let label = if self.caller.has_option('g') {
                    Label::Return
                } else {
                    Label::Hangup
                };
                self.release(label, unusual.into_iter().collect());
            }
            DialStatus::Busy
            | DialStatus::NoAnswer
            | DialStatus::Cancel
            | DialStatus::Congestion
            | DialStatus::ChanUnavail => {
                // Where the entry would only hang up, our own context does: then our h reports the technology cause, which
                // VICIdial's h can read only of legs that Dial() placed.
                let (status, label) = match self.after_dial {
                    AfterDial::HangsUp => ("DIALSTATUS", Label::Hangup),
                    AfterDial::GoesOn => ("CB_DIALSTATUS", Label::Result),
                };
                let mut variables = vec![(status, result.dialstatus.as_str().to_owned())];
                variables.extend(cause.map(|cause| ("CB_CAUSE", cause)));
                match result.tech {
                    Some(reply) => variables.push(("CB_TECH", dialplan_safe(&reply))),
                    None if self.tech_told => variables.push(("CB_TECH", String::new())),
                    None => {}
                }
                self.release(label, variables);
            }
        }
    }

    fn hand_back(&mut self) {
        self.release(Label::Native, Vec::new());
    }

    async fn next(&mut self) -> Option<Input> {
        if let Some(input) = self.inputs.pop_front() {
            return Some(input);
        }
        let h_is_due = self.left_to_h.map(|(_, at)| at);
        tokio::select! {
            done = self.lane.next() => self.done(done),
            () = sleep_until(h_is_due) => self.h_is_late(),
            Some(done) = self.work.next(), if !self.work.is_empty() => self.done(done),
            Some(event) = self.mailbox.recv() => match event {
                CallEvent::Ari(event) => self.event(&event),
                CallEvent::Lost => return Some(Input::EngineLost),
                CallEvent::Back => self.check(),
                CallEvent::Replaced => self.is_replaced = true,
            },
        }
        self.inputs.pop_front()
    }

    fn is_idle(&self) -> bool {
        let nobody_is_held = !self.caller_is_here && self.legs.values().all(|leg| leg.phase == Phase::Gone);
        let nothing_is_under_way = self.inputs.is_empty() && self.lane.is_empty() && self.work.is_empty();
        nothing_is_under_way && (nobody_is_held || self.is_replaced)
    }

    fn is_replaced(&self) -> bool {
        self.is_replaced
    }

    fn channel_id(&self, leg: LegId) -> Option<&str> {
        self.legs.get(&leg).map(|leg| leg.channel.as_str())
    }

    async fn close(self) {
        execute::remove_bridge(&self.tools.ari, &self.caller.channel_id).await;
        for leg in self.legs.values().filter(|leg| leg.phase != Phase::Gone) {
            self.unregister(&leg.channel);
        }
        let over = Registration::CallOver {
            caller: self.caller.channel_id,
        };
        let _ = self.tools.registrations.send(over);
    }
}

/// What a dialer reads at the answer and in `h`.
fn answer_variables(caller: &CallerEntry, leg: &Leg) -> Vec<Variable> {
    // Dial() counts ANSWEREDTIME from the caller's own answer, also when that was before the call was placed.
    let answered_ms = match caller.is_up {
        true => caller.answered_ms.unwrap_or(caller.created_ms),
        false => crate::engine::now().wall_ms,
    };
    let peer_number = leg.spec.dial_string.split_once('/').map_or("", |(_, rest)| rest);
    let mut variables = vec![
        ("DIALSTATUS", DialStatus::Answer.as_str().to_owned()),
        ("CB_START_MS", caller.created_ms.to_string()),
        ("CB_UP_MS", answered_ms.to_string()),
        ("DIALEDPEERNAME", leg.name.clone()),
        ("DIALEDPEERNUMBER", peer_number.to_owned()),
        ("CB_LEG_CONTEXT", leg.context.clone()),
    ];
    variables.extend(leg.reply.as_ref().map(|reply| ("CB_TECH", dialplan_safe(reply))));
    variables
}
