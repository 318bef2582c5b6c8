//! Every case of the lab, on every Asterisk, with every engine: `cargo test --test lab`, or with part of a name.
//!
//! The cases of one Asterisk share it and run one after the other; the two Asterisks run side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use support::rig::daemon::Program;
use support::rig::report::Report;
use support::rig::run_cases;
use support::rig::scenarios::{ALL, Scenario};
use support::roots::AsteriskVersion;

const ENGINE: &str = "stasis";

#[tokio::main]
async fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let runs = [AsteriskVersion::V22, AsteriskVersion::V16].map(|version| {
        let is_wanted = |case: &&Scenario| {
            let name = format!("{ENGINE} {version} {}", case.name);
            wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
        };
        let cases: Vec<Scenario> = ALL.iter().filter(is_wanted).copied().collect();
        tokio::spawn(async move {
            if cases.is_empty() {
                Vec::new()
            } else {
                run(version, &cases).await
            }
        })
    });
    let mut reports = Vec::new();
    for run in runs {
        reports.extend(run.await.expect("the run of one Asterisk panicked"));
    }
    let failed: Vec<&Report> = reports.iter().filter(|report| !report.is_ok()).collect();
    for report in &failed {
        println!("\n{}", report.ladder());
    }
    println!("\nengine   Asterisk  case");
    for report in &reports {
        println!("{}", report.matrix_line());
    }
    println!("\n{} passed, {} failed", reports.len() - failed.len(), failed.len());
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn run(version: AsteriskVersion, cases: &[Scenario]) -> Vec<Report> {
    let program = Program {
        path: PathBuf::from(env!("CARGO_BIN_EXE_crankback")),
        arguments: Vec::new(),
    };
    let show = |report: &Report| {
        let verdict = if report.is_ok() { "ok" } else { "FAILED" };
        println!("test {ENGINE} {version} {} ... {verdict}", report.case);
        for note in report.notes() {
            println!("     {note}");
        }
    };
    run_cases(version, program, ENGINE, cases, show).await.1
}
