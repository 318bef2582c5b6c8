//! `vicidial_admin_log`: who changed what on VICIdial's screens. Whoever changes a row in their place writes here as they do.

use super::error::StoreError;
use super::transaction::{Transaction, cut};

/// The notes of our rows begin with it.
const OURS: &str = "crankback";
/// Older installations have a TEXT of 65,535 bytes for the statements; this many characters fit whatever they are.
const SQL_WIDTH: usize = 16_000;

/// Who changes a row of VICIdial's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedBy {
    /// A user of VICIdial, or of this machine.
    pub user: String,
    /// Where the change was made.
    pub ip_address: String,
    /// What was asked for, for example `conf install`.
    pub what: String,
}

/// What a screen changes.
#[derive(Clone, Copy)]
pub(super) enum Section {
    Carriers,
    Servers,
}

impl Section {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Carriers => "CARRIERS",
            Self::Servers => "SERVERS",
        }
    }

    /// As the event's code names one of them.
    const fn one(self) -> &'static str {
        match self {
            Self::Carriers => "CARRIER",
            Self::Servers => "SERVER",
        }
    }
}

/// One event about a carrier or a server.
pub(super) struct Event<'a> {
    pub section: Section,
    /// `ADD` or `MODIFY`.
    pub kind: &'static str,
    /// The carrier's id, or the server's.
    pub record_id: &'a str,
    /// The statements as VICIdial keeps them, without semicolons.
    pub statements: String,
}

impl Event<'_> {
    fn statements(&self) -> String {
        self.statements.replace(';', "").chars().take(SQL_WIDTH).collect()
    }
}

/// Whether the newest of our events about this carrier or server is this very one.
pub(super) fn is_newest(transaction: &mut dyn Transaction, event: &Event<'_>) -> Result<bool, StoreError> {
    if !transaction.has_table("vicidial_admin_log")? {
        return Ok(true);
    }
    let sql = "SELECT event_type, event_sql FROM vicidial_admin_log \
               WHERE event_section = ? AND record_id = ? AND event_notes LIKE ? \
               ORDER BY admin_log_id DESC LIMIT 1";
    let parameters = [
        event.section.as_str().into(),
        event.record_id.into(),
        format!("{OURS}%").as_str().into(),
    ];
    let rows = transaction.query(sql, &parameters)?;
    let Some(newest) = rows.first() else {
        return Ok(false);
    };
    Ok(newest.text("event_type")? == event.kind && newest.text("event_sql")? == event.statements())
}

/// Writes an event; nothing where the table does not exist.
pub(super) fn insert(transaction: &mut dyn Transaction, event: &Event<'_>, by: &ChangedBy) -> Result<(), StoreError> {
    if !transaction.has_table("vicidial_admin_log")? {
        return Ok(());
    }
    let sql = "INSERT INTO vicidial_admin_log (event_date, user, ip_address, event_section, event_type, record_id, event_code, \
               event_sql, event_notes) VALUES (CURRENT_TIMESTAMP, ?, ?, ?, ?, ?, ?, ?, ?)";
    let parameters = [
        cut(&by.user, 20),
        cut(&by.ip_address, 15),
        event.section.as_str().into(),
        event.kind.into(),
        event.record_id.into(),
        format!("ADMIN {} {}", event.kind, event.section.one()).as_str().into(),
        event.statements().as_str().into(),
        format!("{OURS} {}", by.what).as_str().into(),
    ];
    transaction.execute(sql, &parameters).map(drop)
}
