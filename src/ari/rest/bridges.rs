//! `/bridges`.

use reqwest::Method;

use crate::ari::{Bridge, Client, Error, Operation};

/// Operations on `/bridges`.
#[derive(Clone, Copy, Debug)]
pub struct Bridges<'a>(&'a Client);

impl Client {
    /// Operations on `/bridges`.
    pub fn bridges(&self) -> Bridges<'_> {
        Bridges(self)
    }
}

/// How channels join a bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddChannel {
    /// Neither side learns the other's caller id from the bridge. Only where
    /// [`Capabilities::inhibit_connected_line_updates`](crate::ari::Capabilities::inhibit_connected_line_updates) says so;
    /// older versions ignore it.
    pub inhibit_connected_line_updates: bool,
}

impl<'a> Bridges<'a> {
    /// `createWithId`: makes a mixing bridge with this id. Never use an id twice: before 20.13 and 22.3 Asterisk may crash.
    ///
    /// # Errors
    /// [`Error::Status`] with 409 or 500 where Asterisk refuses the id.
    pub async fn create_with_id(&self, bridge: &str) -> Result<Bridge, Error> {
        let request = self.one("create bridge", bridge, Method::POST, &[]);
        request.query("type", "mixing").fetch().await
    }

    /// `addChannel`: puts channels into the bridge. Returns when they are told to join; the event tells when they are in.
    ///
    /// # Errors
    /// [`Error::Status`]: 400 or 404 for an unknown channel or bridge, 409 while a channel is being recorded, 422 when a
    /// channel is not in Stasis.
    pub async fn add_channel(&self, bridge: &str, channels: &[&str], how: AddChannel) -> Result<(), Error> {
        let request = self.one("add channel to bridge", bridge, Method::POST, &["addChannel"]);
        let inhibit = how.inhibit_connected_line_updates.then_some(true);
        request
            .query("channel", channels.join(","))
            .query_if("inhibitConnectedLineUpdates", inhibit)
            .execute()
            .await
    }

    /// `removeChannel`: takes channels out of the bridge.
    ///
    /// # Errors
    /// [`Error::Status`]: 404 for an unknown bridge, 409 for a channel not in Stasis, 422 for one not in this bridge.
    pub async fn remove_channel(&self, bridge: &str, channels: &[&str]) -> Result<(), Error> {
        let request = self.one("remove channel from bridge", bridge, Method::POST, &["removeChannel"]);
        request.query("channel", channels.join(",")).execute().await
    }

    /// `destroy`: takes everybody out and removes the bridge. Hang channels up first: before 20.13 and 22.3 it may
    /// overwrite their hangup cause.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 when the bridge is gone.
    pub async fn destroy(&self, bridge: &str) -> Result<(), Error> {
        self.one("destroy bridge", bridge, Method::DELETE, &[]).execute().await
    }

    /// `get`: one bridge.
    ///
    /// # Errors
    /// [`Error::Status`] with 404 when the bridge is gone.
    pub async fn get(&self, bridge: &str) -> Result<Bridge, Error> {
        self.one("get bridge", bridge, Method::GET, &[]).fetch().await
    }

    /// `list`: every bridge of this Asterisk, also those of others.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(&self) -> Result<Vec<Bridge>, Error> {
        let operation = Operation {
            name: "list bridges",
            target: "",
        };
        self.0.request(operation, Method::GET, &["bridges"]).fetch().await
    }

    fn one(&self, name: &'static str, bridge: &'a str, method: Method, rest: &[&str]) -> crate::ari::Request<'a> {
        let path = [&["bridges", bridge], rest].concat();
        self.0.request(Operation { name, target: bridge }, method, &path)
    }
}
