//! `crankback_originals`: what stood in VICIdial's dialplan entries, of carriers and of servers, before they were changed.

use super::error::StoreError;
use super::import::OwnTable;
use super::owner::Store;
use super::transaction::{Row, Value, cut, whole};

const COLUMNS: &str = "kind, name, original, installed, at_ms, actor";

pub(super) const TABLE: OwnTable = OwnTable {
    name: "crankback_originals",
    columns: COLUMNS,
    key: &["kind", "name"],
};

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginalKind {
    /// A carrier's `dialplan_entry`; its name is the carrier's id.
    Carrier,
    /// A server's `custom_dialplan_entry`; its name is the server's address.
    Server,
}

impl OriginalKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Carrier => "carrier",
            Self::Server => "server",
        }
    }
}

/// A dialplan entry as it was, and as it was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginalRow {
    /// Where it stands.
    pub kind: OriginalKind,
    /// The carrier, or the server.
    pub name: String,
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
    /// The originals of one kind, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn originals(&self, kind: OriginalKind) -> Result<Vec<OriginalRow>, StoreError> {
        self.read(move |transaction| {
            let sql = format!("SELECT {COLUMNS} FROM crankback_originals WHERE kind = ? ORDER BY name");
            let rows = transaction.query(&sql, &[kind.as_str().into()])?;
            rows.iter().map(|row| original(kind, row)).collect()
        })
        .await
    }

    /// Keeps an original, in place of one that was kept of the same entry.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written.
    pub async fn keep_original(&self, row: OriginalRow) -> Result<(), StoreError> {
        self.write(move |transaction| {
            let url = transaction.url().clone();
            let parameters: [Value; 6] = [
                row.kind.as_str().into(),
                whole(&url, "name", &row.name, 64)?,
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

    /// Forgets an original.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written.
    pub async fn forget_original(&self, kind: OriginalKind, name: String) -> Result<(), StoreError> {
        self.write(move |transaction| {
            let sql = "DELETE FROM crankback_originals WHERE kind = ? AND name = ?";
            transaction
                .execute(sql, &[kind.as_str().into(), (&name).into()])
                .map(drop)
        })
        .await
    }
}

fn original(kind: OriginalKind, row: &Row) -> Result<OriginalRow, StoreError> {
    Ok(OriginalRow {
        kind,
        name: row.text("name")?,
        original: row.text("original")?,
        installed: row.text("installed")?,
        at_ms: row.integer("at_ms")?,
        actor: row.text("actor")?,
    })
}
