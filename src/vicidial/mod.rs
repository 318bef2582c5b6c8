//! VICIdial: its carrier table read into carriers, the one line of a carrier's dialplan that hands calls to us, and what it
//! expects of whoever replaces its `Dial()`.
//!
//! Owns what VICIdial means by its columns. It must not know routes, calls or channels.

pub mod admin;
pub mod carrier_problem;
pub mod carriers;
pub mod contract;
pub mod dial_line;
pub mod edits;
pub mod new_carrier;
pub mod recent_channels;
pub mod sip_server;
