//! What happens on Asterisk becomes inputs of the call: events, and after a lost connection what is found in their place.

use tracing::{info, warn};

use crate::ari::{Channel, ChannelState, Event};
use crate::call::{Input, LegEvent, LegId};
use crate::engine::Driver;
use crate::verdict::{Progress, SipReply};

use super::super::execute;
use super::super::leg::{Leg, Phase, Placement};
use super::super::reconcile::STASIS;
use super::super::translate;
use super::{Done, StasisDriver};

impl StasisDriver {
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::StasisStart(start) => self.entered(&start.channel),
            Event::StasisEnd(end) if end.channel.id == self.caller.channel_id => self.caller_gone(),
            Event::StasisEnd(end) => self.left(&end.channel),
            Event::Dial(dial) => match &dial.forward {
                Some(target) => self.redirected(&dial.peer, target, dial.forwarded.as_deref()),
                None => self.dial(&dial.peer, &dial.dialstatus),
            },
            Event::ChannelHangupRequest(request) if request.channel.id == self.caller.channel_id => {
                self.h_ends_leg = self.is_connected;
                self.caller_gone();
            }
            Event::ChannelHangupRequest(request) => {
                if let Some((_, leg)) = self.leg_of(&request.channel) {
                    leg.hangup_requested = true;
                    leg.hangup_cause = translate::q850(request.cause).filter(|_| !request.soft);
                }
            }
            Event::ChannelDestroyed(destroyed) if destroyed.channel.id == self.caller.channel_id => self.caller_gone(),
            Event::ChannelDestroyed(destroyed) => {
                if let Some((id, leg)) = self.leg_of(&destroyed.channel) {
                    let mut evidence = translate::evidence(destroyed, leg.spec.technology, leg.progress, leg.started);
                    evidence.q850 = translate::cause_of_end(leg.hangup_cause, evidence.q850);
                    if leg.redirected {
                        // What is left in the channel is the cause of its being dropped for the new one.
                        evidence.q850 = None;
                    }
                    self.leg_gone(id, LegEvent::Ended(evidence));
                }
            }
            Event::ChannelStateChange(_)
            | Event::ChannelEnteredBridge(_)
            | Event::ChannelLeftBridge(_)
            | Event::BridgeDestroyed(_)
            | Event::DeviceStateChanged(_)
            | Event::ApplicationReplaced(_)
            | Event::Other { .. } => {}
        }
    }

    fn leg_of(&mut self, channel: &Channel) -> Option<(LegId, &mut Leg)> {
        let (id, leg) = self.legs.iter_mut().find(|(_, leg)| leg.channel == channel.id)?;
        leg.see(channel);
        Some((*id, leg))
    }

    /// A leg came under our control: an originated one is answered, a created one can be dialled now.
    fn entered(&mut self, channel: &Channel) {
        let Some((id, leg)) = self.leg_of(channel) else { return };
        match leg.placement {
            Placement::Originated => {
                leg.reach(Progress::Answered);
                let reply = leg.reply.clone();
                self.inputs.push_back(Input::Leg(id, LegEvent::Answered(reply)));
            }
            Placement::InBridge => {
                let timeout_seconds = u32::try_from(leg.spec.backstop.as_secs()).unwrap_or(u32::MAX);
                let (channel, capabilities) = (channel.id.clone(), self.tools.capabilities);
                self.on_caller(move |ari, caller| async move {
                    let caller = &caller.channel_id;
                    execute::dial_in_bridge(&ari, caller, &channel, timeout_seconds, &capabilities).await;
                });
            }
        }
    }

    /// A leg left our control without being hung up: the dialer redirected it away, it is a live customer.
    fn left(&mut self, channel: &Channel) {
        let left_to_h = self.left_to_h.map(|(id, _)| id);
        if let Some((id, leg)) = self.leg_of(channel)
            && leg.phase == Phase::Up
            && !leg.hangup_requested
            && (leg.abandoned.is_none() || left_to_h == Some(id))
        {
            info!(
                leg = channel.name,
                context = channel.dialplan.context,
                exten = channel.dialplan.exten,
                "leg taken"
            );
            self.leg_gone(id, LegEvent::Taken);
        }
    }

    /// A redirection is not followed. Where Asterisk has done so already, what it made is hung up; the leg ends by itself.
    fn redirected(&mut self, peer: &Channel, target: &str, followed: Option<&Channel>) {
        let Some((_, leg)) = self.leg_of(peer) else { return };
        if !std::mem::replace(&mut leg.redirected, true) {
            let carrier = &leg.spec.carrier;
            warn!(%carrier, leg = peer.name, target, "the carrier redirected the call; redirections are not followed");
        }
        if let Some(channel) = followed {
            warn!(channel = channel.name, "hanging up what Asterisk dialled for it");
            let (ari, channel) = (self.tools.ari.clone(), channel.id.clone());
            self.beside(async move {
                execute::hang_up(&ari, &channel).await;
                Done::Tidied
            });
        }
    }

    fn dial(&mut self, peer: &Channel, status: &str) {
        let Some((id, leg)) = self.leg_of(peer) else { return };
        let reply = leg.reply.clone();
        let event = match status {
            "RINGING" => {
                leg.reach(Progress::Ringing);
                LegEvent::Ringing(reply)
            }
            "PROGRESS" => {
                leg.reach(Progress::Media);
                LegEvent::Media(reply)
            }
            "ANSWER" if leg.placement == Placement::InBridge => {
                leg.reach(Progress::Answered);
                LegEvent::Answered(reply)
            }
            "BUSY" | "CONGESTION" | "CHANUNAVAIL" | "NOANSWER" => return self.refused(id, reply),
            // Everything else is settled by what follows: StasisStart or ChannelDestroyed. A chan_sip or IAX2 leg inside a
            // bridge would stay after BUSY or CONGESTION, but only PJSIP legs are placed there.
            _ => return,
        };
        self.inputs.push_back(Input::Leg(id, event));
    }

    /// An originated leg that a response has ended and whose cause is known: there is nothing to wait for. Asterisk takes another
    /// half a millisecond or two to destroy its channel.
    fn refused(&mut self, id: LegId, reply: Option<SipReply>) {
        let Some(leg) = self.legs.get(&id) else { return };
        let is_settled = leg.placement == Placement::Originated && leg.abandoned.is_none() && !leg.redirected;
        if is_settled
            && let Some(cause) = leg.hangup_cause
            && reply.as_ref().is_some_and(SipReply::is_refusal)
        {
            let evidence = translate::ended(reply, Some(cause), leg.spec.technology, leg.progress, leg.started);
            self.leg_gone(id, LegEvent::Ended(evidence));
        }
    }

    pub(super) fn caller_gone(&mut self) {
        if std::mem::replace(&mut self.caller_is_here, false) && !self.released {
            self.inputs.push_back(Input::CallerGone);
        }
    }

    /// After a lost connection: whoever is missing has left in between, and legs may have come further.
    pub(super) fn check(&self) {
        let (ari, caller) = (self.tools.ari.clone(), self.caller.channel_id.clone());
        self.beside(async move {
            match ari.channels().get(&caller).await {
                Err(error) if error.status() == Some(404) => Done::CallerMissing,
                Ok(_) | Err(_) => Done::Checked,
            }
        });
        let legs = self
            .legs
            .iter()
            .filter(|(_, leg)| matches!(leg.phase, Phase::Out | Phase::Up));
        for (&id, leg) in legs {
            let (ari, channel) = (self.tools.ari.clone(), leg.channel.clone());
            self.beside(async move {
                match ari.channels().get(&channel).await {
                    Ok(channel) => Done::LegSeen(id, Box::new(channel)),
                    Err(error) if error.status() == Some(404) => Done::LegMissing(id),
                    Err(_) => Done::Tidied,
                }
            });
        }
    }

    /// A leg as it is after a lost connection.
    pub(super) fn catch_up(&mut self, id: LegId, channel: &Channel) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.see(channel);
        if let Some(reason) = leg.abandoned {
            return self.abandon_leg(id, reason);
        }
        let reply = leg.reply.clone();
        let is_ours = channel.dialplan.app_name == STASIS;
        match (leg.phase, &channel.state) {
            (Phase::Up, _) if !is_ours => self.leg_gone(id, LegEvent::Taken),
            (Phase::Out, ChannelState::Up) if is_ours => {
                leg.reach(Progress::Answered);
                self.inputs.push_back(Input::Leg(id, LegEvent::Answered(reply)));
            }
            (Phase::Out, ChannelState::Ringing) => {
                leg.reach(Progress::Ringing);
                self.inputs.push_back(Input::Leg(id, LegEvent::Ringing(reply)));
            }
            (Phase::Asked | Phase::Out | Phase::Up | Phase::Gone, _) => {}
        }
    }
}
