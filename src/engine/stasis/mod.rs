//! The Stasis engine: callers enter our ARI application, sit alone in a mixing bridge, and legs join it on answer.
//!
//! [`dispatcher`] owns which channel belongs to which call ([`registry`]); [`driver`] holds one call's channels and turns
//! intents into requests ([`execute`]) and events into what the call understands ([`translate`]); [`reconcile`] finds what a
//! lost connection or an earlier process left behind.
//!
//! Beside the engine, [`test_call`] places one call through one carrier.
//!
//! How legs are placed (docs/decisions/0002-how-legs-are-placed.md): by originate with the caller as originator, and by
//! create and dial inside the caller's bridge where a caller that is already up shall hear early media.

mod dispatcher;
mod driver;
mod execute;
mod lane;
mod leg;
mod reconcile;
mod registry;
mod test_call;
mod translate;

pub use dispatcher::{Dispatcher, Shared};
pub use test_call::{Rung, TestCall, TestCallError, TestEnd, TestedCall, place as place_test_call};
