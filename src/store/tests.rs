//! What is peculiar to a SQLite file. What both databases do alike is tested in `tests/store_conformance.rs`.

use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

struct Scratch {
    directory: TempDir,
}

impl Scratch {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("crankback.db")
    }

    fn url(&self) -> StoreUrl {
        StoreUrl::sqlite(self.path())
    }

    async fn store(&self) -> Store {
        Store::open(&self.url(), IfMissing::Create)
            .await
            .expect("the store opens")
    }

    /// The file through another connection, as another process would see it.
    fn beside(&self) -> Connection {
        Connection::open(self.path()).expect("a second connection")
    }
}

#[tokio::test]
async fn tables_that_somebody_made_before_are_kept() {
    let scratch = Scratch::new();
    scratch
        .beside()
        .execute_batch("CREATE TABLE vicidial_campaigns (campaign_id, dial_prefix, dial_timeout, more); INSERT INTO vicidial_campaigns VALUES ('A', 'X', '26', 1)")
        .expect("a table is made");
    let campaigns = scratch
        .store()
        .await
        .routing_tables()
        .await
        .expect("are read")
        .campaigns;
    let expected = CampaignRow {
        campaign_id: "A".into(),
        dial_prefix: "X".into(),
        dial_timeout_s: 26,
    };
    assert_eq!(campaigns, vec![expected]);
}

#[tokio::test]
async fn a_value_that_does_not_fit_names_its_column() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
    scratch
        .beside()
        .execute_batch("INSERT INTO vicidial_campaigns VALUES ('A', '9', 'soon')")
        .expect("is written");
    let error = store.routing_tables().await.expect_err("is no number").to_string();
    assert!(
        error.contains("dial_timeout holds \"soon\", which is not a number"),
        "{error}"
    );
}

#[tokio::test]
async fn a_failed_transaction_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
    let result: Result<(), StoreError> = store
        .write(|transaction| {
            transaction.execute(
                "INSERT INTO crankback_meta (name, value) VALUES (?, ?)",
                &["x".into(), 1.into()],
            )?;
            transaction
                .execute("INSERT INTO no_such_table VALUES (1)", &[])
                .map(|_| ())
        })
        .await;
    assert_eq!(result.expect_err("must fail").code(), "store_statement");
    assert_eq!(
        store
            .read(|transaction| meta::get(transaction, "x"))
            .await
            .expect("is read"),
        None
    );
}

#[tokio::test]
async fn a_missing_file_is_made_only_on_request() {
    let scratch = Scratch::new();
    for result in [
        Store::open(&scratch.url(), IfMissing::Fail).await.map(drop),
        Store::status(&scratch.url()).await.map(drop),
    ] {
        assert_eq!(result.expect_err("is missing").code(), "store_missing");
        assert!(!scratch.path().exists());
    }
    let nowhere = StoreUrl::sqlite(scratch.directory.path().join("no/such/crankback.db"));
    let error = Store::open(&nowhere, IfMissing::Create)
        .await
        .expect_err("has no directory");
    assert_eq!(error.code(), "store_unreachable");
    assert!(error.to_string().contains("no/such/crankback.db"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path(), "this is a letter, not a database; ".repeat(40)).expect("is written");
    let error = Store::open(&scratch.url(), IfMissing::Create)
        .await
        .expect_err("is a letter");
    assert_eq!(error.code(), "store_not_a_database");
}

#[tokio::test]
async fn a_writer_elsewhere_does_not_stop_readers() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
    let other = scratch.beside();
    other
        .execute_batch("BEGIN IMMEDIATE; INSERT INTO vicidial_campaigns VALUES ('A', '9', 26)")
        .expect("holds the lock");
    assert!(
        store
            .routing_tables()
            .await
            .expect("reads beside the writer")
            .campaigns
            .is_empty()
    );
    other.execute_batch("COMMIT").expect("lets go");
    assert_eq!(store.routing_tables().await.expect("are read").campaigns.len(), 1);
}

/// A table that a migration brings must be named for the import, with all of its columns.
#[tokio::test]
async fn an_import_knows_every_table_of_ours() {
    let scratch = Scratch::new();
    scratch.store().await.close().await;
    let database = scratch.beside();
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = database.prepare(sql).expect("is SQL");
        let rows = statement.query_map([], |row| row.get(0)).expect("runs");
        rows.collect::<Result<_, _>>().expect("are texts")
    };
    let mut known: Vec<&str> = import::OWN_TABLES.iter().map(|table| table.name).collect();
    known.sort_unstable();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'crankback_%' \
                  AND name <> 'crankback_meta' ORDER BY name";
    assert_eq!(texts(tables), known);
    for table in &import::OWN_TABLES {
        let name = table.name;
        let columns: Vec<&str> = table.columns.split(", ").collect();
        assert_eq!(texts(&format!("SELECT name FROM pragma_table_info('{name}')")), columns);
        let key = format!("SELECT name FROM pragma_table_info('{name}') WHERE pk > 0 ORDER BY pk");
        assert_eq!(texts(&key), table.key);
    }
}
