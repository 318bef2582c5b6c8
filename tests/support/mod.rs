//! The lab: real Asterisk, with the dialer's side of a call played by small stand-ins.
//!
//! It makes Asterisk root file systems from Debian packages ([`roots`]), boots instances of them on ports of their own
//! ([`asterisk`], [`ports`]), talks to them as VICIdial does ([`ami`], [`dialer`]) and writes down what VICIdial would
//! have been told about each call ([`agi_listener`]).
//!
//! It owns the directories under `<target>/lab/` and every process that it starts; both are gone when the value that
//! stands for them is dropped, and also when the test process is killed.
//!
//! It must not know the crate under test: it is the outside world, so it uses none of its code.
//!
//! Every integration test (`mod support;`) and the examples (`#[path = "../tests/support/mod.rs"] mod support;`) compile
//! it anew, so inside it all paths are `super::` paths.

// Each test binary compiles the whole lab and uses only a part of it.
#![allow(dead_code)]

pub mod agi_listener;
pub mod ami;
pub mod asterisk;
pub mod dialer;
pub mod error;
pub mod host;
pub mod mariadb;
pub mod packages;
pub mod ports;
pub mod proxy;
pub mod rig;
pub mod roots;
pub mod sip;
