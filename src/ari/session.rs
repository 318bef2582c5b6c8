//! One websocket's life: handshake, reading, ping, end.
//!
//! The handshake goes through the HTTP client of the requests: one TLS set-up for both, and no handshake code that logs
//! the `Authorization` header at trace level.
//!
//! The reader never waits for the consumer. Asterisk drops a websocket that does not take an event within its write
//! timeout (100 ms by default), so a full mailbox ends the session instead of slowing it.

use std::fmt;
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use reqwest::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Method, StatusCode, Upgraded};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};
use tokio_util::sync::CancellationToken;

use super::{Client, Error, Event, Notice, Operation, error};

/// Why the connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostReason {
    /// Asterisk closed it; its words, where it had any.
    Closed(String),
    /// The network failed.
    Transport(String),
    /// Asterisk is gone or frozen: it left a ping without any answer for [`Limits::dead_after`](super::Limits::dead_after).
    Silent,
    /// The reader of the notices was too far behind; events are missing.
    Overrun,
    /// Another connection took the application name over. There will be no reconnection.
    Replaced,
}

impl LostReason {
    /// A stable name for this kind of end, fit for a metric label.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Closed(_) => "closed",
            Self::Transport(_) => "transport",
            Self::Silent => "silent",
            Self::Overrun => "overrun",
            Self::Replaced => "replaced",
        }
    }
}

impl fmt::Display for LostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(words) if words.is_empty() => f.write_str("Asterisk closed the connection"),
            Self::Closed(words) => write!(f, "Asterisk closed the connection: {words}"),
            Self::Transport(cause) => write!(f, "the connection failed: {cause}"),
            Self::Silent => f.write_str("Asterisk does not answer pings"),
            Self::Overrun => f.write_str("events came faster than they were taken"),
            Self::Replaced => f.write_str("another connection took the application name over"),
        }
    }
}

/// An open websocket that has not been read from yet.
pub(super) struct Session {
    socket: WebSocketStream<Upgraded>,
}

impl Session {
    /// Opens the websocket: from here on the application is registered and its events are kept for us.
    pub async fn open(client: &Client) -> Result<Self, Error> {
        let operation = Operation {
            name: "open events of application",
            target: client.app(),
        };
        let unexpected = |path: &str, reason: &str| Error::Decode {
            operation: operation.to_string(),
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let key = generate_key();
        let key_header = HeaderValue::from_str(&key).map_err(|_| unexpected("key", "no header value"))?;
        let headers = HeaderMap::from_iter([
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
            (SEC_WEBSOCKET_KEY, key_header),
        ]);
        let response = client
            .request(operation, Method::GET, &["events"])
            .query("app", client.app())
            .query("subscribeAll", false)
            .upgrade(headers)
            .await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(unexpected("status", "no websocket was opened"));
        }
        let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
        if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(unexpected(
                "sec-websocket-accept",
                "the answer is not for our handshake",
            ));
        }
        let stream = response.upgrade().await.map_err(|error| Error::OutcomeUnknown {
            operation: operation.to_string(),
            reason: error::chain(&error.without_url()),
        })?;
        Ok(Self {
            socket: WebSocketStream::from_raw_socket(stream, Role::Client, None).await,
        })
    }

    /// Reads until the connection ends; `None` when we ended it ourselves (cancelled, or nobody takes notices any more).
    pub async fn run(
        mut self,
        client: &Client,
        mailbox: &mpsc::Sender<Notice>,
        cancel: &CancellationToken,
    ) -> Option<LostReason> {
        let limits = client.limits();
        let mut ping = interval(limits.ping_interval);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // When the first ping went out that nothing has followed yet. Counting from the ping, not from the last frame,
        // keeps a pause of our own process from looking like Asterisk's silence.
        let mut unanswered_since: Option<tokio::time::Instant> = None;
        let ended = loop {
            let dead_at = unanswered_since.map(|since| since + limits.dead_after);
            tokio::select! {
                // What has arrived is looked at before silence is.
                biased;
                () = cancel.cancelled() => break None,
                () = mailbox.closed() => break None,
                message = self.socket.next() => {
                    unanswered_since = None;
                    match message {
                        Some(Ok(Message::Text(text))) => {
                            if let Err(end) = deliver(client, mailbox, text.as_str()) {
                                break end;
                            }
                        }
                        Some(Ok(Message::Close(frame))) => break Some(LostReason::Closed(close_words(frame))),
                        Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                        Some(Err(error)) => break Some(LostReason::Transport(error::chain(&error))),
                        None => break Some(LostReason::Closed(String::new())),
                    }
                }
                () = async { match dead_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                } } => break Some(LostReason::Silent),
                _ = ping.tick() => {
                    unanswered_since.get_or_insert_with(tokio::time::Instant::now);
                    // A frozen Asterisk may leave no room for even a ping: that is silence too.
                    match timeout(limits.dead_after, self.socket.send(Message::Ping(Default::default()))).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => break Some(LostReason::Transport(error::chain(&error))),
                        Err(_) => break Some(LostReason::Silent),
                    }
                }
            }
        };
        if ended.is_none() {
            // Politeness only: dropping the connection ends it as well.
            let _ = timeout(limits.ping_interval, self.socket.close(None)).await;
        }
        ended
    }
}

/// Decodes one message and puts it into the mailbox. `Err` ends the session.
fn deliver(client: &Client, mailbox: &mpsc::Sender<Notice>, text: &str) -> Result<(), Option<LostReason>> {
    let received_at = Instant::now();
    let counters = client.counters();
    match Event::decode(text) {
        Ok(Event::Other { .. }) => {
            counters.add_ignored();
            Ok(())
        }
        Ok(Event::ApplicationReplaced(_)) => Err(Some(LostReason::Replaced)),
        Ok(event) => match mailbox.try_send(Notice::Event {
            event: Box::new(event),
            received_at,
        }) {
            Ok(()) => {
                counters.add_delivered();
                Ok(())
            }
            Err(TrySendError::Full(_)) => {
                counters.add_overrun();
                Err(Some(LostReason::Overrun))
            }
            Err(TrySendError::Closed(_)) => Err(None),
        },
        Err(error) => {
            // One line per type: a field that changed its form fails in every event.
            if counters.add_decode_error(&error) == 1 {
                tracing::warn!(code = error.code(), %error, "ARI event skipped; more of this type are only counted");
            }
            Ok(())
        }
    }
}

fn close_words(frame: Option<CloseFrame>) -> String {
    frame
        .map(|frame| format!("{} {}", frame.code, frame.reason).trim_end().to_owned())
        .unwrap_or_default()
}
