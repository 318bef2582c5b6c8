//! What operators set and said about carriers.

use crankback::store::{AuditRow, CarrierSettingsRow, Store};

use super::rows::audit;
use super::stage::Stage;
use super::{Case, cases};

pub const CASES: [(&str, Case); 4] = cases![
    what_is_set_comes_back_and_can_be_taken_back,
    an_operators_word_comes_back_beside_the_settings,
    words_of_two_operators_at_the_same_time_are_whole,
    a_word_that_does_not_fit_is_refused,
];

async fn what_is_set_comes_back_and_can_be_taken_back(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let full = CarrierSettingsRow {
        carrier_id: "PRIMARY".into(),
        guard_ms: Some(3_000),
        progress_ms: Some(8_000),
        fakes_progress: Some(true),
        failover_after_183: Some("if_5xx".into()),
        preset: Some("a preset".into()),
        verdicts: Some("503=stop\nphrase:d\u{f6}ner 'x' \\=next".into()),
        max_channels: Some(30),
        max_cps: Some(u32::MAX),
        operator_state: Some("disabled".into()),
        operator_by: Some("uid:1000 (alice)".into()),
        operator_reason: Some("unpaid".into()),
        operator_since_ms: Some(1_795_220_185_000),
        operator_until_ms: Some(1_795_220_186_000),
        ring_ms: Some(25_000),
        setup_ms: Some(15_000),
        max_attempts: Some(2),
        engine: Some("agi".into()),
        status: Some("staged".into()),
        strip_prefix: Some(1),
        add_prefix: Some("+1".into()),
        upstream_group: Some("big wholesale".into()),
        tested_ms: Some(1_795_220_187_000),
        tested_digest: Some("0123456789abcdef".into()),
    };
    let empty = CarrierSettingsRow {
        carrier_id: "PRIMARY".into(),
        ..CarrierSettingsRow::default()
    };
    for wanted in [full, empty] {
        let row = wanted.clone();
        let change = move |there: &mut CarrierSettingsRow| *there = row.clone();
        let changed = store.change_carrier_settings("PRIMARY", change, audit("carrier_set", 1));
        changed.await.expect("is written");
        let tables = store.routing_tables().await.expect("is read");
        assert_eq!(tables.carrier_settings, [wanted]);
    }
}

fn on_record() -> AuditRow {
    AuditRow {
        target: "carrier PRIMARY".into(),
        ..audit("carrier_operate", 0)
    }
}

async fn change(store: &Store, change: impl Fn(&mut CarrierSettingsRow) + Send + 'static) {
    let changed = store.change_carrier_settings("PRIMARY", change, on_record()).await;
    changed.expect("is written");
}

async fn an_operators_word_comes_back_beside_the_settings(stage: Stage) {
    let (_scene, store) = stage.store().await;
    assert_eq!(store.carrier_settings().await.expect("are read"), []);
    change(&store, |row| row.guard_ms = Some(3_000)).await;
    change(&store, |row| {
        row.operator_state = Some("disabled".into());
        row.operator_by = Some("uid:1000 (größer)".into());
        row.operator_reason = Some("\u{1f55b} 'quoted' \\ %".into());
        row.operator_since_ms = Some(1_795_220_185_000);
        row.operator_until_ms = Some(i64::MAX);
    })
    .await;
    let expected = CarrierSettingsRow {
        carrier_id: "PRIMARY".into(),
        guard_ms: Some(3_000),
        operator_state: Some("disabled".into()),
        operator_by: Some("uid:1000 (größer)".into()),
        operator_reason: Some("\u{1f55b} 'quoted' \\ %".into()),
        operator_since_ms: Some(1_795_220_185_000),
        operator_until_ms: Some(i64::MAX),
        ..CarrierSettingsRow::default()
    };
    assert_eq!(
        store.carrier_settings().await.expect("are read"),
        std::slice::from_ref(&expected)
    );
    let tables = store.routing_tables().await.expect("are read");
    assert_eq!(
        (tables.carrier_settings, tables.fingerprint.revision),
        (vec![expected], 2)
    );
    assert_eq!(store.latest_audit(10).await.expect("is read").len(), 2);
}

async fn words_of_two_operators_at_the_same_time_are_whole(stage: Stage) {
    let (scene, one) = stage.store().await;
    let two = scene.open().await;
    let say_ten = async |store: &Store, who: &'static str| {
        for number in 0..10 {
            change(store, move |row| {
                row.operator_by = Some(who.into());
                row.operator_reason = Some(format!("{who} {number}"));
            })
            .await;
        }
    };
    tokio::join!(say_ten(&one, "alice"), say_ten(&two, "bob"));
    let rows = one.carrier_settings().await.expect("are read");
    let (by, why) = (rows[0].operator_by.clone(), rows[0].operator_reason.clone());
    let (by, why) = (by.expect("somebody"), why.expect("a reason"));
    assert_eq!(why, format!("{by} 9"), "the last word is one operator's");
    assert_eq!(one.fingerprint().await.expect("is read").revision, 20);
}

async fn a_word_that_does_not_fit_is_refused(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let long = |row: &mut CarrierSettingsRow| row.operator_reason = Some("x".repeat(256));
    let refused = store.change_carrier_settings("PRIMARY", long, on_record()).await;
    assert_eq!(refused.expect_err("is too long").code(), "store_value");
    assert_eq!(store.carrier_settings().await.expect("are read"), []);
    assert_eq!(store.latest_audit(10).await.expect("is read"), []);
}
