//! What can go wrong with the store; every text names the database and what to do.

use super::url::StoreUrl;

/// The store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database file is not there, and whoever asked did not want it made.
    #[error("the database {url} does not exist: `crankback run` creates it at its first start; check store.url")]
    Missing {
        /// The database.
        url: StoreUrl,
    },
    /// The file or its directory cannot be opened.
    #[error(
        "cannot open the database {url}: {reason}; check that its directory exists and that this user may write there"
    )]
    Unreachable {
        /// The database.
        url: StoreUrl,
        /// What the driver said.
        reason: String,
    },
    /// The file is something else.
    #[error("{url} is not a SQLite database: point store.url at another file, or move this one away")]
    NotADatabase {
        /// The database.
        url: StoreUrl,
    },
    /// The file, its directory or its disk cannot be written.
    #[error(
        "the database {url} is read-only for this user: run as the daemon's user or correct the rights of the file and its directory"
    )]
    ReadOnly {
        /// The database.
        url: StoreUrl,
    },
    /// Another process kept the database locked for longer than we wait.
    #[error("the database {url} is locked by another process: try again; `fuser` on the file names who holds it")]
    Locked {
        /// The database.
        url: StoreUrl,
    },
    /// A newer crankback has migrated the database.
    #[error(
        "the database {url} has schema {found}, this program knows {known}: install the newer crankback that migrated it"
    )]
    SchemaNewer {
        /// The database.
        url: StoreUrl,
        /// The schema that the database has.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// A migration that was applied is not the one that this program holds.
    #[error(
        "the database {url} was migrated with another text of migration {version:04}: restore a backup or use the crankback that made it"
    )]
    SchemaDiffers {
        /// The database.
        url: StoreUrl,
        /// The migration.
        version: i64,
    },
    /// A statement failed.
    #[error("the database {url}: {reason}")]
    Statement {
        /// The database.
        url: StoreUrl,
        /// What the driver said.
        reason: String,
    },
    /// A value in a row is not what the column should hold.
    #[error("the database {url}: column {column} holds {found}, which is not {expected}; correct the row")]
    Value {
        /// The database.
        url: StoreUrl,
        /// The column.
        column: String,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// The thread that owns the connection has ended.
    #[error("the store for {url} is closed")]
    Closed {
        /// The database.
        url: StoreUrl,
    },
}

impl StoreError {
    /// A stable word for this kind of error; labels metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "store_missing",
            Self::Unreachable { .. } => "store_unreachable",
            Self::NotADatabase { .. } => "store_not_a_database",
            Self::ReadOnly { .. } => "store_read_only",
            Self::Locked { .. } => "store_locked",
            Self::SchemaNewer { .. } => "store_schema_newer",
            Self::SchemaDiffers { .. } => "store_schema_differs",
            Self::Statement { .. } => "store_statement",
            Self::Value { .. } => "store_value",
            Self::Closed { .. } => "store_closed",
        }
    }
}
