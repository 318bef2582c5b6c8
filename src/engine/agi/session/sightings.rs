//! What the side-car sees of the legs, and what that means to the call.

use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::{AgiDriver, Done, Leg};
use crate::call::{Input, LegEvent, LegId};
use crate::engine::agi::sidecar::{Seen, SeenLeg, Sign};
use crate::verdict::SipReply;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AgiDriver<S> {
    pub(super) fn seen(&mut self, seen: Seen) {
        match seen {
            Seen::Leg(leg) => self.leg_seen(*leg),
            Seen::Lost => {
                self.is_watching = false;
                if let Some(leg) = self.dialing.and_then(|id| self.legs.get_mut(&id)) {
                    leg.is_unwatched |= leg.channel.is_none();
                }
            }
            Seen::Back => {
                self.is_watching = true;
                if let Some((id, channel)) = self.dialing.and_then(|id| self.channel_of(id)) {
                    let sidecar = self.sidecar.clone();
                    let look = async move { Done::CaughtUp(id, sidecar.look_at(&channel).await) };
                    self.work.push(Box::pin(look));
                }
            }
        }
        self.look();
    }

    fn leg_seen(&mut self, seen: SeenLeg) {
        let SeenLeg {
            channel,
            name,
            place,
            status,
        } = seen;
        if status.is_empty() {
            // The beginning of an attempt may be told after its end. Of two channels of one attempt the later one counts:
            // Dial() has followed a redirection.
            if !self.ended.contains(&name)
                && let Some(leg) = self.dialing.and_then(|id| self.legs.get_mut(&id))
            {
                leg.is_unwatched = false;
                leg.channel = Some(channel);
                leg.place = place;
            }
            return;
        }
        let is_it = |leg: &Leg| leg.channel.as_ref() == Some(&channel);
        let Some((&id, leg)) = self.legs.iter_mut().find(|(_, leg)| is_it(leg)) else {
            return;
        };
        leg.place = place;
        let event = match status.as_str() {
            "RINGING" => LegEvent::Ringing(None),
            "PROGRESS" => LegEvent::Media(None),
            "ANSWER" if leg.abandoned.is_some() => return self.is_answered_late(),
            "ANSWER" => {
                self.watch.stop();
                let sidecar = self.sidecar.clone();
                let ask = async move { Done::Answer(id, sidecar.response(&channel, &name).await) };
                return self.work.push(Box::pin(ask));
            }
            // How it ended is told by Dial() itself.
            _ => return,
        };
        self.inputs.push_back(Input::Leg(id, event));
    }

    /// Tells the call when its leg can no longer be seen, and when it can again.
    pub(super) fn look(&mut self) {
        let leg = self.dialing.and_then(|id| self.legs.get(&id));
        let is_blind = !self.is_watching || leg.is_some_and(|leg| leg.is_unwatched);
        if std::mem::replace(&mut self.is_blind, is_blind) == is_blind {
            return;
        }
        if is_blind && !std::mem::replace(&mut self.was_blind, true) {
            self.sidecar.count_unwatched();
        }
        self.inputs.push_back(match is_blind {
            true => Input::EngineLost,
            false => Input::EngineBack,
        });
    }

    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Asked(id, Ok(Sign::Silent)) => self.inputs.push_back(Input::Leg(id, LegEvent::Silent)),
            Done::Asked(id, Ok(sign)) | Done::CaughtUp(id, Ok(sign)) => self.sign(id, sign),
            // 404: it has just ended. Anything else: a leg that cannot be asked could not be ended either.
            Done::Asked(id, Err(error)) | Done::CaughtUp(id, Err(error)) => {
                debug!(leg = %id, %error, "the leg could not be asked");
            }
            Done::Answer(id, reply) => self.inputs.push_back(Input::Leg(id, LegEvent::Answered(reply))),
            Done::LetGo(id, event) => self.inputs.push_back(Input::Leg(id, event)),
            Done::Tidied => {}
        }
    }

    /// What a look at a leg has shown.
    fn sign(&mut self, id: LegId, sign: Sign) {
        let event = match sign {
            Sign::Answered(_) if self.legs.get(&id).is_some_and(|leg| leg.abandoned.is_some()) => {
                return self.is_answered_late();
            }
            Sign::Answered(reply) => LegEvent::Answered(reply),
            Sign::Provisional(reply) => provisional(reply),
            Sign::Silent => return,
        };
        self.inputs.push_back(Input::Leg(id, event));
    }
}

/// What a provisional response says of a leg.
const fn provisional(reply: SipReply) -> LegEvent {
    match reply.code {
        180 => LegEvent::Ringing(Some(reply)),
        183 => LegEvent::Media(Some(reply)),
        _ => LegEvent::Trying(Some(reply)),
    }
}
