//! Asterisk's REST interface (ARI): requests, and the events of one Stasis application.
//!
//! What it is for: a call engine sends operations through [`Client`] and reads one ordered stream of [`Notice`]s. The
//! stream says when the connection came up, when and why it was lost, and carries the events in between, so that the
//! reader knows exactly which events it may have missed.
//!
//! What it owns: the HTTP connections, the one websocket, its keep-alive and its reconnection, and the list of what each
//! Asterisk version can do ([`Capabilities`]).
//!
//! What it must not know: calls, carriers, attempts, verdicts. It never decides what an event means.
//!
//! | file | idea |
//! |---|---|
//! | `config` | where Asterisk is, who we are there, and the limits |
//! | `rest`, `rest/*` | one request; the operations, by ARI's resource names |
//! | `model` | channels, bridges and devices, as answers and events carry them |
//! | `event` | one event: tolerant decoding |
//! | `session` | one websocket's life: handshake, reading, ping, end |
//! | `supervisor` | reconnection, the stream of notices, the watched state |
//! | `version` | version texts and the capabilities they stand for |
//!
//! Only one connection may serve an application name: Asterisk hands the name to the newest connection. A connection that
//! was replaced ends for good ([`LostReason::Replaced`]) and does not fight for the name.

mod config;
mod counters;
mod error;
mod event;
mod json;
mod model;
mod rest;
mod session;
mod supervisor;
mod timestamp;
mod version;

pub use config::{Config, ConfigError, Credentials, Endpoint, Limits};
pub use counters::Counters;
pub use error::Error;
pub use event::{
    ApplicationReplaced, BridgeDestroyed, ChannelDestroyed, ChannelEnteredBridge, ChannelHangupRequest,
    ChannelLeftBridge, ChannelStateChange, DecodeError, DeviceStateChanged, Dial, Event, StasisEnd, StasisStart,
};
pub use model::{Bridge, Channel, ChannelState, DeviceState, Dialplan, Party};
pub use rest::applications::{Application, Applications, EventFilter, EventSource};
pub use rest::asterisk::{Asterisk, AsteriskInfo};
pub use rest::bridges::{AddChannel, Bridges};
pub use rest::channels::{Channels, ContinueInDialplan, Create, HangupReason, Originate};
pub use rest::endpoints::{Endpoints, Peer};
pub use rest::{Client, Operation, Request};
pub use session::LostReason;
pub use supervisor::{Notice, State};
pub use timestamp::Timestamp;
pub use version::{Advisory, Capabilities, Version};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Connects to Asterisk and stays connected until `cancel` is cancelled, the receiver is dropped, or another connection
/// takes the application name over.
///
/// Returns at once; the connection is made by a task of the current tokio runtime. The stream of notices ends (`None`)
/// when that task has ended. A reader that falls more than [`Limits::mailbox_capacity`] events behind loses the
/// connection ([`LostReason::Overrun`]) and gets a new one when it has caught up, so it always knows that it must look at
/// Asterisk's own lists again.
///
/// # Errors
/// [`Error::Setup`] when no HTTP client could be made from `config`. Nothing has been sent then.
pub fn connect(
    config: Config,
    cancel: CancellationToken,
) -> Result<(Client, mpsc::Receiver<Notice>, watch::Receiver<State>), Error> {
    let client = Client::new(&config)?;
    let (notices, state) = supervisor::spawn(client.clone(), cancel);
    Ok((client, notices, state))
}

/// Asks Asterisk once for its version and tells at once what is wrong, for checks and before a start.
///
/// It opens no websocket: that would take the application name from a daemon that is already running.
///
/// # Errors
/// What the request met: [`Error::Unauthorized`] for a wrong user or password, [`Error::NotSent`] when nothing listens,
/// [`Error::Status`] with 404 where ARI is not loaded or the prefix is wrong.
pub async fn probe(config: &Config) -> Result<AsteriskInfo, Error> {
    Client::new(config)?.asterisk().info().await
}
