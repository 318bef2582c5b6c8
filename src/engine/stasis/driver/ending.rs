//! A leg comes to its end: given up, hung up, or taken by the dialer.

use std::time::{Duration, Instant};

use crate::call::{Input, LegEvent, LegId};
use crate::verdict::AbandonReason;

use super::super::execute;
use super::super::leg::Phase;
use super::{Done, StasisDriver};

/// How long the `h` of a caller that hung up may take to hang its leg up, before that is done here.
const LEFT_TO_H: Duration = Duration::from_millis(300);

impl StasisDriver {
    pub(super) fn abandon(&mut self, id: LegId, reason: AbandonReason) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.abandoned = Some(reason);
        match leg.phase {
            // The request is on its way: what comes back is hung up.
            Phase::Asked | Phase::Gone => {}
            Phase::Out => self.hang_up(id),
            Phase::Up if reason == AbandonReason::LateAnswer => self.hang_up(id),
            Phase::Up if self.h_ends_leg => self.left_to_h = Some((id, Instant::now() + LEFT_TO_H)),
            Phase::Up => self.end(id),
        }
    }

    /// The `h` that was to hang a leg up has had its time.
    pub(super) fn h_is_late(&mut self) {
        if let Some((id, _)) = self.left_to_h.take() {
            self.end(id);
        }
    }

    /// Ends an answered leg. It may have been redirected away in this instant, and then it is a customer.
    fn end(&self, id: LegId) {
        let Some(leg) = self.legs.get(&id).filter(|leg| leg.phase == Phase::Up) else {
            return;
        };
        let (ari, channel, home) = (self.tools.ari.clone(), leg.channel.clone(), leg.context.clone());
        self.beside(async move {
            match execute::end_unless_taken(&ari, &channel, &home).await {
                true => Done::LegTaken(id),
                false => Done::Tidied,
            }
        });
    }

    pub(super) fn hang_up(&self, id: LegId) {
        let Some(leg) = self.legs.get(&id) else { return };
        let (ari, channel) = (self.tools.ari.clone(), leg.channel.clone());
        self.beside(async move {
            execute::hang_up(&ari, &channel).await;
            Done::Tidied
        });
    }

    /// Nothing of a leg is left for us.
    pub(super) fn leg_gone(&mut self, id: LegId, event: LegEvent) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.phase == Phase::Gone {
            return;
        }
        leg.phase = Phase::Gone;
        let channel = leg.channel.clone();
        self.unregister(&channel);
        if matches!(event, LegEvent::Taken) {
            let ari = self.tools.ari.clone();
            self.beside(async move {
                execute::stop_watching(&ari, &channel).await;
                Done::Tidied
            });
        }
        self.inputs.push_back(Input::Leg(id, event));
    }
}
