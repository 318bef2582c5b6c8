//! 100,000 calls through the machine of one call, with everything that can go wrong, judged by an independent oracle.
//!
//! Deterministic: the clock is a number, every call has its own seed. A broken rule names the call; that call alone is told
//! event by event with `CRANKBACK_SIMULATION_CALL=<number> cargo test --test simulation`.
//!
//! | file | idea |
//! |---|---|
//! | `draws.rs` | random numbers from a seed |
//! | `setup.rs` | a call with a random plan, policies and limits |
//! | `world.rs` | carriers, engine, timers and caller: what they do next, and when |
//! | `oracle.rs` | the rules that stand above every table, written a second time: what is known of a call |
//! | `oracle/commands.rs`, `oracle/inputs.rs` | which command may be given, and what each input demands |
//! | `tally.rs` | how often each rule had something to forbid or to demand |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

#[path = "simulation/draws.rs"]
mod draws;
#[path = "simulation/oracle.rs"]
mod oracle;
#[path = "simulation/setup.rs"]
mod setup;
#[path = "simulation/tally.rs"]
mod tally;
#[path = "simulation/world.rs"]
mod world;

use std::io::Write as _;
use std::time::{Duration, Instant};

use setup::Policies;
use tally::Tally;

const CALLS: u64 = 100_000;
const THREADS: u64 = 2;
/// Each rule must have been put to the test at least so often.
const LEAST: u64 = 150;
/// A second or two on a machine that has nothing else to do.
const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn a_hundred_thousand_calls_keep_the_rules() {
    if let Ok(number) = std::env::var("CRANKBACK_SIMULATION_CALL") {
        let number = number
            .parse()
            .expect("CRANKBACK_SIMULATION_CALL is the number of a call");
        return tell(number);
    }
    let began = Instant::now();
    let tallies = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| scope.spawn(move || play((worker..CALLS).step_by(THREADS as usize))))
            .collect();
        let results = workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker panicked"));
        results.collect::<Vec<_>>()
    });
    let mut total = Tally::default();
    for tally in tallies {
        match tally {
            Ok(tally) => total.add(&tally),
            Err((number, why)) => {
                tell(number);
                panic!("call {number}: {why}");
            }
        }
    }
    let took = began.elapsed();
    let _ = writeln!(std::io::stderr(), "{CALLS} calls in {took:.1?}\n{total}");
    let rare = total.rarer_than(LEAST);
    assert!(rare.is_empty(), "put to the test less than {LEAST} times: {rare:?}");
    assert!(took < LIMIT, "the simulation took {took:?}");
}

fn play(calls: impl Iterator<Item = u64>) -> Result<Tally, (u64, String)> {
    let policies = Policies::new();
    let origin = Instant::now();
    let mut tally = Tally::default();
    for number in calls {
        world::play(number, origin, &policies, &mut tally, &mut |_| {}).map_err(|why| (number, why))?;
    }
    Ok(tally)
}

/// One call, event by event.
fn tell(number: u64) {
    let mut story = String::new();
    let mut listener = |line: &dyn Fn() -> String| story.push_str(&format!("{}\n", line()));
    let result = world::play(
        number,
        Instant::now(),
        &Policies::new(),
        &mut Tally::default(),
        &mut listener,
    );
    let _ = writeln!(std::io::stderr(), "call {number}:\n{story}{result:?}");
}
