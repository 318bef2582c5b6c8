//! What can go wrong with the store; every text names the database and what to do.

use super::grants::{self, Scope};
use super::url::StoreUrl;

/// The store cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database file is not there, and whoever asked did not want it made.
    #[error("the database {url} does not exist: `crankback run` creates it at its first start; check store.url")]
    Missing {
        /// The database.
        url: StoreUrl,
    },
    /// The file or its directory cannot be opened, or the server does not answer.
    #[error("cannot open the database {url}: {reason}; {}", reach(url))]
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
    /// The file, its directory or its disk cannot be written; or the server is read-only.
    #[error("the database {url} is read-only{}", write(url))]
    ReadOnly {
        /// The database.
        url: StoreUrl,
    },
    /// Another process kept the database locked for longer than we wait.
    #[error("the database {url} is locked by another process: try again; {}", who(url))]
    Locked {
        /// The database.
        url: StoreUrl,
    },
    /// The schema is older than this program, or not there at all, and whoever asked did not want it changed.
    #[error("the database {url} has {}, this program needs schema {known}: run `crankback db migrate`", schema(*found))]
    SchemaOlder {
        /// The database.
        url: StoreUrl,
        /// The schema that the database has; 0 for none.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
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
    /// The server refuses the account or its password.
    #[error("the database {url} refuses this account: {reason}; check user and password of store.url")]
    AccessDenied {
        /// The database.
        url: StoreUrl,
        /// What the server said.
        reason: String,
    },
    /// The server has no such database.
    #[error("the server has no database for {url}: check the name at the end of store.url, or create the database")]
    NoDatabase {
        /// The database.
        url: StoreUrl,
    },
    /// The account lacks a right that crankback needs every day.
    #[error(
        "the database {url}: {reason}; an administrator of the database can lift this: {}",
        grants::daily(url, scope, account)
    )]
    MissingGrant {
        /// The database.
        url: StoreUrl,
        /// What the server said.
        reason: String,
        /// What the right is on.
        scope: Scope,
        /// The account as a GRANT names it.
        account: String,
    },
    /// The account may not create or change tables, which a migration does.
    #[error(
        "the database {url}: {reason}; migrate once with an account that may, beside VICIdial `custom`: \
         CRANKBACK_STORE__URL='{}' crankback db migrate, or let an administrator of the database run: {}",
        grants::address_of_custom(url),
        grants::migration(url, account)
    )]
    MayNotMigrate {
        /// The database.
        url: StoreUrl,
        /// What the server said.
        reason: String,
        /// The account as a GRANT names it.
        account: String,
    },
    /// VICIdial's table of a dialer's trunk channels is not there.
    #[error(
        "the database {url} has no table {table}: VICIdial makes it when its channel updater starts on this dialer; \
         check that it runs there, and server.ip"
    )]
    NoRecentChannels {
        /// The database.
        url: StoreUrl,
        /// The table.
        table: String,
    },
    /// The server did not answer in time. Nothing was changed.
    #[error(
        "the database {url} did not answer in time: it is overloaded or a table is locked; {}",
        who(url)
    )]
    Timeout {
        /// The database.
        url: StoreUrl,
    },
    /// The connection was lost. Nothing was changed.
    #[error("the connection to the database {url} was lost: {reason}")]
    Lost {
        /// The database.
        url: StoreUrl,
        /// What was seen.
        reason: String,
    },
    /// The connection was lost when a change was to be confirmed.
    #[error(
        "the connection to the database {url} was lost while a change was being confirmed: it may have been made or not; \
         look before you try again"
    )]
    Unconfirmed {
        /// The database.
        url: StoreUrl,
    },
    /// Rows would be mixed with those that an import brings.
    #[error(
        "the database {url} has rows in {table}: import into an empty one, or replace all of its rows with --replace"
    )]
    NotEmpty {
        /// The database.
        url: StoreUrl,
        /// The first of our tables that has rows.
        table: &'static str,
    },
    /// A database cannot be imported into itself.
    #[error("{url} is the database itself: name another one to import from")]
    SameDatabase {
        /// The database.
        url: StoreUrl,
    },
    /// The thread that owns the connection has ended.
    #[error("the store for {url} is closed")]
    Closed {
        /// The database.
        url: StoreUrl,
    },
}

impl StoreError {
    /// The statements that give the account what it lacks.
    pub fn grant(&self) -> Option<String> {
        if let Self::MissingGrant {
            url, scope, account, ..
        } = self
        {
            Some(grants::daily(url, scope, account))
        } else if let Self::MayNotMigrate { url, account, .. } = self {
            Some(grants::migration(url, account))
        } else {
            None
        }
    }

    /// A stable word for this kind of error; labels metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "store_missing",
            Self::Unreachable { .. } => "store_unreachable",
            Self::NotADatabase { .. } => "store_not_a_database",
            Self::ReadOnly { .. } => "store_read_only",
            Self::Locked { .. } => "store_locked",
            Self::SchemaOlder { .. } => "store_schema_older",
            Self::SchemaNewer { .. } => "store_schema_newer",
            Self::SchemaDiffers { .. } => "store_schema_differs",
            Self::Statement { .. } => "store_statement",
            Self::Value { .. } => "store_value",
            Self::AccessDenied { .. } => "store_access_denied",
            Self::NoDatabase { .. } => "store_no_database",
            Self::MissingGrant { .. } => "store_missing_grant",
            Self::MayNotMigrate { .. } => "store_may_not_migrate",
            Self::NoRecentChannels { .. } => "store_no_recent_channels",
            Self::Timeout { .. } => "store_timeout",
            Self::Lost { .. } => "store_lost",
            Self::Unconfirmed { .. } => "store_unconfirmed",
            Self::NotEmpty { .. } => "store_not_empty",
            Self::SameDatabase { .. } => "store_same_database",
            Self::Closed { .. } => "store_closed",
        }
    }
}

/// How to make the database reachable.
const fn reach(url: &StoreUrl) -> &'static str {
    match url {
        StoreUrl::Sqlite(_) => "check that its directory exists and that this user may write there",
        StoreUrl::MariaDb(_) => "check that the server runs, that it listens there (bind-address), and store.url",
    }
}

/// Why a database is read-only, and what to do.
const fn write(url: &StoreUrl) -> &'static str {
    match url {
        StoreUrl::Sqlite(_) => {
            " for this user: run as the daemon's user or correct the rights of the file and its directory"
        }
        StoreUrl::MariaDb(_) => ": the server runs with read_only, as a replica does; store.url must name the primary",
    }
}

/// How to find out who holds a lock.
const fn who(url: &StoreUrl) -> &'static str {
    match url {
        StoreUrl::Sqlite(_) => "`fuser` on the file names who holds it",
        StoreUrl::MariaDb(_) => "SHOW FULL PROCESSLIST names who holds it",
    }
}

fn schema(found: i64) -> String {
    match found {
        0 => "no tables of crankback".to_owned(),
        found => format!("schema {found}"),
    }
}
