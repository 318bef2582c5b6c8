//! Whatever comes from outside is read without a panic, in bounded time, and what is written reads back equal.
//!
//! Every target runs in a thread of its own for `CRANKBACK_FUZZ_SECONDS` (60). Inputs are mutations of the seeds under
//! `tests/fuzz/seeds/<target>/`, deterministic from `CRANKBACK_FUZZ_SEED` (1). Every seed is tried as it is first: an input
//! that broke a target belongs there once the fault is mended.
//!
//! | file | idea |
//! |---|---|
//! | `mutation.rs` | new inputs from old ones |
//! | `probe.rs` | the way to the parser of SIP responses |
//! | `run.rs` | one target for a while, and what it complains of |
//! | `targets.rs` | what is read, and what must hold |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "fuzz/mutation.rs"]
mod mutation;
#[path = "fuzz/probe.rs"]
mod probe;
#[path = "fuzz/run.rs"]
mod run;
#[path = "fuzz/targets.rs"]
mod targets;

use std::io::Write as _;
use std::time::Duration;

// The files of `src/probe/` name them from the root of their crate.
use crankback::{asterisk_conf, carrier};

fn number_from(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|error| panic!("{variable}={text}: {error}")),
        Err(_) => default,
    }
}

#[test]
fn whatever_comes_in_is_read() {
    let time = Duration::from_secs(number_from("CRANKBACK_FUZZ_SECONDS", 60));
    let seed = number_from("CRANKBACK_FUZZ_SEED", 1);
    let results: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = targets::ALL
            .iter()
            .map(|target| (target, scope.spawn(move || run::run(target, seed, time))))
            .collect();
        runs.into_iter().map(|(target, run)| (target, run.join())).collect()
    });
    let mut failures = Vec::new();
    for (target, result) in results {
        let line = match result {
            Ok(Ok(stats)) => format!("{:<14} {stats}", target.name),
            Ok(Err(failure)) => {
                failures.push(failure.clone());
                failure
            }
            Err(_) => {
                failures.push(target.name.to_owned());
                format!("{}: the target's thread panicked", target.name)
            }
        };
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
