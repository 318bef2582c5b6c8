//! Legs that the dialer has taken: nobody's call any more, but channels of their carriers until they end.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::engine::{Permit, TakenLeg};

/// A list of channels may be older than what was taken meanwhile.
const LIST_AGE: Duration = Duration::from_secs(5);

/// The places that taken legs keep at their carriers, by channel.
#[derive(Debug, Default)]
pub(super) struct Customers {
    places: HashMap<String, (Permit, Instant)>,
}

impl Customers {
    pub(super) fn add(&mut self, leg: TakenLeg, now: Instant) {
        self.places.insert(leg.channel_id, (leg.permit, now));
    }

    /// The channel is gone.
    pub(super) fn ended(&mut self, channel: &str) {
        self.places.remove(channel);
    }

    /// Forgets those that are not among Asterisk's channels: their end was not seen.
    pub(super) fn keep(&mut self, alive: &HashSet<&str>, now: Instant) {
        let is_younger = |since: Instant| now.saturating_duration_since(since) < LIST_AGE;
        self.places
            .retain(|channel, (_, since)| alive.contains(channel.as_str()) || is_younger(*since));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::AttemptKind;
    use crate::carrier::CarrierId;
    use crate::engine::Door;

    #[tokio::test]
    async fn a_customer_keeps_its_place_until_its_channel_is_gone() {
        let (door, carrier) = (Door::open(), CarrierId::from("A"));
        let mut customers = Customers::default();
        let now = Instant::now();
        for channel in ["1.1", "1.2", "1.3"] {
            let permit = door.admit(&carrier, AttemptKind::First).await.expect("there is room");
            let channel_id = channel.to_owned();
            customers.add(TakenLeg { channel_id, permit }, now);
        }
        assert_eq!(door.legs_out().await, 3);
        customers.ended("1.1");
        customers.ended("9.9");
        assert_eq!(door.legs_out().await, 2);
        customers.keep(&HashSet::from(["1.2"]), now);
        assert_eq!(door.legs_out().await, 2, "the list may be older than the leg");
        customers.keep(&HashSet::from(["1.2"]), now + LIST_AGE);
        assert_eq!(door.legs_out().await, 1);
    }
}
