//! The dialplan as Asterisk has loaded it.

use super::error::Error;
use super::message::Message;
use super::session::Session;

/// One priority of one extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedLine {
    /// The context.
    pub context: String,
    /// The extension or pattern, as written.
    pub extension: String,
    /// What runs.
    pub application: String,
    /// Its arguments.
    pub arguments: String,
}

impl Session {
    /// The whole dialplan.
    ///
    /// # Errors
    /// When the connection breaks, no answer comes in 5 s, the answer is longer than 4 MiB, or the user may not ask that (it needs
    /// `config` or `reporting` in `write` of `manager.conf`). The session is of no use afterwards.
    pub async fn dialplan(&mut self) -> Result<Vec<LoadedLine>, Error> {
        let rows = self.list("ShowDialPlan").await?;
        Ok(rows.iter().flatten().filter_map(line).collect())
    }
}

/// `ListDialplan`; a row about an include or a switch has no application.
fn line(row: &Message) -> Option<LoadedLine> {
    let text = |key: &str| row.get(key).to_owned();
    (!row.get("Application").is_empty()).then(|| LoadedLine {
        context: text("Context"),
        extension: text("Extension"),
        application: text("Application"),
        arguments: text("AppData"),
    })
}
