//! The driver of one call: its FastAGI session, its legs, and what the side-car sees of them.

mod leg;
mod sightings;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::leg::Leg;
use super::answered;
use super::dial::{self, Causes, Outcome, dial_arguments, whole_seconds};
use super::ending::{Left, last_words};
use super::sidecar::{GivenUp, Glance, Seen, Sidecar, Watch};
use crate::agi::{self, Session};
use crate::ari::{self, HangupReason};
use crate::call::{Indication, Input, LegEvent, LegId, LegSpec};
use crate::engine::runner::sleep_until;
use crate::engine::{CallerEntry, Driver, Recorded, now};
use crate::verdict::{AbandonReason, DialerResult, Evidence, Progress, SipReply};

/// A leg is looked at first when it is so old. Most refusals have come back by then, and cost no more than their `Dial()`.
const LOOK_AFTER: Duration = Duration::from_millis(250);

/// What the session is doing. One command at a time; while one runs, the session is inside its future.
enum Line<S> {
    Free(Session<S>),
    Busy(BoxFuture<'static, (Session<S>, LineDone)>),
    Closed,
}

enum LineDone {
    Dialled(LegId, Result<Outcome, agi::Error>),
    Ended,
}

/// What an ARI request came to.
enum Done {
    /// The call asked.
    Asked(LegId, Result<Glance, ari::Error>),
    /// The leg was looked at once more.
    Looked(LegId, Result<Glance, ari::Error>),
    Answer(LegId, Option<SipReply>),
    /// `Dial()` has let go of an answered leg: it has ended, or the dialer has taken its channel.
    LetGo(LegId, Option<String>, Evidence),
    Tidied,
}

/// How the caller goes on in the dialplan.
enum Ending {
    /// As `Dial()` would have left it.
    Result(DialerResult),
    /// To plain `Dial()`: nothing was dialled.
    Native,
    /// It is gone.
    Gone,
}

/// Carries one call out over FastAGI.
pub(super) struct AgiDriver<S> {
    caller: CallerEntry,
    /// What stands in its hash of causes.
    causes: Causes,
    entered: Instant,
    /// The dialer has to know its legs.
    is_followed: bool,
    sidecar: Sidecar,
    /// What the side-car sees, since a leg was out for long enough.
    watch: Option<Watch>,
    /// When the leg that is out is looked at.
    look_at: Option<Instant>,
    line: Line<S>,
    legs: BTreeMap<LegId, Leg>,
    /// The leg that `Dial()` is at.
    dialing: Option<LegId>,
    /// The leg that waits for `Dial()` to come back, and for what led to it to be on record.
    next_leg: Option<(LegSpec, Recorded)>,
    ending: Option<Ending>,
    left: Option<Left>,
    /// Names of channels that earlier attempts had.
    ended: Vec<String>,
    /// A leg was answered after it had been given up. `Dial()` has connected it, so it is the call.
    answered_late: bool,
    caller_is_here: bool,
    /// The leg that the side-car was asked to look at.
    looked_for: Option<LegId>,
    /// The side-car sees, as far as is known.
    is_watching: bool,
    /// As the call was told.
    was_watching: bool,
    was_blind: bool,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    inputs: VecDeque<Input>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AgiDriver<S> {
    pub(super) fn new(
        caller: CallerEntry,
        causes: Causes,
        session: Session<S>,
        sidecar: Sidecar,
        is_followed: bool,
    ) -> Self {
        Self {
            caller,
            causes,
            entered: Instant::now(),
            is_followed,
            sidecar,
            watch: None,
            look_at: None,
            line: Line::Free(session),
            legs: BTreeMap::new(),
            dialing: None,
            next_leg: None,
            ending: None,
            left: None,
            ended: Vec::new(),
            answered_late: false,
            caller_is_here: true,
            looked_for: None,
            is_watching: true,
            was_watching: true,
            was_blind: false,
            work: FuturesUnordered::new(),
            inputs: VecDeque::new(),
        }
    }

    /// Gives the session its next work, if it is free and there is any.
    fn go_on(&mut self) {
        if self.answered_late
            && let Some((spec, _)) = self.next_leg.take()
        {
            let leg = spec.leg;
            let overtaken = self.new_leg(spec).attempted().overtaken();
            self.inputs.push_back(Input::Leg(leg, LegEvent::Ended(overtaken)));
        }
        match std::mem::replace(&mut self.line, Line::Closed) {
            Line::Free(session) => match (self.ending.take(), self.next_leg.take()) {
                (Some(ending), _) => self.line = Line::Busy(Box::pin(self.end(session, ending))),
                (None, Some((spec, recorded))) => self.line = Line::Busy(self.dial(session, spec, recorded)),
                (None, None) => self.line = Line::Free(session),
            },
            Line::Closed => {
                if self.next_leg.take().is_some() {
                    self.caller_gone();
                }
            }
            busy @ Line::Busy(_) => self.line = busy,
        }
    }

    fn new_leg(&self, spec: LegSpec) -> Leg {
        let timeout = self.caller.limit.map(|limit| match self.left {
            // As the dialer set it.
            None => limit,
            // Whole seconds, all that Asterisk 16 counts in. The call's own timer ends the leg in time.
            Some(_) => whole_seconds(limit.saturating_sub(self.entered.elapsed())),
        });
        Leg {
            spec,
            started: now(),
            timeout,
            found: None,
            abandoned: None,
            answer_was_told: false,
            is_over: CancellationToken::new(),
        }
    }

    fn dial(
        &mut self,
        mut session: Session<S>,
        spec: LegSpec,
        recorded: Recorded,
    ) -> BoxFuture<'static, (Session<S>, LineDone)> {
        let id = spec.leg;
        let leg = self.new_leg(spec);
        let mut arguments = dial_arguments(&leg.spec.dial_string, leg.timeout, &self.caller.options);
        // Before a first leg there is no other that the dialer could take for it.
        if self.is_followed && id > LegId::FIRST {
            arguments.push_str(&answered::option(&self.caller, id).unwrap_or_default());
        }
        self.legs.insert(id, leg);
        self.dialing = Some(id);
        self.look_at = Some(Instant::now() + LOOK_AFTER);
        self.inputs.push_back(Input::Leg(id, LegEvent::Started));
        let causes = std::mem::replace(&mut self.causes, Causes::OfBefore);
        Box::pin(async move {
            let outcome = dial::dial(&mut session, &arguments, causes, recorded.wait()).await;
            (session, LineDone::Dialled(id, outcome))
        })
    }

    /// `Dial()` has come back.
    fn dialled(&mut self, id: LegId, result: Result<Outcome, agi::Error>) {
        self.dialing = None;
        self.look_at = None;
        let Some(leg) = self.legs.get(&id) else { return };
        leg.is_over.cancel();
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(agi::Error::DeadChannel) => {
                debug!(leg = %id, "the caller hung up before it was dialled");
                return self.caller_gone();
            }
            Err(error) => {
                warn!(leg = %id, code = error.code(), %error, "the session failed; the call goes on in the dialplan");
                self.line = Line::Closed;
                return self.caller_gone();
            }
        };
        let was_given_up = matches!(
            leg.abandoned,
            Some(AbandonReason::NoResponse | AbandonReason::NoProgress)
        );
        let evidence = outcome.evidence(&leg.attempted());
        let (is_expected, found_channel) = (leg.abandoned.is_none(), leg.channel().map(str::to_owned));
        let found = leg.found.as_ref().map(|leg| leg.name.clone());
        self.ended.extend(outcome.channels.iter().cloned().chain(found));
        self.left = Some(Left {
            status: outcome.status.clone(),
            cause: outcome.cause,
            means: DialerResult::of(&evidence),
        });
        if outcome.caller_left() {
            self.tell_progress(id, &outcome);
            return self.caller_gone();
        }
        self.answered_late |= was_given_up && outcome.is_answered();
        // What came and went before anybody looked.
        match outcome.progress() {
            Progress::Answered if is_expected => self.tell_answer(id, outcome.reply.clone()),
            Progress::Ringing | Progress::Media => self.tell_progress(id, &outcome),
            Progress::None | Progress::Trying | Progress::Answered => {}
        }
        if !outcome.is_answered() || (found_channel.is_none() && !self.is_watching) {
            return self.inputs.push_back(Input::Leg(id, LegEvent::Ended(evidence)));
        }
        let (sidecar, caller) = (self.sidecar.clone(), self.caller.channel_id.clone());
        self.work.push(Box::pin(async move {
            Done::LetGo(id, sidecar.lives_on(&caller, found_channel).await, evidence)
        }));
    }

    /// The leg was answered; told once.
    fn tell_answer(&mut self, id: LegId, reply: Option<SipReply>) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if !std::mem::replace(&mut leg.answer_was_told, true) {
            self.inputs.push_back(Input::Leg(id, LegEvent::Answered(reply)));
        }
    }

    /// How far a leg had come that has ended: the side-car sees no responses.
    fn tell_progress(&mut self, id: LegId, outcome: &Outcome) {
        let reply = outcome.reply.clone();
        let event = match outcome.progress() {
            Progress::Media => LegEvent::Media(reply),
            Progress::Ringing => LegEvent::Ringing(reply),
            Progress::Trying => LegEvent::Trying(reply),
            Progress::None | Progress::Answered => return,
        };
        self.inputs.push_back(Input::Leg(id, event));
    }

    /// Looks at the leg that is out.
    fn glance(&mut self, leg: LegId, done: fn(LegId, Result<Glance, ari::Error>) -> Done) {
        let (sidecar, caller) = (self.sidecar.clone(), self.caller.channel_id.clone());
        self.work
            .push(Box::pin(async move { done(leg, sidecar.glance(&caller).await) }));
    }

    fn caller_gone(&mut self) {
        if std::mem::replace(&mut self.caller_is_here, false) {
            self.inputs.push_back(Input::CallerGone);
        }
        self.next_leg = None;
        self.ending.get_or_insert(Ending::Gone);
    }

    /// The session's last words.
    fn end(
        &mut self,
        mut session: Session<S>,
        ending: Ending,
    ) -> impl Future<Output = (Session<S>, LineDone)> + Send + 'static {
        let variables = match ending {
            Ending::Result(result) => last_words(&result, self.left.as_ref(), &self.caller),
            Ending::Native | Ending::Gone => Vec::new(),
        };
        async move {
            for (name, value) in variables {
                if let Err(error) = session.set_variable(name, &value).await {
                    // A caller that hung up in this moment needs no result.
                    debug!(name, %error, "the result could not be told");
                    break;
                }
            }
            (session, LineDone::Ended)
        }
    }

    fn is_answered_late(&mut self) {
        info!("a leg was answered after it was given up; the caller is connected");
        self.answered_late = true;
        self.go_on();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Driver for AgiDriver<S> {
    fn start_leg(&mut self, spec: LegSpec, recorded: Recorded) {
        self.next_leg = Some((spec, recorded));
        self.go_on();
    }

    fn ask_leg(&mut self, leg: LegId) {
        if self.dialing == Some(leg) {
            self.glance(leg, Done::Asked);
        }
    }

    fn abandon_leg(&mut self, id: LegId, reason: AbandonReason) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.abandoned = Some(reason);
        let reason = match reason {
            // CONGESTION: should this process die now, the dialplan dials natively.
            AbandonReason::NoResponse | AbandonReason::NoProgress => HangupReason::Congestion,
            // NOANSWER, as after a timeout; and a cause of its own, where Dial() would leave that of the attempt before. The
            // first attempt ends by the timeout of Dial().
            AbandonReason::OutOfTime if id > LegId::FIRST => HangupReason::Normal,
            // Dial() has no such limit of its own.
            AbandonReason::RingLimit => HangupReason::Normal,
            // Dial() ends its leg itself when the caller hangs up. One that it has connected is the call.
            AbandonReason::OutOfTime | AbandonReason::CallerGone | AbandonReason::LateAnswer => return,
        };
        if self.dialing == Some(id) {
            let given_up = GivenUp {
                caller: self.caller.channel_id.clone(),
                caller_name: self.caller.caller_name.clone(),
                dialled_ms: leg.started.wall_ms,
                channel: leg.channel().map(str::to_owned),
            };
            let (sidecar, is_over) = (self.sidecar.clone(), leg.is_over.clone());
            self.work.push(Box::pin(async move {
                is_over.run_until_cancelled(sidecar.end(given_up, reason)).await;
                Done::Tidied
            }));
        }
    }

    /// `Dial()` has done it.
    fn connect(&mut self, leg: LegId) {
        self.inputs.push_back(Input::Leg(leg, LegEvent::Connected));
    }

    /// `Dial()` does it.
    fn indicate(&mut self, _: Indication) {}

    fn finish(&mut self, result: DialerResult) {
        self.ending.get_or_insert(Ending::Result(result));
        self.go_on();
    }

    fn hand_back(&mut self) {
        self.ending.get_or_insert(Ending::Native);
        self.go_on();
    }

    async fn next(&mut self) -> Option<Input> {
        if let Some(input) = self.inputs.pop_front() {
            return Some(input);
        }
        tokio::select! {
            (session, done) = next_of(&mut self.line) => {
                self.line = Line::Free(session);
                match done {
                    LineDone::Dialled(leg, result) => self.dialled(leg, result),
                    LineDone::Ended => self.line = Line::Closed,
                }
                self.go_on();
            }
            Some(done) = self.work.next(), if !self.work.is_empty() => self.done(done),
            seen = next_seen(&mut self.watch) => self.seen(seen),
            () = sleep_until(self.look_at) => self.look_at_leg(),
        }
        self.inputs.pop_front()
    }

    fn is_idle(&self) -> bool {
        matches!(self.line, Line::Closed) && self.inputs.is_empty() && self.work.is_empty()
    }

    fn is_replaced(&self) -> bool {
        // Its session lives on the connection that Asterisk opened to this process.
        false
    }

    fn channel_id(&self, leg: LegId) -> Option<&str> {
        self.legs.get(&leg)?.channel()
    }

    /// Dropping the session gives the caller back: at once, or when `Dial()` has come back.
    async fn close(self) {}
}

/// The end of the command that runs; never without one. Dropping the future loses nothing.
async fn next_of<S>(line: &mut Line<S>) -> (Session<S>, LineDone) {
    match line {
        Line::Busy(command) => command.await,
        Line::Free(_) | Line::Closed => std::future::pending().await,
    }
}

/// What the side-car sees next; never where nobody watches. Dropping the future loses nothing.
async fn next_seen(watch: &mut Option<Watch>) -> Seen {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}
