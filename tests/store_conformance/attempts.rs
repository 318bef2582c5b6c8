//! Attempts on record.

use crankback::store::{AttemptFilter, AttemptRow, StoreError};

use super::rows::{attempt, since};
use super::stage::{Place, Stage};
use super::{Case, cases};

pub const CASES: [(&str, Case); 4] = cases![
    attempts_are_written_once_however_often_they_are_sent,
    attempts_are_found_newest_first_by_what_is_asked_for,
    texts_that_are_too_long_are_cut,
    a_batch_that_fails_leaves_nothing_behind,
];

async fn attempts_are_written_once_however_often_they_are_sent(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let batch = vec![attempt("a", 2, 2_000), attempt("a", 1, 1_000), attempt("b", 1, 3_000)];
    store.insert_attempts(batch.clone()).await.expect("is written");
    store.insert_attempts(batch).await.expect("is written again");
    let later = attempt("b", 1, 3_500);
    store.insert_attempts(vec![later.clone()]).await.expect("is replaced");

    let of_call = store.attempts_of_call("a").await.expect("are read");
    assert_eq!(of_call, [attempt("a", 1, 1_000), attempt("a", 2, 2_000)]);
    assert_eq!(store.attempts_of_call("A").await, Ok(vec![]), "another call");
    let found = store.find_attempts(since(2_000, 10)).await.expect("are read");
    assert_eq!(found, [later.clone(), attempt("a", 2, 2_000)]);
    assert_eq!(store.find_attempts(since(0, 1)).await, Ok(vec![later]));
}

async fn attempts_are_found_newest_first_by_what_is_asked_for(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let answered = AttemptRow {
        carrier_id: "BACKUP".into(),
        sip_code: Some(200),
        ..attempt("a", 2, 2_000)
    };
    let rows = vec![attempt("a", 1, 1_000), answered, attempt("b", 1, 3_000)];
    store.insert_attempts(rows).await.expect("are written");
    let any = AttemptFilter {
        since_ms: None,
        carrier_id: None,
        sip_code: None,
        call_id: None,
        limit: 10,
    };
    let since = AttemptFilter {
        since_ms: Some(2_000),
        ..any.clone()
    };
    let carrier = AttemptFilter {
        carrier_id: Some("PRIMARY".into()),
        ..any.clone()
    };
    let code = AttemptFilter {
        sip_code: Some(200),
        ..any.clone()
    };
    let call = AttemptFilter {
        call_id: Some("a".into()),
        ..any.clone()
    };
    let both = AttemptFilter {
        sip_code: Some(503),
        ..call.clone()
    };
    let newest = AttemptFilter {
        limit: 1,
        ..any.clone()
    };
    for (filter, expected) in [
        (any, vec![("b", 1), ("a", 2), ("a", 1)]),
        (since, vec![("b", 1), ("a", 2)]),
        (carrier, vec![("b", 1), ("a", 1)]),
        (code, vec![("a", 2)]),
        (call, vec![("a", 2), ("a", 1)]),
        (both, vec![("a", 1)]),
        (newest, vec![("b", 1)]),
    ] {
        let found = store.find_attempts(filter.clone()).await.expect("are read");
        let keys: Vec<_> = found.iter().map(|row| (row.call_id.as_str(), row.n)).collect();
        assert_eq!(keys, expected, "{filter:?}");
    }
}

async fn texts_that_are_too_long_are_cut(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let mut long = attempt("a", 1, 1_000);
    long.sip_phrase = Some("\u{1f4de}".repeat(300));
    long.why = "w".repeat(256);
    store.insert_attempts(vec![long.clone()]).await.expect("is written");
    long.sip_phrase = Some("\u{1f4de}".repeat(255));
    long.why = "w".repeat(255);
    assert_eq!(store.attempts_of_call("a").await, Ok(vec![long]));
}

async fn a_batch_that_fails_leaves_nothing_behind(stage: Stage) {
    let (scene, store) = stage.store().await;
    let refuse_third_attempts = match stage.place() {
        Place::Sqlite => {
            "CREATE TRIGGER refuse BEFORE INSERT ON crankback_attempts WHEN NEW.n > 2 \
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        }
        Place::MariaDb(_) => "ALTER TABLE crankback_attempts ADD CONSTRAINT refuse CHECK (n < 3)",
    };
    scene.sql(refuse_third_attempts).await;
    let batch = (1..=3).map(|n| attempt("a", n, 1_000)).collect();
    let error = store.insert_attempts(batch).await.expect_err("is refused");
    assert!(matches!(error, StoreError::Statement { .. }), "{error}");
    assert_eq!(store.attempts_of_call("a").await, Ok(vec![]));
    store
        .insert_attempts(vec![attempt("a", 1, 1_000)])
        .await
        .expect("goes on after the failure");
}
