//! Control without a daemon and with a stand-in for one, the socket in between, and the command line at its other end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[allow(dead_code, reason = "shared with the tests of the command line")]
#[path = "cli/dialer.rs"]
mod dialer;

#[path = "control/daemon.rs"]
mod daemon;
#[path = "control/desk.rs"]
mod desk;

#[path = "control/command_line.rs"]
mod command_line;
#[path = "control/handlers.rs"]
mod handlers;
#[path = "control/new_carrier.rs"]
mod new_carrier;
#[path = "control/operator_word.rs"]
mod operator_word;
#[path = "control/server.rs"]
mod server;
#[path = "control/socket_file.rs"]
mod socket_file;
#[path = "control/wire.rs"]
mod wire;
