//! One event: tolerant decoding, in two steps.
//!
//! The first step reads only the type, borrowed from the text. The second decodes the types that a call engine acts on;
//! every other type becomes [`Event::Other`] without a further look. Fields that are not named here are ignored, fields
//! that differ between versions are optional. Asterisk 16 to 22 use the same names.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::json;
use super::model::filled;
use super::{Bridge, Channel, DeviceState, Timestamp};

/// What happened, by ARI's own names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A channel came under our control.
    StasisStart(StasisStart),
    /// A channel left our control; it may live on in the dialplan.
    StasisEnd(StasisEnd),
    /// A dial attempt began, progressed or ended.
    Dial(Dial),
    /// A channel changed its state.
    ChannelStateChange(ChannelStateChange),
    /// Somebody asked for a channel to be hung up.
    ChannelHangupRequest(ChannelHangupRequest),
    /// A channel is gone.
    ChannelDestroyed(ChannelDestroyed),
    /// A channel joined a bridge.
    ChannelEnteredBridge(ChannelEnteredBridge),
    /// A channel left a bridge.
    ChannelLeftBridge(ChannelLeftBridge),
    /// A bridge is gone.
    BridgeDestroyed(BridgeDestroyed),
    /// A device became available, busy, unavailable.
    DeviceStateChanged(DeviceStateChanged),
    /// Another connection took the application name over.
    ApplicationReplaced(ApplicationReplaced),
    /// Any other type; only its name is kept.
    Other {
        /// ARI's name of the type.
        kind: Box<str>,
    },
}

/// A channel came under our control.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StasisStart {
    /// When.
    pub timestamp: Option<Timestamp>,
    /// The arguments given to `Stasis()` after the application name.
    #[serde(default)]
    pub args: Vec<String>,
    /// The channel.
    pub channel: Channel,
    /// The channel whose place it takes, when a Local channel was optimised away or a transfer swapped channels.
    pub replace_channel: Option<Channel>,
}

/// A channel left our control.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StasisEnd {
    /// When.
    pub timestamp: Option<Timestamp>,
    /// The channel.
    pub channel: Channel,
}

/// A dial attempt began, progressed or ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Dial {
    /// When.
    pub timestamp: Option<Timestamp>,
    /// The channel that dials; absent for legs made by originate or create.
    pub caller: Option<Channel>,
    /// The channel that is dialled.
    pub peer: Channel,
    /// Empty at the start, then for example `RINGING`, `PROGRESS`, `ANSWER`, `BUSY`, `CONGESTION`, `NOANSWER`, `CANCEL`.
    #[serde(default)]
    pub dialstatus: String,
    /// Where the far end forwarded the call to (SIP 302).
    #[serde(default, deserialize_with = "filled")]
    pub forward: Option<String>,
    /// The channel that Asterisk made of that, where it follows by itself.
    pub forwarded: Option<Box<Channel>>,
}

/// A channel changed its state.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ChannelStateChange {
    /// When.
    pub timestamp: Option<Timestamp>,
    /// The channel in its new state.
    pub channel: Channel,
}

/// Somebody asked for a channel to be hung up.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ChannelHangupRequest {
    /// When.
    pub timestamp: Option<Timestamp>,
    /// The Q.850 cause, absent in some versions; with `soft` it is Asterisk's internal hangup flag instead.
    pub cause: Option<i64>,
    /// The request came from inside Asterisk.
    #[serde(default)]
    pub soft: bool,
    /// The channel driver's code, for SIP the response code; see [`Capabilities::tech_cause`](super::Capabilities::tech_cause).
    pub tech_cause: Option<i64>,
    /// The channel.
    pub channel: Channel,
}

/// A channel is gone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ChannelDestroyed {
    /// When.
    pub timestamp: Option<Timestamp>,
    /// The Q.850 cause; 0 is unknown.
    pub cause: Option<i64>,
    /// The cause in words.
    #[serde(default)]
    pub cause_txt: String,
    /// The channel driver's code, for SIP the response code; see [`Capabilities::tech_cause`](super::Capabilities::tech_cause).
    pub tech_cause: Option<i64>,
    /// The channel as it last was.
    pub channel: Channel,
}

/// A channel joined a bridge.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ChannelEnteredBridge {
    /// When.
    pub timestamp: Option<Timestamp>,
    /// The bridge, with the channel in it.
    pub bridge: Bridge,
    /// The channel; ARI's model allows its absence.
    pub channel: Option<Channel>,
}

/// A channel left a bridge.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ChannelLeftBridge {
    /// When.
    pub timestamp: Option<Timestamp>,
    /// The bridge, without the channel.
    pub bridge: Bridge,
    /// The channel.
    pub channel: Channel,
}

/// A bridge is gone. It comes only while the application is subscribed to the bridge, which ends when its last channel
/// has left: no sign that a bridge still exists.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BridgeDestroyed {
    /// When.
    pub timestamp: Option<Timestamp>,
    /// The bridge as it last was.
    pub bridge: Bridge,
}

/// A device became available, busy, unavailable. With calls up its state is that of the calls, whatever qualify finds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DeviceStateChanged {
    /// When.
    pub timestamp: Option<Timestamp>,
    /// The device in its new state.
    pub device_state: DeviceState,
}

/// Another connection took the application name over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ApplicationReplaced {
    /// When.
    pub timestamp: Option<Timestamp>,
}

/// The type, and nothing else, of an event.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// Turns the text of one event into an event of its type.
type Decoder = fn(&str) -> Result<Event, json::Failure>;

fn decoded<T: DeserializeOwned>(text: &str, wrap: fn(T) -> Event) -> Result<Event, json::Failure> {
    json::decode(text).map(wrap)
}

/// The types that are decoded, with their decoders. The event filter and the counters follow this list.
const DECODERS: [(&str, Decoder); 11] = [
    ("StasisStart", |text| decoded(text, Event::StasisStart)),
    ("StasisEnd", |text| decoded(text, Event::StasisEnd)),
    ("Dial", |text| decoded(text, Event::Dial)),
    ("ChannelStateChange", |text| decoded(text, Event::ChannelStateChange)),
    ("ChannelHangupRequest", |text| {
        decoded(text, Event::ChannelHangupRequest)
    }),
    ("ChannelDestroyed", |text| decoded(text, Event::ChannelDestroyed)),
    ("ChannelEnteredBridge", |text| {
        decoded(text, Event::ChannelEnteredBridge)
    }),
    ("ChannelLeftBridge", |text| decoded(text, Event::ChannelLeftBridge)),
    ("BridgeDestroyed", |text| decoded(text, Event::BridgeDestroyed)),
    ("DeviceStateChanged", |text| decoded(text, Event::DeviceStateChanged)),
    ("ApplicationReplaced", |text| decoded(text, Event::ApplicationReplaced)),
];

impl Event {
    /// ARI's names of the types that are decoded; every other type is [`Event::Other`].
    pub const KINDS: [&'static str; DECODERS.len()] = {
        let mut kinds = [""; DECODERS.len()];
        let mut index = 0;
        while index < DECODERS.len() {
            kinds[index] = DECODERS[index].0;
            index += 1;
        }
        kinds
    };

    /// Decodes the text of one websocket message.
    ///
    /// # Errors
    /// [`DecodeError`] when the text is no JSON object with a `type`, or when an event of a known type lacks what
    /// identifies it (the channel, the bridge) or holds a value of another kind.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let head: Head<'_> = json::decode(text).map_err(|failure| DecodeError::new("", failure))?;
        match DECODERS.iter().find(|(kind, _)| *kind == head.kind) {
            Some((kind, decoder)) => decoder(text).map_err(|failure| DecodeError::new(kind, failure)),
            None => Ok(Self::Other { kind: head.kind.into() }),
        }
    }

    /// When Asterisk says that it happened.
    pub const fn timestamp(&self) -> Option<&Timestamp> {
        match self {
            Self::StasisStart(event) => event.timestamp.as_ref(),
            Self::StasisEnd(event) => event.timestamp.as_ref(),
            Self::Dial(event) => event.timestamp.as_ref(),
            Self::ChannelStateChange(event) => event.timestamp.as_ref(),
            Self::ChannelHangupRequest(event) => event.timestamp.as_ref(),
            Self::ChannelDestroyed(event) => event.timestamp.as_ref(),
            Self::ChannelEnteredBridge(event) => event.timestamp.as_ref(),
            Self::ChannelLeftBridge(event) => event.timestamp.as_ref(),
            Self::BridgeDestroyed(event) => event.timestamp.as_ref(),
            Self::DeviceStateChanged(event) => event.timestamp.as_ref(),
            Self::ApplicationReplaced(event) => event.timestamp.as_ref(),
            Self::Other { .. } => None,
        }
    }
}

/// An event that did not decode. It is counted and skipped; the connection goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {kind:?} does not decode at {path}: {reason}")]
pub struct DecodeError {
    /// The event's type; empty when the text has none.
    pub kind: &'static str,
    /// Where in the event, for example `channel.dialplan.priority`.
    pub path: String,
    /// What was wrong there.
    pub reason: String,
}

impl DecodeError {
    fn new(kind: &'static str, failure: json::Failure) -> Self {
        Self {
            kind,
            path: failure.path,
            reason: failure.reason,
        }
    }

    /// A stable name for this kind of error.
    pub const fn code(&self) -> &'static str {
        "event_decode"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_kind_is_decoded_as_itself() {
        let channel = r#"{"id":"1.1"}"#;
        for kind in Event::KINDS {
            let text = format!(
                r#"{{"type":"{kind}","channel":{channel},"peer":{channel},"bridge":{{"id":"b"}},"device_state":{{"name":"d"}}}}"#
            );
            let event = Event::decode(&text).unwrap();
            assert!(format!("{event:?}").starts_with(kind), "{kind} became {event:?}");
        }
    }

    #[test]
    fn a_failure_names_the_type_and_the_place() {
        let text = r#"{"type":"StasisEnd","channel":{"id":"1.1","dialplan":{"priority":"one"}}}"#;
        let error = Event::decode(text).unwrap_err();
        assert_eq!(
            (error.kind, error.path.as_str()),
            ("StasisEnd", "channel.dialplan.priority")
        );

        let error = Event::decode(r#"{"type":"ChannelDestroyed"}"#).unwrap_err();
        assert_eq!((error.kind, error.path.as_str()), ("ChannelDestroyed", "."));

        for text in ["", "[]", "{}", r#"{"type":7}"#, r#"{"type":"Dial"} x"#] {
            assert_eq!(Event::decode(text).unwrap_err().kind, "", "{text}");
        }
    }
}
