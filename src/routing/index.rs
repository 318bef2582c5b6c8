//! The routes of one entry carrier, found by the number without looking at all of them.

use super::number_key::NumberKey;
use super::route::NumberMatch;

/// Positions of enabled routes, by what their numbers start with. Twelve bytes a route, with what pads them sixteen.
#[derive(Debug, Default)]
pub(super) struct RouteIndex {
    /// In order once [`RouteIndex::finish`] is done.
    positions: Vec<(NumberKey, u32)>,
    /// The lengths of the keys in use, each once.
    key_lengths: Vec<u32>,
}

impl RouteIndex {
    /// Takes a route in; it is found after [`RouteIndex::finish`].
    pub(super) fn insert(&mut self, position: u32, number_match: &NumberMatch) {
        let key = number_match.key();
        if !self.key_lengths.contains(&key.length()) {
            self.key_lengths.push(key.length());
        }
        self.positions.push((key, position));
    }

    /// Puts the routes in order, and gives back what memory is not needed.
    pub(super) fn finish(&mut self) {
        self.positions.sort_unstable();
        self.positions.shrink_to_fit();
    }

    /// The routes that may match the number: all whose literal prefix fits, and perhaps some that do not match.
    pub(super) fn candidates(&self, number: &str) -> impl Iterator<Item = u32> {
        let number = NumberKey::of(number);
        let lengths = self
            .key_lengths
            .iter()
            .filter(move |length| **length <= number.length());
        lengths.flat_map(move |length| {
            let key = number.first(*length);
            let from = self.positions.partition_point(|(other, _)| *other < key);
            let fitting = self
                .positions
                .iter()
                .skip(from)
                .take_while(move |(other, _)| *other == key);
            fitting.map(|(_, position)| *position)
        })
    }
}
