//! The lab: real Asterisk, fake carriers, crankback on SQLite; calls as VICIdial places them; a ladder for each.
//!
//! `cargo run --release --example lab` runs every short case on Asterisk 22 and 16 and exits with 0 only if each came out
//! right.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

use clap::Parser;
use serde_json::Value;

use support::rig::daemon::{Program, arguments_unless_crankback};
use support::rig::report::Report;
use support::rig::scenarios::{ALL, Length, Scenario};
use support::rig::{Engine, Rig, own_runtime, run_cases};
use support::roots::AsteriskVersion;

/// Places calls through real Asterisk and fake carriers and shows what crankback makes of them.
#[derive(Parser)]
#[command(name = "lab")]
struct Arguments {
    /// Which Asterisk; both side by side when not given
    #[arg(long, value_enum)]
    asterisk: Option<AsteriskVersion>,
    /// Who places the legs
    #[arg(long, value_enum, default_value_t = Engine::Stasis)]
    engine: Engine,
    /// Only cases whose name contains this
    #[arg(long)]
    case: Option<String>,
    /// Also the cases that take minutes
    #[arg(long)]
    long: bool,
    /// Stay up afterwards, for calls of your own
    #[arg(long)]
    keep: bool,
    /// Print an array for machines on standard output; everything else goes to standard error
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = match arguments_unless_crankback() {
        Ok(arguments) => Arguments::parse_from(arguments),
        Err(ended) => return ended,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a tokio runtime");
    runtime.block_on(lab(&arguments))
}

async fn lab(arguments: &Arguments) -> ExitCode {
    let versions = match arguments.asterisk {
        Some(version) => vec![version],
        None => vec![AsteriskVersion::V22, AsteriskVersion::V16],
    };
    let is_wanted = |case: &&Scenario| {
        let named = arguments
            .case
            .as_ref()
            .is_none_or(|part| case.name.contains(part.as_str()));
        named && (arguments.long || case.length == Length::Short)
    };
    let cases: Vec<Scenario> = ALL.iter().filter(is_wanted).copied().collect();
    if cases.is_empty() {
        eprintln!(
            "lab: no case has that in its name; there are: {}",
            ALL.iter().map(|case| case.name).collect::<Vec<_>>().join(" · ")
        );
        return ExitCode::FAILURE;
    }
    let (json, engine) = (arguments.json, arguments.engine);
    let runs: Vec<_> = versions
        .into_iter()
        .map(|version| {
            let cases = cases.clone();
            own_runtime().spawn(async move {
                let program = Program::itself().expect("the path of this program");
                run_cases(version, program, engine, &cases, |report| say(json, &report.ladder())).await
            })
        })
        .collect();
    let (mut rigs, mut reports) = (Vec::new(), Vec::new());
    for run in runs {
        let (rig, of_rig) = run.await.expect("the run of one Asterisk panicked");
        rigs.extend(rig);
        reports.extend(of_rig);
    }
    summary(json, &reports);
    if json {
        let array: Vec<Value> = reports.iter().map(Report::json).collect();
        println!("{}", serde_json::to_string_pretty(&array).expect("JSON"));
    }
    if arguments.keep {
        for rig in &rigs {
            keep(json, rig);
        }
        say(json, "Ctrl-C takes everything down.");
        tokio::signal::ctrl_c().await.expect("Ctrl-C");
    }
    if reports.iter().all(Report::is_ok) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn say(json: bool, text: &str) {
    if json { eprintln!("{text}") } else { println!("{text}") }
}

fn summary(json: bool, reports: &[Report]) {
    say(json, "engine   Asterisk  case");
    for report in reports {
        say(json, &report.matrix_line());
    }
    let right = reports.iter().filter(|report| report.is_ok()).count();
    say(json, &format!("\n{right} of {} cases came out right", reports.len()));
}

/// Says how to place more calls, and makes the carriers obey the number's last digits.
fn keep(json: bool, rig: &Rig) {
    rig.primary.clear_scripts();
    rig.primary.follow_numbers(true);
    rig.backup.clear_scripts();
    say(
        json,
        &format!(
            "\nAsterisk {version} stays up. Place a call (the primary obeys the last four digits, the backup answers):\n\
             \x20 {originate}\n\
             \x20   0503 = 503, 0486 = busy, 1503 = rings, then 503, 9000 = silence, 9100 = 100 Trying and no more,\n\
             \x20   4100 = answers and hangs up after a second, 5050 = answers after half a second\n\
             Ask crankback:\n\
             \x20 crankback --config {config} route explain 913125550503 --entry PRIMARY\n\
             \x20 crankback --config {config} carrier list\n\
             \x20 crankback --config {config} status\n\
             \x20 crankback --config {config} call list --watch\n\
             \x20 crankback --config {config} attempt list --since 10m\n\
             Watch it: tail -f {log}",
            version = rig.version,
            originate = rig
                .asterisk
                .cli_command("channel originate Local/913125550503@default extension 138368@default"),
            config = rig.config().display(),
            log = rig.config().with_file_name("crankback.log").display(),
        ),
    );
}
