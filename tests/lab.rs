//! Every case of the lab, on every Asterisk, with every engine: `cargo test --test lab`, or with part of a name; `--list` shows the
//! names.
//!
//! The cases of one Asterisk share it and run one after the other; the two Asterisks run side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use support::rig::daemon::Program;
use support::rig::report::Report;
use support::rig::scenarios::{ALL, Scenario};
use support::rig::{Engine, own_runtime, run_cases};
use support::roots::AsteriskVersion;

#[tokio::main]
async fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wanted = &wanted;
    if std::env::args().any(|argument| argument == "--list") {
        list(wanted);
        return ExitCode::SUCCESS;
    }
    let runs = [AsteriskVersion::V22, AsteriskVersion::V16].map(|version| {
        let runs = Engine::ALL.map(|engine| (engine, wanted_cases(wanted, engine, version)));
        own_runtime().spawn(async move {
            let mut reports = Vec::new();
            for (engine, cases) in runs {
                if !cases.is_empty() {
                    reports.extend(run(version, engine, &cases).await);
                }
            }
            reports
        })
    });
    let mut reports = Vec::new();
    for run in runs {
        reports.extend(run.await.expect("the run of one Asterisk panicked"));
    }
    let failed: Vec<&Report> = reports.iter().filter(|report| !report.is_ok()).collect();
    println!("\nengine   Asterisk  case");
    for report in &reports {
        println!("{}", report.matrix_line());
    }
    // Last, because the end of a log is what a reader gets first.
    for report in &failed {
        println!("\n{}", report.ladder());
    }
    let run = reports.iter().filter(|report| report.was_run()).count();
    println!(
        "\n{} passed, {} failed, {} left out",
        run - failed.len(),
        failed.len(),
        reports.len() - run
    );
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// As the harness of other tests lists them.
fn list(wanted: &[String]) {
    for version in [AsteriskVersion::V22, AsteriskVersion::V16] {
        for engine in Engine::ALL {
            for case in wanted_cases(wanted, engine, version) {
                println!("{}: test", name_of(engine, version, &case));
            }
        }
    }
}

/// By which a case is asked for.
fn name_of(engine: Engine, version: AsteriskVersion, case: &Scenario) -> String {
    format!("{} {version} {}", engine.as_str(), case.name)
}

fn wanted_cases(wanted: &[String], engine: Engine, version: AsteriskVersion) -> Vec<Scenario> {
    let is_wanted = |case: &&Scenario| {
        let name = name_of(engine, version, case);
        wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
    };
    ALL.iter().filter(is_wanted).copied().collect()
}

async fn run(version: AsteriskVersion, engine: Engine, cases: &[Scenario]) -> Vec<Report> {
    let program = Program {
        path: PathBuf::from(env!("CARGO_BIN_EXE_crankback")),
        arguments: Vec::new(),
        environment: Vec::new(),
    };
    let show = |report: &Report| {
        println!(
            "test {} {version} {} ... {}",
            report.engine,
            report.case,
            report.verdict()
        );
        for note in report.notes() {
            println!("     {note}");
        }
    };
    run_cases(version, program, engine, cases, show).await.1
}
