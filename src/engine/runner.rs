//! The runner: one task per call. It feeds the call's state machine and carries its commands to a driver.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::admission::AttemptKind;
use crate::call::{AdmissionRefusal, Attempt, AttemptEnd, Call, Command, Input, LegEvent, LegId, Now, Timer};
use crate::carrier::CarrierId;
use crate::health::{Hint, LegOutcome, draw_of};
use crate::metrics::Metrics;
use crate::verdict::{AbandonReason, Progress, Rulebook};

use super::counters::EngineCounters;
use super::door::{Door, Permit};
use super::health_desk::{HealthDesk, WatchedLeg};
use super::live::LiveReporter;
use super::port::{AttemptLog, AttemptRecord, CallIdentity, Driver};
use super::recorded::Recorded;

/// A call that is over waits at most so long for its last channels to go: longer than a request is repeated.
const TIDY_LIMIT: Duration = Duration::from_secs(150);

/// How a call's task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunnerEnd {
    /// Nothing is left of the call.
    Clean,
    /// The daemon goes; the connected call goes on and waits for the next one.
    LeftConnected,
    /// Another process has taken the call over.
    LeftToAnother,
    /// Something was still there after the time allowed for tidying up; reconciliation takes it from here.
    Leftovers,
}

/// The current time, both kinds.
pub fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Now {
        monotonic: Instant::now(),
        wall_ms: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX),
    }
}

/// How long a call's request waits that is sent once more as it was: 0.1 to 2 seconds, evenly spread.
pub fn repeat_pause() -> Duration {
    // Every state hashes with keys of its own, drawn at random.
    let drawn = std::hash::RandomState::new().build_hasher().finish();
    Duration::from_millis(100 + drawn % 1_901)
}

/// What all runners share.
#[derive(Clone, Debug)]
pub struct RunnerShared {
    /// The door in front of every leg.
    pub door: Door,
    /// Who knows which carriers are fit.
    pub health: HealthDesk,
    /// Where attempts go on record.
    pub records: Arc<dyn AttemptLog>,
    /// Numbers for machines that watch.
    pub metrics: Metrics,
    /// What is counted over all calls.
    pub counters: Arc<EngineCounters>,
    /// Where the permits of legs go that the dialer has taken: they are out for as long as their channels live.
    pub taken: mpsc::UnboundedSender<TakenLeg>,
    /// Cancelled when the daemon goes down: connected calls are left to the next one.
    pub leaving: CancellationToken,
}

/// A leg that the dialer has redirected away: a live customer, and a channel of its carrier until it ends.
#[derive(Debug)]
pub struct TakenLeg {
    /// The leg's channel.
    pub channel_id: String,
    /// Its place at the carrier.
    pub permit: Permit,
}

/// Everything that one call needs to run.
#[derive(Debug)]
pub struct CallRunner<D> {
    call: Call,
    driver: D,
    identity: CallIdentity,
    /// The call's own draw, the same at every carrier.
    draw: u64,
    shared: RunnerShared,
    live: LiveReporter,
    permits: HashMap<LegId, Permit>,
    /// Legs whose end has not been judged.
    watched: HashMap<LegId, WatchedLeg>,
    next_attempt: AttemptKind,
    /// When the last leg failed.
    failed_at: Option<Instant>,
    /// The last record that may not be kept yet; records are kept in their order.
    unkept: Option<oneshot::Receiver<()>>,
    timers: Vec<(Timer, Instant)>,
}

impl<D: Driver> CallRunner<D> {
    /// A runner for a call and the driver that carries it.
    pub fn new(call: Call, driver: D, identity: CallIdentity, shared: RunnerShared, live: LiveReporter) -> Self {
        Self {
            call,
            driver,
            draw: draw_of(&identity.call_id),
            identity,
            shared,
            live,
            permits: HashMap::new(),
            watched: HashMap::new(),
            next_attempt: AttemptKind::First,
            failed_at: None,
            unkept: None,
            timers: Vec::new(),
        }
    }

    /// Enters a leg that another process placed into the books of its carrier, then runs the call to its end.
    pub async fn run_adopted(mut self, leg: LegId, carrier: CarrierId, commands: Vec<Command>) -> RunnerEnd {
        self.next_attempt = AttemptKind::Retry {
            first_at: now().monotonic,
        };
        self.permits
            .extend(self.shared.door.adopt(&carrier).await.map(|permit| (leg, permit)));
        self.run(commands).await
    }

    /// Runs the call to its end; `commands` are the first ones.
    pub async fn run(mut self, commands: Vec<Command>) -> RunnerEnd {
        self.carry_out(commands).await;
        let mut give_up_at = None;
        let end = loop {
            if self.call.is_over() {
                self.live.over();
                if self.driver.is_idle() {
                    break RunnerEnd::Clean;
                }
                give_up_at.get_or_insert_with(|| Instant::now() + TIDY_LIMIT);
                self.timers.clear();
            }
            if self.call.is_connected() && self.shared.leaving.is_cancelled() {
                return RunnerEnd::LeftConnected;
            }
            if self.driver.is_replaced() {
                // What is under way is carried through.
                while !self.driver.is_idle() {
                    let _decided_elsewhere = self.driver.next().await;
                }
                return RunnerEnd::LeftToAnother;
            }
            let next_timer = self.timers.iter().min_by_key(|(_, at)| *at).copied();
            let wake_at = next_timer.map(|(_, at)| at).or(give_up_at);
            let input = tokio::select! {
                // What has happened comes before the time that runs out for it.
                biased;
                input = self.driver.next() => input,
                () = self.shared.leaving.cancelled(), if self.call.is_connected() => continue,
                () = sleep_until(wake_at) => match next_timer {
                    Some((timer, _)) => {
                        self.timers.retain(|(armed, _)| *armed != timer);
                        Some(Input::TimerFired(timer))
                    }
                    None => break RunnerEnd::Leftovers,
                },
            };
            let Some(input) = input else { continue };
            match &input {
                Input::Leg(leg, LegEvent::Ended(_)) => drop(self.permits.remove(leg)),
                Input::Leg(leg, LegEvent::Taken) => self.let_go(*leg),
                Input::Leg(leg, event) => self.hear(*leg, event),
                Input::Admitted(_)
                | Input::AdmittedAtLimit(_)
                | Input::Refused(..)
                | Input::CallerGone
                | Input::TimerFired(_)
                | Input::EngineLost
                | Input::EngineBack => {}
            }
            self.live.sees(&input);
            let commands = self.call.handle(input, now());
            self.carry_out(commands).await;
        };
        if end == RunnerEnd::Leftovers {
            warn!("the call is over but channels of it are left");
        }
        self.driver.close().await;
        end
    }

    /// What a leg shows of its carrier while it is out.
    fn hear(&mut self, leg: LegId, event: &LegEvent) {
        let progress = match event {
            LegEvent::Trying(_) => Progress::Trying,
            LegEvent::Ringing(_) => Progress::Ringing,
            LegEvent::Media(_) => Progress::Media,
            LegEvent::Answered(_) => Progress::Answered,
            LegEvent::Started | LegEvent::Silent | LegEvent::Connected | LegEvent::Ended(_) | LegEvent::Taken => return,
        };
        if let Some(watched) = self.watched.get_mut(&leg) {
            watched.heard(progress);
        }
    }

    /// The leg goes on without us and keeps its place at the carrier.
    fn let_go(&mut self, leg: LegId) {
        self.watched.remove(&leg);
        let Some(permit) = self.permits.remove(&leg) else {
            return;
        };
        if let Some(channel_id) = self.driver.channel_id(leg).map(str::to_owned) {
            let _daemon_goes_down = self.shared.taken.send(TakenLeg { channel_id, permit });
        }
    }

    async fn carry_out(&mut self, commands: Vec<Command>) {
        let mut commands = std::collections::VecDeque::from(commands);
        while let Some(command) = commands.pop_front() {
            self.live.carries_out(&command);
            match command {
                Command::Admit {
                    leg,
                    carrier,
                    is_last_choice,
                } => {
                    let answer = match self.admit(&carrier, is_last_choice).await {
                        Ok(permit) => {
                            if let (AttemptKind::First, Some(first_at)) = (self.next_attempt, permit.given_at()) {
                                self.next_attempt = AttemptKind::Retry { first_at };
                            }
                            let input = if permit.is_at_limit() {
                                Input::AdmittedAtLimit(leg)
                            } else {
                                Input::Admitted(leg)
                            };
                            self.permits.insert(leg, permit);
                            input
                        }
                        Err(refusal) => {
                            info!(%leg, %carrier, why = refusal.code(), "not let out");
                            Input::Refused(leg, refusal)
                        }
                    };
                    // Before what else is waiting: the next leg goes out first, tidying up comes after it.
                    for command in self.call.handle(answer, now()).into_iter().rev() {
                        commands.push_front(command);
                    }
                }
                Command::StartLeg(spec) => {
                    if let Some(failed_at) = self.failed_at.take().filter(|_| spec.repair.is_none()) {
                        self.shared.metrics.failover_gap(failed_at.elapsed());
                    }
                    let watched = self.shared.health.leg_started(&spec.carrier);
                    self.watched.insert(spec.leg, watched);
                    let recorded = self.recorded();
                    self.driver.start_leg(spec, recorded);
                }
                Command::AskLeg(leg) => self.driver.ask_leg(leg),
                Command::AbandonLeg(leg, reason) => {
                    if reason == AbandonReason::LateAnswer {
                        info!(%leg, "answered after it was given up");
                        self.shared.counters.late_answer();
                    }
                    self.driver.abandon_leg(leg, reason);
                }
                Command::Connect(leg) => {
                    self.recorded().wait().await;
                    self.driver.connect(leg);
                }
                Command::Indicate(indication) => self.driver.indicate(indication),
                Command::ArmTimer(timer, at) => self.timers.push((timer, at)),
                Command::Finish(result) => {
                    self.recorded().wait().await;
                    self.driver.finish(result);
                }
                Command::HandBack => self.driver.hand_back(),
                Command::Record(attempt) => self.record(attempt),
            }
        }
    }

    /// Asks the door, then the carrier's health: who finds no place makes no trial call.
    async fn admit(&mut self, carrier: &CarrierId, is_last_choice: bool) -> Result<Permit, AdmissionRefusal> {
        let permit = self.shared.door.admit(carrier, self.next_attempt).await?;
        let hint = self.shared.health.may_take(carrier, self.draw).await;
        if hint.lets_out(is_last_choice) {
            return Ok(permit);
        }
        let refusal = match hint {
            Hint::Never(_) => AdmissionRefusal::TakenOut,
            Hint::Take | Hint::Trial | Hint::PassOn(_) => AdmissionRefusal::PassedOn,
        };
        self.shared.door.count(carrier, refusal);
        Err(refusal)
    }

    fn record(&mut self, attempt: Attempt) {
        let call = &self.identity;
        if let Some(AttemptEnd { evidence, verdict, .. }) = &attempt.end {
            if let Some(watched) = self.watched.remove(&LegId(attempt.n)) {
                let rulebook = Rulebook::built_in();
                watched.ended(LegOutcome::of(evidence, verdict, rulebook, &attempt.wire_number));
            }
            self.failed_at = Some(Instant::now());
            self.shared
                .metrics
                .attempt(&attempt.carrier, verdict.action.as_str(), &verdict.rule);
            let reply = verdict
                .dialer
                .tech
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            info!(
                n = attempt.n,
                carrier = %attempt.carrier,
                number = attempt.wire_number,
                reply,
                cause = evidence.q850,
                progress = attempt.progress.as_str(),
                action = verdict.action.as_str(),
                why = &*verdict.why,
                "attempt ended"
            );
        }
        let channel_id = self.driver.channel_id(LegId(attempt.n)).map(str::to_owned);
        self.unkept = Some(self.shared.records.keep(AttemptRecord {
            call: call.clone(),
            attempt,
            channel_id,
            is_test: false,
        }));
    }

    /// What is to be waited for before a step that follows from what was put on record.
    const fn recorded(&mut self) -> Recorded {
        Recorded::when(self.unkept.take())
    }
}

/// Ends at that moment; never without one. Dropping the future loses nothing.
pub(super) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
