//! A leg is asked for, and what comes of asking.

use std::time::Duration;

use tracing::{debug, info, warn};

use crate::ari::{self, Channel};
use crate::call::{Input, LegEvent, LegId};
use crate::carrier::Technology;
use crate::config::EarlyMedia;
use crate::engine::Recorded;

use super::super::execute;
use super::super::leg::Phase;
use super::super::translate;
use super::{Done, StasisDriver};

/// How often one leg is asked for when the request does not get through or its id is taken.
const PLACE_TRIES: u32 = 10;
const PLACE_AGAIN_AFTER: Duration = Duration::from_millis(200);

impl StasisDriver {
    pub(super) fn wants_early_media(&self, technology: Technology) -> bool {
        // chan_sip and chan_iax2 legs report some failures as frames, which would fail the caller inside a shared bridge.
        self.tools.early_media == EarlyMedia::Auto
            && self.caller.hears_before_answer()
            && technology == Technology::Pjsip
            && !self.caller.has_option('r')
            && self.tools.capabilities.create_variables
    }

    /// Asks Asterisk for the leg; on an id that is taken the same leg is asked for again under the next one.
    pub(super) fn place(&mut self, id: LegId, recorded: Recorded) {
        let Some(leg) = self.legs.get_mut(&id).filter(|_| !self.is_replaced) else {
            return;
        };
        leg.requests += 1;
        leg.channel = self.tools.contract.leg_identity(&self.caller);
        let (channel, placement, spec) = (leg.channel.clone(), leg.placement, leg.spec.clone());
        self.register(&channel);
        let (ari, caller) = (self.tools.ari.clone(), self.caller.clone());
        self.beside(async move {
            recorded.wait().await;
            let result = execute::place(&ari, &caller, &channel, &spec, placement).await;
            Done::Placed(id, Box::new(result))
        });
    }

    pub(super) fn placed(&mut self, id: LegId, result: Result<Channel, ari::Error>) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match result {
            Ok(channel) => {
                if leg.phase == Phase::Asked {
                    leg.phase = Phase::Out;
                    leg.see(&channel);
                }
                if leg.abandoned.is_some() {
                    self.hang_up(id);
                } else {
                    self.tell_of_start(id);
                }
                self.inputs.push_back(Input::Leg(id, LegEvent::Started));
            }
            Err(error) if error.status() == Some(409) && leg.requests < PLACE_TRIES && leg.abandoned.is_none() => {
                let taken = leg.channel.clone();
                warn!(leg = taken, "channel id is taken, taking the next");
                self.unregister(&taken);
                self.place(id, Recorded::default());
            }
            Err(error @ ari::Error::NotSent { .. }) if leg.requests < PLACE_TRIES && leg.abandoned.is_none() => {
                debug!(leg = %id, %error, "asking again");
                self.beside(async move {
                    tokio::time::sleep(PLACE_AGAIN_AFTER).await;
                    Done::PlaceAgain(id)
                });
            }
            Err(error @ ari::Error::OutcomeUnknown { .. }) => {
                warn!(leg = %id, %error, "finding out whether the leg was created");
                let (ari, channel) = (self.tools.ari.clone(), leg.channel.clone());
                self.beside(async move {
                    match execute::find_out(&ari, &channel).await {
                        Some(channel) => Done::LegSeen(id, Box::new(channel)),
                        None => Done::LegMissing(id),
                    }
                });
            }
            Err(error) => {
                info!(carrier = %leg.spec.carrier, %error, "leg not created");
                let evidence = translate::refused(leg.spec.technology, leg.started);
                self.leg_gone(id, LegEvent::Ended(evidence));
            }
        }
    }
}
