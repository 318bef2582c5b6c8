//! The account block of a trunk, from a description: sections for `pjsip.conf`, `pjsip_wizard.conf`, `sip.conf` and `iax.conf`,
//! and the `register =>` line of the two old channel drivers.
//!
//! | file | idea |
//! |---|---|
//! | here | what can be said of a trunk, and what Asterisk's files have no room for |
//! | `needs` | what it needs outside of them |
//! | `render` | the sections that say it |
//!
//! Everything is written so that Asterisk 16 and 22 load it without a complaint, and so that it outlives a screen that takes
//! semicolons out of account blocks: no comments, no URI parameters.

mod needs;
mod render;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The files that a trunk is written for, by what the *Carriers* screen of VICIdial calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountStyle {
    /// `pjsip.conf`: a section for each of its parts.
    #[serde(rename = "PJSIP")]
    Pjsip,
    /// `pjsip_wizard.conf`: one section, of which Asterisk makes the parts.
    #[serde(rename = "PJSIP_WIZ")]
    PjsipWizard,
    /// `sip.conf`; Asterisk 21 took the channel driver away.
    #[serde(rename = "SIP")]
    Sip,
    /// `iax.conf`.
    #[serde(rename = "IAX2")]
    Iax2,
}

/// What carries the signalling of a SIP trunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// UDP.
    #[default]
    Udp,
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
}

impl Transport {
    /// One word, as in `sip.conf` and in the `transport` parameter of a SIP URI.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// Where a trunk's other end is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrunkHost {
    /// At an address.
    At {
        /// A name or an IPv4 address, in small letters.
        host: String,
        /// `None`: the protocol's own, or what DNS says.
        port: Option<u16>,
    },
    /// Where it registers with us from.
    Dynamic,
}

/// The text names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host: write a name or an IPv4 address, with :port where it is not the usual one, or dynamic")]
pub struct NotAHost(pub String);

impl FromStr for TrunkHost {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || NotAHost(text.to_owned());
        if text.eq_ignore_ascii_case("dynamic") {
            return Ok(Self::Dynamic);
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (host, Some(port.ok_or_else(fault)?))
            }
            None => (text, None),
        };
        let is_label = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        // Four numbers that are no address would be asked for as a name, with each call.
        let is_numeric = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let is_host = match is_numeric {
            true => host.parse::<Ipv4Addr>().is_ok(),
            false => host.len() <= 253 && host.split('.').all(is_label),
        };
        is_host
            .then(|| Self::At {
                host: host.to_ascii_lowercase(),
                port,
            })
            .ok_or_else(fault)
    }
}

impl fmt::Display for TrunkHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At { host, port: Some(port) } => write!(f, "{host}:{port}"),
            Self::At { host, port: None } => f.write_str(host),
            Self::Dynamic => f.write_str("dynamic"),
        }
    }
}

/// A user and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// How the two ends of a trunk know each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorisation {
    /// By the address.
    Address,
    /// Calls answer a challenge with the login. With a host that is dynamic the other end does, to register with us.
    Login(Login),
    /// The same, and we register with the other end.
    Registration(Login),
}

/// A trunk, as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// The name of its sections: what `Dial()` names.
    pub name: String,
    /// The files that it is written for.
    pub style: AccountStyle,
    /// Where its other end is.
    pub host: TrunkHost,
    /// What carries its signalling.
    pub transport: Transport,
    /// The section of `pjsip.conf` that is this transport; `None`: `transport-tcp`, `transport-tls`, and for UDP whichever there
    /// is. The other channel drivers have none.
    pub transport_section: Option<String>,
    /// How the ends know each other.
    pub authorisation: Authorisation,
    /// Codecs, the best first.
    pub codecs: Vec<String>,
    /// The dialplan context of calls that the other end sends, and of numbers that it redirects ours to.
    pub context: String,
}

/// A trunk that cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrunkError {
    /// A name that would break its section or the dial string.
    #[error("{what} {text:?} may hold letters, digits, - and _ only")]
    Name {
        /// Whose name.
        what: &'static str,
        /// As written.
        text: String,
    },
    /// A codec that not every supported Asterisk knows.
    #[error("unknown codec {codec:?}; known are {}", CODECS.join(", "))]
    Codec {
        /// As written.
        codec: String,
    },
    /// A trunk without a codec carries nothing.
    #[error("no codec: name at least one, for example ulaw")]
    NoCodec,
    /// A user with characters that do not survive in this file.
    #[error("user {user:?} holds {character:?}, which {file} has no way to write")]
    User {
        /// As written.
        user: String,
        /// The first of them.
        character: char,
        /// The file.
        file: &'static str,
    },
    /// A password with characters that do not survive in this file; it is not shown.
    #[error("the password holds {character:?}, which {file} has no way to write; ask the carrier for another one")]
    Password {
        /// The first of them.
        character: char,
        /// The file.
        file: &'static str,
    },
    /// A login with an empty part.
    #[error("a login needs a user and a password")]
    EmptyLogin,
    /// A host that is dynamic registers with us: it needs a login, and there is nowhere to register.
    #[error("a host that is dynamic registers here with a user and a password; there is nothing to register with")]
    Dynamic,
    /// Asterisk takes a registration for the section of the user's name.
    #[error(
        "a host that is dynamic registers here under the name of its account: the user must be {name}, not {user:?}"
    )]
    DynamicUser {
        /// As written.
        user: String,
        /// The name of the section.
        name: String,
    },
    /// `chan_iax2` has a protocol of its own over UDP.
    #[error("IAX2 goes over UDP alone, not over {}", .0.as_str())]
    Transport(Transport),
}

impl TrunkError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "trunk_name",
            Self::Codec { .. } => "trunk_codec",
            Self::NoCodec => "trunk_no_codec",
            Self::User { .. } => "trunk_user",
            Self::Password { .. } => "trunk_password",
            Self::EmptyLogin => "trunk_empty_login",
            Self::Dynamic => "trunk_dynamic",
            Self::DynamicUser { .. } => "trunk_dynamic_user",
            Self::Transport(_) => "trunk_transport",
        }
    }
}

/// The codecs that Asterisk 16 and 22 both know by name. Asterisk complains of others, and offers none in their place.
const CODECS: [&str; 9] = ["ulaw", "alaw", "g722", "g729", "gsm", "opus", "ilbc", "g726", "speex"];

impl AccountStyle {
    /// What the *Carriers* screen of VICIdial calls it.
    pub const fn protocol(self) -> &'static str {
        match self {
            Self::Pjsip => "PJSIP",
            Self::PjsipWizard => "PJSIP_WIZ",
            Self::Sip => "SIP",
            Self::Iax2 => "IAX2",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::Pjsip => "pjsip.conf",
            Self::PjsipWizard => "pjsip_wizard.conf",
            Self::Sip => "sip.conf",
            Self::Iax2 => "iax.conf",
        }
    }

    /// Characters that end a login early. A semicolon begins a comment; the old drivers also write logins into one line,
    /// `user:password@host/extension`.
    const fn ends_of_a_login(self, registers: bool) -> &'static [char] {
        match (self, registers) {
            (Self::Pjsip | Self::PjsipWizard, _) | (Self::Sip | Self::Iax2, false) => &[';'],
            (Self::Sip, true) => &[';', ':', '/', '?', '~'],
            (Self::Iax2, true) => &[';', ':', '/', '?', '~', '@'],
        }
    }
}

impl Trunk {
    /// Whether it can be written.
    ///
    /// # Errors
    /// The first thing that cannot.
    pub fn check(&self) -> Result<(), TrunkError> {
        check_name("the name", &self.name)?;
        check_name("the context", &self.context)?;
        if self.codecs.is_empty() {
            return Err(TrunkError::NoCodec);
        }
        if let Some(codec) = self.codecs.iter().find(|codec| !CODECS.contains(&codec.as_str())) {
            return Err(TrunkError::Codec { codec: codec.clone() });
        }
        if let Some(section) = &self.transport_section {
            check_name("the transport's name", section)?;
        }
        if self.style == AccountStyle::Iax2 && self.transport != Transport::Udp {
            return Err(TrunkError::Transport(self.transport));
        }
        match (&self.host, &self.authorisation) {
            (TrunkHost::Dynamic, Authorisation::Address | Authorisation::Registration(_)) => Err(TrunkError::Dynamic),
            (TrunkHost::At { .. }, Authorisation::Address) => Ok(()),
            (TrunkHost::Dynamic, Authorisation::Login(login)) if login.user != self.name => {
                let (user, name) = (login.user.clone(), self.name.clone());
                Err(TrunkError::DynamicUser { user, name })
            }
            (_, Authorisation::Login(login)) => self.check_login(login, false),
            (TrunkHost::At { .. }, Authorisation::Registration(login)) => self.check_login(login, true),
        }
    }

    fn check_login(&self, login: &Login, registers: bool) -> Result<(), TrunkError> {
        let Login { user, password } = login;
        if user.is_empty() || password.is_empty() {
            return Err(TrunkError::EmptyLogin);
        }
        let ends = self.style.ends_of_a_login(registers);
        let is_bad = |character: &char| character.is_control() || ends.contains(character);
        let file = self.style.file();
        // A user stands in URIs, too.
        let in_user = user
            .chars()
            .find(|character| is_bad(character) || " <>\"@".contains(*character));
        if let Some(character) = in_user {
            let user = user.clone();
            return Err(TrunkError::User { user, character, file });
        }
        // What is trimmed from a value would be missing.
        let trimmed = [password.chars().next(), password.chars().last()].into_iter().flatten();
        let mut outer = trimmed.filter(|character| character.is_whitespace());
        match outer.next().or_else(|| password.chars().find(is_bad)) {
            Some(character) => Err(TrunkError::Password { character, file }),
            None => Ok(()),
        }
    }
}

fn check_name(what: &'static str, text: &str) -> Result<(), TrunkError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return Ok(());
    }
    let text = text.to_owned();
    Err(TrunkError::Name { what, text })
}
