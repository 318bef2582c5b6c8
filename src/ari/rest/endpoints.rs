//! `/endpoints`: the peers that Asterisk's channel drivers have.

use reqwest::Method;
use serde::Deserialize;

use crate::ari::{Client, Error, Operation};

/// Operations on `/endpoints`.
#[derive(Clone, Copy, Debug)]
pub struct Endpoints<'a>(&'a Client);

impl Client {
    /// Operations on `/endpoints`.
    pub fn endpoints(&self) -> Endpoints<'_> {
        Endpoints(self)
    }
}

/// A peer of a channel driver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Peer {
    /// The channel driver: `PJSIP`, `SIP`, `IAX2`.
    pub technology: String,
    /// The peer's name.
    pub resource: String,
    /// `online`, `offline` or `unknown`, as the channel driver sees it.
    pub state: String,
}

impl Endpoints<'_> {
    /// `list`: all peers of all channel drivers.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(&self) -> Result<Vec<Peer>, Error> {
        let operation = Operation {
            name: "list endpoints",
            target: "",
        };
        self.0.request(operation, Method::GET, &["endpoints"]).fetch().await
    }

    /// `get`: one peer. `None`: Asterisk does not have it, or not the channel driver.
    ///
    /// # Errors
    /// See [`Error`]; never a 404.
    pub async fn get(&self, technology: &str, resource: &str) -> Result<Option<Peer>, Error> {
        let operation = Operation {
            name: "get endpoint",
            target: resource,
        };
        let request = self
            .0
            .request(operation, Method::GET, &["endpoints", technology, resource]);
        match request.fetch().await {
            Ok(peer) => Ok(Some(peer)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
