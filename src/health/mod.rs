//! Health: which carriers are fit to take a call, known before a call is wasted on them.
//!
//! It owns, for each carrier, the state machine over the evidence of calls (a breaker with shedding and trial calls, a
//! throttle for our own limits, a detector for faults of our configuration) and of probes (witnesses with hysteresis), the
//! operator's word beside it, and the choice among carriers that follows. It must not know sockets, tasks, tables or the
//! clock: probes are reported to it, time is an argument, chance is a draw that the caller makes.
//!
//! | file | one idea |
//! |---|---|
//! | `settings.rs` | the numbers, each with its reason |
//! | `state.rs` | the states, the evidence behind them, the timeline |
//! | `operator.rs` | the operator's word, which automation never writes |
//! | `operator_book.rs` | the words of all carriers, and what of them changes |
//! | `outcome.rs` | what the end of a leg says of its carrier |
//! | `window.rs`, `legs.rs` | samples of the last seconds; legs that are out and silent |
//! | `breaker.rs` | closed, open, half open; shedding, back-off |
//! | `throttle.rs`, `faults.rs` | our own limit at the carrier; faults of our configuration |
//! | `witness.rs` | probes |
//! | `carrier_health.rs`, `board.rs` | one carrier, all carriers |
//! | `choice.rs`, `hash.rs` | who takes the call, and why; stable draws |
//! | `figures.rs` | ASR, ACD, PDD: for people, no state follows from them |
//! | `snapshot.rs` | what survives a restart |
//!
//! Calls outrank probes in both directions: good probes do not keep the breaker closed, and a good call outweighs a witness
//! that calls the carrier down. A limit that the carrier tells us throttles and never opens the breaker. When all carriers of
//! a call are down, the least bad is used.

mod board;
mod breaker;
mod carrier_health;
mod choice;
mod faults;
mod figures;
mod hash;
mod legs;
mod operator;
mod operator_book;
mod outcome;
mod settings;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod throttle;
mod window;
mod witness;

pub use board::{CarrierReport, HealthBoard};
pub use choice::{Class, Contender, HealthView, Hint, LeftOut, Order, Place, order};
pub use figures::{FigureBook, Figures, LegAnswer};
pub use hash::draw_of;
pub use legs::LegKey;
pub use operator::{OperatorSetting, OperatorWord};
pub use operator_book::{OperatorBook, OperatorChange, OperatorWords};
pub use outcome::LegOutcome;
pub use settings::HealthSettings;
pub use snapshot::{Snapshot, SnapshotError};
pub use state::{Because, Change, State, Timeline};
pub use witness::{Report, Witness};
