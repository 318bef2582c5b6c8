//! `vicidial_admin_log`: who changed what on VICIdial's screens. Whoever changes a carrier in their place writes here as they do.

use super::error::StoreError;
use super::transaction::{Transaction, cut};

/// The notes of our rows begin with it.
const OURS: &str = "crankback";
/// Older installations have a TEXT of 65,535 bytes for the statements; this many characters fit whatever they are.
const SQL_WIDTH: usize = 16_000;

/// Who changes a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedBy {
    /// A user of VICIdial, or of this machine.
    pub user: String,
    /// Where the change was made.
    pub ip_address: String,
    /// What was asked for, for example `conf install`.
    pub what: String,
}

/// One event about a carrier.
pub(super) struct Event<'a> {
    /// `ADD` or `MODIFY`.
    pub kind: &'static str,
    pub carrier_id: &'a str,
    /// The statements as VICIdial keeps them, without semicolons.
    pub statements: String,
}

impl Event<'_> {
    fn statements(&self) -> String {
        self.statements.replace(';', "").chars().take(SQL_WIDTH).collect()
    }
}

/// Whether the newest of our events about this carrier is this very one.
pub(super) fn is_newest(transaction: &mut dyn Transaction, event: &Event<'_>) -> Result<bool, StoreError> {
    if !transaction.has_table("vicidial_admin_log")? {
        return Ok(true);
    }
    let sql = "SELECT event_type, event_sql FROM vicidial_admin_log \
               WHERE event_section = 'CARRIERS' AND record_id = ? AND event_notes LIKE ? \
               ORDER BY admin_log_id DESC LIMIT 1";
    let rows = transaction.query(sql, &[event.carrier_id.into(), format!("{OURS}%").as_str().into()])?;
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
               event_sql, event_notes) VALUES (CURRENT_TIMESTAMP, ?, ?, 'CARRIERS', ?, ?, ?, ?, ?)";
    let parameters = [
        cut(&by.user, 20),
        cut(&by.ip_address, 15),
        event.kind.into(),
        event.carrier_id.into(),
        format!("ADMIN {} CARRIER", event.kind).as_str().into(),
        event.statements().as_str().into(),
        format!("{OURS} {}", by.what).as_str().into(),
    ];
    transaction.execute(sql, &parameters).map(drop)
}
