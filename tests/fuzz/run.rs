//! One target for a while, and what it complains of.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::mutation::{Draws, LONGEST_INPUT_BYTES, mutate};
use crate::targets::{Reading, Target};

/// How much of a processor's time one input may take, in a build without optimisation.
const LONGEST_TIME: Duration = Duration::from_millis(200);
/// A slow input is tried so often: the machine may have been busy elsewhere.
const TRIES: usize = 5;
/// Inputs of sense that are kept for further mutation.
const KEPT: usize = 256;

/// What a run came to.
pub struct Stats {
    inputs: u64,
    understood: u64,
    longest: usize,
    slowest: Duration,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            inputs,
            understood,
            longest,
            slowest,
        } = self;
        write!(
            f,
            "{inputs} inputs, {understood} of sense, the longest {longest} bytes, the slowest {slowest:.1?}"
        )
    }
}

/// Runs a target; what it complained of, with what is needed to see it again.
pub fn run(target: &Target, seed: u64, time: Duration) -> Result<Stats, String> {
    let seeds = seeds(target)?;
    let mut pool = Vec::new();
    let mut draws = Draws::new(seed);
    let mut stats = Stats {
        inputs: 0,
        understood: 0,
        longest: 0,
        slowest: Duration::ZERO,
    };
    let began = Instant::now();
    while stats.inputs < seeds.len() as u64 || began.elapsed() < time {
        let input = match seeds.get(usize::try_from(stats.inputs).unwrap_or(usize::MAX)) {
            Some(seed) => seed.clone(),
            None => {
                let any = |draws: &mut Draws| {
                    let at = draws.below(seeds.len() + pool.len());
                    seeds
                        .get(at)
                        .or_else(|| pool.get(at - seeds.len()))
                        .cloned()
                        .unwrap_or_default()
                };
                let (one, other) = (any(&mut draws), any(&mut draws));
                mutate(&one, &other, target.words, target.longest, &mut draws)
            }
        };
        let failed = |why: &str| {
            format!(
                "{}: {why}\n  CRANKBACK_FUZZ_SEED={seed}, input {}:\n  b\"{}\"",
                target.name,
                stats.inputs,
                shortened(&input.escape_ascii().to_string())
            )
        };
        let (reading, took) = read(target, &input).map_err(|why| failed(&why))?;
        if took > LONGEST_TIME {
            let again = (1..TRIES).map(|_| processor_time(|| read(target, &input).is_ok()));
            let fastest = again.fold(took, Duration::min);
            if fastest > LONGEST_TIME {
                return Err(failed(&format!("{} bytes took {fastest:?}", input.len())));
            }
        } else {
            stats.slowest = stats.slowest.max(took);
        }
        stats.inputs += 1;
        stats.longest = stats.longest.max(input.len());
        if reading == Reading::Sense {
            stats.understood += 1;
            let place = draws.below(KEPT);
            if input.len() < LONGEST_INPUT_BYTES / 16 {
                match pool.get_mut(place) {
                    Some(kept) => *kept = input,
                    None => pool.push(input),
                }
            }
        }
    }
    let makes_a_difference = stats.understood > 0 && stats.understood < stats.inputs;
    if makes_a_difference {
        Ok(stats)
    } else {
        Err(format!("{}: all inputs or none made sense: {stats}", target.name))
    }
}

/// A long input is shown from both its ends; seed and number give all of it again.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 4_000;
    match (text.get(..SHOWN), text.get(text.len().saturating_sub(SHOWN)..)) {
        (Some(start), Some(end)) if text.len() > 2 * SHOWN => format!("{start} [...] {end}"),
        _ => text.to_owned(),
    }
}

fn read(target: &Target, input: &[u8]) -> Result<(Reading, Duration), String> {
    let began = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| (target.read)(input)));
    let took = began.elapsed();
    match result {
        Ok(Ok(reading)) => Ok((reading, took)),
        Ok(Err(why)) => Err(why),
        Err(_) => Err("panicked".to_owned()),
    }
}

/// What this thread used of a processor meanwhile; other threads and programs do not count.
fn processor_time(work: impl FnOnce() -> bool) -> Duration {
    let used = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
    };
    let (began, before) = (Instant::now(), used());
    work();
    match (before, used()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        (None, _) | (_, None) => began.elapsed(),
    }
}

fn seeds(target: &Target) -> Result<Vec<Vec<u8>>, String> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/seeds")
        .join(target.name);
    let told = |error: std::io::Error| format!("{}: {error}", directory.display());
    let entries: Result<Vec<_>, _> = std::fs::read_dir(&directory).map_err(told)?.collect();
    let mut paths: Vec<PathBuf> = entries.map_err(told)?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    let read: Result<Vec<_>, _> = paths.iter().map(std::fs::read).collect();
    match read.map_err(told)? {
        seeds if seeds.is_empty() => Err(format!("{}: no seeds", directory.display())),
        seeds => Ok(seeds),
    }
}
