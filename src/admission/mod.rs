//! Admission: one door for every leg, first attempts and retries alike.
//!
//! It owns the books of what is out through each carrier and answers whether one more leg may go: the carrier's channels, its
//! calls per second, and, where it has no limits of its own, a retry budget that keeps a backup from being flooded. It must
//! not know calls, channels, tasks or the clock: time is an argument.
//!
//! | file | one idea |
//! |---|---|
//! | `ledger.rs` | the books and the one question |
//! | `limits.rs` | what a carrier allows, and this dialer's part of it |
//! | `pace.rs` | calls per second |
//! | `budget.rs` | retries per backup |

mod budget;
mod ledger;
mod limits;
mod pace;
#[cfg(test)]
mod tests;

pub use ledger::{AttemptKind, CarrierBooks, Ledger, Ticket};
pub use limits::{CarrierLimits, share_of_limit};
