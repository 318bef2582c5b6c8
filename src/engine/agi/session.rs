//! The driver of one call: its FastAGI session, its legs, and what the side-car sees of them.

mod leg;
mod sightings;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, info, warn};

use self::leg::Leg;
use super::answered;
use super::dial::{self, Outcome, dial_arguments, whole_seconds};
use super::ending::{Left, last_words};
use super::sidecar::{Sidecar, Sign, Watch};
use crate::agi::{self, Session};
use crate::ari::{self, Dialplan, HangupReason};
use crate::call::{Indication, Input, LegEvent, LegId, LegSpec};
use crate::engine::{CallerEntry, Driver, Recorded};
use crate::verdict::{AbandonReason, DialerResult, Progress, SipReply};

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
    Asked(LegId, Result<Sign, ari::Error>),
    /// The side-car is back: what it missed.
    CaughtUp(LegId, Result<Sign, ari::Error>),
    Answer(LegId, Option<SipReply>),
    /// `Dial()` has let go of an answered leg: it has ended, or the dialer has taken it.
    LetGo(LegId, LegEvent),
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
    entered: Instant,
    /// The dialer has to know its legs.
    is_followed: bool,
    sidecar: Sidecar,
    watch: Watch,
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
    is_watching: bool,
    is_blind: bool,
    was_blind: bool,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    inputs: VecDeque<Input>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AgiDriver<S> {
    pub(super) fn new(caller: CallerEntry, session: Session<S>, sidecar: Sidecar, is_followed: bool) -> Self {
        Self {
            watch: sidecar.watch(&caller.channel_id),
            caller,
            entered: Instant::now(),
            is_followed,
            sidecar,
            line: Line::Free(session),
            legs: BTreeMap::new(),
            dialing: None,
            next_leg: None,
            ending: None,
            left: None,
            ended: Vec::new(),
            answered_late: false,
            caller_is_here: true,
            is_watching: true,
            is_blind: false,
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
            started: Instant::now(),
            timeout,
            channel: None,
            place: Dialplan::default(),
            abandoned: None,
            is_unwatched: !self.is_watching,
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
        self.inputs.push_back(Input::Leg(id, LegEvent::Started));
        self.look();
        let watched = self.watch.ready();
        let ready = async { tokio::join!(watched, recorded.wait()) };
        Box::pin(async move {
            let outcome = dial::dial(&mut session, &arguments, ready).await;
            (session, LineDone::Dialled(id, outcome))
        })
    }

    /// `Dial()` has come back.
    fn dialled(&mut self, id: LegId, result: Result<Outcome, agi::Error>) {
        self.dialing = None;
        let Some(leg) = self.legs.get(&id) else { return };
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
        self.ended.extend(outcome.channels.iter().cloned());
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
        let ended = LegEvent::Ended(evidence);
        match leg.channel.clone().filter(|_| outcome.is_answered()) {
            Some(channel) => {
                let (sidecar, place) = (self.sidecar.clone(), leg.place.clone());
                self.work.push(Box::pin(async move {
                    match sidecar.lives_on(&channel, &place).await {
                        true => Done::LetGo(id, LegEvent::Taken),
                        false => Done::LetGo(id, ended),
                    }
                }));
            }
            None => self.inputs.push_back(Input::Leg(id, ended)),
        }
    }

    /// How far the leg of a caller that left had come: the side-car sees no responses.
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

    fn channel_of(&self, id: LegId) -> Option<(LegId, String)> {
        let channel = self.legs.get(&id)?.channel.clone()?;
        Some((id, channel))
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
        let Some((_, channel)) = self.channel_of(leg).filter(|_| self.dialing == Some(leg)) else {
            return;
        };
        let sidecar = self.sidecar.clone();
        let ask = async move { Done::Asked(leg, sidecar.look_at(&channel).await) };
        self.work.push(Box::pin(ask));
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
        match leg.channel.clone() {
            Some(channel) if self.dialing == Some(id) => {
                let sidecar = self.sidecar.clone();
                self.work.push(Box::pin(async move {
                    sidecar.end(&channel, reason).await;
                    Done::Tidied
                }));
            }
            Some(_) => {}
            None => warn!(leg = %id, "a leg that is given up cannot be ended: its channel was not seen"),
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
                    LineDone::Dialled(leg, result) => {
                        self.dialled(leg, result);
                        self.look();
                    }
                    LineDone::Ended => self.line = Line::Closed,
                }
                self.go_on();
            }
            Some(done) = self.work.next(), if !self.work.is_empty() => self.done(done),
            seen = self.watch.next() => self.seen(seen),
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
        self.legs.get(&leg)?.channel.as_deref()
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
