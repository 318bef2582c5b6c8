//! Whether this user may write the database.

use super::error::StoreError;
use super::import::{OWN_TABLES, OwnTable};
use super::meta;
use super::owner::Store;
use super::transaction::Transaction;

impl Store {
    /// Writes to each of our tables in every way that the daemon does, but no row.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] when this user may only read; [`StoreError::MissingGrant`] names the right that an account on
    /// MariaDB lacks; [`StoreError::Locked`] when another process keeps writing.
    pub async fn check_write_access(&self) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut tables = OWN_TABLES.iter().chain([&meta::TABLE]);
            tables.try_for_each(|table| write_nothing(transaction, table))
        })
        .await
    }
}

fn write_nothing(transaction: &mut dyn Transaction, table: &OwnTable) -> Result<(), StoreError> {
    let OwnTable { name, columns, key } = table;
    let column = key.first().copied().unwrap_or_default();
    for sql in [
        format!("INSERT INTO {name} ({columns}) SELECT {columns} FROM {name} WHERE 1 = 0"),
        format!("UPDATE {name} SET {column} = {column} WHERE 1 = 0"),
        format!("DELETE FROM {name} WHERE 1 = 0"),
    ] {
        transaction.execute(&sql, &[])?;
    }
    Ok(())
}
