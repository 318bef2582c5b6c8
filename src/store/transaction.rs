//! What a repository sees of a database: statements with `?` and rows with named columns.

use std::collections::HashSet;
use std::sync::Arc;

use super::error::StoreError;
use super::url::StoreUrl;

/// One open transaction. It is committed when the function that was given it succeeds, and rolled back when it fails.
pub(super) trait Transaction {
    /// The database, for error texts.
    fn url(&self) -> &StoreUrl;
    /// Runs a statement that gives rows, and hands over each as it comes: there may be a hundred thousand. The first error ends it.
    fn for_each_row(
        &mut self,
        sql: &str,
        parameters: &[Value],
        each: &mut dyn FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
    /// Runs a statement that gives rows.
    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        self.for_each_row(sql, parameters, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }
    /// Runs a statement that changes rows; gives how many.
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<usize, StoreError>;
    /// Runs the statements of a migration.
    fn execute_script(&mut self, sql: &str) -> Result<(), StoreError>;
    /// Keeps every other process from migrating until the end of this transaction; waits for one that does.
    fn lock_schema(&mut self) -> Result<(), StoreError>;
    /// Whether a table exists.
    fn has_table(&mut self, name: &str) -> Result<bool, StoreError>;
    /// What this account may do with a column, which need not exist.
    fn access_to(&mut self, table: &str, column: &str) -> Result<ColumnAccess, StoreError>;
}

/// What an account may do with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ColumnAccess {
    /// Nothing; or there is no such column.
    None,
    Read,
    Write,
}

/// One statement with `?`, and what stands there.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub sql: String,
    pub parameters: Vec<Value>,
}

/// A value of the portable subset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Integer(flag.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// `text`, cut to the width of its column in characters. SQLite takes any length and MariaDB refuses what is too long: what
/// comes from outside and may be long is cut, so that a row that says a little less is written rather than none.
pub(super) fn cut(text: &str, width: usize) -> Value {
    match text.char_indices().nth(width) {
        Some((end, _)) => Value::Text(text[..end].to_owned()),
        None => Value::Text(text.to_owned()),
    }
}

/// `text` where it fits its column's width in characters: what somebody chose is refused rather than cut.
pub(super) fn whole(url: &StoreUrl, column: &str, text: &str, width: usize) -> Result<Value, StoreError> {
    if text.chars().count() <= width {
        return Ok(text.into());
    }
    Err(StoreError::Value {
        url: url.clone(),
        column: column.to_owned(),
        found: format!("{text:?}"),
        expected: "a text that fits",
    })
}

/// Texts that many rows have in common, each kept once.
#[derive(Debug, Default)]
pub(super) struct SharedTexts(HashSet<Arc<str>>);

impl SharedTexts {
    /// The one copy of this text.
    pub fn of(&mut self, text: &str) -> Arc<str> {
        if let Some(text) = self.0.get(text) {
            return Arc::clone(text);
        }
        let text: Arc<str> = text.into();
        self.0.insert(Arc::clone(&text));
        text
    }
}

/// The condition that a column of VICIdial's is `?` byte for byte: its collation may know no difference of case and none of blanks
/// at the end.
pub(super) fn is_byte_for_byte(url: &StoreUrl, column: &str) -> String {
    match url {
        StoreUrl::Sqlite(_) => format!("COALESCE({column}, '') = ?"),
        StoreUrl::MariaDb(_) => {
            format!("BINARY CONVERT(COALESCE({column}, '') USING utf8mb4) = BINARY CONVERT(? USING utf8mb4)")
        }
    }
}

/// What the rows of one result share: there may be a hundred thousand.
#[derive(Debug)]
pub(super) struct ResultHead {
    /// The database that it came from, for error texts.
    pub url: StoreUrl,
    pub columns: Vec<String>,
}

/// One row of a result.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub head: Arc<ResultHead>,
    pub values: Vec<Value>,
}

impl Row {
    /// A column that must hold an integer, for example a number or a time in milliseconds.
    pub fn integer<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreError> {
        self.optional_integer(column)?
            .ok_or_else(|| self.wrong(column, "a number"))
    }

    /// A column that may be NULL.
    pub fn optional_integer<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let number = match self.value(column)? {
            Value::Null => return Ok(None),
            Value::Integer(number) => Some(*number),
            Value::Text(text) => text.trim().parse().ok(),
        };
        let narrowed = number.and_then(|number| T::try_from(number).ok());
        narrowed
            .map(Some)
            .ok_or_else(|| self.wrong(column, "a number that fits"))
    }

    /// A text; empty where the column is NULL.
    pub fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(self.optional_text(column)?.unwrap_or_default())
    }

    /// A text that may be NULL.
    pub fn optional_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(match self.value(column)? {
            Value::Null => None,
            Value::Integer(number) => Some(number.to_string()),
            Value::Text(text) => Some(text.clone()),
        })
    }

    fn value(&self, column: &str) -> Result<&Value, StoreError> {
        let position = self.head.columns.iter().position(|name| name == column);
        position
            .and_then(|position| self.values.get(position))
            .ok_or_else(|| self.wrong(column, "in the result"))
    }

    fn wrong(&self, column: &str, expected: &'static str) -> StoreError {
        let found = self
            .head
            .columns
            .iter()
            .position(|name| name == column)
            .and_then(|position| self.values.get(position));
        let found = match found {
            None => "nothing".to_owned(),
            Some(Value::Null) => "NULL".to_owned(),
            Some(Value::Integer(number)) => number.to_string(),
            Some(Value::Text(text)) => format!("{text:?}"),
        };
        StoreError::Value {
            url: self.head.url.clone(),
            column: column.to_owned(),
            found,
            expected,
        }
    }
}
