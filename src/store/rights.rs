//! Whether this user may write the database.

use super::error::StoreError;
use super::owner::Store;

impl Store {
    /// Takes the right to write and gives it back; changes nothing.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] when this user may only read; [`StoreError::Locked`] when another process keeps writing.
    pub async fn check_write_access(&self) -> Result<(), StoreError> {
        self.write(|_| Ok(())).await
    }
}
