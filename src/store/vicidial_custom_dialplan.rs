//! `servers.custom_dialplan_entry`: dialplan that VICIdial writes for one server, as a person put it on its *Servers* screen.

use super::error::StoreError;
use super::owner::Store;
use super::transaction::{ColumnAccess, Transaction, is_byte_for_byte};
use super::vicidial_admin_log::{self, ChangedBy, Event, Section};
use super::vicidial_servers;

/// The custom dialplan of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomDialplan {
    /// The server's id, as VICIdial's log names it.
    pub server_id: String,
    /// Its address.
    pub server_ip: String,
    /// The text; empty where there is none.
    pub entry: String,
    /// The screen shows it: `system_settings.allow_custom_dialplan` is `1`.
    pub is_offered: bool,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomDialplanChanged {
    /// It is made.
    Done,
    /// Nothing was to be done.
    AlreadySo,
    /// Nothing was done: no such server.
    Missing,
    /// Nothing was done: the text is neither what was expected nor what it was to become.
    Edited {
        /// What stands there.
        found: String,
    },
}

impl Store {
    /// The custom dialplan of a server; `None` where there is no such server, or this VICIdial has no such column, or this account
    /// may not change it.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn custom_dialplan(&self, server_ip: String) -> Result<Option<CustomDialplan>, StoreError> {
        self.read(move |transaction| read(transaction, &server_ip)).await
    }

    /// Changes the custom dialplan of a server as VICIdial's screen does, if it is still `expected`, byte for byte. The characters
    /// that the screen takes are not looked at here: see [`crate::vicidial::admin`].
    ///
    /// # Errors
    /// [`StoreError`]: VICIdial's tables cannot be read or written. On MyISAM a part may have been done; the same change made
    /// again does the rest.
    pub async fn change_custom_dialplan(
        &self,
        server_ip: String,
        expected: String,
        new: String,
        by: ChangedBy,
    ) -> Result<CustomDialplanChanged, StoreError> {
        self.write(move |transaction| change(transaction, &server_ip, &expected, &new, &by))
            .await
    }
}

fn read(transaction: &mut dyn Transaction, server_ip: &str) -> Result<Option<CustomDialplan>, StoreError> {
    if transaction.access_to("servers", "custom_dialplan_entry")? < ColumnAccess::Write {
        return Ok(None);
    }
    let is_offered = match transaction.access_to("system_settings", "allow_custom_dialplan")? {
        ColumnAccess::None => false,
        ColumnAccess::Read | ColumnAccess::Write => {
            let rows = transaction.query("SELECT allow_custom_dialplan FROM system_settings", &[])?;
            let settings = rows.iter().map(|row| row.text("allow_custom_dialplan"));
            settings.collect::<Result<Vec<_>, _>>()?.iter().any(|it| it == "1")
        }
    };
    let sql = "SELECT server_id, server_ip, custom_dialplan_entry FROM servers WHERE server_ip = ?";
    let rows = transaction.query(sql, &[server_ip.into()])?;
    let server = rows.first().map(|row| {
        Ok(CustomDialplan {
            server_id: row.text("server_id")?,
            server_ip: row.text("server_ip")?,
            entry: row.text("custom_dialplan_entry")?,
            is_offered,
        })
    });
    server.transpose()
}

/// In the order that tables without transactions need: the row, the wish for new files, the log, which therefore says that all is
/// done.
fn change(
    transaction: &mut dyn Transaction,
    server_ip: &str,
    expected: &str,
    new: &str,
    by: &ChangedBy,
) -> Result<CustomDialplanChanged, StoreError> {
    let Some(server) = read(transaction, server_ip)? else {
        return Ok(CustomDialplanChanged::Missing);
    };
    let event = Event {
        section: Section::Servers,
        kind: "MODIFY",
        record_id: &server.server_id,
        statements: format!(
            "UPDATE servers SET custom_dialplan_entry='{new}' WHERE server_id='{}'|{}",
            server.server_id,
            vicidial_servers::rebuild_as_logged(server_ip)
        ),
    };
    let mut outcome = CustomDialplanChanged::Done;
    if server.entry == new {
        outcome = CustomDialplanChanged::AlreadySo;
        if vicidial_admin_log::is_newest(transaction, &event)? {
            return Ok(outcome);
        }
    } else {
        let same = is_byte_for_byte(transaction.url(), "custom_dialplan_entry");
        let sql = format!("UPDATE servers SET custom_dialplan_entry = ? WHERE server_ip = ? AND {same}");
        if transaction.execute(&sql, &[new.into(), server_ip.into(), expected.into()])? == 0 {
            let found = read(transaction, server_ip)?;
            return Ok(
                found.map_or(CustomDialplanChanged::Missing, |server| CustomDialplanChanged::Edited {
                    found: server.entry,
                }),
            );
        }
    }
    vicidial_servers::ask_for_files(transaction, server_ip)?;
    vicidial_admin_log::insert(transaction, &event, by)?;
    Ok(outcome)
}
