//! The admin screens' door: carriers are changed as VICIdial's *Carriers* screen changes them, a server's custom dialplan as its
//! *Servers* screen does.
//!
//! The same characters, the same wish for new configuration files, the same row in VICIdial's log of changes. The screen takes
//! characters out without a word; here they are refused by name, because what is written has to be what was meant.

mod screen;

pub use screen::{ScreenError, ScreenFault, as_saved_on_screen};

use super::carriers::CarrierRow;
use crate::store::{CarrierChange, CarrierChanged, ChangedBy, CustomDialplanChanged, Store, StoreError};

/// Whether a change was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was made.
    Changed,
    /// Everything was so already.
    AlreadySo,
}

/// Why a carrier or a server was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The screen would not take it.
    #[error(transparent)]
    Screen(#[from] ScreenError),
    /// A new carrier has the id of one that is there and that differs.
    #[error(
        "carrier {carrier_id} exists already ({carrier_name:?}, server {server_ip}): choose another id, or change that one"
    )]
    Exists {
        /// The id, as it is written there.
        carrier_id: String,
        /// Its name.
        carrier_name: String,
        /// Its server.
        server_ip: String,
    },
    /// No such carrier.
    #[error("no carrier {carrier_id} for server {server_ip} stands in VICIdial's table")]
    Missing {
        /// The id.
        carrier_id: String,
        /// The server; empty for any.
        server_ip: String,
    },
    /// Somebody changed the entry after it was read.
    #[error(
        "carrier {carrier_id}, dialplan entry, line {line}: somebody has changed it meanwhile, it reads {found:?} now: nothing was \
         written, look at it and try again"
    )]
    Edited {
        /// The carrier.
        carrier_id: String,
        /// The first line that differs, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// No such server, or its custom dialplan is not ours to change.
    #[error(
        "server {server_ip} is not in VICIdial's table any more, or this account may not change its custom dialplan"
    )]
    NoServer {
        /// The server.
        server_ip: String,
    },
    /// Somebody changed a server's custom dialplan after it was read.
    #[error(
        "server {server_ip}, custom dialplan entry, line {line}: somebody has changed it meanwhile, it reads {found:?} now: nothing was \
         written, look at it and try again"
    )]
    ServerEdited {
        /// The server.
        server_ip: String,
        /// The first line that differs, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AdminError {
    /// A stable word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Screen(error) => error.fault.code(),
            Self::Exists { .. } => "carrier_exists",
            Self::Missing { .. } => "carrier_missing",
            Self::Edited { .. } => "carrier_edited",
            Self::NoServer { .. } => "server_missing",
            Self::ServerEdited { .. } => "server_edited",
            Self::Store(error) => error.code(),
        }
    }
}

/// Whether the screen would take every value of a new row.
///
/// # Errors
/// The first value that it would alter or refuse.
pub fn check(row: &CarrierRow) -> Result<(), AdminError> {
    Ok(screen::check(row)?)
}

/// Adds a carrier. Run again with the same row it does what an earlier run left undone, whatever `active` has become since.
///
/// # Errors
/// [`AdminError`]: the screen would not take a value, another carrier has the id, or the database fails.
pub async fn insert_carrier(store: &Store, row: CarrierRow, by: ChangedBy) -> Result<Written, AdminError> {
    screen::check(&row)?;
    let carrier_id = row.carrier_id.clone();
    let changed = store.change_carrier(CarrierChange::Insert(Box::new(row)), by).await?;
    written(changed, &carrier_id, "", "")
}

/// Changes a carrier's dialplan entry, if it is still `expected`, byte for byte: what an administrator has written meanwhile stays.
///
/// # Errors
/// [`AdminError`]: the entry has been changed, the new text brings a character that the screen would take out, the carrier is gone
/// or has moved to another server, or the database fails.
pub async fn update_dialplan_entry(
    store: &Store,
    carrier_id: &str,
    server_ip: &str,
    expected: &str,
    new: &str,
    by: ChangedBy,
) -> Result<Written, AdminError> {
    screen::check_new_entry(&format!("carrier {carrier_id}"), "dialplan_entry", expected, new)?;
    let change = CarrierChange::DialplanEntry {
        carrier_id: carrier_id.to_owned(),
        server_ip: server_ip.to_owned(),
        expected: expected.to_owned(),
        new: new.to_owned(),
    };
    let changed = store.change_carrier(change, by).await?;
    written(changed, carrier_id, server_ip, expected)
}

/// Changes a server's custom dialplan, if it is still `expected`, byte for byte.
///
/// # Errors
/// [`AdminError`]: somebody has changed it, the new text brings a character that the screen would take out or is too long, the
/// server is gone, or the database fails.
pub async fn update_custom_dialplan(
    store: &Store,
    server_ip: &str,
    expected: &str,
    new: &str,
    by: ChangedBy,
) -> Result<Written, AdminError> {
    screen::check_new_entry(&format!("server {server_ip}"), "custom_dialplan_entry", expected, new)?;
    let [server, before, after] = [server_ip, expected, new].map(str::to_owned);
    match store.change_custom_dialplan(server, before, after, by).await? {
        CustomDialplanChanged::Done => Ok(Written::Changed),
        CustomDialplanChanged::AlreadySo => Ok(Written::AlreadySo),
        CustomDialplanChanged::Missing => Err(AdminError::NoServer {
            server_ip: server_ip.to_owned(),
        }),
        CustomDialplanChanged::Edited { found } => {
            let (line, found) = first_difference(expected, &found);
            Err(AdminError::ServerEdited {
                server_ip: server_ip.to_owned(),
                line,
                found: found.to_owned(),
            })
        }
    }
}

/// Switches a carrier on or off.
///
/// # Errors
/// [`AdminError`]: there is no such carrier, or the database fails.
pub async fn set_active(store: &Store, carrier_id: &str, active: bool, by: ChangedBy) -> Result<Written, AdminError> {
    let carrier = carrier_id.to_owned();
    let change = CarrierChange::Active {
        carrier_id: carrier,
        active,
    };
    let changed = store.change_carrier(change, by).await?;
    written(changed, carrier_id, "", "")
}

fn written(changed: CarrierChanged, carrier_id: &str, server_ip: &str, expected: &str) -> Result<Written, AdminError> {
    match changed {
        CarrierChanged::Done => Ok(Written::Changed),
        CarrierChanged::AlreadySo => Ok(Written::AlreadySo),
        CarrierChanged::Missing => Err(AdminError::Missing {
            carrier_id: carrier_id.to_owned(),
            server_ip: server_ip.to_owned(),
        }),
        CarrierChanged::Exists(row) => Err(AdminError::Exists {
            carrier_id: row.carrier_id,
            carrier_name: row.carrier_name,
            server_ip: row.server_ip,
        }),
        CarrierChanged::Edited { found } => {
            let (line, found) = first_difference(expected, &found);
            Err(AdminError::Edited {
                carrier_id: carrier_id.to_owned(),
                line,
                found: found.to_owned(),
            })
        }
    }
}

/// The first line of `found` that is not that of `expected`, from 1, and what stands there.
pub(crate) fn first_difference<'a>(expected: &str, found: &'a str) -> (usize, &'a str) {
    let mut expected = expected.split('\n');
    for (index, line) in found.split('\n').enumerate() {
        if expected.next() != Some(line) {
            return (index + 1, line);
        }
    }
    (found.split('\n').count() + 1, "")
}
