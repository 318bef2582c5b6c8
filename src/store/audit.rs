//! `crankback_audit`: who changed what, and who tried.

use super::error::StoreError;
use super::import::OwnTable;
use super::meta;
use super::owner::Store;
use super::transaction::{Row, Transaction, Value, cut};

const COLUMNS: &str = "id, at_ms, actor, command, target, detail, outcome";

pub(super) const TABLE: OwnTable = OwnTable {
    name: "crankback_audit",
    columns: COLUMNS,
    key: &["id"],
};

/// What MariaDB's TEXT, 65,535 bytes, holds of any characters.
const DETAIL_WIDTH: usize = 16_383;

/// One command on record. Its number in the table is given when it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Who asked.
    pub actor: String,
    /// What was asked for, one word.
    pub command: String,
    /// What it was about, for example `route 3`.
    pub target: String,
    /// The command as it was given, JSON.
    pub detail: String,
    /// `done`, or the code of the refusal.
    pub outcome: String,
}

impl Store {
    /// Puts a command on record that changed none of our tables: a refused one, for example.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written.
    pub async fn insert_audit(&self, row: AuditRow) -> Result<(), StoreError> {
        self.write(move |transaction| {
            meta::take_turn(transaction)?;
            insert(transaction, &row)
        })
        .await
    }

    /// The newest rows, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn latest_audit(&self, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.read(move |transaction| {
            let sql = format!("SELECT {COLUMNS} FROM crankback_audit ORDER BY id DESC LIMIT ?");
            let rows = transaction.query(&sql, &[i64::from(limit).into()])?;
            rows.iter().map(audit).collect()
        })
        .await
    }
}

/// To be called in the transaction of the change that the row is about, after [`meta::take_turn`].
pub(super) fn insert(transaction: &mut dyn Transaction, row: &AuditRow) -> Result<(), StoreError> {
    let highest = transaction.query("SELECT MAX(id) AS highest FROM crankback_audit", &[])?;
    let highest: Option<i64> = highest
        .first()
        .map(|row| row.optional_integer("highest"))
        .transpose()?
        .flatten();
    let parameters: [Value; 7] = [
        (highest.unwrap_or_default() + 1).into(),
        row.at_ms.into(),
        cut(&row.actor, 128),
        cut(&row.command, 32),
        cut(&row.target, 64),
        cut(&row.detail, DETAIL_WIDTH),
        cut(&row.outcome, 64),
    ];
    let sql = format!("INSERT INTO crankback_audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)");
    transaction.execute(&sql, &parameters)?;
    Ok(())
}

fn audit(row: &Row) -> Result<AuditRow, StoreError> {
    Ok(AuditRow {
        at_ms: row.integer("at_ms")?,
        actor: row.text("actor")?,
        command: row.text("command")?,
        target: row.text("target")?,
        detail: row.text("detail")?,
        outcome: row.text("outcome")?,
    })
}
