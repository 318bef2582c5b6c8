//! What an administrator does with the store: migrate it, and look at its state whatever that is.

use super::database::{Access, Patience};
use super::error::StoreError;
use super::import::OWN_TABLES;
use super::meta;
use super::migrations;
use super::owner::{IfMissing, Store};
use super::transaction::Transaction;
use super::url::StoreUrl;

/// VICIdial's tables that the store reads.
pub(super) const VICIDIAL_TABLES: [&str; 4] = [
    "vicidial_server_carriers",
    "vicidial_conf_templates",
    "servers",
    "vicidial_campaigns",
];

/// A migration that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub version: i64,
    /// What it brings.
    pub name: &'static str,
}

/// How a database's schema stands to this program's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// The same.
    Current,
    /// Older, or not there: to be migrated.
    Older,
    /// This program cannot use it; the error says why.
    Unusable(StoreError),
}

/// The state of a database.
#[derive(Clone, Debug)]
pub struct Status {
    /// The database.
    pub url: StoreUrl,
    /// The version of its schema; 0 for none.
    pub schema: i64,
    /// The version that this program needs.
    pub needed: i64,
    /// What that means.
    pub state: SchemaState,
    /// Grows with each change of the routing tables.
    pub revision: i64,
    /// Our tables and those of VICIdial that we read, with their rows; `None` where a table does not exist.
    pub tables: Vec<(&'static str, Option<u64>)>,
    /// When the oldest attempt on record began, in milliseconds since 1970.
    pub oldest_attempt_ms: Option<i64>,
    /// When the newest did.
    pub newest_attempt_ms: Option<i64>,
}

impl Store {
    /// Applies the migrations that the database lacks; makes a SQLite file that is missing.
    ///
    /// # Errors
    /// [`StoreError`]: the database is not reachable, may not be changed, or has a schema that this program does not know.
    pub async fn migrate(url: &StoreUrl) -> Result<Vec<Applied>, StoreError> {
        let store = Self::open_as_it_is(url, IfMissing::Create).await?;
        let applied = store.perform(migrations::bring_up_to_date).await;
        store.close().await;
        let applied = applied?.into_iter();
        Ok(applied.map(|(version, name)| Applied { version, name }).collect())
    }

    /// Looks at a database without changing it, whatever its schema is.
    ///
    /// # Errors
    /// [`StoreError`] when it is missing or cannot be read.
    pub async fn status(url: &StoreUrl) -> Result<Status, StoreError> {
        let store = Self::open_as_it_is(url, IfMissing::Fail).await?;
        // Counting a large table takes its time.
        let status = store.transact(Access::Read, Patience::Endless, status).await;
        store.close().await;
        status
    }
}

fn status(transaction: &mut dyn Transaction) -> Result<Status, StoreError> {
    let state = match migrations::pending(transaction) {
        Ok(pending) if pending.is_empty() => SchemaState::Current,
        Ok(_) => SchemaState::Older,
        Err(error @ (StoreError::SchemaNewer { .. } | StoreError::SchemaDiffers { .. })) => {
            SchemaState::Unusable(error)
        }
        Err(error) => return Err(error),
    };
    let mut tables = Vec::new();
    for name in OWN_TABLES.iter().map(|table| table.name).chain(VICIDIAL_TABLES) {
        tables.push((name, rows(transaction, name)?));
    }
    let has_attempts = transaction.has_table("crankback_attempts")?;
    let mut attempt_ms = |end: &str| -> Result<Option<i64>, StoreError> {
        if !has_attempts {
            return Ok(None);
        }
        let sql = format!("SELECT {end}(started_ms) AS started_ms FROM crankback_attempts");
        let rows = transaction.query(&sql, &[])?;
        Ok(rows
            .first()
            .map(|row| row.optional_integer("started_ms"))
            .transpose()?
            .flatten())
    };
    Ok(Status {
        oldest_attempt_ms: attempt_ms("MIN")?,
        newest_attempt_ms: attempt_ms("MAX")?,
        schema: meta::schema_version(transaction)?,
        needed: migrations::newest(),
        revision: meta::revision(transaction)?,
        url: transaction.url().clone(),
        state,
        tables,
    })
}

fn rows(transaction: &mut dyn Transaction, table: &str) -> Result<Option<u64>, StoreError> {
    if !transaction.has_table(table)? {
        return Ok(None);
    }
    count(transaction, table).map(Some)
}

/// How many rows a table has that exists.
pub(super) fn count(transaction: &mut dyn Transaction, table: &str) -> Result<u64, StoreError> {
    let rows = transaction.query(&format!("SELECT COUNT(*) AS number FROM {table}"), &[])?;
    Ok(rows
        .first()
        .map(|row| row.integer("number"))
        .transpose()?
        .unwrap_or_default())
}
