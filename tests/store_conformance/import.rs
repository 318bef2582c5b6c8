//! Moving from one database into another.

use std::sync::{Arc, Mutex};

use crankback::store::{Existing, ImportProgress, Store};

use super::rows::{SERVER_IP, add, attempt, route, since};
use super::stage::{Place, Stage};
use super::{Case, cases};

pub const CASES: [(&str, Case); 4] = cases![
    everything_arrives_from_sqlite,
    everything_arrives_in_sqlite,
    rows_that_are_there_are_mixed_with_none,
    an_import_that_fails_leaves_the_target_as_it_was,
];

/// More than a page of the import, and calls whose attempts lie on both sides of its end.
const CALLS: u32 = 400;

async fn fill(store: &Store) {
    add(store, route("BACKUP")).await;
    add(store, route("gr\u{f6}\u{df}er")).await;
    let batch = (0..CALLS * 3).map(|number| attempt(&format!("call {:03}", number / 3), number % 3 + 1, number.into()));
    store.insert_attempts(batch.collect()).await.expect("are written");
}

/// Copies between a filled database and an empty one; both must hold the same then.
async fn copy(from: &Stage, to: &Stage) {
    let (_from, source) = from.store().await;
    let (_to, target) = to.store().await;
    fill(&source).await;
    let before = target.fingerprint().await.expect("is read");
    let told = Arc::new(Mutex::new(Vec::new()));
    let progress = {
        let told = Arc::clone(&told);
        move |progress: ImportProgress| told.lock().expect("nobody panicked").push(progress.copied)
    };
    let done = target
        .import(&source, Existing::Refuse, progress)
        .await
        .expect("is copied");
    let copied: Vec<(&str, u64)> = done.iter().map(|table| (table.table, table.copied)).collect();
    let attempts = u64::from(CALLS) * 3;
    assert_eq!(
        copied,
        [
            ("crankback_outbound_routes", 2),
            ("crankback_carriers", 0),
            ("crankback_attempts", attempts),
            ("crankback_audit", 2),
            ("crankback_health", 0),
            ("crankback_originals", 0)
        ]
    );
    assert_eq!(*told.lock().expect("nobody panicked"), [2, 500, 1_000, 1_200, 2]);

    let all = async |store: &Store| {
        let tables = store.routing_tables().await.expect("are read");
        let attempts = store.find_attempts(since(0, u32::MAX)).await.expect("are read");
        let audit = store.latest_audit(10).await.expect("is read");
        (tables.routes, attempts, audit)
    };
    assert_eq!(all(&target).await, all(&source).await);
    let after = target.fingerprint().await.expect("is read");
    assert!(after.revision > before.revision, "daemons must see the new routes");
}

async fn everything_arrives_from_sqlite(stage: Stage) {
    copy(&Stage::new(Place::Sqlite), &stage).await;
}

async fn everything_arrives_in_sqlite(stage: Stage) {
    copy(&stage, &Stage::new(Place::Sqlite)).await;
}

async fn rows_that_are_there_are_mixed_with_none(stage: Stage) {
    let elsewhere = Stage::new(Place::Sqlite);
    let (_from, source) = elsewhere.store().await;
    let (_to, target) = stage.store().await;
    fill(&source).await;
    let own = attempt("own", 1, 5);
    target.insert_attempts(vec![own.clone()]).await.expect("is written");

    let error = target
        .import(&source, Existing::Refuse, |_| ())
        .await
        .expect_err("has rows");
    assert_eq!(error.code(), "store_not_empty");
    assert!(error.to_string().contains("rows in crankback_attempts"), "{error}");
    assert_eq!(target.find_attempts(since(0, 10)).await, Ok(vec![own]));
    let error = target
        .import(&target, Existing::Replace, |_| ())
        .await
        .expect_err("is the same");
    assert_eq!(error.code(), "store_same_database");

    target
        .import(&source, Existing::Replace, |_| ())
        .await
        .expect("is replaced");
    assert_eq!(target.attempts_of_call(SERVER_IP, "own").await, Ok(vec![]));
    assert_eq!(
        target.find_attempts(since(0, u32::MAX)).await.expect("are read").len() as u32,
        CALLS * 3
    );
}

async fn an_import_that_fails_leaves_the_target_as_it_was(stage: Stage) {
    let elsewhere = Stage::new(Place::Sqlite);
    let (from, source) = elsewhere.store().await;
    let (_to, target) = stage.store().await;
    fill(&source).await;
    let own = attempt("own", 1, 5);
    target.insert_attempts(vec![own.clone()]).await.expect("is written");
    add(&target, route("OWN")).await;
    let before = target.routing_tables().await.expect("are read");
    // The routes arrive, then the source has no second table.
    from.sql("ALTER TABLE crankback_attempts RENAME TO lost").await;
    let error = target
        .import(&source, Existing::Replace, |_| ())
        .await
        .expect_err("the source is broken");
    assert!(error.to_string().contains("crankback_attempts"), "{error}");
    assert_eq!(target.routing_tables().await, Ok(before));
    assert_eq!(target.find_attempts(since(0, 10)).await, Ok(vec![own]));
}
