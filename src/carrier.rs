//! The carrier as the brain sees it: what it is called, how Asterisk reaches it, how it wants its numbers.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::asterisk_conf::RegisteredAccount;

/// A carrier's id as it stands on VICIdial's *Carriers* screen (`vicidial_server_carriers.carrier_id`, at most 15 characters).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CarrierId(Arc<str>);

impl CarrierId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for CarrierId {
    fn from(id: &str) -> Self {
        Self(Arc::from(id))
    }
}

impl From<Arc<str>> for CarrierId {
    fn from(id: Arc<str>) -> Self {
        Self(id)
    }
}

impl fmt::Display for CarrierId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The channel driver that carries a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Technology {
    /// `chan_pjsip`; VICIdial's protocols `PJSIP` and `PJSIP_WIZ`.
    Pjsip,
    /// `chan_sip` (removed in Asterisk 21); VICIdial's protocol `SIP`.
    Sip,
    /// `chan_iax2`.
    Iax2,
}

impl Technology {
    /// The word that starts a dial string: `PJSIP`, `SIP` or `IAX2`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pjsip => "PJSIP",
            Self::Sip => "SIP",
            Self::Iax2 => "IAX2",
        }
    }

    /// What `Dial()` is given to reach `number` through `peer`: `PJSIP/number@peer`, `SIP/peer/number`, `IAX2/peer/number`.
    pub fn dial_string(self, peer: &str, number: &str) -> String {
        match self {
            Self::Pjsip => format!("PJSIP/{number}@{peer}"),
            Self::Sip => format!("SIP/{peer}/{number}"),
            Self::Iax2 => format!("IAX2/{peer}/{number}"),
        }
    }
}

impl fmt::Display for Technology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word before the first `/` of a dial string is no technology that crankback places legs with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown technology {0:?}: crankback places legs through PJSIP, SIP and IAX2")]
pub struct UnknownTechnology(pub String);

impl FromStr for Technology {
    type Err = UnknownTechnology;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word.to_ascii_uppercase().as_str() {
            "PJSIP" => Ok(Self::Pjsip),
            "SIP" => Ok(Self::Sip),
            "IAX2" => Ok(Self::Iax2),
            _ => Err(UnknownTechnology(word.to_owned())),
        }
    }
}

/// How a number becomes the one that a carrier wants: drop `strip` characters from the front, then put `prefix` before the rest.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NumberFormat {
    /// Characters dropped from the front.
    pub strip: usize,
    /// Digits (or `+`) put before what is left.
    pub prefix: String,
}

/// A number is too short for what a carrier's format drops from its front.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("dropping {strip} characters leaves nothing of {number:?}")]
pub struct NumberTooShort {
    /// Characters that should be dropped.
    pub strip: usize,
    /// The number.
    pub number: String,
}

impl NumberTooShort {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        "number_too_short"
    }
}

impl NumberFormat {
    /// The number as the carrier wants it.
    ///
    /// # Errors
    ///
    /// When nothing of the number would be left.
    pub fn apply(&self, number: &str) -> Result<String, NumberTooShort> {
        match number.char_indices().nth(self.strip) {
            Some((start, _)) => Ok(format!("{}{}", self.prefix, &number[start..])),
            None => Err(NumberTooShort {
                strip: self.strip,
                number: number.to_owned(),
            }),
        }
    }
}

/// How long a leg of a carrier may take to show signs of life, and then to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Nothing at all came back from the carrier: move on. The last candidate never pays it.
    pub guard: Duration,
    /// The carrier said 100 Trying but neither rings nor sends media: move on.
    pub progress: Duration,
    /// The called party may ring for so long: then the call ends as not answered. `None`: as long as the dialer lets it.
    pub ring: Option<Duration>,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            guard: Duration::from_secs(4),
            progress: Duration::from_secs(12),
            ring: None,
        }
    }
}

/// What a call that enters through a carrier may take, where that is not what holds for all calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallLimits {
    /// All attempts together may take so long until one rings; whatever is out then is the last.
    pub setup: Option<Duration>,
    /// Attempts, the first included; never 0.
    pub attempts: Option<u32>,
}

/// One carrier, read from VICIdial's table and our overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// The id on the *Carriers* screen.
    pub id: CarrierId,
    /// The name on the *Carriers* screen.
    pub name: String,
    /// The channel driver.
    pub technology: Technology,
    /// The endpoint or peer name in Asterisk.
    pub peer: String,
    /// The host of the request URI, where the carrier's own `Dial()` line spells it out (`PJSIP/peer/sip:number@host`).
    pub uri_host: Option<String>,
    /// Its own dialplan lines that dial: pattern and the number format of each. Empty for a backup without a dialplan entry.
    pub entries: Vec<DialEntry>,
    /// The number format set for it by an operator; it applies to the canonical number (phone code + number).
    pub number_format: Option<NumberFormat>,
    /// The accounts that Asterisk registers with it; empty for a carrier that knows us by our address.
    pub registrations: Vec<RegisteredAccount>,
    /// Signs-of-life timers.
    pub timers: Timers,
    /// Limits of the calls that its own dialplan lines send.
    pub call_limits: CallLimits,
    /// New, and not tested yet: no route goes to it. Its own dialplan lines do.
    pub is_staged: bool,
}

impl Carrier {
    /// A carrier that nothing more is known of: no dialplan entry of its own, no number format, default timers.
    pub fn new(id: CarrierId, technology: Technology, peer: &str) -> Self {
        Self {
            name: id.to_string(),
            id,
            technology,
            peer: peer.to_owned(),
            uri_host: None,
            entries: Vec::new(),
            number_format: None,
            registrations: Vec::new(),
            timers: Timers::default(),
            call_limits: CallLimits::default(),
            is_staged: false,
        }
    }

    /// The peer for people: an IAX2 or SIP target may spell out a secret (`user:secret@host`), which is not shown.
    pub fn shown_peer(&self) -> String {
        match (self.technology, self.peer.split_once('@')) {
            (Technology::Sip | Technology::Iax2, Some((credentials, host))) => match credentials.split_once(':') {
                Some((user, _)) => format!("{user}:***@{host}"),
                None => self.peer.clone(),
            },
            (Technology::Sip | Technology::Iax2 | Technology::Pjsip, _) => self.peer.clone(),
        }
    }

    /// The peer's name, where it is one that Asterisk's configuration must define. `SIP/` and `IAX2/` also reach hosts that no
    /// section names.
    pub fn configured_peer(&self) -> Option<&str> {
        let may_be_host = match self.technology {
            Technology::Pjsip => false,
            Technology::Sip | Technology::Iax2 => self.peer.contains(['@', ':', '.']),
        };
        (!may_be_host).then_some(self.peer.as_str())
    }

    /// What `Dial()` is given to reach `number` through this carrier.
    pub fn dial_string(&self, number: &str) -> String {
        match &self.uri_host {
            Some(host) => format!("{}/{}/sip:{number}@{host}", self.technology, self.peer),
            None => self.technology.dial_string(&self.peer, number),
        }
    }
}

/// One pattern of a carrier's dialplan entry and what its `Dial()` line makes of the dialled extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialEntry {
    /// The extension pattern as written, for example `_91NXXNXXXXXX`.
    pub pattern: String,
    /// What the `Dial()` line does to the dialled extension.
    pub format: NumberFormat,
    /// The dial options, for example `To`; empty when there are none.
    pub options: String,
    /// What the entry does when `Dial()` comes back.
    pub after: AfterDial,
}

/// What a dialplan entry does when `Dial()` comes back without an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterDial {
    /// The next line is `Hangup()`.
    HangsUp,
    /// Anything else, or not known: the entry has to be gone on with.
    #[default]
    GoesOn,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(strip: usize, prefix: &str) -> NumberFormat {
        NumberFormat {
            strip,
            prefix: prefix.into(),
        }
    }

    #[test]
    fn a_format_drops_then_prepends() {
        assert_eq!(format(0, "").apply("12125550100"), Ok("12125550100".into()));
        assert_eq!(format(1, "").apply("12125550100"), Ok("2125550100".into()));
        assert_eq!(format(0, "+").apply("12125550100"), Ok("+12125550100".into()));
        assert_eq!(format(1, "99").apply("+442071838750"), Ok("99442071838750".into()));
    }

    #[test]
    fn a_format_that_leaves_nothing_is_an_error() {
        let error = |strip| NumberTooShort {
            strip,
            number: "911".into(),
        };
        assert_eq!(format(3, "1").apply("911"), Err(error(3)));
        assert_eq!(format(40, "").apply("911"), Err(error(40)));
        assert_eq!(format(2, "").apply("911"), Ok("1".into()));
    }

    #[test]
    fn a_peer_may_be_a_host_with_a_secret() {
        let carrier = |technology, peer| Carrier::new("A".into(), technology, peer);
        let iax = carrier(Technology::Iax2, "user:secret@192.0.2.1");
        assert_eq!(
            (iax.shown_peer().as_str(), iax.configured_peer()),
            ("user:***@192.0.2.1", None)
        );
        assert_eq!(iax.dial_string("12"), "IAX2/user:secret@192.0.2.1/12");
        let named = carrier(Technology::Iax2, "carrier");
        assert_eq!(
            (named.shown_peer().as_str(), named.configured_peer()),
            ("carrier", Some("carrier"))
        );
        assert_eq!(carrier(Technology::Sip, "192.0.2.1").configured_peer(), None);
        assert_eq!(
            carrier(Technology::Sip, "user@192.0.2.1").shown_peer(),
            "user@192.0.2.1"
        );
        assert_eq!(
            carrier(Technology::Pjsip, "a.example").configured_peer(),
            Some("a.example")
        );
    }

    #[test]
    fn dial_strings_follow_the_technology() {
        let dial_string = |technology| Carrier::new("A".into(), technology, "peer").dial_string("12");
        assert_eq!(dial_string(Technology::Pjsip), "PJSIP/12@peer");
        assert_eq!(dial_string(Technology::Sip), "SIP/peer/12");
        assert_eq!(dial_string(Technology::Iax2), "IAX2/peer/12");
        let mut with_uri = Carrier::new("A".into(), Technology::Pjsip, "peer");
        with_uri.uri_host = Some("192.0.2.1".into());
        assert_eq!(with_uri.dial_string("12"), "PJSIP/peer/sip:12@192.0.2.1");
    }
}
