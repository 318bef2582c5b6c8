//! A short-lived channel through which Asterisk's dialplan functions are read.
//!
//! Much of what matters cannot be asked for over ARI, but a channel's functions can be read: `DIALPLAN_EXISTS()` looks at
//! the dialplan that runs, `AST_CONFIG()` at the files that Asterisk reads, and the channel's own form shows whether
//! `channelvars` works. The channel is one half of a Local channel that is never dialled, in a Stasis application of its
//! own; nobody else sees its events, no dialplan runs, and it is gone when the looking is over. Works on 16 and 22 alike.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::ari::{Channel, Client, Config, Create, Error, Event, HangupReason, Notice, State, connect};
use crate::verdict::SipReply;

/// The Stasis application. One name for all looks: Asterisk 16 never forgets a name.
const APP: &str = "crankback-check";
/// An extension that need not exist: the channel is never dialled.
const ENDPOINT: &str = "Local/nobody@crankback-check";
/// Shown by the `channelvars` line, which reads the variable that `CB_RX` names. An earlier line reads the others, before (0) and
/// after (1) the first SIP response.
const SHOWN: [(&str, &str); 3] = [
    ("CB_RX_0", "SIP 299 Check"),
    ("CB_RX_1", "SIP 299 Check"),
    ("CB_RX", "CB_RX_1"),
];
/// How long the event connection and the channel may take to come up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why nothing can be looked at.
#[derive(Debug)]
pub(crate) enum Blind {
    /// The event connection did not come up.
    NoEvents(String),
    /// The ARI user may look but not touch: every command of the daemon would be refused too.
    ReadOnlyUser,
    /// Asterisk refused to make the channel.
    Refused(Error),
}

/// The channel, and the event connection that keeps it alive.
pub(crate) struct LookingGlass {
    /// As its first event showed it, with all variables set.
    channel: Channel,
    events: Events,
}

impl LookingGlass {
    /// Makes the channel on the Asterisk of `config`.
    pub async fn open(config: Config) -> Result<Self, Blind> {
        let cancel = CancellationToken::new();
        let config = Config {
            app: APP.to_owned(),
            ..config
        };
        let (client, notices, state) = connect(config, cancel.clone()).map_err(Blind::Refused)?;
        let mut events = Events {
            client,
            notices,
            state,
            cancel,
        };
        if !matches!(events.next().await, Some(Notice::Connected { .. })) {
            return Err(events.last_error());
        }
        let id = format!("crankback-check-{}", std::process::id());
        let create = Create {
            endpoint: ENDPOINT,
            app: APP,
            channel_id: Some(&id),
            variables: &SHOWN,
            ..Create::default()
        };
        if let Err(error) = events.client.channels().create(&create).await {
            events.stop().await;
            return Err(if error.status() == Some(403) {
                Blind::ReadOnlyUser
            } else {
                Blind::Refused(error)
            });
        }
        match events.start_of(&id).await {
            Some(channel) => Ok(Self { channel, events }),
            None => Err(Blind::NoEvents("a new channel did not show up".to_owned())),
        }
    }

    /// The entry of `channelvars` in `ari.conf` that shows a leg's last SIP response.
    pub fn shows_replies(&self) -> Option<&str> {
        let mut shown = self.channel.channelvars.iter();
        let (entry, _) = shown.find(|(_, text)| SipReply::parse(text).is_some())?;
        Some(entry)
    }

    /// Whether the running dialplan has an extension.
    pub async fn dialplan_has(&self, context: &str, extension: &str) -> Result<bool, Error> {
        let function = format!("DIALPLAN_EXISTS({context},{extension},1)");
        let value = self.read(&function).await?;
        Ok(value.as_deref() == Some("1"))
    }

    /// A setting in one of Asterisk's files, as the file is now. `None` where the file does not say.
    pub async fn setting(&self, file: &str, section: &str, key: &str) -> Result<Option<String>, Error> {
        match self.read(&format!("AST_CONFIG({file},{section},{key})")).await {
            // Asterisk's word for a function without a value.
            Err(Error::Status { code: 500, .. }) => Ok(None),
            read => read,
        }
    }

    async fn read(&self, function: &str) -> Result<Option<String>, Error> {
        let channels = self.events.client.channels();
        channels.get_variable(&self.channel.id, function).await
    }

    /// Removes the channel and closes the event connection.
    pub async fn shut(mut self) {
        let channels = self.events.client.channels();
        if channels.hangup(&self.channel.id, HangupReason::Normal).await.is_ok() {
            // Gone before its application is: Asterisk would complain.
            self.events.end_of(&self.channel.id).await;
        }
        self.events.stop().await;
    }
}

/// The event connection.
struct Events {
    client: Client,
    notices: mpsc::Receiver<Notice>,
    state: watch::Receiver<State>,
    cancel: CancellationToken,
}

impl Events {
    async fn next(&mut self) -> Option<Notice> {
        tokio::time::timeout(PATIENCE, self.notices.recv()).await.ok().flatten()
    }

    /// Waits until the channel is in its application; from then on every variable is set.
    async fn start_of(&mut self, channel: &str) -> Option<Channel> {
        while let Notice::Event { event, .. } = self.next().await? {
            if let Event::StasisStart(start) = *event
                && start.channel.id == channel
            {
                return Some(start.channel);
            }
        }
        None
    }

    async fn end_of(&mut self, channel: &str) {
        while let Some(Notice::Event { event, .. }) = self.next().await {
            if let Event::ChannelDestroyed(destroyed) = *event
                && destroyed.channel.id == channel
            {
                return;
            }
        }
    }

    /// What the last attempt to connect met.
    fn last_error(&self) -> Blind {
        match &*self.state.borrow() {
            State::Connecting {
                last_error: Some(error),
                ..
            } if error.status() == Some(403) => Blind::ReadOnlyUser,
            State::Connecting {
                last_error: Some(error),
                ..
            } => Blind::NoEvents(error.to_string()),
            State::Connecting { last_error: None, .. } | State::Connected { .. } | State::Replaced | State::Stopped => {
                Blind::NoEvents("no answer".to_owned())
            }
        }
    }

    async fn stop(mut self) {
        self.cancel.cancel();
        let stopped = self
            .state
            .wait_for(|state| matches!(state, State::Stopped | State::Replaced));
        let _the_process_ends_anyway = tokio::time::timeout(PATIENCE, stopped).await;
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
