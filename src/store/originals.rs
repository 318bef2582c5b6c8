//! `crankback_originals`: what stood in VICIdial's dialplan entries before they were changed.

use super::error::StoreError;
use super::import::OwnTable;
use super::owner::Store;
use super::transaction::{Row, Transaction, Value, cut, whole};

const COLUMNS: &str = "kind, name, original, installed, at_ms, actor";

pub(super) const TABLE: OwnTable = OwnTable {
    name: "crankback_originals",
    columns: COLUMNS,
    key: &["kind", "name"],
};

/// The kind of a carrier's `dialplan_entry`.
const CARRIER: &str = "carrier";

/// A carrier's dialplan entry as it was, and as it was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginalRow {
    /// The carrier.
    pub carrier_id: String,
    /// The entry before.
    pub original: String,
    /// The entry after.
    pub installed: String,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Who asked for it.
    pub actor: String,
}

impl Store {
    /// The originals of all carriers, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn originals(&self) -> Result<Vec<OriginalRow>, StoreError> {
        self.read(|transaction| {
            let sql = format!("SELECT {COLUMNS} FROM crankback_originals WHERE kind = ? ORDER BY name");
            let rows = transaction.query(&sql, &[CARRIER.into()])?;
            rows.iter().map(original).collect()
        })
        .await
    }

    /// Keeps an original, in place of one that was kept for the same carrier.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written.
    pub async fn keep_original(&self, row: OriginalRow) -> Result<(), StoreError> {
        self.write(move |transaction| {
            let url = transaction.url().clone();
            let parameters: [Value; 6] = [
                CARRIER.into(),
                whole(&url, "name", &row.carrier_id, 64)?,
                (&row.original).into(),
                (&row.installed).into(),
                row.at_ms.into(),
                cut(&row.actor, 128),
            ];
            let sql = format!("REPLACE INTO crankback_originals ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)");
            transaction.execute(&sql, &parameters).map(drop)
        })
        .await
    }

    /// Forgets the original of a carrier.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written.
    pub async fn forget_original(&self, carrier_id: String) -> Result<(), StoreError> {
        self.write(move |transaction| forget(transaction, &carrier_id)).await
    }
}

fn forget(transaction: &mut dyn Transaction, carrier_id: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM crankback_originals WHERE kind = ? AND name = ?";
    transaction.execute(sql, &[CARRIER.into(), carrier_id.into()]).map(drop)
}

fn original(row: &Row) -> Result<OriginalRow, StoreError> {
    Ok(OriginalRow {
        carrier_id: row.text("name")?,
        original: row.text("original")?,
        installed: row.text("installed")?,
        at_ms: row.integer("at_ms")?,
        actor: row.text("actor")?,
    })
}
