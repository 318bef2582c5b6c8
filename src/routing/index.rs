//! The routes of one entry carrier, found by the number without looking at all of them.

use std::collections::HashMap;

use super::route::NumberMatch;

/// Positions of routes, by the literal characters that their numbers start with.
#[derive(Debug, Default)]
pub(super) struct RouteIndex {
    by_prefix: HashMap<Box<str>, Vec<usize>>,
    /// The lengths of the prefixes in use, each once.
    prefix_lengths: Vec<usize>,
    all: Vec<usize>,
}

impl RouteIndex {
    pub(super) fn insert(&mut self, position: usize, number_match: &NumberMatch, enabled: bool) {
        self.all.push(position);
        if !enabled {
            return;
        }
        let prefix = number_match.literal_prefix();
        if !self.prefix_lengths.contains(&prefix.len()) {
            self.prefix_lengths.push(prefix.len());
        }
        self.by_prefix.entry(prefix.into()).or_default().push(position);
    }

    /// Every route, enabled or not, in the order of insertion.
    pub(super) fn all(&self) -> &[usize] {
        &self.all
    }

    /// The enabled routes that may match the number: all whose literal prefix fits, and perhaps some that do not match.
    pub(super) fn candidates<'a>(&'a self, number: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.prefix_lengths
            .iter()
            .filter_map(|length| self.by_prefix.get(number.get(..*length)?))
            .flatten()
            .copied()
    }
}
