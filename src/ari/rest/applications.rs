//! `/applications`: what Asterisk holds for a Stasis application.

use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::ari::{Client, Error, Operation};

/// Operations on `/applications`.
#[derive(Clone, Copy, Debug)]
pub struct Applications<'a>(&'a Client);

impl Client {
    /// Operations on `/applications`.
    pub fn applications(&self) -> Applications<'_> {
        Applications(self)
    }
}

/// A Stasis application, as Asterisk sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// The channels whose events it gets. They need not be under its control any more.
    pub channel_ids: Vec<String>,
    /// The bridges whose events it gets.
    pub bridge_ids: Vec<String>,
}

/// What an application can get the events of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventSource<'a> {
    /// A channel, by its id, wherever it is; until it ends.
    Channel(&'a str),
    /// The state of a device, by its name; the device need not be there.
    Device(&'a str),
}

/// Which event types Asterisk sends to an application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventFilter {
    /// Only these types are sent; an empty list allows all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed: Vec<EventType>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct EventType {
    #[serde(rename = "type")]
    kind: &'static str,
}

impl EventFilter {
    /// Sends only these types.
    pub fn allow(kinds: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            allowed: kinds.into_iter().map(|kind| EventType { kind }).collect(),
        }
    }
}

impl Applications<'_> {
    /// `get`: the channels and bridges of an application.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 when Asterisk does not know the application.
    pub async fn get(&self, app: &str) -> Result<Application, Error> {
        let operation = Operation {
            name: "get application",
            target: app,
        };
        self.0
            .request(operation, Method::GET, &["applications", app])
            .fetch()
            .await
    }

    /// `subscribe`: from now on the application gets the events of a source. A second time changes nothing.
    ///
    /// # Errors
    /// [`Error::Status`] with 422 when there is no such channel, with 404 when the application is not connected, with 400
    /// where Asterisk has no module for such sources.
    pub async fn subscribe(&self, app: &str, source: EventSource<'_>) -> Result<(), Error> {
        self.subscription("subscribe to", Method::POST, app, source).await
    }

    /// `unsubscribe`: from now on the application gets no events of a source that it had subscribed to.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 when the application is not connected or the source is gone, with 409 when it was not
    /// subscribed to.
    pub async fn unsubscribe(&self, app: &str, source: EventSource<'_>) -> Result<(), Error> {
        self.subscription("unsubscribe from", Method::DELETE, app, source).await
    }

    async fn subscription(
        &self,
        name: &'static str,
        method: Method,
        app: &str,
        source: EventSource<'_>,
    ) -> Result<(), Error> {
        let (scheme, target) = match source {
            EventSource::Channel(id) => ("channel", id),
            EventSource::Device(name) => ("deviceState", name),
        };
        let operation = Operation { name, target };
        let path = ["applications", app, "subscription"];
        let request = self.0.request(operation, method, &path);
        request
            .query("eventSource", format!("{scheme}:{target}"))
            .execute()
            .await
    }

    /// `filter`: replaces the application's event filter. Asterisk forgets it with the application.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 when the application is not connected, or where the operation does not exist (see
    /// [`Capabilities::event_filter`](crate::ari::Capabilities::event_filter)).
    pub async fn filter(&self, app: &str, filter: &EventFilter) -> Result<(), Error> {
        let operation = Operation {
            name: "filter events of application",
            target: app,
        };
        let request = self
            .0
            .request(operation, Method::PUT, &["applications", app, "eventFilter"]);
        request.json(filter).execute().await
    }
}
