//! The command line, run as a program: what it prints, what it leaves, and how it exits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod ari_support;
#[path = "cli/asterisk.rs"]
mod asterisk;
#[path = "cli/dialer.rs"]
mod dialer;

#[path = "cli/carriers.rs"]
mod carriers;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/conf.rs"]
mod conf;
#[path = "cli/conf_custom.rs"]
mod conf_custom;
#[path = "cli/configuration.rs"]
mod configuration;
#[path = "cli/logs.rs"]
mod logs;
#[path = "cli/routes.rs"]
mod routes;
#[path = "cli/store.rs"]
mod store;
#[path = "cli/verdict.rs"]
mod verdict;

use dialer::{assert_holds, crankback};

#[test]
fn help_is_fine_and_a_wrong_argument_is_an_error() {
    let help = crankback(&["--help"], &[]).expect(0);
    assert_holds(
        &help.stdout,
        &[
            "run",
            "check",
            "status",
            "reload",
            "call",
            "attempt",
            "carrier",
            "route",
            "verdict",
            "completions",
            "man",
            "--config",
            "--output",
        ],
    );
    assert_holds(&crankback(&["--version"], &[]).expect(0).stdout, &["crankback 0."]);
    assert_holds(
        &crankback(&["route", "ad"], &[]).refused(),
        &["unrecognized subcommand 'ad'", "'add'"],
    );
    assert_holds(&crankback(&[], &[]).refused(), &["Usage: crankback"]);
}
