//! `/channels`.

use reqwest::Method;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::ari::{Capabilities, Channel, Client, Error, Operation, Request};

/// Operations on `/channels`.
#[derive(Clone, Copy, Debug)]
pub struct Channels<'a>(&'a Client);

impl Client {
    /// Operations on `/channels`.
    pub fn channels(&self) -> Channels<'_> {
        Channels(self)
    }
}

/// A leg that is made and dialled in one step. Until it answers it is not in Stasis; its events come from the start.
///
/// Give `originator` or `formats`, not both. What is `None` is not sent and stays Asterisk's default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Originate<'a> {
    /// What to dial, for example `PJSIP/15551230000@carrier`.
    pub endpoint: &'a str,
    /// The Stasis application that gets the leg.
    pub app: &'a str,
    /// The arguments of the application, separated by commas.
    pub app_args: Option<&'a str>,
    /// The caller id shown to the far end: `Name <number>`.
    pub caller_id: Option<&'a str>,
    /// Seconds until the leg is given up; -1 for never. Asterisk's default is 30.
    pub timeout_seconds: Option<i32>,
    /// The id that the leg gets.
    pub channel_id: Option<&'a str>,
    /// The id of the calling channel, whose inheritable variables, language and account the leg takes.
    pub originator: Option<&'a str>,
    /// The media formats, separated by commas.
    pub formats: Option<&'a str>,
    /// Variables and functions set on the leg, in this order.
    pub variables: &'a [(&'a str, &'a str)],
}

/// A leg that is made but not dialled yet. Wait for its `StasisStart` before any operation on it.
///
/// Give `originator` or `formats`, not both. What is `None` is not sent and stays Asterisk's default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Create<'a> {
    /// What to dial, for example `PJSIP/15551230000@carrier`.
    pub endpoint: &'a str,
    /// The Stasis application that gets the leg.
    pub app: &'a str,
    /// The arguments of the application, separated by commas.
    pub app_args: Option<&'a str>,
    /// The id that the leg gets.
    pub channel_id: Option<&'a str>,
    /// The id of the calling channel.
    pub originator: Option<&'a str>,
    /// The media formats, separated by commas.
    pub formats: Option<&'a str>,
    /// Variables and functions set on the leg, in this order; see [`Capabilities::create_variables`].
    pub variables: &'a [(&'a str, &'a str)],
}

/// Where a channel goes on in the dialplan. What is `None` stays as it is; all `None`: the next priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContinueInDialplan<'a> {
    /// The context.
    pub context: Option<&'a str>,
    /// The extension.
    pub extension: Option<&'a str>,
    /// The priority; give this or `label`.
    pub priority: Option<i32>,
    /// The label of a priority.
    pub label: Option<&'a str>,
}

/// Why a channel is hung up: one of ARI's names, which every version has, or a Q.850 cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HangupReason {
    /// `normal`.
    Normal,
    /// `busy`.
    Busy,
    /// `congestion`.
    Congestion,
    /// `no_answer`.
    NoAnswer,
    /// `timeout`.
    Timeout,
    /// `rejected`.
    Rejected,
    /// `unallocated`.
    Unallocated,
    /// `normal_unspecified`.
    NormalUnspecified,
    /// `number_incomplete`.
    NumberIncomplete,
    /// `codec_mismatch`.
    CodecMismatch,
    /// `interworking`.
    Interworking,
    /// `failure`.
    Failure,
    /// `answered_elsewhere`.
    AnsweredElsewhere,
    /// A Q.850 cause, sent as `reason_code`; only with [`Capabilities::hangup_reason_code`], older versions ignore it.
    Cause(u8),
}

impl HangupReason {
    fn query(self) -> (&'static str, String) {
        let name = match self {
            Self::Normal => "normal",
            Self::Busy => "busy",
            Self::Congestion => "congestion",
            Self::NoAnswer => "no_answer",
            Self::Timeout => "timeout",
            Self::Rejected => "rejected",
            Self::Unallocated => "unallocated",
            Self::NormalUnspecified => "normal_unspecified",
            Self::NumberIncomplete => "number_incomplete",
            Self::CodecMismatch => "codec_mismatch",
            Self::Interworking => "interworking",
            Self::Failure => "failure",
            Self::AnsweredElsewhere => "answered_elsewhere",
            Self::Cause(cause) => return ("reason_code", cause.to_string()),
        };
        ("reason", name.to_owned())
    }
}

/// The body of originate and create.
#[derive(Serialize)]
struct Variables<'a> {
    #[serde(serialize_with = "as_map")]
    variables: &'a [(&'a str, &'a str)],
}

/// Asterisk sets them in the order in which they stand in the object.
fn as_map<S: Serializer>(pairs: &[(&str, &str)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    for (name, value) in pairs {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

impl<'a> Channels<'a> {
    /// `originate`: makes a leg and dials it.
    ///
    /// # Errors
    /// [`Error::Status`]: 500 `Allocation failed` when the endpoint cannot be reached at all (unknown, no contact,
    /// unreachable by qualify), 409 when the id is in use, 400 for a bad parameter.
    pub async fn originate(&self, leg: &Originate<'_>) -> Result<Channel, Error> {
        let operation = Operation {
            name: "originate channel",
            target: leg.channel_id.unwrap_or(leg.endpoint),
        };
        self.0
            .request(operation, Method::POST, &["channels"])
            .query("endpoint", leg.endpoint)
            .query("app", leg.app)
            .query_if("appArgs", leg.app_args)
            .query_if("callerId", leg.caller_id)
            .query_if("timeout", leg.timeout_seconds)
            .query_if("channelId", leg.channel_id)
            .query_if("originator", leg.originator)
            .query_if("formats", leg.formats)
            .json(&Variables {
                variables: leg.variables,
            })
            .fetch()
            .await
    }

    /// `create`: makes a leg without dialling it.
    ///
    /// # Errors
    /// As for [`Channels::originate`].
    pub async fn create(&self, leg: &Create<'_>) -> Result<Channel, Error> {
        let operation = Operation {
            name: "create channel",
            target: leg.channel_id.unwrap_or(leg.endpoint),
        };
        self.0
            .request(operation, Method::POST, &["channels", "create"])
            .query("endpoint", leg.endpoint)
            .query("app", leg.app)
            .query_if("appArgs", leg.app_args)
            .query_if("channelId", leg.channel_id)
            .query_if("originator", leg.originator)
            .query_if("formats", leg.formats)
            .json(&Variables {
                variables: leg.variables,
            })
            .fetch()
            .await
    }

    /// `dial`: dials a created leg. `caller` is the channel whose variables, language and caller id the leg takes;
    /// `timeout_seconds` is 0 for never.
    ///
    /// # Errors
    /// [`Error::Status`]: 404 when the leg is gone, 409 when it is not in Stasis or already dialled.
    pub async fn dial(&self, channel: &str, caller: Option<&str>, timeout_seconds: u32) -> Result<(), Error> {
        let request = self.one("dial channel", channel, Method::POST, &["dial"]);
        request
            .query_if("caller", caller)
            .query("timeout", timeout_seconds)
            .execute()
            .await
    }

    /// `hangup`. It works on any channel, also on one that is no longer ours: be sure that it is.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 when the channel is gone.
    pub async fn hangup(&self, channel: &str, reason: HangupReason) -> Result<(), Error> {
        let (name, value) = reason.query();
        self.one("hang up channel", channel, Method::DELETE, &[])
            .query(name, value)
            .execute()
            .await
    }

    /// `answer`.
    ///
    /// # Errors
    /// [`Error::Status`]: 404 when the channel is gone, 409 when it is not in Stasis.
    pub async fn answer(&self, channel: &str) -> Result<(), Error> {
        self.one("answer channel", channel, Method::POST, &["answer"])
            .execute()
            .await
    }

    /// `ring`: tells the caller that it rings.
    ///
    /// # Errors
    /// [`Error::Status`]: 404 when the channel is gone, 409 when it is not in Stasis, 412 in a state where it cannot ring.
    pub async fn ring(&self, channel: &str) -> Result<(), Error> {
        self.one("ring channel", channel, Method::POST, &["ring"])
            .execute()
            .await
    }

    /// `ringStop`.
    ///
    /// # Errors
    /// As for [`Channels::ring`].
    pub async fn ring_stop(&self, channel: &str) -> Result<(), Error> {
        self.one("stop ringing channel", channel, Method::DELETE, &["ring"])
            .execute()
            .await
    }

    /// Tells the caller of an unanswered channel that media may come (SIP 183).
    ///
    /// With [`Capabilities::progress`] it is ARI's `progress`. Versions without it get `startSilence`, whose start
    /// indicates progress on an unanswered channel; silence then plays until [`Channels::stop_silence`].
    ///
    /// # Errors
    /// As for [`Channels::ring`].
    pub async fn progress(&self, channel: &str, capabilities: &Capabilities) -> Result<(), Error> {
        let operation = if capabilities.progress { "progress" } else { "silence" };
        self.one("indicate progress to channel", channel, Method::POST, &[operation])
            .execute()
            .await
    }

    /// `stopSilence`: ends what [`Channels::progress`] started where ARI's `progress` does not exist.
    ///
    /// # Errors
    /// As for [`Channels::ring`].
    pub async fn stop_silence(&self, channel: &str) -> Result<(), Error> {
        self.one("stop silence on channel", channel, Method::DELETE, &["silence"])
            .execute()
            .await
    }

    /// `continueInDialplan`: hands the channel back to the dialplan. Success means that the order is queued.
    ///
    /// # Errors
    /// [`Error::Status`]: 404 when the channel is gone, 409 when it is not in Stasis, 412 when it is not answered and not
    /// an incoming call.
    pub async fn continue_in_dialplan(&self, channel: &str, to: ContinueInDialplan<'_>) -> Result<(), Error> {
        self.one("continue channel", channel, Method::POST, &["continue"])
            .query_if("context", to.context)
            .query_if("extension", to.extension)
            .query_if("priority", to.priority)
            .query_if("label", to.label)
            .execute()
            .await
    }

    /// `getChannelVar`: a variable or a dialplan function. `None` when it is not set, and when the channel is gone.
    ///
    /// # Errors
    /// [`Error::Status`]: some functions answer 500 instead of 404 when they have no value.
    pub async fn get_variable(&self, channel: &str, variable: &str) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        struct Variable {
            value: String,
        }
        let request = self.one("get variable of channel", channel, Method::GET, &["variable"]);
        match request.query("variable", variable).fetch::<Variable>().await {
            Ok(variable) => Ok(Some(variable.value)),
            Err(Error::Status { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `setChannelVar`: sets a variable or a dialplan function. On Asterisk 16 success may come before the effect; orders
    /// on one channel keep their order all the same.
    ///
    /// # Errors
    /// [`Error::Status`]: 404 when the channel is gone (or hanging up), 409 when it is not in Stasis.
    pub async fn set_variable(&self, channel: &str, variable: &str, value: &str) -> Result<(), Error> {
        let request = self.one("set variable of channel", channel, Method::POST, &["variable"]);
        request
            .query("variable", variable)
            .query("value", value)
            .execute()
            .await
    }

    /// `get`: one channel.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 when the channel is gone.
    pub async fn get(&self, channel: &str) -> Result<Channel, Error> {
        self.one("get channel", channel, Method::GET, &[]).fetch().await
    }

    /// `list`: every channel of this Asterisk, also those of others.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(&self) -> Result<Vec<Channel>, Error> {
        self.list_where(|_| true).await
    }

    /// `list`, and those channels of it that are to be kept: a dialer has thousands.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list_where(&self, keep: impl FnMut(&Channel) -> bool) -> Result<Vec<Channel>, Error> {
        let operation = Operation {
            name: "list channels",
            target: "",
        };
        self.0
            .request(operation, Method::GET, &["channels"])
            .fetch_list(keep)
            .await
    }

    fn one(&self, name: &'static str, channel: &'a str, method: Method, rest: &[&str]) -> Request<'a> {
        let path = [&["channels", channel], rest].concat();
        self.0.request(Operation { name, target: channel }, method, &path)
    }
}
