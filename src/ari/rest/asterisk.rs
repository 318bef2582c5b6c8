//! `/asterisk`: the server itself.

use reqwest::Method;
use serde::Deserialize;

use crate::ari::{Capabilities, Client, Error, Operation, Timestamp, Version};

/// Operations on `/asterisk`.
#[derive(Clone, Copy, Debug)]
pub struct Asterisk<'a>(&'a Client);

impl Client {
    /// Operations on `/asterisk`.
    pub fn asterisk(&self) -> Asterisk<'_> {
        Asterisk(self)
    }
}

/// Which Asterisk this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsteriskInfo {
    /// Its version.
    pub version: Version,
    /// Its entity id: by default the MAC address of the first network interface.
    pub entity_id: String,
    /// When it was started: another time means that every channel known before is gone.
    pub started: Option<Timestamp>,
    /// What this version can do.
    pub capabilities: Capabilities,
}

#[derive(Deserialize)]
struct Info {
    system: System,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct System {
    version: String,
    #[serde(default)]
    entity_id: String,
}

#[derive(Default, Deserialize)]
struct Status {
    startup_time: Option<Timestamp>,
}

impl Asterisk<'_> {
    /// `reloadModule`: makes a module read its files again, for example `pbx_config.so` the dialplan.
    ///
    /// # Errors
    /// Status 404 where the module is not loaded; see [`Error`] for the rest.
    pub async fn reload_module(&self, name: &str) -> Result<(), Error> {
        let operation = Operation {
            name: "reload module",
            target: name,
        };
        let path = ["asterisk", "modules", name];
        self.0.request(operation, Method::PUT, &path).execute().await
    }

    /// `getInfo`: the version and what follows from it.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] for a wrong user or password; see [`Error`] for the rest.
    pub async fn info(&self) -> Result<AsteriskInfo, Error> {
        let operation = Operation {
            name: "get asterisk info",
            target: "",
        };
        let request = self.0.request(operation, Method::GET, &["asterisk", "info"]);
        let info: Info = request.query("only", "system,status").fetch().await?;
        let version = Version::parse(&info.system.version);
        let capabilities = version.capabilities();
        Ok(AsteriskInfo {
            version,
            entity_id: info.system.entity_id,
            started: info.status.startup_time,
            capabilities,
        })
    }
}
