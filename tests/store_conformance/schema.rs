//! The schema: made once, by one process, and only on request.

use crankback::store::{IfMissing, Store};

use super::stage::Stage;
use super::{Case, MIGRATIONS, NEWEST, cases};

pub const CASES: [(&str, Case); 4] = cases![
    a_new_database_is_migrated_once,
    processes_that_start_together_migrate_once,
    looking_never_migrates,
    a_newer_or_altered_schema_is_refused,
];

async fn a_new_database_is_migrated_once(stage: Stage) {
    let scene = stage.beside_vicidial("crankback.db").await;
    let applied = Store::migrate(&scene.url_for("custom")).await.expect("is migrated");
    let versions: Vec<i64> = applied.iter().map(|migration| migration.version).collect();
    assert_eq!(versions, MIGRATIONS);
    assert_eq!(Store::migrate(&scene.url()).await, Ok(vec![]));

    let first = scene.open().await;
    assert_eq!(first.schema_version().await, Ok(NEWEST));
    let before = first.fingerprint().await.expect("is read");
    let second = scene.open().await;
    assert_eq!(second.fingerprint().await.expect("is read"), before);
}

async fn processes_that_start_together_migrate_once(stage: Stage) {
    let scene = stage.bare("crankback.db").await;
    let url = scene.url_for("custom");
    let open = || Store::open(&url, IfMissing::Create);
    let (one, two, three) = tokio::join!(open(), open(), open());
    for store in [one, two, three] {
        assert_eq!(store.expect("opens").schema_version().await, Ok(NEWEST));
    }
}

async fn looking_never_migrates(stage: Stage) {
    let scene = stage.bare("crankback.db").await;
    scene.sql("CREATE TABLE something_else (id BIGINT)").await;
    let error = Store::open(&scene.url_for("custom"), IfMissing::Fail)
        .await
        .expect_err("has no tables of ours");
    assert_eq!(error.code(), "store_schema_older");
    let text = error.to_string();
    assert!(
        text.contains(&format!(
            "has no tables of crankback, this program needs schema {NEWEST}: run `crankback db migrate`"
        )),
        "{text}"
    );
    let status = Store::status(&scene.url()).await.expect("is looked at");
    assert_eq!((status.schema, status.needed), (0, NEWEST));
    assert!(status.tables.iter().all(|(_, rows)| rows.is_none()), "{status:?}");
}

async fn a_newer_or_altered_schema_is_refused(stage: Stage) {
    let (scene, store) = stage.store().await;
    drop(store);
    let opened = async || Store::open(&scene.url(), IfMissing::Fail).await.expect_err("must fail");
    scene
        .sql("UPDATE crankback_meta SET value = 7 WHERE name = 'migration.0001'")
        .await;
    let error = opened().await;
    assert_eq!(error.code(), "store_schema_differs");
    assert!(error.to_string().contains("migration 0001"), "{error}");

    scene
        .sql("INSERT INTO crankback_meta VALUES ('migration.0099', 1)")
        .await;
    let error = opened().await.to_string();
    assert!(
        error.contains(&format!("has schema 99, this program knows {NEWEST}")),
        "{error}"
    );
    let error = Store::migrate(&scene.url_for("custom")).await.expect_err("is newer");
    assert_eq!(error.code(), "store_schema_newer");
}
