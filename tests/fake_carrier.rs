//! The fake carriers' own test: raw SIP over real sockets, one behaviour a test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/sip/mod.rs"]
mod sip;

#[path = "fake_carrier/phone.rs"]
mod phone;

#[path = "fake_carrier/dialogs.rs"]
mod dialogs;
#[path = "fake_carrier/handle.rs"]
mod handle;
#[path = "fake_carrier/invites.rs"]
mod invites;
#[path = "fake_carrier/scripts.rs"]
mod scripts;
#[path = "fake_carrier/streams.rs"]
mod streams;
