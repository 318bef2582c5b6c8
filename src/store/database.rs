//! The two databases behind one door: what the owner of the connection does with either.

use std::time::{Duration, Instant};

use super::error::StoreError;
use super::mariadb::MariaDb;
use super::owner::IfMissing;
use super::sqlite::Sqlite;
use super::transaction::{Statement, Transaction};
use super::url::StoreUrl;

/// How long a caller waits for a database that does not answer, all waiting before it included.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Look only.
    Read,
    /// Change rows too.
    Write,
}

/// How long a transaction may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Until this moment: somebody waits for the answer. SQLite limits each wait for a lock instead.
    Until(Instant),
    /// As long as it takes: a migration, an import.
    Endless,
}

impl Patience {
    /// For a request made now.
    pub fn request() -> Self {
        Self::Until(Instant::now() + REQUEST_LIMIT)
    }
}

/// An open database of either kind.
pub(super) enum Database {
    Sqlite(Sqlite),
    MariaDb(MariaDb),
}

impl Database {
    /// Opens the database; `if_missing` decides about a SQLite file, a MariaDB database must be there.
    pub fn open(url: StoreUrl, if_missing: IfMissing) -> Result<Self, StoreError> {
        match &url {
            StoreUrl::Sqlite(path) => Sqlite::open(path.clone(), url, if_missing).map(Self::Sqlite),
            StoreUrl::MariaDb(address) => MariaDb::open(&address.clone(), url).map(Self::MariaDb),
        }
    }

    /// Runs `work` in a transaction. It may run more than once: MariaDB undoes one of two transactions that wait for each
    /// other, and then it is started again.
    pub fn transact<T>(
        &mut self,
        access: Access,
        patience: Patience,
        work: impl Fn(&mut dyn Transaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.transact(access, work),
            Self::MariaDb(mariadb) => mariadb.transact(access, patience, work),
        }
    }

    /// Runs statements in a transaction of their own, on a server in one round trip: for a customer who waits. What is lost with
    /// its connection is done once more, so they must be such that twice is as good as once.
    pub fn run_at_once(&mut self, deadline: Instant, statements: &[Statement]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.transact(Access::Write, |transaction| {
                statements
                    .iter()
                    .try_for_each(|statement| transaction.execute(&statement.sql, &statement.parameters).map(drop))
            }),
            Self::MariaDb(mariadb) => mariadb.run_at_once(deadline, statements),
        }
    }
}
