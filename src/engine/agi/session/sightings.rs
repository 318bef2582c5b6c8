//! What the side-car sees of the legs, and what that means to the call.

use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::{AgiDriver, Done};
use crate::call::{Input, LegEvent, LegId};
use crate::carrier::Technology;
use crate::engine::agi::sidecar::{FoundLeg, Glance, Seen, SeenLeg, Sign};

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AgiDriver<S> {
    /// The leg that is out has been for a moment.
    pub(super) fn look_at_leg(&mut self) {
        self.look_at = None;
        let Some(id) = self.dialing else { return };
        if self.watch.is_none() {
            self.looked_for = Some(id);
            self.watch = Some(self.sidecar.look(&self.caller.channel_id));
        } else if self.is_watching && self.legs.get(&id).is_some_and(|leg| leg.found.is_none()) {
            // It was dialled before the watch had begun.
            self.glance(id, Done::Looked);
        }
    }

    pub(super) fn seen(&mut self, seen: Seen) {
        match seen {
            Seen::Leg(leg) => self.leg_seen(*leg),
            Seen::Sight(sight) => match self.dialing {
                Some(id) if self.looked_for == Some(id) => self.sighted(id, *sight),
                // The watch began when another leg was out: what this one did before that was not seen.
                Some(id) => self.glance(id, Done::Looked),
                None => {}
            },
            Seen::Lost => self.is_watching = false,
            Seen::Back => {
                self.is_watching = true;
                self.looked_for = self.dialing;
            }
        }
        self.tell_sight();
    }

    fn leg_seen(&mut self, seen: SeenLeg) {
        let SeenLeg { channel, name, status } = seen;
        let known = self.legs.iter().find(|(_, leg)| leg.channel() == Some(&channel));
        let Some(id) = known.map(|(&id, _)| id).or_else(|| self.newcomer(&name, &status)) else {
            return;
        };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.found = Some(FoundLeg {
            channel: channel.clone(),
            name: name.clone(),
        });
        let event = match status.as_str() {
            "RINGING" => LegEvent::Ringing(None),
            "PROGRESS" => LegEvent::Media(None),
            "ANSWER" if leg.abandoned.is_some() => return self.is_answered_late(),
            "ANSWER" => {
                self.stop_watching();
                let sidecar = self.sidecar.clone();
                let ask = async move { Done::Answer(id, sidecar.response(&channel, &name).await) };
                return self.work.push(Box::pin(ask));
            }
            // Its beginning; or its end, which is told by Dial() itself.
            _ => return,
        };
        self.inputs.push_back(Input::Leg(id, event));
    }

    /// The leg of a channel that was not seen before.
    fn newcomer(&self, name: &String, status: &str) -> Option<LegId> {
        let id = self.dialing.filter(|_| !self.ended.contains(name))?;
        match status {
            // Of two channels of one attempt the later one counts: Dial() has followed a redirection.
            "" => Some(id),
            "RINGING" | "PROGRESS" | "ANSWER" => {
                Some(id).filter(|id| self.legs.get(id).is_some_and(|leg| leg.found.is_none()))
            }
            // The end of an attempt may be told when the next one has begun.
            _ => None,
        }
    }

    /// `Dial()` tells the rest.
    fn stop_watching(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.stop();
        }
    }

    /// Tells the call when its leg can no longer be seen, and when it can again.
    fn tell_sight(&mut self) {
        if std::mem::replace(&mut self.was_watching, self.is_watching) == self.is_watching {
            return;
        }
        if !self.is_watching && !std::mem::replace(&mut self.was_blind, true) {
            self.sidecar.count_unwatched();
        }
        self.inputs.push_back(match self.is_watching {
            true => Input::EngineBack,
            false => Input::EngineLost,
        });
    }

    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Asked(id, Ok(sight)) => {
                let is_silent = sight.sign == Sign::Silent;
                self.sighted(id, sight);
                if is_silent {
                    self.inputs.push_back(Input::Leg(id, LegEvent::Silent));
                }
            }
            Done::Looked(id, Ok(sight)) => self.sighted(id, sight),
            // 404: it has just ended. Anything else: a leg that cannot be asked could not be ended either.
            Done::Asked(id, Err(error)) | Done::Looked(id, Err(error)) => {
                debug!(leg = %id, %error, "the leg could not be asked")
            }
            Done::Answer(id, reply) => self.tell_answer(id, reply),
            Done::LetGo(id, None, evidence) => self.inputs.push_back(Input::Leg(id, LegEvent::Ended(evidence))),
            Done::LetGo(id, Some(channel), _) => {
                if let Some(leg) = self.legs.get_mut(&id) {
                    let name = String::new();
                    leg.found.get_or_insert(FoundLeg { channel, name });
                }
                self.inputs.push_back(Input::Leg(id, LegEvent::Taken));
            }
            Done::Tidied => {}
        }
    }

    /// What a look has shown of the leg that was out when it began.
    fn sighted(&mut self, id: LegId, sight: Glance) {
        let Glance { leg: found, sign } = sight;
        let is_of_before = |leg: &FoundLeg| self.ended.contains(&leg.name);
        let leg = self.legs.get_mut(&id).filter(|_| self.dialing == Some(id));
        let (Some(leg), false) = (leg, found.as_ref().is_some_and(is_of_before)) else {
            return;
        };
        leg.found = found.or_else(|| leg.found.take());
        let event = match sign {
            Sign::Answered(_) if leg.abandoned.is_some() => return self.is_answered_late(),
            Sign::Answered(reply) => {
                self.stop_watching();
                return self.tell_answer(id, reply);
            }
            // Without a channel they are what an earlier leg has left: Dial() has not begun. IAX2 tells of no channel.
            Sign::Media | Sign::Ringing if leg.found.is_none() && leg.spec.technology != Technology::Iax2 => return,
            Sign::Media => LegEvent::Media(None),
            Sign::Ringing => LegEvent::Ringing(None),
            Sign::Trying(reply) => LegEvent::Trying(Some(reply)),
            Sign::Silent => return,
        };
        self.inputs.push_back(Input::Leg(id, event));
    }
}
