//! Statements on a MariaDB connection: each within the transaction's time, each error in the store's words.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params};
use tokio::runtime::Runtime;

use super::super::database::Access;
use super::super::error::StoreError;
use super::super::transaction::{ColumnAccess, ResultHead, Row, Statement, Transaction, Value};
use super::super::url::StoreUrl;
use super::errors::{WHO_AM_I, is_unknown_table, name_account, translate};

/// How long a migration waits for another process's.
const SCHEMA_LOCK_SECONDS: u32 = 60;

/// Runs one step of the driver until it is done or the time is over.
pub(super) fn perform<T>(
    runtime: &Runtime,
    url: &StoreUrl,
    deadline: Option<Instant>,
    step: impl Future<Output = mysql_async::Result<T>>,
) -> Result<T, StoreError> {
    let result = raced(runtime, deadline, step).ok_or_else(|| StoreError::Timeout { url: url.clone() })?;
    result.map_err(|error| translate(url, &error))
}

/// `None` when the time was over first.
fn raced<T>(runtime: &Runtime, deadline: Option<Instant>, step: impl Future<Output = T>) -> Option<T> {
    runtime.block_on(async {
        match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), step).await.ok(),
            None => Some(step.await),
        }
    })
}

/// An open transaction, and the connection that it has to itself.
pub(super) struct MariaDbTransaction<'a> {
    runtime: &'a Runtime,
    url: &'a StoreUrl,
    connection: Conn,
    deadline: Option<Instant>,
    /// Whether the connection can be used again: no answer is outstanding on it.
    is_sound: bool,
}

impl<'a> MariaDbTransaction<'a> {
    pub fn new(runtime: &'a Runtime, url: &'a StoreUrl, connection: Conn, deadline: Option<Instant>) -> Self {
        Self {
            runtime,
            url,
            connection,
            deadline,
            is_sound: true,
        }
    }

    /// Commits or, after an error, rolls back; gives the connection back if it can be used again. A connection that is
    /// dropped instead is closed, and the server rolls back.
    pub fn end<T>(mut self, result: Result<T, StoreError>, access: Access) -> (Result<T, StoreError>, Option<Conn>) {
        let result = match result {
            Ok(value) => match self.run("COMMIT") {
                Ok(()) => Ok(value),
                // The server may have got the word, and its answer was lost.
                Err(StoreError::Lost { url, .. } | StoreError::Timeout { url }) if access == Access::Write => {
                    Err(StoreError::Unconfirmed { url })
                }
                Err(error) => Err(error),
            },
            Err(error) => {
                if self.is_sound {
                    let _closed_instead = self.run("ROLLBACK");
                }
                Err(error)
            }
        };
        let connection = self.is_sound.then_some(self.connection);
        (result, connection)
    }

    /// Runs a script that begins and commits by itself, in one round trip; gives the connection back if it can be used again.
    pub fn whole(mut self, script: &str) -> (Result<(), StoreError>, Option<Conn>) {
        let result = self.run(script);
        if result.is_err() && self.is_sound {
            let _closed_instead = self.run("ROLLBACK");
        }
        (result, self.is_sound.then_some(self.connection))
    }

    fn run(&mut self, statement: &str) -> Result<(), StoreError> {
        let outcome = raced(self.runtime, self.deadline, self.connection.query_drop(statement));
        self.settle(outcome)
    }

    /// Makes a result of a step's outcome, having noticed what it means for the connection.
    fn settle<T>(&mut self, outcome: Option<mysql_async::Result<T>>) -> Result<T, StoreError> {
        let Some(result) = outcome else {
            self.is_sound = false;
            return Err(StoreError::Timeout { url: self.url.clone() });
        };
        result.map_err(|error| {
            let mut error = translate(self.url, &error);
            if matches!(error, StoreError::Lost { .. }) {
                self.is_sound = false;
            } else if error.grant().is_some() {
                self.name_account(&mut error);
            }
            error
        })
    }

    fn name_account(&mut self, error: &mut StoreError) {
        let answer = raced(
            self.runtime,
            self.deadline,
            self.connection.query_first::<String, _>(WHO_AM_I),
        );
        match answer {
            Some(Ok(Some(answer))) => name_account(error, &answer),
            Some(Ok(None) | Err(_)) | None => self.is_sound = false,
        }
    }
}

impl Transaction for MariaDbTransaction<'_> {
    fn url(&self) -> &StoreUrl {
        self.url
    }

    fn for_each_row(
        &mut self,
        sql: &str,
        parameters: &[Value],
        each: &mut dyn FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let url = self.url;
        let connection = &mut self.connection;
        let outcome = raced(self.runtime, self.deadline, async move {
            let mut result = connection.exec_iter(sql, positional(parameters)).await?;
            let columns = result.columns_ref().iter();
            let head = Arc::new(ResultHead {
                url: url.clone(),
                columns: columns.map(|column| column.name_str().into_owned()).collect(),
            });
            let mut handed_over = Ok(());
            while let Some(row) = result.next().await? {
                handed_over = each(Row {
                    head: Arc::clone(&head),
                    values: row.unwrap().into_iter().map(value).collect(),
                });
                if handed_over.is_err() {
                    break;
                }
            }
            // What is left of it would stand before the next answer.
            result.drop_result().await?;
            Ok(handed_over)
        });
        self.settle(outcome)?
    }

    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<usize, StoreError> {
        let connection = &mut self.connection;
        let changed = raced(self.runtime, self.deadline, async move {
            let result = connection.exec_iter(sql, positional(parameters)).await?;
            let changed = result.affected_rows();
            result.drop_result().await?;
            Ok(usize::try_from(changed).unwrap_or(usize::MAX))
        });
        self.settle(changed)
    }

    fn execute_script(&mut self, sql: &str) -> Result<(), StoreError> {
        self.run(sql)
    }

    fn lock_schema(&mut self) -> Result<(), StoreError> {
        // Held until the connection ends. Lock names hold for the whole server: the database is part of it.
        let sql = format!("SELECT GET_LOCK(CONCAT('crankback.', DATABASE()), {SCHEMA_LOCK_SECONDS}) AS taken");
        let rows = self.query(&sql, &[])?;
        match rows
            .first()
            .map(|row| row.optional_integer::<i64>("taken"))
            .transpose()?
            .flatten()
        {
            Some(1) => Ok(()),
            _ => Err(StoreError::Locked { url: self.url.clone() }),
        }
    }

    fn has_table(&mut self, name: &str) -> Result<bool, StoreError> {
        // Not from information_schema: it hides tables that this account may not read, and they would pass for missing.
        let step = self.connection.query_drop(format!("SELECT 1 FROM `{name}` LIMIT 0"));
        match raced(self.runtime, self.deadline, step) {
            Some(Err(error)) if is_unknown_table(&error) => Ok(false),
            outcome => self.settle(outcome).map(|()| true),
        }
    }

    fn access_to(&mut self, table: &str, column: &str) -> Result<ColumnAccess, StoreError> {
        // Here what this account may not touch shall pass for missing.
        let sql = "SELECT privileges FROM information_schema.columns \
                   WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?";
        let found = self.query(sql, &[table.into(), column.into()])?;
        let rights = found.first().map(|row| row.text("privileges")).transpose()?;
        let rights = rights.unwrap_or_default();
        let has = |right: &str| rights.split(',').any(|it| it.trim().eq_ignore_ascii_case(right));
        Ok(match (has("select"), has("update")) {
            (true, true) => ColumnAccess::Write,
            (true, false) => ColumnAccess::Read,
            (false, _) => ColumnAccess::None,
        })
    }
}

/// The statements as one text that is a transaction of its own. None of them has a question mark that stands for itself.
pub(super) fn script(statements: &[Statement]) -> String {
    let mut script = String::from("START TRANSACTION; ");
    for Statement { sql, parameters } in statements {
        let mut parameters = parameters.iter();
        for part in sql.split_inclusive('?') {
            match part.strip_suffix('?') {
                Some(before) => {
                    script.push_str(before);
                    // The session's mode, which is ours, has backslashes escape.
                    script.push_str(
                        &parameters
                            .next()
                            .map(|value| sent(value).as_sql(false))
                            .unwrap_or_default(),
                    );
                }
                None => script.push_str(part),
            }
        }
        script.push_str("; ");
    }
    script.push_str("COMMIT");
    script
}

fn positional(parameters: &[Value]) -> Params {
    if parameters.is_empty() {
        return Params::Empty;
    }
    Params::Positional(parameters.iter().map(sent).collect())
}

fn sent(parameter: &Value) -> mysql_async::Value {
    match parameter {
        Value::Null => mysql_async::Value::NULL,
        Value::Integer(number) => mysql_async::Value::Int(*number),
        Value::Text(text) => mysql_async::Value::Bytes(text.clone().into_bytes()),
    }
}

fn value(value: mysql_async::Value) -> Value {
    match value {
        mysql_async::Value::NULL => Value::Null,
        mysql_async::Value::Int(number) => Value::Integer(number),
        mysql_async::Value::UInt(number) => {
            i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Integer)
        }
        mysql_async::Value::Bytes(bytes) => Value::Text(
            String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        ),
        mysql_async::Value::Float(number) => Value::Text(number.to_string()),
        mysql_async::Value::Double(number) => Value::Text(number.to_string()),
        time @ (mysql_async::Value::Date(..) | mysql_async::Value::Time(..)) => {
            Value::Text(time.as_sql(true).trim_matches('\'').to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_holds_its_values_as_they_are() {
        let statement = |sql: &str, parameters: &[Value]| Statement {
            sql: sql.to_owned(),
            parameters: parameters.to_vec(),
        };
        let statements = [
            statement(
                "DELETE FROM t WHERE a >= ? AND b = ?",
                &[17_i64.into(), "it's \\ me?".into()],
            ),
            statement("INSERT INTO t VALUES (?)", &[Value::Null]),
        ];
        let expected = r"START TRANSACTION; DELETE FROM t WHERE a >= 17 AND b = 'it\'s \\ me?'; INSERT INTO t VALUES (NULL); COMMIT";
        assert_eq!(script(&statements), expected);
    }
}
