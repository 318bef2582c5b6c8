//! `crankback_meta`: the schema's version and the revision of our routing tables.

use super::error::StoreError;
use super::owner::Store;
use super::transaction::Transaction;

/// Names of applied migrations start with this; four digits follow.
pub(super) const MIGRATION: &str = "migration.";
const REVISION: &str = "revision";

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
