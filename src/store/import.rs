//! Copies our own tables from one database into another, all rows or none.
//!
//! Each database has a thread: one reads pages in a single transaction, the other writes them in a single transaction, and a
//! short queue lies between them. Memory holds a few pages, whatever the tables hold.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::administration::count;
use super::attempts;
use super::audit;
use super::carriers;
use super::database::{Access, Patience};
use super::error::StoreError;
use super::health;
use super::meta;
use super::originals;
use super::outbound_routes;
use super::owner::Store;
use super::transaction::{Row, Transaction, Value};
use super::url::StoreUrl;

/// Our tables but `crankback_meta`, which is about the database itself.
pub(super) const OWN_TABLES: [OwnTable; 6] = [
    outbound_routes::TABLE,
    carriers::TABLE,
    attempts::TABLE,
    audit::TABLE,
    health::TABLE,
    originals::TABLE,
];

/// Rows that travel together.
const PAGE: usize = 500;
/// Rows that one INSERT holds: 20 columns each are far below what a statement may have.
const ROWS_PER_INSERT: usize = 100;
/// Pages that wait for the writer.
const QUEUE: usize = 4;

/// A table of ours.
pub(super) struct OwnTable {
    pub name: &'static str,
    /// Its columns, parted by commas.
    pub columns: &'static str,
    /// The columns of its primary key, in their order.
    pub key: &'static [&'static str],
}

/// What to do with rows that the target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse: nothing is mixed and nothing is lost.
    Refuse,
    /// Delete all of them.
    Replace,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportProgress {
    /// The table that is being copied.
    pub table: &'static str,
    /// Rows of it that were copied.
    pub copied: u64,
    /// Rows that it has.
    pub total: u64,
}

/// What the reader sends.
enum Page {
    Begin {
        table: &'static OwnTable,
        total: u64,
    },
    Rows(Vec<Vec<Value>>),
    /// Everything has been sent.
    End,
}

impl Store {
    /// Copies all rows of our own tables from another database, in one transaction; gives how many rows each table got.
    /// `progress` is called after each page, on a thread of the store.
    ///
    /// # Errors
    /// [`StoreError`]; the target is as it was then. Among them: both are the same database, or the target has rows.
    pub async fn import(
        &self,
        source: &Self,
        existing: Existing,
        progress: impl Fn(ImportProgress) + Send + 'static,
    ) -> Result<Vec<ImportProgress>, StoreError> {
        if self.url().is_same_database(source.url()) {
            return Err(StoreError::SameDatabase {
                url: self.url().clone(),
            });
        }
        let (pages, queue) = sync_channel(QUEUE);
        let source_url = source.url().clone();
        let reading = source.transact(Access::Read, Patience::Endless, move |transaction| {
            read(transaction, &pages)
        });
        let writing = self.transact(Access::Write, Patience::Endless, move |transaction| {
            write(transaction, existing, &queue, &source_url, &progress)
        });
        let (read, written) = tokio::join!(reading, writing);
        // A reader that failed is the reason for what the writer met.
        read?;
        written
    }
}

/// Sends every table. A writer that went away is no error here: it has its own.
fn read(transaction: &mut dyn Transaction, pages: &SyncSender<Page>) -> Result<(), StoreError> {
    for table in &OWN_TABLES {
        let total = count(transaction, table.name)?;
        if pages.send(Page::Begin { table, total }).is_err() {
            return Ok(());
        }
        let mut last: Option<Vec<Value>> = None;
        loop {
            let (sql, parameters) = page_after(table, last.as_deref());
            let rows = transaction.query(&sql, &parameters)?;
            let Some(end) = rows.last() else { break };
            last = Some(key_of(table, end));
            let rows = rows.into_iter().map(|row| row.values).collect();
            if pages.send(Page::Rows(rows)).is_err() {
                return Ok(());
            }
        }
    }
    let _writer_is_gone = pages.send(Page::End);
    Ok(())
}

/// The query for the rows that follow `last` in the order of the primary key.
fn page_after(table: &OwnTable, last: Option<&[Value]>) -> (String, Vec<Value>) {
    let (condition, parameters) = match last {
        None => (String::new(), Vec::new()),
        Some(last) => {
            // (a, b) > (x, y), written so that both databases use the index: a > x OR a = x AND b > y
            let mut parameters = Vec::new();
            let alternatives: Vec<String> = (0..table.key.len())
                .map(|place| {
                    let equal = table.key[..place].iter().map(|column| format!("{column} = ?"));
                    let greater = format!("{} > ?", table.key[place]);
                    parameters.extend_from_slice(&last[..=place]);
                    equal.chain([greater]).collect::<Vec<_>>().join(" AND ")
                })
                .collect();
            (format!(" WHERE {}", alternatives.join(" OR ")), parameters)
        }
    };
    let OwnTable { name, columns, key } = table;
    let sql = format!(
        "SELECT {columns} FROM {name}{condition} ORDER BY {} LIMIT {PAGE}",
        key.join(", ")
    );
    (sql, parameters)
}

fn key_of(table: &OwnTable, row: &Row) -> Vec<Value> {
    let value = |column: &&str| {
        let place = row.head.columns.iter().position(|name| name == column);
        place
            .and_then(|place| row.values.get(place))
            .cloned()
            .unwrap_or(Value::Null)
    };
    table.key.iter().map(value).collect()
}

/// Writes what comes until the end of it; a queue that ends before fails the transaction.
fn write(
    transaction: &mut dyn Transaction,
    existing: Existing,
    queue: &Receiver<Page>,
    source: &StoreUrl,
    progress: &impl Fn(ImportProgress),
) -> Result<Vec<ImportProgress>, StoreError> {
    // First, so that routes cannot change meanwhile.
    meta::bump_revision(transaction)?;
    for table in &OWN_TABLES {
        make_room(transaction, table.name, existing)?;
    }
    let mut done: Vec<ImportProgress> = Vec::new();
    let mut current: Option<&OwnTable> = None;
    loop {
        match queue.recv() {
            Ok(Page::Begin { table, total }) => {
                current = Some(table);
                done.push(ImportProgress {
                    table: table.name,
                    copied: 0,
                    total,
                });
            }
            Ok(Page::Rows(rows)) => {
                if let (Some(table), Some(now)) = (current, done.last_mut()) {
                    insert(transaction, table, &rows)?;
                    now.copied += rows.len() as u64;
                    progress(*now);
                }
            }
            Ok(Page::End) => return Ok(done),
            Err(_) => return Err(StoreError::Closed { url: source.clone() }),
        }
    }
}

fn make_room(transaction: &mut dyn Transaction, table: &'static str, existing: Existing) -> Result<(), StoreError> {
    match existing {
        Existing::Replace => transaction.execute(&format!("DELETE FROM {table}"), &[]).map(drop),
        Existing::Refuse => {
            let any = transaction.query(&format!("SELECT 1 AS one FROM {table} LIMIT 1"), &[])?;
            if any.is_empty() {
                Ok(())
            } else {
                let url = transaction.url().clone();
                Err(StoreError::NotEmpty { url, table })
            }
        }
    }
}

fn insert(transaction: &mut dyn Transaction, table: &OwnTable, rows: &[Vec<Value>]) -> Result<(), StoreError> {
    let OwnTable { name, columns, .. } = table;
    let marks = vec!["?"; columns.split(',').count()].join(", ");
    for rows in rows.chunks(ROWS_PER_INSERT) {
        let places = vec![format!("({marks})"); rows.len()].join(", ");
        let sql = format!("INSERT INTO {name} ({columns}) VALUES {places}");
        transaction.execute(&sql, &rows.concat())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_after_the_last_row_of_the_one_before() {
        let table = OwnTable {
            name: "t",
            columns: "a, b, c",
            key: &["a", "b"],
        };
        assert_eq!(
            page_after(&table, None),
            ("SELECT a, b, c FROM t ORDER BY a, b LIMIT 500".to_owned(), vec![])
        );
        let (x, y) = (Value::from("x"), Value::from(2));
        assert_eq!(
            page_after(&table, Some(&[x.clone(), y.clone()])),
            (
                "SELECT a, b, c FROM t WHERE a > ? OR a = ? AND b > ? ORDER BY a, b LIMIT 500".to_owned(),
                vec![x.clone(), x, y]
            )
        );
    }
}
