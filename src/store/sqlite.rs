//! The SQLite driver: opens the file, translates values and errors.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params_from_iter};

use super::database::Access;
use super::error::StoreError;
use super::owner::IfMissing;
use super::transaction::{ColumnAccess, ResultHead, Row, Transaction, Value};
use super::url::StoreUrl;

/// How long a statement waits for another process (the command line beside the daemon) to finish its own.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it waits between tries where SQLite does not wait by itself.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// Pages kept in memory by one connection. SQLite's default of 2 MB fills up as the attempts grow; the newest are enough, the
/// kernel has the rest.
const PAGE_CACHE_KIB: i32 = 512;

/// An open SQLite file.
pub(super) struct Sqlite {
    url: StoreUrl,
    connection: Connection,
}

impl Sqlite {
    /// Opens the file in WAL mode: readers and one writer of several processes do not block each other.
    pub fn open(path: PathBuf, url: StoreUrl, if_missing: IfMissing) -> Result<Self, StoreError> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match if_missing {
            IfMissing::Create => flags |= OpenFlags::SQLITE_OPEN_CREATE,
            IfMissing::Fail if !path.exists() => return Err(StoreError::Missing { url }),
            IfMissing::Fail => {}
        }
        let open = || {
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            use_write_ahead_log(&connection)?;
            // A negative number is KiB, a positive one pages.
            connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
            Ok(connection)
        };
        match open() {
            Ok(connection) => Ok(Self { url, connection }),
            Err(error) => Err(translate(&url, &error)),
        }
    }

    /// Runs `work` in a transaction. One that writes takes the write lock at once, so that it cannot fail half-way for want
    /// of it.
    pub fn transact<T>(
        &mut self,
        access: Access,
        work: impl Fn(&mut dyn Transaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let behavior = match access {
            Access::Read => TransactionBehavior::Deferred,
            Access::Write => TransactionBehavior::Immediate,
        };
        let url = &self.url;
        let inner = self
            .connection
            .transaction_with_behavior(behavior)
            .map_err(|error| translate(url, &error))?;
        let mut transaction = SqliteTransaction { url, inner };
        let value = work(&mut transaction)?;
        transaction.inner.commit().map_err(|error| translate(url, &error))?;
        Ok(value)
    }
}

/// Of several that switch a new file over at the same time SQLite refuses all but one at once, without waiting.
fn use_write_ahead_log(connection: &Connection) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_busy(&error) && began.elapsed() < BUSY_TIMEOUT => thread::sleep(BUSY_PAUSE),
            result => return result,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

struct SqliteTransaction<'a> {
    url: &'a StoreUrl,
    inner: rusqlite::Transaction<'a>,
}

impl Transaction for SqliteTransaction<'_> {
    fn url(&self) -> &StoreUrl {
        self.url
    }

    fn for_each_row(
        &mut self,
        sql: &str,
        parameters: &[Value],
        each: &mut dyn FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let told = |error: rusqlite::Error| translate(self.url, &error);
        let mut statement = self.inner.prepare_cached(sql).map_err(told)?;
        let head = Arc::new(ResultHead {
            url: self.url.clone(),
            columns: statement.column_names().map(str::to_owned).collect(),
        });
        let mut rows = statement.query(params_from_iter(parameters)).map_err(told)?;
        while let Some(row) = rows.next().map_err(told)? {
            let values = (0..head.columns.len()).map(|index| row.get_ref(index).map(value));
            each(Row {
                head: Arc::clone(&head),
                values: values.collect::<Result<_, _>>().map_err(told)?,
            })?;
        }
        Ok(())
    }

    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<usize, StoreError> {
        let changed = self
            .inner
            .prepare_cached(sql)
            .and_then(|mut it| it.execute(params_from_iter(parameters)));
        changed.map_err(|error| translate(self.url, &error))
    }

    fn execute_script(&mut self, sql: &str) -> Result<(), StoreError> {
        self.inner
            .execute_batch(sql)
            .map_err(|error| translate(self.url, &error))
    }

    fn lock_schema(&mut self) -> Result<(), StoreError> {
        // A transaction that writes has the whole file to itself.
        Ok(())
    }

    fn has_table(&mut self, name: &str) -> Result<bool, StoreError> {
        let sql = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name = ?";
        Ok(!self.query(sql, &[name.into()])?.is_empty())
    }

    fn access_to(&mut self, table: &str, column: &str) -> Result<ColumnAccess, StoreError> {
        let sql = "SELECT name FROM pragma_table_info(?) WHERE name = ?";
        let found = self.query(sql, &[table.into(), column.into()])?;
        // Who may write the file may write all of it.
        Ok(match found.is_empty() {
            true => ColumnAccess::None,
            false => ColumnAccess::Write,
        })
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => rusqlite::types::Null.into(),
            Self::Integer(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
        })
    }
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Text(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
    }
}

fn translate(url: &StoreUrl, error: &rusqlite::Error) -> StoreError {
    let url = url.clone();
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::NotADatabase { url },
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { url },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { url },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => StoreError::Unreachable { url, reason },
        _ => StoreError::Statement { url, reason },
    }
}
