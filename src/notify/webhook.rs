//! The webhook: a notice posted as JSON, signed.
//!
//! The receiver computes HMAC-SHA256 with the shared secret over the value of `X-Crankback-Timestamp` (seconds since 1970), a
//! dot and the body, and compares its hexadecimal digits with what follows `sha256=` in `X-Crankback-Signature`. An old timestamp
//! is a replay.

use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

use crate::engine::now;

use super::notice::Letter;
use super::outbox::{Channel, SendError};
use super::settings::{WebhookSettings, WebhookUrl};

const TIMESTAMP: &str = "x-crankback-timestamp";
const SIGNATURE: &str = "x-crankback-signature";

/// Posts notices.
pub(super) struct Webhook {
    http: reqwest::Client,
    url: WebhookUrl,
    secret: SecretString,
}

impl Webhook {
    /// A webhook; fails where no HTTP client can be made.
    pub(super) fn new(settings: &WebhookSettings) -> Result<Self, SendError> {
        // A second installation is refused; the first one is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder();
        if !settings.url.is_https() {
            // Plain HTTP must also work on a host without any CA certificates.
            http = http.tls_certs_only([]);
        }
        let http = http
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("crankback/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SendError::Final(told(error)))?;
        Ok(Self {
            http,
            url: settings.url.clone(),
            secret: settings.secret.clone(),
        })
    }

    async fn post(&self, letter: &Letter) -> Result<(), SendError> {
        let body = letter.json.to_string();
        let timestamp = (now().wall_ms / 1_000).to_string();
        let request = self
            .http
            .post(self.url.url().clone())
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE, signature(&self.secret, &timestamp, &body))
            .header(TIMESTAMP, timestamp)
            .body(body);
        let response = request.send().await.map_err(|error| SendError::Passing(told(error)))?;
        let status = response.status();
        let why = || format!("HTTP {status}");
        if status.is_success() {
            Ok(())
        } else if status.is_server_error()
            || matches!(
                status,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            )
        {
            Err(SendError::Passing(why()))
        } else {
            Err(SendError::Final(why()))
        }
    }
}

impl Channel for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn target(&self) -> String {
        self.url.to_string()
    }

    fn send<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.post(letter))
    }
}

/// `sha256=` and the hexadecimal digits.
fn signature(secret: &SecretString, timestamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body.as_bytes());
    let digits: String = context
        .sign()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256={digits}")
}

/// What the connection met, down to its root, without the address: its path may be a secret.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value is what `printf '%s' '1795220185.{"a":1}' | openssl dgst -sha256 -hmac 'key'` prints.
    #[test]
    fn the_signature_is_what_openssl_computes() {
        let signature = signature(&SecretString::from("key"), "1795220185", r#"{"a":1}"#);
        assert_eq!(
            signature,
            "sha256=401a4355b1776c1cd304def4b959663af364376d5da0802eca6fac4690c4080c"
        );
    }
}
