//! Engines: they carry calls out on Asterisk.
//!
//! The runner drives one call: it feeds the call's state machine and carries its commands to a driver. A driver knows one
//! way of placing legs: `stasis` does it over ARI, `agi` lets `Dial()` do it and watches. This room owns tasks, timers, permits and channels. It must not decide
//! which carrier is next or what a failure means.

pub mod agi;
mod counters;
mod door;
mod live;
mod port;
mod runner;
pub mod stasis;

pub use counters::EngineCounters;
pub use door::{Door, Permit};
pub use live::{LiveCall, LiveReporter, LiveState, LiveView};
pub use port::{AttemptLog, AttemptRecord, CallIdentity, CallPolicy, CallerEntry, DialerContract, Driver, PlacedLeg};
pub use runner::{CallRunner, RunnerEnd, RunnerShared, TakenLeg, now, repeat_pause};
