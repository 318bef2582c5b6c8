//! A change of a carrier as VICIdial's screen makes it: the row, the wish for new configuration files, the log.
//!
//! VICIdial's tables are MyISAM, which undoes nothing. So the writes have an order: the row first, then the wish (VICIdial takes
//! it back before it reads the rows), and last the log, which therefore says that all is done. A run that finds the row as it
//! should be and no such log row does the rest once more.

use super::error::StoreError;
use super::owner::Store;
use super::transaction::Transaction;
use super::vicidial_admin_log::{self, ChangedBy, Event, Section};
use super::{vicidial_server_carriers, vicidial_servers};
use crate::vicidial::carriers::CarrierRow;

/// A change of one carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarrierChange {
    /// It is new.
    Insert(Box<CarrierRow>),
    /// Its dialplan entry, where that is still what the change was made from.
    DialplanEntry {
        /// The carrier.
        carrier_id: String,
        /// Its server, as far as the change was made for that.
        server_ip: String,
        /// What the entry must be, byte for byte.
        expected: String,
        /// What it becomes.
        new: String,
    },
    /// Whether VICIdial uses it.
    Active {
        /// The carrier.
        carrier_id: String,
        /// What it becomes.
        active: bool,
    },
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarrierChanged {
    /// It is made.
    Done,
    /// Nothing was to be done.
    AlreadySo,
    /// Nothing was done: no carrier of this id, or not for this server.
    Missing,
    /// Nothing was done: another carrier has the id.
    Exists(Box<CarrierRow>),
    /// Nothing was done: the entry is neither what was expected nor what it was to become.
    Edited {
        /// What stands there.
        found: String,
    },
}

impl CarrierChange {
    fn carrier_id(&self) -> &str {
        match self {
            Self::Insert(row) => &row.carrier_id,
            Self::DialplanEntry { carrier_id, .. } | Self::Active { carrier_id, .. } => carrier_id,
        }
    }

    /// Whether `row` is as the change would make it.
    fn is_made_in(&self, row: &CarrierRow) -> bool {
        match self {
            // Somebody may have switched it on since.
            Self::Insert(new) => {
                let CarrierRow { active, .. } = row;
                let new = CarrierRow {
                    active: *active,
                    ..new.as_ref().clone()
                };
                *row == new
            }
            Self::DialplanEntry { new, .. } => row.dialplan_entry == *new,
            Self::Active { active, .. } => row.active == *active,
        }
    }

    /// What the log says: the statements, with account and registration left out, for secrets stand there.
    fn event(&self, server_ip: &str) -> Event<'_> {
        let (kind, statement) = match self {
            Self::Insert(row) => (
                "ADD",
                format!(
                    "INSERT INTO vicidial_server_carriers SET carrier_id='{}', carrier_name='{}', template_id='{}', protocol='{}', \
                     globals_string='{}', dialplan_entry='{}', server_ip='{}', active='{}'",
                    row.carrier_id,
                    row.carrier_name,
                    row.template_id,
                    row.protocol,
                    row.globals_string,
                    row.dialplan_entry,
                    row.server_ip,
                    vicidial_server_carriers::flag(row.active)
                ),
            ),
            Self::DialplanEntry { carrier_id, new, .. } => (
                "MODIFY",
                format!("UPDATE vicidial_server_carriers SET dialplan_entry='{new}' WHERE carrier_id='{carrier_id}'"),
            ),
            Self::Active { carrier_id, active } => (
                "MODIFY",
                format!(
                    "UPDATE vicidial_server_carriers SET active='{}' WHERE carrier_id='{carrier_id}'",
                    vicidial_server_carriers::flag(*active)
                ),
            ),
        };
        Event {
            section: Section::Carriers,
            kind,
            record_id: self.carrier_id(),
            statements: format!("{statement}|{}", vicidial_servers::rebuild_as_logged(server_ip)),
        }
    }
}

impl Store {
    /// Changes a carrier as VICIdial's screen does. The characters that the screen takes are not looked at here: see
    /// [`crate::vicidial::admin`].
    ///
    /// # Errors
    /// [`StoreError`]: VICIdial's tables cannot be read or written. On MyISAM a part may have been done; the same change made
    /// again does the rest.
    pub async fn change_carrier(&self, change: CarrierChange, by: ChangedBy) -> Result<CarrierChanged, StoreError> {
        self.write(move |transaction| make(transaction, &change, &by)).await
    }
}

fn make(
    transaction: &mut dyn Transaction,
    change: &CarrierChange,
    by: &ChangedBy,
) -> Result<CarrierChanged, StoreError> {
    let found = vicidial_server_carriers::find(transaction, change.carrier_id())?;
    let server_ip = match (change, &found) {
        (CarrierChange::Insert(row), None) => row.server_ip.clone(),
        (CarrierChange::DialplanEntry { .. } | CarrierChange::Active { .. }, None) => {
            return Ok(CarrierChanged::Missing);
        }
        (CarrierChange::DialplanEntry { server_ip, .. }, Some(row)) if row.server_ip != *server_ip => {
            return Ok(CarrierChanged::Missing);
        }
        (_, Some(row)) => row.server_ip.clone(),
    };
    let event = change.event(&server_ip);
    let mut outcome = CarrierChanged::Done;
    match (change, found) {
        (change, Some(row)) if change.is_made_in(&row) => {
            outcome = CarrierChanged::AlreadySo;
            if vicidial_admin_log::is_newest(transaction, &event)? {
                return Ok(outcome);
            }
        }
        (CarrierChange::Insert(row), None) => vicidial_server_carriers::insert(transaction, row)?,
        (CarrierChange::Insert(_), Some(row)) => return Ok(CarrierChanged::Exists(Box::new(row))),
        (CarrierChange::Active { carrier_id, active }, _) => {
            vicidial_server_carriers::set_active(transaction, carrier_id, *active)?;
        }
        (
            CarrierChange::DialplanEntry {
                carrier_id,
                expected,
                new,
                ..
            },
            _,
        ) => {
            if !vicidial_server_carriers::set_dialplan_entry(transaction, carrier_id, expected, new)? {
                let row = vicidial_server_carriers::find(transaction, carrier_id)?;
                return Ok(row.map_or(CarrierChanged::Missing, |row| CarrierChanged::Edited {
                    found: row.dialplan_entry,
                }));
            }
        }
    }
    if transaction.has_table("servers")? {
        vicidial_servers::ask_for_files(transaction, &server_ip)?;
    }
    vicidial_admin_log::insert(transaction, &event, by)?;
    Ok(outcome)
}
