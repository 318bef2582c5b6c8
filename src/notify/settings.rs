//! What the channels need.

use std::fmt;
use std::time::Duration;

use lettre::message::{Mailbox, Mailboxes};
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;

/// Where notices go; nowhere but to the log by default.
#[derive(Clone, Debug)]
pub struct NotifySettings {
    /// A program that takes them.
    pub webhook: Option<WebhookSettings>,
    /// People who read e-mail.
    pub mail: Option<MailSettings>,
    /// Changes of one carrier's state go out at most once in so long.
    pub minimum_interval: Duration,
}

impl Default for NotifySettings {
    fn default() -> Self {
        Self {
            webhook: None,
            mail: None,
            minimum_interval: Duration::from_secs(60),
        }
    }
}

/// An address that notices are posted to.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// The address.
    pub url: WebhookUrl,
    /// The key that the notices are signed with.
    pub secret: SecretString,
}

/// The address of a webhook. Providers put tokens into its path, so that only scheme and host ever show.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

/// An address that cannot be a webhook's. The text never repeats it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WebhookUrlError(String);

impl WebhookUrl {
    /// Reads `https://host/path`, or `http://` for a host nearby.
    ///
    /// # Errors
    /// [`WebhookUrlError`] for anything else, and for credentials in the address.
    pub fn parse(text: &str) -> Result<Self, WebhookUrlError> {
        let url = Url::parse(text).map_err(|error| WebhookUrlError(format!("no address: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(WebhookUrlError("it must start with http:// or https://".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(WebhookUrlError(
                "user and password do not belong in the address: the signature proves who sends".to_owned(),
            ));
        }
        Ok(Self(url))
    }

    pub(super) const fn url(&self) -> &Url {
        &self.0
    }

    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({self}/…)")
    }
}

/// A mail server and who gets what.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// User and password, where the server wants them.
    pub credentials: Option<(String, SecretString)>,
    /// Who sends.
    pub from: Mailbox,
    /// Who gets it.
    pub to: Mailboxes,
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// Plain at first, then STARTTLS; a server that does not offer it gets nothing.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// Not at all: for a server on this host.
    Off,
}

impl MailTls {
    /// The port that goes with it.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::Off => 25,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scheme_and_host_of_a_webhook_show() {
        let url = WebhookUrl::parse("https://hooks.example.com:8443/services/T0KEN?key=s3cret").expect("is an address");
        for shown in [url.to_string(), format!("{url:?}")] {
            assert!(shown.contains("hooks.example.com:8443"), "{shown}");
            assert!(!shown.contains("T0KEN") && !shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_webhook_is_refused_without_being_repeated() {
        for text in [
            "ftp://hooks.example.com/T0KEN",
            "hooks/T0KEN",
            "https://user:T0KEN@example.com/",
        ] {
            let error = WebhookUrl::parse(text).expect_err(text).to_string();
            assert!(!error.contains("T0KEN"), "{error}");
        }
    }
}
