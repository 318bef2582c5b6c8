//! One suite for both databases: `cargo test --test store_conformance`, or with part of a name.
//!
//! Most cases run on SQLite and on two private MariaDB servers: one with MariaDB's own defaults, one as VICIdial's installers
//! set it up (no strict mode, MyISAM, latin1). `rights`, `faults` and `daemon` are about MariaDB alone. The servers listen on
//! loopback, keep their files in a temporary directory and end with this process. Where `mariadbd` is missing it is installed from the distribution's packages, without a service.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "store_conformance/admin.rs"]
mod admin;
#[path = "store_conformance/attempts.rs"]
mod attempts;
#[path = "store_conformance/carriers.rs"]
mod carriers;
#[path = "store_conformance/command_line.rs"]
mod command_line;
#[path = "store_conformance/daemon.rs"]
mod daemon;
#[path = "store_conformance/faults.rs"]
mod faults;
#[path = "store_conformance/health.rs"]
mod health;
#[path = "store_conformance/import.rs"]
mod import;
#[path = "store_conformance/latency.rs"]
mod latency;
#[path = "store_conformance/recent_channels.rs"]
mod recent_channels;
#[path = "store_conformance/rights.rs"]
mod rights;
#[path = "store_conformance/routes.rs"]
mod routes;
#[path = "store_conformance/rows.rs"]
mod rows;
#[path = "store_conformance/schema.rs"]
mod schema;
#[path = "store_conformance/stage.rs"]
mod stage;
#[path = "store_conformance/vicidial.rs"]
mod vicidial;

use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use stage::{Place, Stage};
use support::mariadb::{self, Flavour, Server};

/// The schema that this program needs; its migrations are numbered from 1.
const NEWEST: i64 = 12;

/// What a case does on a stage.
type Case = fn(Stage) -> Pin<Box<dyn Future<Output = ()>>>;
/// What a case does with a server that it may stop.
type ServerCase = fn(Flavour) -> Pin<Box<dyn Future<Output = ()>>>;

/// Names the cases of a module.
#[macro_export]
macro_rules! cases {
    ($($name:ident),* $(,)?) => { [$((stringify!($name), |input| Box::pin($name(input)))),*] };
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let servers = if arguments.list {
        Vec::new()
    } else {
        mariadb::install();
        mariadb::clean_up();
        vec![
            Arc::new(Server::start(Flavour::Defaults)),
            Arc::new(Server::start(Flavour::Vicidial)),
        ]
    };
    let mut places = vec![Place::Sqlite];
    places.extend(servers.iter().cloned().map(Place::MariaDb));

    let mut trials = Vec::new();
    for place in &places {
        let on_both: [&[(&str, Case)]; 11] = [
            &schema::CASES,
            &routes::CASES,
            &carriers::CASES,
            &attempts::CASES,
            &vicidial::CASES,
            &command_line::CASES,
            &health::CASES,
            &import::CASES,
            &recent_channels::CASES,
            &latency::CASES,
            &admin::CASES,
        ];
        for (name, case) in on_both.concat() {
            trials.push(on_stage(place, name, case));
        }
        if matches!(place, Place::MariaDb(_)) {
            trials.extend(rights::CASES.iter().map(|(name, case)| on_stage(place, name, *case)));
        }
    }
    for (name, case) in faults::CASES.into_iter().chain(daemon::CASES) {
        trials.push(trial(format!("mariadb {name}"), move || case(Flavour::Vicidial)));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    for server in &servers {
        server.stop();
    }
    conclusion.exit_code()
}

fn on_stage(place: &Place, name: &str, case: Case) -> Trial {
    let place = place.clone();
    trial(format!("{place} {name}"), move || case(Stage::new(place)))
}

fn trial(name: String, case: impl FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime starts").block_on(async { case().await });
        Ok(())
    })
}
