//! Routing: which carriers a call may use, in which order, and why each is in or out.
//!
//! Owns the plan of a call and the immutable route table it comes from; health says which of its carriers are fit. It must not know channels, sockets, tables of a
//! database or the clock: a table is built from values and asked with values.

mod dial_prefixes;
mod fitness;
#[cfg(test)]
mod fixtures;
mod index;
mod number;
mod number_key;
mod plan;
mod planner;
mod prefix;
mod proof;
mod route;
mod schedule;
mod table;

pub use fitness::Fitness;
pub use number::NumberError;
pub use plan::{CallRequest, Candidate, Plan, Rejection, Stage};
pub use prefix::Prefix;
pub use proof::{EntryProof, Proof};
pub use route::{NumberMatch, NumberMatchError, Route};
pub use schedule::{Schedule, ScheduleError};
pub use table::{DEFAULT_ATTEMPT_LIMIT, RouteTable};
