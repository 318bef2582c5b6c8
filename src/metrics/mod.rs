//! Metrics: numbers for machines that watch, in OpenMetrics text on a local port.
//!
//! It owns the names, the counts and the listener. It must not know who counts or where the numbers come from: rooms that see
//! something happen get a [`Metrics`] handed down, and what is looked at rather than counted is brought up to date by the
//! [`Refresh`] that the daemon gives. There is no global registry.

mod book;
mod names;
mod server;

pub use book::Metrics;
pub use server::{Refresh, keep_open, serve};
