//! Attempts on record.

use crankback::store::{AttemptFilter, AttemptRow, StoreError};

use super::rows::{SERVER_IP, attempt, open, since};
use super::stage::{Place, Stage};
use super::{Case, cases};

pub const CASES: [(&str, Case); 9] = cases![
    attempts_are_written_once_however_often_they_are_sent,
    attempts_are_found_newest_first_by_what_is_asked_for,
    the_same_call_id_on_two_dialers_is_two_calls,
    an_end_is_never_undone_by_a_beginning_that_comes_late,
    what_is_left_open_is_closed_but_for_what_is_alive,
    ended_attempts_are_found_by_their_channels,
    dialers_that_write_at_the_same_time_lose_nothing,
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

    let of_call = store.attempts_of_call(SERVER_IP, "a").await.expect("are read");
    assert_eq!(of_call, [attempt("a", 1, 1_000), attempt("a", 2, 2_000)]);
    assert_eq!(store.attempts_of_call(SERVER_IP, "A").await, Ok(vec![]), "another call");
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

async fn the_same_call_id_on_two_dialers_is_two_calls(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let here = attempt("1795220185.1", 1, 1_000);
    let there = AttemptRow {
        server_ip: "10.0.0.8".into(),
        ..attempt("1795220185.1", 1, 1_000)
    };
    let batch = vec![here.clone(), there.clone()];
    store.insert_attempts(batch).await.expect("are written");
    let of_call = store.attempts_of_call(SERVER_IP, "1795220185.1").await;
    assert_eq!(of_call, Ok(vec![here.clone()]));
    let of_call = store.attempts_of_call("10.0.0.8", "1795220185.1").await;
    assert_eq!(of_call, Ok(vec![there.clone()]));
    let of_both = AttemptFilter {
        call_id: Some("1795220185.1".into()),
        ..since(0, 10)
    };
    assert_eq!(store.find_attempts(of_both).await, Ok(vec![there, here]));
}

async fn an_end_is_never_undone_by_a_beginning_that_comes_late(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let write = async |rows: Vec<AttemptRow>| store.insert_attempts(rows).await.expect("are written");
    let ended = |n| attempt("a", n, 1_000);
    write(vec![open(ended(1)), open(ended(2))]).await;
    let both_open = vec![open(ended(1)), open(ended(2))];
    assert_eq!(store.attempts_of_call(SERVER_IP, "a").await, Ok(both_open));

    write(vec![ended(1)]).await;
    let one_open = vec![ended(1), open(ended(2))];
    assert_eq!(store.attempts_of_call(SERVER_IP, "a").await, Ok(one_open));
    write(vec![open(ended(1)), open(ended(2)), ended(2), open(ended(2))]).await;
    let none_open = vec![ended(1), ended(2)];
    assert_eq!(store.attempts_of_call(SERVER_IP, "a").await, Ok(none_open));
}

async fn ended_attempts_are_found_by_their_channels(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let with = |channel: &str, row: AttemptRow| AttemptRow {
        channel_id: channel.to_owned(),
        ..row
    };
    let taken = with("1.1", attempt("taken", 1, 100_000));
    let elsewhere = AttemptRow {
        server_ip: "10.0.0.8".into(),
        ..with("1.1", attempt("elsewhere", 1, 100_000))
    };
    let rows = vec![
        taken.clone(),
        elsewhere,
        with("1.2", open(attempt("out", 1, 100_000))),
        with("1.3", attempt("since", 1, 190_000)),
        with("1.4", attempt("long ago", 1, 10_000)),
    ];
    store.insert_attempts(rows).await.expect("are written");
    let channels = ["1.1", "1.2", "1.3", "1.4", "1.5"].map(|id| (id.to_owned(), 100_050));
    let found = store
        .ended_attempts_of_channels(SERVER_IP, channels.to_vec(), 180_000)
        .await;
    assert_eq!(found, Ok(vec![taken]));
    let none = store.ended_attempts_of_channels(SERVER_IP, Vec::new(), 180_000).await;
    assert_eq!(none, Ok(vec![]));
}

async fn what_is_left_open_is_closed_but_for_what_is_alive(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let elsewhere = AttemptRow {
        server_ip: "10.0.0.8".into(),
        ..open(attempt("lost", 1, 1_000))
    };
    let rows = vec![
        attempt("lost", 1, 1_000),
        open(attempt("lost", 2, 2_000)),
        open(attempt("alive", 1, 3_000)),
        open(attempt("alive", 2, 4_000)),
        elsewhere.clone(),
    ];
    store.insert_attempts(rows).await.expect("are written");
    let close = async |now_ms, alive: &[&str]| {
        let alive = alive.iter().map(|&call| call.to_owned()).collect();
        store.close_open_attempts(SERVER_IP, now_ms, alive).await
    };
    assert_eq!(
        close(2_000, &["alive"]).await,
        Ok(0),
        "what began since is not looked at"
    );
    let left_open = store.open_attempts(SERVER_IP, 4_000).await;
    let older = vec![open(attempt("alive", 1, 3_000)), open(attempt("lost", 2, 2_000))];
    assert_eq!(left_open, Ok(older));
    assert_eq!(close(9_000, &["alive"]).await, Ok(1));

    let closed = |row: AttemptRow| AttemptRow {
        ended_ms: Some(9_000),
        verdict: "stop".into(),
        why: "the daemon ended".into(),
        rule: Some("daemon_lost".into()),
        ended_by: Some("unseen".into()),
        ..row
    };
    let lost = closed(open(attempt("lost", 2, 2_000)));
    let of_lost = store.attempts_of_call(SERVER_IP, "lost").await;
    assert_eq!(of_lost, Ok(vec![attempt("lost", 1, 1_000), lost.clone()]));
    let of_alive = vec![open(attempt("alive", 1, 3_000)), open(attempt("alive", 2, 4_000))];
    assert_eq!(store.attempts_of_call(SERVER_IP, "alive").await, Ok(of_alive));
    assert_eq!(store.attempts_of_call("10.0.0.8", "lost").await, Ok(vec![elsewhere]));

    let late = vec![open(attempt("lost", 2, 2_000))];
    store.insert_attempts(late).await.expect("is passed over");
    let of_lost = store.attempts_of_call(SERVER_IP, "lost").await.expect("are read");
    assert_eq!(of_lost[1], lost);
    let truth = attempt("lost", 2, 2_000);
    store.insert_attempts(vec![truth.clone()]).await.expect("is written");
    let of_lost = store.attempts_of_call(SERVER_IP, "lost").await.expect("are read");
    assert_eq!(of_lost[1], truth, "what was seen of the end after all");
    assert_eq!(close(10_000, &[]).await, Ok(2));
    assert_eq!(close(10_000, &[]).await, Ok(0));
}

/// Beginnings and ends in small batches, from four dialers whose calls have the same ids.
async fn dialers_that_write_at_the_same_time_lose_nothing(stage: Stage) {
    const CALLS: u32 = 60;
    let (scene, store) = stage.store().await;
    let write = async |dialer: usize| {
        let store = scene.open().await;
        let row = |call: u32| AttemptRow {
            server_ip: format!("10.0.0.{dialer}"),
            ..attempt(&format!("1795220185.{call}"), 1, call.into())
        };
        for call in 0..CALLS {
            let batch = [Some(open(row(call))), call.checked_sub(3).map(row)];
            let batch = batch.into_iter().flatten().collect();
            store.insert_attempts(batch).await.expect("is written");
        }
    };
    tokio::join!(write(1), write(2), write(3), write(4));
    let rows = store.find_attempts(since(0, u32::MAX)).await.expect("are read");
    assert_eq!(rows.len() as u32, CALLS * 4);
    let open_ones = rows.iter().filter(|row| row.ended_ms.is_none()).count();
    assert_eq!(open_ones, 3 * 4);
}

async fn texts_that_are_too_long_are_cut(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let mut long = attempt("a", 1, 1_000);
    long.sip_phrase = Some("\u{1f4de}".repeat(300));
    long.why = "w".repeat(256);
    store.insert_attempts(vec![long.clone()]).await.expect("is written");
    long.sip_phrase = Some("\u{1f4de}".repeat(255));
    long.why = "w".repeat(255);
    assert_eq!(store.attempts_of_call(SERVER_IP, "a").await, Ok(vec![long]));
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
    assert_eq!(store.attempts_of_call(SERVER_IP, "a").await, Ok(vec![]));
    store
        .insert_attempts(vec![attempt("a", 1, 1_000)])
        .await
        .expect("goes on after the failure");
}
