//! A small client of Asterisk's manager interface: actions with awaited answers, and events for whoever subscribes.
//!
//! One task owns the connection. It knows nothing of calls; [`super::dialer`] does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::error::LabError;

mod connection;
mod message;

use connection::{Expected, Request};
pub use message::{Action, Message};

/// How many events a subscriber may be behind.
const EVENT_BACKLOG: usize = 16_384;
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Which events a connection receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmiEvents {
    /// Calls and system: `Newchannel`, `Hangup`, `OriginateResponse`, `FullyBooted`…
    Calls,
    /// All, also those of each dialplan step (`Newexten`, `VarSet`).
    All,
}

/// A logged-in connection; clones share it.
#[derive(Clone, Debug)]
pub struct Ami {
    requests: mpsc::Sender<Request>,
    events: broadcast::Sender<Arc<Message>>,
    fully_booted: watch::Receiver<bool>,
}

/// `Originate`: what VICIdial writes into its `vicidial_manager` table.
#[derive(Clone, Debug)]
pub struct Originate {
    /// For example `Local/913125550100@default`.
    pub channel: String,
    /// Where the answered channel goes.
    pub context: String,
    /// Where the answered channel goes.
    pub extension: String,
    /// With name and number: `"V1210007450000000008" <3125551212>`.
    pub caller_id: String,
    /// How long it may ring; Asterisk's default is 30 s.
    pub timeout: Option<Duration>,
    /// Channel variables, `_` and `__` prefixes as in the dialplan.
    pub variables: Vec<(String, String)>,
    /// Whether Asterisk answers at once and sends `OriginateResponse` at the end. Without, the connection is blocked
    /// until then.
    pub asynchronous: bool,
}

/// How an [`Originate`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginateResponse {
    /// Whether the channel was answered.
    pub answered: bool,
    /// Asterisk's control code: 4 answered, 3 no answer, 5 busy, 8 congestion, 0 or 1 failure. 0 when not asynchronous.
    pub reason: u32,
    /// The channel; for an unanswered one only what was asked for.
    pub channel: String,
    /// Its unique id, when it was answered.
    pub uniqueid: Option<String>,
}

/// An asynchronous `Originate` that Asterisk has accepted.
#[derive(Debug)]
pub struct PendingOriginate {
    response: watch::Receiver<Option<OriginateResponse>>,
}

/// A row of `CoreShowChannels`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRow {
    /// For example `PJSIP/primary-00000001`.
    pub name: String,
    /// Its unique id.
    pub uniqueid: String,
    /// The unique id of the first channel of its call.
    pub linkedid: String,
    /// Where in the dialplan it is.
    pub context: String,
    /// Where in the dialplan it is.
    pub extension: String,
    /// The application it runs.
    pub application: String,
    /// The application's arguments.
    pub application_data: String,
    /// `Down`, `Ring`, `Ringing`, `Up`…
    pub state: String,
    /// The bridge it is in.
    pub bridge_id: Option<String>,
    /// Caller id name.
    pub caller_id_name: String,
    /// Caller id number.
    pub caller_id_number: String,
}

impl Ami {
    /// Connects and logs in.
    pub async fn connect(address: SocketAddr, user: &str, secret: &str, events: AmiEvents) -> Result<Self, LabError> {
        let (requests, request_queue) = mpsc::channel(64);
        let (event_sender, _) = broadcast::channel(EVENT_BACKLOG);
        let (announce_boot, fully_booted) = watch::channel(false);
        connection::open(address, request_queue, event_sender.clone(), announce_boot).await?;
        let ami = Self {
            requests,
            events: event_sender,
            fully_booted,
        };
        let mask = match events {
            AmiEvents::Calls => "system,call",
            AmiEvents::All => "on",
        };
        ami.action(
            Action::new("Login")
                .field("Username", user)
                .field("Secret", secret)
                .field("Events", mask),
        )
        .await?;
        Ok(ami)
    }

    /// Returns when Asterisk is fully booted; an error when the connection ends before.
    pub async fn fully_booted(&self) -> Result<(), LabError> {
        let mut fully_booted = self.fully_booted.clone();
        fully_booted
            .wait_for(|booted| *booted)
            .await
            .map(drop)
            .map_err(|_| connection_ended("FullyBooted"))
    }

    /// Sends an action; its response, or an error when that says `Error`.
    pub async fn action(&self, action: Action) -> Result<Message, LabError> {
        let name = action.name().to_owned();
        let (answer, answered) = oneshot::channel();
        self.send(Request {
            action,
            expected: Expected::Response(answer),
        })
        .await?;
        let response = wait_for_answer(&name, answered, ANSWER_LIMIT).await?;
        response.into_success(&name)
    }

    /// Sends an action that is answered with a list of events; the events.
    pub async fn list(&self, action: Action) -> Result<Vec<Message>, LabError> {
        let name = action.name().to_owned();
        let (answer, answered) = oneshot::channel();
        self.send(Request {
            action,
            expected: Expected::List {
                rows: Vec::new(),
                answer,
            },
        })
        .await?;
        wait_for_answer(&name, answered, ANSWER_LIMIT)
            .await?
            .map_err(|refusal| refusal.into_error(&name))
    }

    /// Starts a call; returns when Asterisk has accepted it.
    pub async fn originate(&self, originate: &Originate) -> Result<PendingOriginate, LabError> {
        let (answer, accepted) = oneshot::channel();
        let (announce_end, response) = watch::channel(None);
        if originate.asynchronous {
            let expected = Expected::Originate {
                accepted: Some(answer),
                ended: announce_end,
            };
            self.send(Request {
                action: originate.action(),
                expected,
            })
            .await?;
            wait_for_answer("Originate", accepted, ANSWER_LIMIT)
                .await?
                .into_success("Originate")?;
        } else {
            self.send(Request {
                action: originate.action(),
                expected: Expected::Response(answer),
            })
            .await?;
            // Its limit is the call's own.
            let limit = originate.timeout.unwrap_or(Duration::from_secs(30)) + ANSWER_LIMIT;
            let message = wait_for_answer("Originate", accepted, limit).await?;
            announce_end.send_replace(Some(OriginateResponse::of_blocking(originate, &message)));
        }
        Ok(PendingOriginate { response })
    }

    /// Takes a channel out of what it does and sends it to priority 1 of an extension.
    pub async fn redirect(&self, channel: &str, context: &str, extension: &str) -> Result<(), LabError> {
        let action = Action::new("Redirect")
            .field("Channel", channel)
            .field("Context", context)
            .field("Exten", extension)
            .field("Priority", "1");
        self.action(action).await.map(drop)
    }

    /// Hangs a channel up.
    pub async fn hangup(&self, channel: &str) -> Result<(), LabError> {
        self.action(Action::new("Hangup").field("Channel", channel))
            .await
            .map(drop)
    }

    /// All channels.
    pub async fn core_show_channels(&self) -> Result<Vec<ChannelRow>, LabError> {
        let rows = self.list(Action::new("CoreShowChannels")).await?;
        Ok(rows.iter().map(ChannelRow::of_event).collect())
    }

    /// All events from now on.
    pub fn subscribe(&self) -> EventStream {
        EventStream {
            receiver: self.events.subscribe(),
        }
    }

    async fn send(&self, request: Request) -> Result<(), LabError> {
        let name = request.action.name().to_owned();
        self.requests.send(request).await.map_err(|_| connection_ended(&name))
    }
}

impl Originate {
    fn action(&self) -> Action {
        let mut action = Action::new("Originate")
            .field("Channel", &self.channel)
            .field("Context", &self.context)
            .field("Exten", &self.extension)
            .field("Priority", "1")
            .field("Callerid", &self.caller_id)
            .field("Async", if self.asynchronous { "true" } else { "false" });
        if let Some(timeout) = self.timeout {
            action = action.field("Timeout", &timeout.as_millis().to_string());
        }
        self.variables.iter().fold(action, |action, (name, value)| {
            action.field("Variable", &format!("{name}={value}"))
        })
    }
}

impl OriginateResponse {
    fn of_event(event: &Message) -> Self {
        Self {
            answered: event.get("Response") == "Success",
            reason: event.get("Reason").parse().unwrap_or(0),
            channel: event.get("Channel").to_owned(),
            uniqueid: Some(event.get("Uniqueid"))
                .filter(|id| !id.is_empty() && *id != "<null>")
                .map(str::to_owned),
        }
    }

    fn of_blocking(originate: &Originate, response: &Message) -> Self {
        Self {
            answered: response.get("Response") == "Success",
            reason: 0,
            channel: originate.channel.clone(),
            uniqueid: None,
        }
    }
}

impl PendingOriginate {
    /// Waits until the call is answered or has failed.
    pub async fn response(&self) -> Result<OriginateResponse, LabError> {
        let mut response = self.response.clone();
        let ended = response
            .wait_for(Option::is_some)
            .await
            .map_err(|_| connection_ended("OriginateResponse"))?;
        ended.clone().ok_or_else(|| connection_ended("OriginateResponse"))
    }
}

impl ChannelRow {
    fn of_event(event: &Message) -> Self {
        let field = |name| event.get(name).to_owned();
        Self {
            name: field("Channel"),
            uniqueid: field("Uniqueid"),
            linkedid: field("Linkedid"),
            context: field("Context"),
            extension: field("Exten"),
            application: field("Application"),
            application_data: field("ApplicationData"),
            state: field("ChannelStateDesc"),
            bridge_id: Some(field("BridgeId")).filter(|id| !id.is_empty()),
            caller_id_name: field("CallerIDName"),
            caller_id_number: field("CallerIDNum"),
        }
    }

    /// Whether this is a half of a Local channel.
    pub fn is_local(&self) -> bool {
        self.name.starts_with("Local/")
    }
}

/// The events of a connection, from the moment of subscription.
#[derive(Debug)]
pub struct EventStream {
    receiver: broadcast::Receiver<Arc<Message>>,
}

impl EventStream {
    /// The next event.
    pub async fn next(&mut self) -> Result<Arc<Message>, LabError> {
        self.receiver.recv().await.map_err(|error| LabError::Ami {
            action: "events".to_owned(),
            message: error.to_string(),
        })
    }

    /// The next event that `wanted` accepts; `what` names it should it not come.
    pub async fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Arc<Message>, LabError> {
        let search = async {
            loop {
                let event = self.next().await?;
                if wanted(&event) {
                    return Ok(event);
                }
            }
        };
        tokio::time::timeout(limit, search)
            .await
            .map_err(|_| LabError::Timeout {
                what: format!("AMI event: {what}"),
                after: limit,
            })?
    }
}

fn connection_ended(action: &str) -> LabError {
    LabError::Ami {
        action: action.to_owned(),
        message: "the connection has ended".to_owned(),
    }
}

async fn wait_for_answer<T>(action: &str, answered: oneshot::Receiver<T>, limit: Duration) -> Result<T, LabError> {
    tokio::time::timeout(limit, answered)
        .await
        .map_err(|_| LabError::Timeout {
            what: format!("answer to AMI {action}"),
            after: limit,
        })?
        .map_err(|_| connection_ended(action))
}
