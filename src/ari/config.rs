//! Where Asterisk is, who we are there, and the limits of the connection.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::Event;

/// Everything a connection needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where Asterisk's HTTP server listens.
    pub endpoint: Endpoint,
    /// A user of `ari.conf`.
    pub credentials: Credentials,
    /// The Stasis application name; one per daemon.
    pub app: String,
    /// The types of the events that are wanted, by ARI's names; Asterisk is told to send no others.
    pub events: &'static [&'static str],
    /// Time and size limits.
    pub limits: Limits,
}

impl Config {
    /// A configuration with the default limits, for every event that is decoded.
    ///
    /// # Errors
    /// [`ConfigError::AppName`] when `app` is empty or holds a comma (ARI takes a comma as a list of applications) or a
    /// control character.
    pub fn new(endpoint: Endpoint, credentials: Credentials, app: &str) -> Result<Self, ConfigError> {
        if app.is_empty() || app.contains(|c: char| c == ',' || c.is_control()) {
            return Err(ConfigError::AppName(app.to_owned()));
        }
        Ok(Self {
            endpoint,
            credentials,
            app: app.to_owned(),
            events: &Event::KINDS,
            limits: Limits::default(),
        })
    }
}

/// The base address of Asterisk's HTTP server, with the `prefix` of `http.conf` when there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Without a slash at the end.
    base: String,
}

impl Endpoint {
    /// Reads `http://127.0.0.1:8088`, `https://pbx.example:8089` or, with a prefix, `http://127.0.0.1:8088/asterisk`.
    ///
    /// # Errors
    /// [`ConfigError::Url`] for another scheme, an address that holds credentials, a query or a fragment, and for a path
    /// that already ends in `/ari`. The message never repeats the address, which may hold a password.
    pub fn parse(address: &str) -> Result<Self, ConfigError> {
        let url = Url::parse(address).map_err(|error| ConfigError::Url(error.to_string()))?;
        let refuse = |why: &str| Err(ConfigError::Url(why.to_owned()));
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("it must start with http:// or https://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("credentials do not belong in the address; give user and password by themselves");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("it must not have a query or a fragment");
        }
        let base = url.as_str().trim_end_matches('/');
        if base.ends_with("/ari") {
            return refuse("leave /ari off; only a prefix set in http.conf belongs in the path");
        }
        Ok(Self { base: base.to_owned() })
    }

    pub(super) fn is_https(&self) -> bool {
        self.base.starts_with("https:")
    }

    /// Host and port of an address without encryption: what `bindaddr` and `bindport` of `http.conf` are about.
    pub(crate) fn plain_http(&self) -> Option<(String, u16)> {
        let url = Url::parse(&self.base).ok().filter(|url| url.scheme() == "http")?;
        Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
    }

    /// The address that every ARI path follows, for example `http://127.0.0.1:8088/asterisk/ari`.
    pub(super) fn ari_url(&self) -> String {
        format!("{}/ari", self.base)
    }
}

impl std::fmt::Display for Endpoint {
    /// The base address, without a slash at the end.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.base)
    }
}

/// A user of `ari.conf`. The password appears in no URL, log line or `Debug` text.
#[derive(Clone, Debug)]
pub struct Credentials {
    user: String,
    password: SecretString,
}

impl Credentials {
    /// The user's name.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// The password.
    pub(crate) const fn password(&self) -> &SecretString {
        &self.password
    }

    /// A user and a password.
    ///
    /// # Errors
    /// [`ConfigError::User`] when the user is empty or holds a colon, which HTTP Basic authentication cannot carry.
    pub fn new(user: &str, password: SecretString) -> Result<Self, ConfigError> {
        if user.is_empty() || user.contains(':') {
            return Err(ConfigError::User(user.to_owned()));
        }
        Ok(Self {
            user: user.to_owned(),
            password,
        })
    }

    /// The `Authorization` header, marked sensitive so that no `Debug` text shows it.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let pair = format!("{}:{}", self.user, self.password.expose_secret());
        let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Time and size limits of one connection. The defaults suit an Asterisk on the same host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For one TCP (and TLS) connect.
    pub connect_timeout: Duration,
    /// For one request from its first byte to the last byte of the answer, and as long again for a free request slot.
    pub request_timeout: Duration,
    /// Unused HTTP connections are closed after this; it must stay below `session_keep_alive` of `http.conf` (15 s by
    /// default), else a request may meet a connection that Asterisk is closing.
    pub pool_idle_timeout: Duration,
    /// Requests in flight; it must stay below `sessionlimit` of `http.conf` (100 by default).
    pub concurrent_requests: usize,
    /// Events that may wait for the reader before the connection is given up.
    pub mailbox_capacity: usize,
    /// How often the websocket is pinged.
    pub ping_interval: Duration,
    /// A ping that nothing answers for this long means that Asterisk is gone or frozen.
    pub dead_after: Duration,
    /// The longest pause between two attempts to connect; up to a quarter of it is taken off at random.
    pub retry_delay: Duration,
    /// The pause after Asterisk refused us: a wrong password or application name does not heal in milliseconds.
    pub refused_delay: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(5),
            pool_idle_timeout: Duration::from_secs(10),
            concurrent_requests: 64,
            mailbox_capacity: 100_000,
            ping_interval: Duration::from_secs(1),
            dead_after: Duration::from_secs(3),
            retry_delay: Duration::from_millis(200),
            refused_delay: Duration::from_secs(1),
        }
    }
}

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The base address.
    #[error("the address of Asterisk's HTTP server is not usable: {0}")]
    Url(String),
    /// The user name.
    #[error("the ARI user {0:?} is not usable: it must not be empty and must not hold a colon")]
    User(String),
    /// The application name.
    #[error("the application name {0:?} is not usable: it must not be empty and must not hold a comma")]
    AppName(String),
}

impl ConfigError {
    /// A stable name for this kind of error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url(_) => "ari_url",
            Self::User(_) => "ari_user",
            Self::AppName(_) => "ari_app_name",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_kept_and_a_slash_at_the_end_is_not() {
        for (address, expected) in [
            ("http://127.0.0.1:8088", "http://127.0.0.1:8088/ari"),
            ("http://127.0.0.1:8088/", "http://127.0.0.1:8088/ari"),
            (
                "https://pbx.example:8089/asterisk/",
                "https://pbx.example:8089/asterisk/ari",
            ),
        ] {
            assert_eq!(Endpoint::parse(address).unwrap().ari_url(), expected);
        }
    }

    #[test]
    fn an_address_that_cannot_work_is_refused_without_repeating_it() {
        for address in [
            "ws://127.0.0.1:8088",
            "127.0.0.1:8088",
            "http://user:hunter2@127.0.0.1:8088",
            "http://127.0.0.1:8088/?api_key=user:hunter2",
            "http://127.0.0.1:8088/ari",
        ] {
            let error = Endpoint::parse(address).unwrap_err();
            assert_eq!(error.code(), "ari_url");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_application_name_is_one_name() {
        let credentials = Credentials::new("crankback", SecretString::from("x")).unwrap();
        let endpoint = Endpoint::parse("http://127.0.0.1:8088").unwrap();
        for name in ["", "a,b", "a\n"] {
            assert!(
                Config::new(endpoint.clone(), credentials.clone(), name).is_err(),
                "{name:?}"
            );
        }
    }
}
