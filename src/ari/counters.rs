//! What one connection has counted since the start.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{DecodeError, Event};

/// Counters that only grow; readable at any time.
#[derive(Debug, Default)]
pub struct Counters {
    delivered: AtomicU64,
    ignored: AtomicU64,
    overruns: AtomicU64,
    connections: AtomicU64,
    decode_errors: [AtomicU64; Event::KINDS.len()],
    unreadable: AtomicU64,
}

impl Counters {
    /// Events handed to the reader.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Relaxed)
    }

    /// Events of types that are not decoded.
    pub fn ignored(&self) -> u64 {
        self.ignored.load(Relaxed)
    }

    /// Connections given up because the reader was too far behind.
    pub fn overruns(&self) -> u64 {
        self.overruns.load(Relaxed)
    }

    /// Connections made.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    /// Events that did not decode, by type. The last entry, with an empty type, counts messages without a readable type.
    pub fn decode_errors(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let unreadable = std::iter::once(("", &self.unreadable));
        Event::KINDS
            .into_iter()
            .zip(&self.decode_errors)
            .chain(unreadable)
            .map(|(kind, count)| (kind, count.load(Relaxed)))
    }

    pub(super) fn add_delivered(&self) {
        self.delivered.fetch_add(1, Relaxed);
    }

    pub(super) fn add_ignored(&self) {
        self.ignored.fetch_add(1, Relaxed);
    }

    pub(super) fn add_overrun(&self) {
        self.overruns.fetch_add(1, Relaxed);
    }

    pub(super) fn add_connection(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// Counts a decode error and returns how many of its type there are now.
    pub(super) fn add_decode_error(&self, error: &DecodeError) -> u64 {
        let index = Event::KINDS.iter().position(|kind| *kind == error.kind);
        let counter = index
            .and_then(|index| self.decode_errors.get(index))
            .unwrap_or(&self.unreadable);
        counter.fetch_add(1, Relaxed) + 1
    }
}
