//! One call through one carrier, to see whether it works: placed beside the engine, in a Stasis application of its own, so that
//! no plan, no route and no dialer has a part in it.
//!
//! Admission has: the leg counts against the carrier's limits. Nobody is connected; an answered call is hung up at once. It goes on
//! record as any other leg, marked as a test; neither health nor the carrier's figures learn from it.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::admission::AttemptKind;
use crate::ari::{self, Channel, ChannelState, Client, Event, HangupReason, Notice, State};
use crate::call::{AdmissionRefusal, Attempt, AttemptEnd, Now};
use crate::carrier::{CarrierId, Technology};
use crate::engine::{AttemptLog, AttemptRecord, CallIdentity, Door, now};
use crate::verdict::{
    AbandonReason, CarrierPolicy, Circumstances, EndedBy, Evidence, Progress, Rulebook, SipReply, judge, name_of_cause,
};

use super::execute::{NO_FORWARDING, SHOW_REPLY};
use super::translate;

/// The Stasis application. One name for all: Asterisk 16 never forgets a name, and one test at a time uses it.
const APP: &str = "crankback-test";
/// How long the event connection may take to come up, and a channel to go away.
const PATIENCE: Duration = Duration::from_secs(5);

/// A test call that is to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCall {
    /// The carrier.
    pub carrier: CarrierId,
    /// Its channel driver.
    pub technology: Technology,
    /// The number as it goes out on the wire.
    pub wire_number: String,
    /// What `Dial()` would be given.
    pub dial_string: String,
    /// The number that the far end is shown; `None`: none.
    pub caller_id: Option<String>,
    /// How long it may take to be answered.
    pub ring_for: Duration,
}

/// Something that came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// When, in milliseconds since the call was placed.
    pub after_ms: u64,
    /// What, in words: `SIP 183 Session Progress`.
    pub what: String,
}

/// A test call that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestedCall {
    /// What came back, in order.
    pub rungs: Vec<Rung>,
    /// From the start to ringing, media or answer.
    pub pdd: Option<Duration>,
    /// How it ended.
    pub end: TestEnd,
}

/// How a test call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestEnd {
    /// Somebody, or something, answered.
    Answered,
    /// The carrier ended it: its last SIP response, if it sent one, and the Q.850 cause.
    Failed {
        /// The SIP response.
        sip: Option<SipReply>,
        /// The cause.
        q850: Option<u8>,
    },
    /// Nobody answered in time; the call was given up.
    NotAnswered,
    /// Asterisk did not place it: it has no such endpoint, or its own probes do not reach it.
    NotPlaced {
        /// What Asterisk said.
        reason: String,
    },
}

/// Why no test call was placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TestCallError {
    /// Another one is on its way.
    #[error("another test call is on its way: wait for its end")]
    Busy,
    /// The carrier's limits, or the daemon goes down.
    #[error("no leg may go out through this carrier now: {}", .0.code())]
    NotAdmitted(AdmissionRefusal),
    /// Asterisk's events cannot be had.
    #[error("Asterisk does not serve the test call: {0}")]
    NoEvents(String),
}

impl TestCallError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy => "test_call_busy",
            Self::NotAdmitted(_) => "test_call_not_admitted",
            Self::NoEvents(_) => "test_call_no_events",
        }
    }
}

/// Places the call, follows it to its end and puts it on record. The caller makes sure that there is one at a time.
///
/// # Errors
/// [`TestCallError`]; nothing has been sent to the carrier then, except where Asterisk was lost on the way.
pub async fn place(
    config: ari::Config,
    door: &Door,
    records: &dyn AttemptLog,
    call: &TestCall,
) -> Result<TestedCall, TestCallError> {
    let _permit = door
        .admit(&call.carrier, AttemptKind::First)
        .await
        .map_err(TestCallError::NotAdmitted)?;
    let cancel = CancellationToken::new();
    let _ends_with_the_test = cancel.clone().drop_guard();
    let config = ari::Config {
        app: APP.to_owned(),
        ..config
    };
    let no_events = |error: ari::Error| TestCallError::NoEvents(error.to_string());
    let (client, mut notices, state) = ari::connect(config, cancel.clone()).map_err(no_events)?;
    match tokio::time::timeout(PATIENCE, notices.recv()).await {
        Ok(Some(Notice::Connected { .. })) => {}
        Ok(_) | Err(_) => return Err(TestCallError::NoEvents(last_error(&state))),
    }
    let mut ladder = Ladder::new(&client, call);
    let _kept_in_its_time = records.keep(ladder.record(None));
    let end = ladder.climb(&mut notices).await;
    let _kept_in_its_time = records.keep(ladder.record(Some(&end)));
    cancel.cancel();
    let mut state = state;
    let stopped = state.wait_for(|state| matches!(state, State::Stopped | State::Replaced));
    let _asterisk_cleans_up_anyway = tokio::time::timeout(PATIENCE, stopped).await;
    Ok(ladder.over(end?))
}

fn last_error(state: &watch::Receiver<State>) -> String {
    match &*state.borrow() {
        State::Connecting {
            last_error: Some(error),
            ..
        } => error.to_string(),
        State::Connecting { last_error: None, .. } | State::Connected { .. } | State::Replaced | State::Stopped => {
            "no answer".to_owned()
        }
    }
}

/// The call on its way: what came back so far.
struct Ladder<'a> {
    client: &'a Client,
    call: &'a TestCall,
    channel: String,
    started: Now,
    rungs: Vec<Rung>,
    reply: Option<SipReply>,
    progress: Progress,
    pdd: Option<Duration>,
    answered_after: Option<Duration>,
    end: Option<TestEnd>,
    /// What the end of its channel said.
    evidence: Option<Evidence>,
}

impl<'a> Ladder<'a> {
    fn new(client: &'a Client, call: &'a TestCall) -> Self {
        let started = now();
        Self {
            client,
            call,
            channel: format!("{APP}-{}", started.wall_ms),
            started,
            rungs: Vec::new(),
            reply: None,
            progress: Progress::None,
            pdd: None,
            answered_after: None,
            end: None,
            evidence: None,
        }
    }

    async fn climb(&mut self, notices: &mut mpsc::Receiver<Notice>) -> Result<TestEnd, TestCallError> {
        if let Err(error) = self.originate().await {
            let reason = error.to_string();
            return Ok(TestEnd::NotPlaced { reason });
        }
        let mut give_up_at = self.started.monotonic + self.call.ring_for;
        loop {
            match tokio::time::timeout_at(give_up_at.into(), notices.recv()).await {
                Ok(Some(Notice::Event { event, .. })) => {
                    let was_open = self.end.is_none();
                    if self.take(&event).await {
                        return Ok(self.end.take().unwrap_or(TestEnd::NotAnswered));
                    }
                    if was_open && self.end.is_some() {
                        self.hang_up(&self.channel.clone()).await;
                        give_up_at = Instant::now() + PATIENCE;
                    }
                }
                Ok(Some(Notice::Connected { .. })) => {}
                Ok(Some(Notice::Lost { reason, .. })) => {
                    self.hang_up(&self.channel.clone()).await;
                    return Err(TestCallError::NoEvents(reason.to_string()));
                }
                Ok(None) => return Err(TestCallError::NoEvents("the connection ended".to_owned())),
                // Its end did not come in time; what is known of it stands.
                Err(_) if self.end.is_some() => return Ok(self.end.take().unwrap_or(TestEnd::NotAnswered)),
                Err(_) => {
                    self.end = Some(TestEnd::NotAnswered);
                    self.hang_up(&self.channel.clone()).await;
                    give_up_at = Instant::now() + PATIENCE;
                }
            }
        }
    }

    async fn originate(&self) -> Result<Channel, ari::Error> {
        let caller_id = self.call.caller_id.as_ref().map(|number| format!("<{number}>"));
        let mut variables = vec![NO_FORWARDING];
        variables.extend(SHOW_REPLY);
        let leg = ari::Originate {
            endpoint: &self.call.dial_string,
            app: APP,
            caller_id: caller_id.as_deref(),
            // Longer than we wait ourselves: who gave up must be certain.
            timeout_seconds: i32::try_from((self.call.ring_for + PATIENCE).as_secs()).ok(),
            channel_id: Some(&self.channel),
            variables: &variables,
            ..ari::Originate::default()
        };
        self.client.channels().originate(&leg).await
    }

    /// Takes one event in; true when the channel is gone.
    async fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::StasisStart(start) if start.channel.id == self.channel => {
                self.see(&start.channel);
                self.answered_after.get_or_insert(self.elapsed());
                self.reach(Progress::Answered, "answered");
                self.end.get_or_insert(TestEnd::Answered);
            }
            Event::ChannelStateChange(change) if change.channel.id == self.channel => {
                self.see(&change.channel);
                if change.channel.state == ChannelState::Ringing {
                    self.reach(Progress::Ringing, "ringing");
                }
            }
            Event::Dial(dial) if dial.peer.id == self.channel => {
                self.see(&dial.peer);
                match dial.dialstatus.as_str() {
                    "RINGING" => self.reach(Progress::Ringing, "ringing"),
                    "PROGRESS" => self.reach(Progress::Media, "media"),
                    _ => {}
                }
                if let Some(target) = &dial.forward {
                    self.rung(format!("redirected to {target}: not followed"));
                    if let Some(followed) = &dial.forwarded {
                        self.hang_up(&followed.id).await;
                    }
                }
            }
            Event::ChannelHangupRequest(request) if request.channel.id == self.channel => self.see(&request.channel),
            Event::ChannelDestroyed(destroyed) if destroyed.channel.id == self.channel => {
                let started = self.started.monotonic;
                let evidence = translate::evidence(destroyed, self.call.technology, self.progress, started);
                self.see(&destroyed.channel);
                let sip = evidence.final_reply().cloned();
                if self.end.is_none() {
                    if let Some(cause) = evidence.q850 {
                        self.rung(format!("cause {cause} {}", name_of_cause(cause).unwrap_or_default()));
                    }
                    self.end = Some(TestEnd::Failed {
                        sip,
                        q850: evidence.q850,
                    });
                }
                self.evidence = Some(evidence);
                return true;
            }
            // Of other channels, or nothing that says how far the call is.
            Event::StasisStart(_)
            | Event::StasisEnd(_)
            | Event::Dial(_)
            | Event::ChannelStateChange(_)
            | Event::ChannelHangupRequest(_)
            | Event::ChannelDestroyed(_)
            | Event::ChannelEnteredBridge(_)
            | Event::ChannelLeftBridge(_)
            | Event::BridgeDestroyed(_)
            | Event::ApplicationReplaced(_)
            | Event::DeviceStateChanged(_)
            | Event::Other { .. } => {}
        }
        false
    }

    fn see(&mut self, channel: &Channel) {
        let reply = translate::last_reply(channel);
        if let Some(reply) = reply
            && self.reply.as_ref() != Some(&reply)
            && self.end.is_none()
        {
            self.rung(format!("SIP {} {}", reply.code, reply.phrase));
            self.reply = Some(reply);
        }
    }

    fn reach(&mut self, progress: Progress, what: &str) {
        if progress > self.progress {
            self.progress = progress;
            self.pdd.get_or_insert(self.elapsed());
            self.rung(what.to_owned());
        }
    }

    fn rung(&mut self, what: String) {
        let after_ms = u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX);
        let what = what.trim().to_owned();
        self.rungs.push(Rung { after_ms, what });
    }

    fn elapsed(&self) -> Duration {
        self.started.monotonic.elapsed()
    }

    /// The call as it goes on record: when it starts, and when it is over.
    fn record(&self, end: Option<&Result<TestEnd, TestCallError>>) -> AttemptRecord {
        let milliseconds = |after: Duration| i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let end = end.map(|end| self.judged(end));
        let reply = end.as_ref().and_then(|end| end.verdict.dialer.tech.clone());
        AttemptRecord {
            call: CallIdentity {
                call_id: self.channel.clone(),
                caller_channel: String::new(),
                call_code: String::new(),
                dialled: self.call.wire_number.clone(),
                entry: self.call.carrier.clone(),
                campaign: None,
            },
            attempt: Attempt {
                n: 1,
                carrier: self.call.carrier.clone(),
                technology: self.call.technology,
                wire_number: self.call.wire_number.clone(),
                started_ms: self.started.wall_ms,
                progress: self.progress,
                pdd_ms: self.pdd.map(milliseconds),
                answered_after_ms: self.answered_after.map(milliseconds),
                reply: reply.or_else(|| self.reply.clone()),
                end,
            },
            channel_id: Some(self.channel.clone()),
            is_test: true,
        }
    }

    /// The end as the tables read it: what `Dial()` would have called it.
    fn judged(&self, end: &Result<TestEnd, TestCallError>) -> AttemptEnd {
        let (technology, started) = (self.call.technology, self.started.monotonic);
        let mut evidence = match end {
            Ok(TestEnd::NotPlaced { .. }) => translate::refused(technology, started),
            Ok(TestEnd::Answered | TestEnd::Failed { .. } | TestEnd::NotAnswered) | Err(_) => {
                let vanished = || translate::vanished(technology, self.progress, started);
                self.evidence.clone().unwrap_or_else(vanished)
            }
        };
        if matches!(end, Ok(TestEnd::Answered | TestEnd::NotAnswered)) {
            evidence.ended_by = EndedBy::Us(AbandonReason::OutOfTime);
            evidence.progress = self.progress;
            // What it says to our hanging up is no answer of the carrier.
            evidence.sip.clone_from(&self.reply);
        }
        let circumstances = Circumstances {
            policy: &CarrierPolicy::default(),
            rules: Rulebook::built_in(),
            at_our_limit: false,
        };
        AttemptEnd {
            at_ms: now().wall_ms,
            verdict: judge(&evidence, &circumstances),
            evidence,
        }
    }

    /// A channel that is gone already needs none.
    async fn hang_up(&self, channel: &str) {
        let _it_may_be_gone = self.client.channels().hangup(channel, HangupReason::Normal).await;
    }

    fn over(self, end: TestEnd) -> TestedCall {
        TestedCall {
            rungs: self.rungs,
            pdd: self.pdd,
            end,
        }
    }
}
