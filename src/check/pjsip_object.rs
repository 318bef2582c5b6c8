//! What `res_pjsip` has loaded: the settings of one object of its configuration.

use reqwest::Method;
use serde::Deserialize;

use crate::ari::{self, Client, Operation};

/// One setting of an object.
#[derive(Debug, Deserialize)]
pub(super) struct Setting {
    attribute: String,
    value: String,
}

/// The settings of an object, by kind and name; `None` where there is none.
pub(super) async fn settings(client: &Client, kind: &str, name: &str) -> Result<Option<Vec<Setting>>, ari::Error> {
    let operation = Operation {
        name: "get PJSIP settings",
        target: name,
    };
    let path = ["asterisk", "config", "dynamic", "res_pjsip", kind, name];
    match client.request(operation, Method::GET, &path).fetch().await {
        Ok(settings) => Ok(Some(settings)),
        Err(ari::Error::Status { code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The value of a setting.
pub(super) fn value<'a>(settings: &'a [Setting], attribute: &str) -> Option<&'a str> {
    let found = settings.iter().find(|setting| setting.attribute == attribute);
    found.map(|setting| setting.value.as_str())
}
