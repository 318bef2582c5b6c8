//! Crankback: a call that the primary carrier cannot carry goes on through a backup carrier, inside the same call.
//!
//! The map of the house. Rooms know only what stands below them.
//!
//! Doors:
//! - [`cli`]: the command line, one file per noun.
//! - [`daemon`]: wires the rooms together, in order, and takes them down again.
//!
//! - [`socket`]: the unix socket through which a command line reaches the running daemon.
//!
//! Use cases:
//! - [`control`]: every command and query of an operator: validation, audit, answers.
//!
//! Edges (everything that waits):
//! - [`install`]: into VICIdial's rows and Asterisk's files, and out of them again.
//! - [`check`]: everything that calls depend on, looked at before they do.
//! - [`snapshot`]: everything that routing is made of, read from the store at one moment.
//! - [`engine`]: carries calls out on Asterisk; one task per call.
//! - [`probe`]: SIP OPTIONS to carriers.
//! - [`notify`]: tells people and machines what happens to carriers.
//! - [`metrics`]: numbers for machines that watch.
//! - [`ari`]: Asterisk's REST interface and its events.
//! - [`ami`]: what Asterisk's manager interface tells and ARI does not.
//! - [`agi`]: FastAGI: channels that the dialplan hands over.
//! - [`vicidial`]: VICIdial's carrier table.
//! - [`spool`]: attempts on disk until the store has them.
//! - [`store`]: our own tables.
//!
//! Brain (pure, deterministic, `now` is an argument):
//! - [`call`]: the state machine of one call.
//! - [`verdict`]: what the end of an attempt means, for routing, for health and for the dialer.
//! - [`health`]: which carriers are fit to take a call.
//! - [`admission`]: one door for every leg.
//! - [`routing`]: which carriers a call may use, in which order, and why.
//! - [`carrier`]: the carrier as the brain sees it.
//! - [`moment`]: a moment in both kinds of time.
//! - `shipped`: the files that an Asterisk admin installs, compiled in.
//! - [`asterisk_conf`]: Asterisk's configuration language, dial patterns and `Dial()` lines; a pure library.

pub mod admission;
pub mod agi;
pub mod ami;
pub mod ari;
pub mod asterisk_conf;
pub mod call;
pub mod carrier;
pub mod check;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod engine;
pub mod health;
pub mod install;
pub mod metrics;
pub mod moment;
mod nearest;
pub mod notify;
pub mod probe;
pub mod routing;
mod shipped;
pub mod snapshot;
pub mod socket;
pub mod spool;
pub mod store;
pub mod verdict;
pub mod vicidial;
