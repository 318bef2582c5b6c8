//! Brings the schema up to date: numbered scripts, each applied once and remembered by checksum.
//!
//! SQLite applies them all in one transaction. MariaDB commits with every CREATE: there each script can be run again, and
//! one process at a time migrates.

use super::database::{Access, Database, Patience};
use super::error::StoreError;
use super::meta::{self, checksum};
use super::owner::IfMissing;
use super::transaction::Transaction;
use super::url::StoreUrl;

/// One script of `sql/`. A script that was released is never edited: what changes is a new script.
pub(super) struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
    /// The databases that need it; the others only take note of its number.
    only: Option<Dialect>,
}

/// Whose SQL a script is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Sqlite,
}

const META: &str = include_str!("../../sql/0000_meta.sql");

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "routes_and_attempts",
        sql: include_str!("../../sql/0001_routes_and_attempts.sql"),
        only: None,
    },
    Migration {
        version: 2,
        name: "vicidial_tables",
        sql: include_str!("../../sql/0002_vicidial_tables.sqlite.sql"),
        only: Some(Dialect::Sqlite),
    },
    Migration {
        version: 3,
        name: "audit",
        sql: include_str!("../../sql/0003_audit.sql"),
        only: None,
    },
    Migration {
        version: 4,
        name: "vicidial_edits",
        sql: include_str!("../../sql/0004_vicidial_edits.sqlite.sql"),
        only: Some(Dialect::Sqlite),
    },
    Migration {
        version: 5,
        name: "carriers",
        sql: include_str!("../../sql/0005_carriers.sql"),
        only: None,
    },
    Migration {
        version: 6,
        name: "carrier_limits",
        sql: include_str!("../../sql/0006_carrier_limits.sql"),
        only: None,
    },
    Migration {
        version: 7,
        name: "attempt_evidence",
        sql: include_str!("../../sql/0007_attempt_evidence.sql"),
        only: None,
    },
    Migration {
        version: 8,
        name: "health",
        sql: include_str!("../../sql/0008_health.sql"),
        only: None,
    },
    Migration {
        version: 9,
        name: "carrier_engine",
        sql: include_str!("../../sql/0009_carrier_engine.sql"),
        only: None,
    },
    Migration {
        version: 10,
        name: "originals",
        sql: include_str!("../../sql/0010_originals.sql"),
        only: None,
    },
    Migration {
        version: 11,
        name: "vicidial_admin_log",
        sql: include_str!("../../sql/0011_vicidial_admin_log.sqlite.sql"),
        only: Some(Dialect::Sqlite),
    },
    Migration {
        version: 12,
        name: "carrier_overlay",
        sql: include_str!("../../sql/0012_carrier_overlay.sql"),
        only: None,
    },
];

/// The version that the newest migration leads to.
pub(super) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

impl Migration {
    /// What `url` is to run; nothing where the script is for others.
    fn sql(&self, url: &StoreUrl) -> &'static str {
        match (self.only, url) {
            (None, _) | (Some(Dialect::Sqlite), StoreUrl::Sqlite(_)) => self.sql,
            (Some(Dialect::Sqlite), StoreUrl::MariaDb(_)) => "",
        }
    }

    /// The name of its row in `crankback_meta`.
    fn key(&self) -> String {
        format!("{}{:04}", meta::MIGRATION, self.version)
    }
}

/// Makes sure that the schema is this program's. A database that is up to date is only read: no right to change tables is
/// needed.
pub(super) fn require(database: &mut Database, if_missing: IfMissing) -> Result<(), StoreError> {
    let pending = database.transact(Access::Read, Patience::request(), pending)?;
    match (pending.first(), if_missing) {
        (None, _) => Ok(()),
        (Some(_), IfMissing::Create) => bring_up_to_date(database).map(drop),
        (Some(_), IfMissing::Fail) => database.transact(Access::Read, Patience::request(), |transaction| {
            Err(StoreError::SchemaOlder {
                url: transaction.url().clone(),
                found: meta::schema_version(transaction)?,
                known: newest(),
            })
        }),
    }
}

/// Applies what is missing; gives the versions and names of what was.
pub(super) fn bring_up_to_date(database: &mut Database) -> Result<Vec<(i64, &'static str)>, StoreError> {
    if database
        .transact(Access::Read, Patience::request(), pending)?
        .is_empty()
    {
        return Ok(Vec::new());
    }
    database.transact(Access::Write, Patience::Endless, |transaction| {
        transaction.lock_schema()?;
        transaction.execute_script(META)?;
        if meta::get(transaction, meta::REVISION)?.is_none() {
            meta::set(transaction, meta::REVISION, 0)?;
        }
        // Asked again under the lock: another process may have been first.
        let pending = pending(transaction)?;
        for migration in &pending {
            let sql = migration.sql(transaction.url());
            if !sql.is_empty() {
                transaction.execute_script(sql)?;
            }
            meta::set(transaction, &migration.key(), checksum([sql]))?;
        }
        Ok(pending
            .iter()
            .map(|migration| (migration.version, migration.name))
            .collect())
    })
}

/// The migrations that the database lacks, after those that it has were compared with ours.
pub(super) fn pending(transaction: &mut dyn Transaction) -> Result<Vec<&'static Migration>, StoreError> {
    let url = transaction.url().clone();
    let known = newest();
    let found = meta::schema_version(transaction)?;
    if found > known {
        return Err(StoreError::SchemaNewer { url, found, known });
    }
    let mut pending = Vec::new();
    for migration in MIGRATIONS {
        match meta::get(transaction, &migration.key())? {
            None => pending.push(migration),
            Some(applied) if applied == checksum([migration.sql(&url)]) => {}
            Some(_) => {
                return Err(StoreError::SchemaDiffers {
                    url,
                    version: migration.version,
                });
            }
        }
    }
    Ok(pending)
}
