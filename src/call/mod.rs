//! The state machine of one call: inputs in, commands out.
//!
//! It owns the order of attempts, the timers' meaning, the one decision per leg and the last word to the dialer. It must
//! not know channels, bridges, ARI, AGI, sockets, tables or the clock: commands are intents, and time comes in as [`Now`].

mod attempt;
mod command;
mod input;
mod machine;
mod repair;
mod spec;
#[cfg(test)]
mod tests;

pub use crate::moment::Now;
pub use attempt::Attempt;
pub use command::{Command, Indication, LegSpec};
pub use input::{AdmissionRefusal, Input, LegEvent, LegId, Timer};
pub use machine::{Call, ResumedLeg, ResumedStage};
pub use repair::Repair;
pub use spec::{CallSpec, TimeLimit};
