//! Tells the dialplan which engine calls go to.

use std::net::SocketAddr;

use reqwest::Method;

use crate::ari::{Client, Error, Operation};
use crate::config::Engine;

/// Sets the global variables that `[crankback]` of the dialplan reads. Asterisk forgets them when it restarts; until they are
/// set again calls go to Stasis.
///
/// # Errors
/// What the first request met that failed.
pub async fn tell_dialplan(ari: &Client, engine: Engine, agi: SocketAddr) -> Result<(), Error> {
    // A session must know its way before it is chosen.
    set_global(ari, "CB_AGI", &agi.to_string()).await?;
    set_global(ari, "CB_ENGINE", engine.as_str()).await
}

async fn set_global(ari: &Client, name: &str, value: &str) -> Result<(), Error> {
    let operation = Operation {
        name: "set global variable",
        target: name,
    };
    let request = ari.request(operation, Method::POST, &["asterisk", "variable"]);
    request.query("variable", name).query("value", value).execute().await
}
