//! The pure rooms by themselves: `cargo bench`, or with part of a name.
//!
//! After divan's figures comes the one that is aimed at: a route decision among 100,000 routes, the slowest of a hundred over many
//! different calls. Above 10 µs the program ends with 1.
//!
//! | file | what is measured |
//! |---|---|
//! | `routes.rs` | a route decision, building and swapping a table |
//! | `events.rs` | reading one event of Asterisk's, of each kind that was recorded |
//! | `calls.rs` | one call through its state machine, one verdict |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls;
mod events;
mod routes;

use std::process::ExitCode;
use std::time::Duration;

/// What a route decision may take, the slowest of a hundred.
const AIM: Duration = Duration::from_micros(10);

fn main() -> ExitCode {
    divan::main();
    // Whoever names a benchmark wants that one only; `cargo bench` itself adds `--bench`.
    if std::env::args().skip(1).any(|argument| argument != "--bench") {
        return ExitCode::SUCCESS;
    }
    let decisions = routes::Decisions::take();
    println!("\n{decisions}; aimed at: p99 below {AIM:?}");
    match decisions.p99 < AIM {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
