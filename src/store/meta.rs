//! `crankback_meta`: the schema's version and the revision of our routing tables.

use super::error::StoreError;
use super::import::OwnTable;
use super::owner::Store;
use super::transaction::Transaction;

pub(super) const TABLE: OwnTable = OwnTable {
    name: "crankback_meta",
    columns: "name, value",
    key: &["name"],
};

/// Names of applied migrations start with this; four digits follow.
pub(super) const MIGRATION: &str = "migration.";
/// The revision of our routing tables; a row from the first migration on.
pub(super) const REVISION: &str = "revision";

impl Store {
    /// The version of the schema: the number of the newest migration.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        self.read(schema_version).await
    }
}

pub(super) fn schema_version(transaction: &mut dyn Transaction) -> Result<i64, StoreError> {
    if !transaction.has_table("crankback_meta")? {
        return Ok(0);
    }
    let rows = transaction.query("SELECT name FROM crankback_meta ORDER BY name", &[])?;
    let mut newest = 0;
    for row in rows {
        let name = row.text("name")?;
        let version = name.strip_prefix(MIGRATION).and_then(|digits| digits.parse().ok());
        newest = newest.max(version.unwrap_or_default());
    }
    Ok(newest)
}

/// Grows with each change of our routing tables; 0 before the first.
pub(super) fn revision(transaction: &mut dyn Transaction) -> Result<i64, StoreError> {
    Ok(get(transaction, REVISION)?.unwrap_or_default())
}

/// Makes transactions that call this follow each other, whichever process they are of: to be called before the first read
/// that a write depends on. The row is locked until the end of the transaction; SQLite has locked the whole file already.
pub(super) fn take_turn(transaction: &mut dyn Transaction) -> Result<(), StoreError> {
    let sql = "UPDATE crankback_meta SET value = value WHERE name = ?";
    transaction.execute(sql, &[REVISION.into()]).map(drop)
}

/// To be called in the transaction of every write to a table that routes are made of.
pub(super) fn bump_revision(transaction: &mut dyn Transaction) -> Result<(), StoreError> {
    let changed = transaction.execute(
        "UPDATE crankback_meta SET value = value + 1 WHERE name = ?",
        &[REVISION.into()],
    )?;
    if changed == 0 {
        set(transaction, REVISION, 1)
    } else {
        Ok(())
    }
}

pub(super) fn get(transaction: &mut dyn Transaction, name: &str) -> Result<Option<i64>, StoreError> {
    if !transaction.has_table("crankback_meta")? {
        return Ok(None);
    }
    let rows = transaction.query("SELECT value FROM crankback_meta WHERE name = ?", &[name.into()])?;
    rows.first().map(|row| row.integer("value")).transpose()
}

pub(super) fn set(transaction: &mut dyn Transaction, name: &str, value: i64) -> Result<(), StoreError> {
    transaction.execute(
        "REPLACE INTO crankback_meta (name, value) VALUES (?, ?)",
        &[name.into(), value.into()],
    )?;
    Ok(())
}

/// FNV-1a over the parts, each followed by a byte that no text holds. Notices an edit; withstands no attacker, nor must it.
pub(super) fn checksum<T: AsRef<str>>(parts: impl IntoIterator<Item = T>) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut mix = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for part in parts {
        part.as_ref().bytes().for_each(&mut mix);
        mix(0xff);
    }
    i64::from_ne_bytes(hash.to_ne_bytes())
}
