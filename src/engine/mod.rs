//! Engines: they carry calls out on Asterisk.
//!
//! The runner drives one call: it feeds the call's state machine and carries its commands to a driver. A driver knows one
//! way of placing legs: `stasis` does it over ARI, `agi` lets `Dial()` do it and watches. Which of them a call goes to is said
//! by the dialplan, which is told by [`EngineChoice`]. This room owns tasks, timers, permits and channels. It must not decide
//! which carrier is next or what a failure means.

pub mod agi;
mod calls;
mod choice;
mod counters;
mod door;
mod health_desk;
mod live;
mod port;
mod recorded;
mod runner;
pub mod stasis;

pub use calls::Calls;
pub use choice::EngineChoice;
pub use counters::EngineCounters;
pub use door::{Door, Permit};
pub use health_desk::{HealthDesk, WatchedLeg};
pub use live::{LiveCall, LiveReporter, LiveState, LiveView};
pub use port::{
    AttemptLog, AttemptRecord, CallIdentity, CallPolicy, CallerEntry, DialerContract, Driver, LegCaller, PlacedLeg,
};
pub use recorded::Recorded;
pub use runner::{CallRunner, RunnerEnd, RunnerShared, TakenLeg, now, repeat_pause};
