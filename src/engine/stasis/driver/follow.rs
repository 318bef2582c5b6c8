//! A dialer that has to know a call's legs is told of them, beside the call: only the caller's answer ever waits for it.

use std::sync::Arc;

use crate::call::LegId;
use crate::engine::PlacedLeg;

use super::super::execute;
use super::{Done, StasisDriver};

impl StasisDriver {
    /// Tells a dialer that has to know it of a leg that is on its way.
    pub(super) fn tell_of_start(&self, id: LegId) {
        if let Some(leg) = self.leg_to_follow(id) {
            let contract = Arc::clone(&self.tools.contract);
            self.beside(async move {
                contract.leg_started(leg.await);
                Done::Tidied
            });
        }
    }

    /// Lets a dialer that has to know of an answered leg take it in.
    pub(super) fn before_answer(&self, id: LegId) -> impl Future<Output = ()> + Send + 'static {
        let leg = self.leg_to_follow(id);
        let contract = Arc::clone(&self.tools.contract);
        async move {
            if let Some(leg) = leg {
                contract.before_answer(leg.await).await;
            }
        }
    }

    /// What a dialer that follows this caller's legs has to know of one; Asterisk is asked for it once a call.
    fn leg_to_follow(&self, id: LegId) -> Option<impl Future<Output = PlacedLeg> + Send + 'static> {
        let leg = self.legs.get(&id)?;
        if !self.tools.contract.follows_legs(&self.caller) {
            return None;
        }
        let (channel_id, channel_name) = (leg.channel.clone(), leg.name.clone());
        let (ari, caller) = (self.tools.ari.clone(), self.caller.of_leg());
        let linked_id = Arc::clone(&self.linked_id);
        Some(async move {
            let linked_id = linked_id
                .get_or_init(|| execute::linked_id(&ari, &caller.channel_id))
                .await
                .clone();
            PlacedLeg {
                caller,
                leg: id,
                channel_id,
                channel_name,
                linked_id,
            }
        })
    }
}
