//! One request: how it is sent, how many run at once, and how a failure is told apart.
//!
//! The operations stand in `rest/`, one file per ARI resource, under ARI's names.

pub mod applications;
pub mod asterisk;
pub mod bridges;
pub mod channels;
pub mod endpoints;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::{Config, Counters, Error, Limits, error, json};

/// ARI's operations on one Asterisk. A clone is cheap and shares the connections and the limits.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    http: reqwest::Client,
    /// For example `http://127.0.0.1:8088/ari`; taken apart once, for all requests.
    ari_url: Url,
    app: String,
    events: &'static [&'static str],
    limits: Limits,
    slots: Semaphore,
    counters: Counters,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("ari_url", &self.shared.ari_url.as_str())
            .field("app", &self.shared.app)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client without an event connection.
    ///
    /// # Errors
    /// [`Error::Setup`] when no HTTP client could be made.
    pub fn new(config: &Config) -> Result<Self, Error> {
        install_crypto_provider();
        let limits = config.limits.clone();
        let authorization = config.credentials.authorization().ok_or_else(|| Error::Setup {
            reason: "the ARI credentials do not fit into an HTTP header".to_owned(),
        })?;
        let mut http = reqwest::Client::builder();
        if !config.endpoint.is_https() {
            // Plain HTTP must also work on a host without any CA certificates.
            http = http.tls_certs_only([]);
        }
        let ari_url = Url::parse(&config.endpoint.ari_url()).map_err(|error| Error::Setup {
            reason: error.to_string(),
        })?;
        let http = http
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, authorization)]))
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(limits.connect_timeout)
            .timeout(limits.request_timeout)
            .pool_idle_timeout(limits.pool_idle_timeout)
            // Credentials go to the configured address and nowhere else.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::Setup {
                reason: error::chain(&error),
            })?;
        Ok(Self {
            shared: Arc::new(Shared {
                http,
                ari_url,
                app: config.app.clone(),
                events: config.events,
                slots: Semaphore::new(limits.concurrent_requests),
                limits,
                counters: Counters::default(),
            }),
        })
    }

    /// The Stasis application that this client was configured with.
    pub fn app(&self) -> &str {
        &self.shared.app
    }

    /// What the event connection of this client has counted.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// The types of the events that are wanted.
    pub(super) fn events(&self) -> &'static [&'static str] {
        self.shared.events
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// A request that has no method of its own here. Each element of `path` is one segment below `/ari`, percent-encoded.
    pub fn request<'a>(&'a self, operation: Operation<'a>, method: Method, path: &[&str]) -> Request<'a> {
        let mut url = self.shared.ari_url.clone();
        let mut below = url.path().to_owned();
        for segment in path {
            below.push('/');
            push_encoded(&mut below, segment);
        }
        url.set_path(&below);
        Request {
            client: self,
            operation,
            builder: self.shared.http.request(method, url),
        }
    }
}

/// What a request does and to what, for error texts: `originate channel 1795219764.901000001`.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// Verb and kind, for example `originate channel`.
    pub name: &'static str,
    /// An id or a name; may be empty.
    pub target: &'a str,
}

impl fmt::Display for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if !self.target.is_empty() {
            write!(f, " {}", self.target)?;
        }
        Ok(())
    }
}

/// A request that is being put together.
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'a> {
    client: &'a Client,
    operation: Operation<'a>,
    builder: RequestBuilder,
}

impl Request<'_> {
    /// Adds a query parameter.
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.builder = self.builder.query(&[(name, value.to_string())]);
        self
    }

    /// Adds a query parameter when there is a value.
    pub fn query_if(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sets the JSON body.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    /// Sends it and expects success; the answer's body is not looked at.
    ///
    /// # Errors
    /// See [`Error`]; never [`Error::Decode`].
    pub async fn execute(self) -> Result<(), Error> {
        let (client, operation) = (self.client, self.operation);
        let _slot = client.slot(operation).await?;
        let response = self.respond().await?;
        // The body is read to its end so that the connection can be used again.
        body(operation, response).await.map(drop)
    }

    /// Sends it and decodes the answer.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.decoded(|text| json::decode(text)).await
    }

    /// Sends it and decodes those items of the answer, a list, that are to be kept.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_list<T: DeserializeOwned>(self, keep: impl FnMut(&T) -> bool) -> Result<Vec<T>, Error> {
        self.decoded(|text| json::decode_list(text, keep)).await
    }

    async fn decoded<T>(self, decode: impl FnOnce(&str) -> Result<T, json::Failure>) -> Result<T, Error> {
        let (client, operation) = (self.client, self.operation);
        let _slot = client.slot(operation).await?;
        let response = self.respond().await?;
        let answer = body(operation, response).await?;
        let wrong = |path: String, reason: String| Error::Decode {
            operation: operation.to_string(),
            path,
            reason,
        };
        let text = std::str::from_utf8(answer.as_ref()).map_err(|error| wrong(".".to_owned(), error.to_string()))?;
        decode(text).map_err(|failure| wrong(failure.path, failure.reason))
    }

    /// Sends it outside the request slots and asks for the connection itself, as a websocket handshake does.
    pub(super) async fn upgrade(self, headers: HeaderMap) -> Result<Response, Error> {
        Self {
            builder: self.builder.headers(headers),
            ..self
        }
        .respond()
        .await
    }

    /// Sends it and returns an answer that is no error.
    async fn respond(self) -> Result<Response, Error> {
        let operation = self.operation;
        let started = Instant::now();
        let response = self.builder.send().await.map_err(|error| transport(operation, error))?;
        let status = response.status();
        tracing::trace!(%operation, status = status.as_u16(), elapsed_us = started.elapsed().as_micros(), "ARI request");
        if status == StatusCode::UNAUTHORIZED {
            return Err(Error::Unauthorized {
                operation: operation.to_string(),
            });
        }
        if status.is_client_error() || status.is_server_error() || status.is_redirection() {
            let text = body(operation, response).await.unwrap_or_default();
            return Err(Error::Status {
                operation: operation.to_string(),
                code: status.as_u16(),
                message: error_message(text.as_ref()),
            });
        }
        Ok(response)
    }
}

impl Client {
    /// Waits for a free request slot; held until the answer is complete.
    async fn slot(&self, operation: Operation<'_>) -> Result<tokio::sync::SemaphorePermit<'_>, Error> {
        let limits = &self.shared.limits;
        match tokio::time::timeout(limits.request_timeout, self.shared.slots.acquire()).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(Error::NotSent {
                operation: operation.to_string(),
                reason: format!(
                    "{} requests are in flight and none ended within {} ms",
                    limits.concurrent_requests,
                    limits.request_timeout.as_millis()
                ),
            }),
        }
    }
}

async fn body(operation: Operation<'_>, response: Response) -> Result<impl AsRef<[u8]> + Default, Error> {
    response.bytes().await.map_err(|error| transport(operation, error))
}

/// Tells a request that never left from one whose answer was lost. What cannot be told counts as sent.
fn transport(operation: Operation<'_>, error: reqwest::Error) -> Error {
    let never_left = error.is_connect() || error.is_builder();
    let operation = operation.to_string();
    let reason = error::chain(&error.without_url());
    if never_left {
        Error::NotSent { operation, reason }
    } else {
        Error::OutcomeUnknown { operation, reason }
    }
}

/// Asterisk says why either as `{"message": ..}` or as `{"error": ..}`; its HTTP server, where ARI is not loaded, as a page.
fn error_message(text: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        #[serde(alias = "error")]
        message: String,
    }
    match serde_json::from_slice::<Body>(text) {
        Ok(body) => body.message,
        Err(_) => {
            let text = String::from_utf8_lossy(text);
            let title = text
                .split_once("<title>")
                .and_then(|(_, rest)| rest.split_once("</title>"));
            let said = title.map_or(text.as_ref(), |(title, _)| title);
            said.trim().chars().take(200).collect()
        }
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters; Asterisk reads a bare `+` as a blank even in a path.
fn push_encoded(url: &mut String, segment: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push('%');
            url.push(char::from(HEX[usize::from(byte >> 4)]));
            url.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Makes ring the process's TLS library. Somebody may have done so before: that is fine.
fn install_crypto_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_segments_are_encoded() {
        let mut url = String::new();
        push_encoded(&mut url, "SIP/a+b c%?#é-1.2_~");
        assert_eq!(url, "SIP%2Fa%2Bb%20c%25%3F%23%C3%A9-1.2_~");
    }

    #[test]
    fn both_error_bodies_are_read() {
        assert_eq!(
            error_message(br#"{"message":"Channel not found"}"#),
            "Channel not found"
        );
        assert_eq!(error_message(br#"{"error":"Allocation failed"}"#), "Allocation failed");
        assert_eq!(error_message(b"<html>503</html>\n"), "<html>503</html>");
        let page = b"<html><head>\n<title>404 Not Found</title>\n</head><body>\n</body></html>";
        assert_eq!(error_message(page), "404 Not Found");
    }
}
