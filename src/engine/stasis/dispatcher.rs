//! The dispatcher: one task that owns which channel belongs to which call, starts calls, and feeds the systemd watchdog.
//!
//! It never waits for anything but its mailboxes; whatever takes time runs in tasks of its own. So the watchdog tells the
//! truth: while this task turns, callers that enter the application are served.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, error, info, warn};

use crate::ari::{Capabilities, Channel, Client, Event, LostReason, Notice};
use crate::call::{Call, CallSpec, LegSpec, Now, ResumedLeg, ResumedStage};
use crate::carrier::{AfterDial, Technology, Timers};
use crate::config::Engine;
use crate::engine::{CallerEntry, Calls, LiveState, RunnerEnd, now};
use crate::routing::{Candidate, Fitness};
use crate::verdict::Progress;

use super::driver::{StasisDriver, Tools};
use super::execute::{self, Label};
use super::leg::{AdoptedLeg, progress_of};
use super::reconcile::{self, Find, FoundCall, Inventory};
use super::registry::{CallEvent, MAILBOX, Registration, Registry};
use super::translate::{self, CALL, LEG};

/// How often the books are compared with Asterisk's own lists.
const RECONCILE_EVERY: Duration = Duration::from_secs(30);
/// Events that may wait for the first look after a connection.
const EARLY_EVENTS: usize = 10_000;
/// After a connection, how long before the second look that callers of an earlier process wait for.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// What calls share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// What new calls are made of.
    pub calls: Calls,
    /// Counts how often Asterisk's channels were compared with the calls known here. After the second time nothing that
    /// another process left is unknown: it was adopted or ended.
    pub compared: watch::Sender<u64>,
}

/// The dispatcher of the Stasis engine.
#[derive(Debug)]
pub struct Dispatcher {
    ari: Client,
    shared: Shared,
    registry: Registry,
    registrations: mpsc::UnboundedSender<Registration>,
    capabilities: Capabilities,
    connected: bool,
    draining: bool,
    calls: TaskTracker,
    /// Callers that no call knew at the last look at Asterisk's lists.
    waiting: HashSet<String>,
    /// Events of unknown channels between a connection and the first look at Asterisk's lists: they may belong to calls of
    /// another process that this look will find.
    early: Option<Vec<(String, Arc<Event>)>>,
}

impl Dispatcher {
    /// The types of the events that are of use here. What else happens to a call's channels is no news, or comes with these.
    pub const EVENTS: [&str; 6] = [
        "StasisStart",
        "StasisEnd",
        "Dial",
        "ChannelHangupRequest",
        "ChannelDestroyed",
        "ApplicationReplaced",
    ];

    /// Serves callers until the shared `leaving` is cancelled and the last call that is not connected is over, or until another
    /// process takes over.
    ///
    /// `alive` is called at least every `watchdog_interval`, from this task alone.
    pub async fn run(
        ari: Client,
        shared: Shared,
        mut notices: mpsc::Receiver<Notice>,
        watchdog_interval: Duration,
        mut alive: impl FnMut(),
    ) {
        let leaving = shared.calls.runner.leaving.clone();
        let (registrations, mut registration_mailbox) = mpsc::unbounded_channel();
        let (inventories, mut inventory_mailbox) = mpsc::channel::<(Instant, Inventory)>(4);
        let mut dispatcher = Self {
            ari,
            shared,
            registry: Registry::default(),
            registrations,
            capabilities: crate::ari::Version::parse("").capabilities(),
            connected: false,
            draining: false,
            calls: TaskTracker::new(),
            waiting: HashSet::new(),
            early: None,
        };
        let mut watchdog = tokio::time::interval(watchdog_interval);
        let mut reconcile = tokio::time::interval(RECONCILE_EVERY);
        reconcile.reset();
        loop {
            tokio::select! {
                // Registrations first: a call registers a leg before it asks Asterisk for it, so no event comes too early.
                biased;
                Some(registration) = registration_mailbox.recv() => dispatcher.registry.apply(registration),
                _ = watchdog.tick() => alive(),
                () = leaving.cancelled(), if !dispatcher.draining => {
                    info!(calls = dispatcher.registry.calls(), "draining: new calls go to plain Dial()");
                    dispatcher.draining = true;
                    dispatcher.calls.close();
                }
                () = dispatcher.calls.wait(), if dispatcher.draining => return,
                notice = notices.recv() => match notice {
                    Some(notice) => {
                        if !dispatcher.notice(notice, &inventories) {
                            return;
                        }
                    }
                    None => return,
                },
                Some((listed, inventory)) = inventory_mailbox.recv() => dispatcher.settle(listed, inventory),
                _ = reconcile.tick(), if dispatcher.connected => dispatcher.take_inventory(&inventories, &[Duration::ZERO]),
            }
        }
    }

    /// Takes one notice; false when this process has been replaced.
    fn notice(&mut self, notice: Notice, inventories: &mpsc::Sender<(Instant, Inventory)>) -> bool {
        match notice {
            Notice::Connected { epoch, asterisk } => {
                info!(epoch, version = asterisk.version.as_str(), "connected to Asterisk");
                self.capabilities = asterisk.version.capabilities();
                self.connected = true;
                self.waiting.clear();
                self.early = Some(Vec::new());
                self.registry.tell_all(&CallEvent::Back);
                self.take_inventory(inventories, &[Duration::ZERO, SECOND_LOOK]);
            }
            Notice::Lost {
                reason: LostReason::Replaced,
                ..
            } => {
                warn!("another process serves this application now; its calls are its own");
                self.registry.tell_all(&CallEvent::Replaced);
                return false;
            }
            Notice::Lost { epoch, reason } => {
                warn!(epoch, %reason, "connection to Asterisk lost: new calls go to plain Dial()");
                self.connected = false;
                self.registry.tell_all(&CallEvent::Lost);
            }
            Notice::Event { event, .. } => self.event(Arc::new(*event)),
        }
        true
    }

    fn event(&mut self, event: Arc<Event>) {
        let channel = match event.as_ref() {
            Event::StasisStart(start) => &start.channel,
            Event::StasisEnd(end) => &end.channel,
            Event::Dial(dial) => &dial.peer,
            Event::ChannelHangupRequest(request) => &request.channel,
            Event::ChannelDestroyed(destroyed) => &destroyed.channel,
            Event::ChannelStateChange(_)
            | Event::ChannelEnteredBridge(_)
            | Event::ChannelLeftBridge(_)
            | Event::BridgeDestroyed(_)
            | Event::DeviceStateChanged(_)
            | Event::ApplicationReplaced(_)
            | Event::Other { .. } => return,
        };
        if self.registry.deliver(&channel.id, &event) {
            return;
        }
        if let Event::StasisStart(start) = event.as_ref()
            && start.args.first().is_some_and(|kind| kind == CALL)
        {
            return self.caller_came(&start.channel, &start.args);
        }
        match &mut self.early {
            Some(early) if early.len() < EARLY_EVENTS => early.push((channel.id.clone(), event)),
            Some(_) | None => self.nobodys(&event),
        }
    }

    fn caller_came(&mut self, channel: &Channel, args: &[String]) {
        match translate::caller_entry(channel, args) {
            Some(caller) if self.draining => self.hand_back(caller.channel_id),
            Some(caller) => self.start_call(caller),
            None => {
                error!(
                    channel = channel.name,
                    ?args,
                    "not the arguments of our dialplan: reinstall extensions-crankback.conf"
                );
                self.hand_back(channel.id.clone());
            }
        }
    }

    /// An event of a channel that no call knows.
    fn nobodys(&self, event: &Event) {
        if let Event::StasisStart(start) = event {
            match start.args.first() {
                // Answered after its call was over: nobody is left to talk to.
                Some(kind) if kind == LEG => {
                    self.shared.calls.runner.counters.late_answer();
                    self.hang_up(start.channel.id.clone());
                }
                Some(_) | None => error!(
                    channel = start.channel.name,
                    args = ?start.args,
                    "an unknown channel entered the application; it is left alone"
                ),
            }
        }
    }

    /// What a call of this caller starts from, and how the caller goes on after it.
    fn spec_of(&self, caller: &CallerEntry, fitness: &Fitness, now: Now) -> (CallSpec, AfterDial) {
        let calls = &self.shared.calls;
        let after_dial = calls.routes.load().after_dial(&caller.carrier, &caller.dialled);
        (calls.spec_of(caller, Engine::Stasis, fitness, now), after_dial)
    }

    fn start_call(&mut self, caller: CallerEntry) {
        let now = now();
        let fitness = self.shared.calls.runner.health.fitness(&caller.channel_id);
        let (spec, after_dial) = self.spec_of(&caller, &fitness, now);
        let (call, commands) = Call::new(spec, now);
        let (post, mailbox) = mpsc::channel(MAILBOX);
        self.registry.add_call(&caller.channel_id, post.clone());
        let driver = StasisDriver::new(self.tools(), caller.clone(), after_dial, post, mailbox);
        let calls = &self.shared.calls;
        let live = calls.live.begin(caller.identity(), now.wall_ms);
        let runner = calls.runner(call, driver, caller.identity(), live);
        self.spawn(&caller, runner.run(commands));
    }

    /// Takes over a call that another process began.
    fn adopt(&mut self, found: FoundCall) {
        let FoundCall {
            caller,
            leg,
            origin,
            placement,
            stage,
        } = found;
        info!(call = caller.channel_id, leg = leg.name, ?stage, "adopted a call");
        let now = now();
        // Its leg's carrier must be found in the plan whatever is known of it now; the door looks at those behind it.
        let (spec, after_dial) = self.spec_of(&caller, &Fitness::default(), now);
        let technology = leg.name.split('/').next().and_then(|word| word.parse().ok());
        let technology: Technology = technology.unwrap_or(Technology::Pjsip);
        let leg_spec = LegSpec {
            leg: origin.leg,
            carrier: origin.carrier.clone(),
            technology,
            dial_string: technology.dial_string(origin.carrier.as_str(), &origin.wire_number),
            wire_number: origin.wire_number.clone(),
            repair: None,
            backstop: Duration::ZERO,
        };
        let started_ms = leg.creationtime.as_ref().and_then(|time| time.epoch_milliseconds());
        let resumed = ResumedLeg {
            id: origin.leg,
            candidate: Candidate {
                carrier: origin.carrier,
                technology,
                dial_string: leg_spec.dial_string.clone(),
                wire_number: origin.wire_number,
                timers: Timers::default(),
                because: "placed by another process".to_owned(),
            },
            started: Now {
                wall_ms: started_ms.unwrap_or(now.wall_ms),
                ..now
            },
            progress: progress_of(&leg, stage),
            reply: translate::last_reply(&leg),
            stage,
        };
        let live = self.shared.calls.live.begin_resumed(
            caller.identity(),
            caller.created_ms,
            leg_spec.carrier.clone(),
            leg_spec.leg,
            live_state(&resumed),
        );
        let (call, commands) = Call::resume(spec, resumed, now);
        let (post, mailbox) = mpsc::channel(MAILBOX);
        self.registry.add_call(&caller.channel_id, post.clone());
        let channel = leg.id.clone();
        self.registry.apply(Registration::Add {
            channel,
            call: post.clone(),
        });
        let leg = AdoptedLeg {
            channel: leg,
            spec: leg_spec,
            placement,
            stage,
        };
        let (number, carrier) = (leg.spec.leg, leg.spec.carrier.clone());
        let driver = StasisDriver::adopted(self.tools(), caller.clone(), after_dial, leg, post, mailbox);
        let runner = self.shared.calls.runner(call, driver, caller.identity(), live);
        self.spawn(&caller, runner.run_adopted(number, carrier, commands));
    }

    fn spawn(&self, caller: &CallerEntry, call: impl Future<Output = RunnerEnd> + Send + 'static) {
        self.calls.spawn(call.instrument(caller.span(Engine::Stasis)));
    }

    fn tools(&self) -> Tools {
        Tools {
            ari: self.ari.clone(),
            capabilities: self.capabilities,
            contract: Arc::clone(&self.shared.calls.contract),
            registrations: self.registrations.clone(),
            early_media: self.shared.calls.policy.load().early_media,
        }
    }

    fn hand_back(&self, caller: String) {
        let ari = self.ari.clone();
        self.calls
            .spawn(async move { execute::go_on(&ari, &caller, Label::Native, &[]).await });
    }

    fn hang_up(&self, leg: String) {
        info!(leg, "hanging up a leg whose call is over");
        let ari = self.ari.clone();
        self.calls.spawn(async move { execute::hang_up(&ari, &leg).await });
    }

    fn end_if_ours(&self, leg: String) {
        info!(leg, "ending an answered leg whose caller is gone");
        let ari = self.ari.clone();
        self.calls.spawn(async move { execute::end_if_ours(&ari, &leg).await });
    }

    fn take_inventory(&self, inventories: &mpsc::Sender<(Instant, Inventory)>, delays: &'static [Duration]) {
        let (ari, inventories) = (self.ari.clone(), inventories.clone());
        self.calls.spawn(async move {
            for &delay in delays {
                tokio::time::sleep(delay).await;
                let listed = Instant::now();
                match inventory(&ari).await {
                    Ok(inventory) => {
                        let _ = inventories.send((listed, inventory)).await;
                    }
                    Err(error) => warn!(%error, "Asterisk's channels and bridges could not be listed"),
                }
            }
        });
    }

    /// Acts on what no call knows. Legs are registered before they are asked for, so an unknown leg is nobody's. A caller may
    /// just have come, its event still on the way: it is acted on when it is unknown at two looks in a row. `listed` is when
    /// Asterisk was first asked: a call that ended since then is no call of an earlier process.
    fn settle(&mut self, listed: Instant, inventory: Inventory) {
        let mut waiting = HashSet::new();
        for find in reconcile::sort(inventory, self.ari.app()) {
            if self.registry.knew(find.channel(), listed) {
                continue;
            }
            match find {
                Find::Call(call) => self.adopt(*call),
                Find::Waiting { caller } if self.waiting.contains(&caller.channel_id) => {
                    info!(
                        call = caller.channel_id,
                        "a caller that nobody serves goes on to plain Dial()"
                    );
                    self.remove_bridge(caller.channel_id.clone());
                    self.hand_back(caller.channel_id);
                }
                Find::Waiting { caller } => {
                    waiting.insert(caller.channel_id);
                }
                Find::EmptyBridge { caller } => self.remove_bridge(caller),
                Find::Orphan { leg } => self.end_if_ours(leg),
                Find::Unattended { leg } => self.hang_up(leg),
            }
        }
        self.waiting = waiting;
        // Lists that were asked for before this one may still come.
        if let Some(before) = listed.checked_sub(RECONCILE_EVERY) {
            self.registry.forget_given_up(before);
        }
        for (channel, event) in self.early.take().into_iter().flatten() {
            if !self.registry.deliver(&channel, &event) {
                self.nobodys(&event);
            }
        }
        self.shared.compared.send_modify(|times| *times += 1);
        debug!(
            calls = self.registry.calls(),
            channels = self.registry.channels(),
            "books compared with Asterisk"
        );
    }

    fn remove_bridge(&self, caller: String) {
        let ari = self.ari.clone();
        self.calls
            .spawn(async move { execute::remove_bridge(&ari, &caller).await });
    }
}

/// Asterisk's own lists, without the channels that are nothing to us.
async fn inventory(ari: &Client) -> Result<Inventory, crate::ari::Error> {
    let channels = ari.channels().list_where(reconcile::may_be_ours).await?;
    let bridges = ari.bridges().list().await?;
    let mut origins = HashMap::new();
    for leg in channels.iter().filter(|channel| reconcile::is_on_its_way(channel)) {
        if let Some(origin) = execute::origin_of(ari, &leg.id).await {
            origins.insert(leg.id.clone(), origin);
        }
    }
    Ok(Inventory {
        channels,
        bridges,
        origins,
    })
}

/// How far a call is that another process began.
const fn live_state(resumed: &ResumedLeg) -> LiveState {
    match (resumed.stage, resumed.progress) {
        (ResumedStage::Connected, _) => LiveState::Connected,
        (ResumedStage::OnItsWay | ResumedStage::Answered, Progress::None | Progress::Trying) => LiveState::Trying,
        (ResumedStage::OnItsWay | ResumedStage::Answered, Progress::Ringing | Progress::Media | Progress::Answered) => {
            LiveState::Ringing
        }
    }
}
