//! `--soak`: every way in which a call can end, over and over, with both engines.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::error::LabError;
use crate::support::rig::daemon::Program;
use crate::support::rig::soak::{self, Pace};
use crate::support::rig::{Engine, Rig};
use crate::support::roots::{AsteriskVersion, progress_on_stderr};

/// What a busy dialer places.
const CALLS_PER_SECOND: u32 = 20;

/// Runs it and prints what came out; whether everything holds.
pub async fn run(version: AsteriskVersion, lasts: Duration, json: bool) -> Result<bool, LabError> {
    // Calls choose their engine themselves.
    let mut rig = Rig::start(version, Engine::Stasis, Program::itself()?, progress_on_stderr).await?;
    let progress = |line: String| eprintln!("{line}");
    let outcome = soak::run(&mut rig, lasts, Pace::PerSecond(CALLS_PER_SECOND), progress).await?;
    if json {
        let mut object = outcome.json();
        object["asterisk"] = Value::String(version.to_string());
        object["soak_s"] = json!(lasts.as_secs());
        println!("{object}");
    }
    let text = outcome.text();
    match json {
        true => eprintln!("{text}"),
        false => println!("{text}"),
    }
    for broken in &outcome.broken {
        eprintln!("bench: {broken}");
    }
    Ok(outcome.broken.is_empty())
}
