//! Channels, bridges and devices as answers and events carry them.
//!
//! Only ids are required. Everything else may be missing, because the fields differ between versions and a missing field
//! must never cost an event.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer};

use super::Timestamp;

/// A channel, as it was when the answer or event was made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Channel {
    /// Its id, unique in this Asterisk.
    pub id: String,
    /// Its name, for example `PJSIP/carrier-00000001`.
    #[serde(default)]
    pub name: String,
    /// Its state.
    #[serde(default)]
    pub state: ChannelState,
    /// Its own caller id: on an outgoing leg, the number that it called.
    #[serde(default)]
    pub caller: Party,
    /// The other side's id: on an outgoing leg, what the carrier is shown.
    #[serde(default)]
    pub connected: Party,
    /// Where it is in the dialplan.
    #[serde(default)]
    pub dialplan: Dialplan,
    /// When it was made.
    pub creationtime: Option<Timestamp>,
    /// The variables listed under `channelvars` in `ari.conf`. An unset one is empty.
    #[serde(default)]
    pub channelvars: BTreeMap<String, String>,
    /// The channel driver's own id, for SIP the Call-ID. Asterisk clears it when the channel is destroyed; see
    /// [`Capabilities::protocol_id`](super::Capabilities::protocol_id).
    #[serde(default, deserialize_with = "filled")]
    pub protocol_id: Option<String>,
}

/// One side's caller id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Party {
    /// The name; empty when there is none.
    pub name: String,
    /// The number; empty when there is none.
    pub number: String,
}

/// A channel's place in the dialplan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Dialplan {
    /// The context.
    pub context: String,
    /// The extension.
    pub exten: String,
    /// The priority.
    pub priority: i64,
    /// The running application, for example `Stasis`; empty when there is none.
    pub app_name: String,
    /// The running application's arguments.
    pub app_data: String,
}

/// The state of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelState {
    /// Made, not in use.
    #[default]
    Down,
    /// Made, and reserved for a call. The wire says `Rsrvd`.
    Reserved,
    /// Off hook.
    OffHook,
    /// Digits are being dialled.
    Dialing,
    /// An incoming call that we have not answered.
    Ring,
    /// The far end rings.
    Ringing,
    /// Answered.
    Up,
    /// The line is busy.
    Busy,
    /// Digits are being dialled while off hook.
    DialingOffhook,
    /// An incoming call was detected and waits for its caller id.
    PreRing,
    /// Audio is muted.
    Mute,
    /// A state that this list does not have, as it was written.
    Other(Box<str>),
}

impl From<&str> for ChannelState {
    fn from(text: &str) -> Self {
        match text {
            "Down" => Self::Down,
            "Rsrvd" => Self::Reserved,
            "OffHook" => Self::OffHook,
            "Dialing" => Self::Dialing,
            "Ring" => Self::Ring,
            "Ringing" => Self::Ringing,
            "Up" => Self::Up,
            "Busy" => Self::Busy,
            "Dialing Offhook" => Self::DialingOffhook,
            "Pre-ring" => Self::PreRing,
            "Mute" => Self::Mute,
            other => Self::Other(other.into()),
        }
    }
}

impl fmt::Display for ChannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "Down",
            Self::Reserved => "Rsrvd",
            Self::OffHook => "OffHook",
            Self::Dialing => "Dialing",
            Self::Ring => "Ring",
            Self::Ringing => "Ringing",
            Self::Up => "Up",
            Self::Busy => "Busy",
            Self::DialingOffhook => "Dialing Offhook",
            Self::PreRing => "Pre-ring",
            Self::Mute => "Mute",
            Self::Other(text) => text,
        })
    }
}

impl<'de> Deserialize<'de> for ChannelState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(StateVisitor)
    }
}

/// Reads a state without a copy of its text.
struct StateVisitor;

impl serde::de::Visitor<'_> for StateVisitor {
    type Value = ChannelState;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a channel state")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ChannelState, E> {
        Ok(ChannelState::from(text))
    }
}

/// A bridge.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Bridge {
    /// Its id.
    pub id: String,
    /// Its kind, for example `mixing`.
    #[serde(default)]
    pub bridge_type: String,
    /// The technology at work, for example `simple_bridge` or `native_rtp`.
    #[serde(default)]
    pub technology: String,
    /// The ids of the channels in it.
    #[serde(default)]
    pub channels: Vec<String>,
    /// When it was made.
    pub creationtime: Option<Timestamp>,
}

/// A device, as the dialplan and its hints know it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DeviceState {
    /// Its name, for example `PJSIP/carrier`.
    pub name: String,
    /// Its state, for example `NOT_INUSE` or [`DeviceState::UNAVAILABLE`].
    #[serde(default)]
    pub state: String,
}

impl DeviceState {
    /// The state of a device without calls that Asterisk's qualify does not reach.
    pub const UNAVAILABLE: &str = "UNAVAILABLE";
}

/// Asterisk writes an empty text where a value is missing.
pub(super) fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_enough() {
        let channel: Channel = serde_json::from_str(r#"{"id":"1.2"}"#).unwrap();
        assert_eq!(
            (channel.id.as_str(), channel.state, channel.protocol_id),
            ("1.2", ChannelState::Down, None)
        );
        assert!(serde_json::from_str::<Channel>(r#"{"name":"PJSIP/x"}"#).is_err());
    }

    #[test]
    fn states_read_back_as_written() {
        for text in ["Down", "Rsrvd", "Dialing Offhook", "Pre-ring", "Mute", "Unknown (20)"] {
            assert_eq!(ChannelState::from(text).to_string(), text);
        }
        assert_eq!(
            serde_json::from_str::<ChannelState>(r#""Rsrvd""#).unwrap(),
            ChannelState::Reserved
        );
        assert_eq!(
            serde_json::from_str::<ChannelState>(r#""Unknown (20)""#).unwrap(),
            ChannelState::Other("Unknown (20)".into())
        );
    }
}
