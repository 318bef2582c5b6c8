//! Brings the schema up to date: numbered scripts, each applied once, in one transaction, and remembered by checksum.

use super::error::StoreError;
use super::meta::{self, checksum};
use super::sqlite::Sqlite;
use super::transaction::Transaction;

/// One script of `sql/`. A script that was released is never edited: what changes is a new script.
struct Migration {
    version: i64,
    sql: &'static str,
}

const META: &str = include_str!("../../sql/0000_meta.sql");

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: include_str!("../../sql/0001_routes_and_attempts.sql"),
    },
    Migration {
        version: 2,
        sql: include_str!("../../sql/0002_vicidial_tables.sqlite.sql"),
    },
    Migration {
        version: 3,
        sql: include_str!("../../sql/0003_audit.sql"),
    },
    Migration {
        version: 4,
        sql: include_str!("../../sql/0004_vicidial_edits.sqlite.sql"),
    },
];

/// Applies what is missing. A database that is up to date is only read.
pub(super) fn bring_up_to_date(database: &mut Sqlite) -> Result<(), StoreError> {
    if database.read(pending)?.is_empty() {
        return Ok(());
    }
    database.write(|transaction| {
        transaction.execute_script(META)?;
        // Asked again under the write lock: another process may have been first.
        for migration in pending(transaction)? {
            transaction.execute_script(migration.sql)?;
            meta::set(transaction, &name(migration), checksum([migration.sql]))?;
        }
        Ok(())
    })
}

/// The migrations that the database lacks, after those that it has were compared with ours.
fn pending(transaction: &mut dyn Transaction) -> Result<Vec<&'static Migration>, StoreError> {
    let url = transaction.url().clone();
    let known = MIGRATIONS.last().map_or(0, |migration| migration.version);
    let found = meta::schema_version(transaction)?;
    if found > known {
        return Err(StoreError::SchemaNewer { url, found, known });
    }
    let mut pending = Vec::new();
    for migration in MIGRATIONS {
        match meta::get(transaction, &name(migration))? {
            None => pending.push(migration),
            Some(applied) if applied == checksum([migration.sql]) => {}
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

fn name(migration: &Migration) -> String {
    format!("{}{:04}", meta::MIGRATION, migration.version)
}
