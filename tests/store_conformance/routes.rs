//! Routes and the record of who changed them.

use crankback::store::{AuditRow, CarrierSettingsRow, NewRoute, RouteAdded, RouteRow, Store};

use super::rows::{add, attempt, audit, remove, route};
use super::stage::Stage;
use super::{Case, cases};

pub const CASES: [(&str, Case); 10] = cases![
    routes_come_back_as_they_were_added,
    the_same_route_is_not_added_twice,
    routes_added_at_the_same_time_get_ids_of_their_own,
    the_same_route_added_at_the_same_time_is_added_once,
    a_route_that_does_not_fit_is_refused,
    only_changes_of_routes_grow_the_revision,
    a_change_and_its_audit_row_stand_or_fall_together,
    audit_rows_written_at_the_same_time_are_all_kept,
    audit_texts_that_are_too_long_are_cut,
    what_is_set_about_a_carrier_comes_back_and_can_be_taken_back,
];

async fn routes_come_back_as_they_were_added(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let any = NewRoute {
        entry_carrier_id: None,
        campaign_id: Some("größer".into()),
        match_type: "any".into(),
        match_text: "".into(),
        cost: None,
        weight: u32::MAX,
        priority: i32::MIN,
        schedule: Some("\u{1f55b} 'quoted' \\ %".into()),
        strip_prefix: None,
        add_prefix: None,
        enabled: false,
        ..route("OTHER")
    };
    assert_eq!(add(&store, route("BACKUP")).await, RouteAdded::New(1));
    assert_eq!(add(&store, any.clone()).await, RouteAdded::New(2));
    let rows = |rows: Vec<(i64, NewRoute)>| -> Vec<RouteRow> {
        rows.into_iter().map(|(id, route)| RouteRow { id, route }).collect()
    };
    let routes = async || store.routing_tables().await.expect("are read").routes;
    assert_eq!(routes().await, rows(vec![(1, route("BACKUP")), (2, any.clone())]));

    assert!(remove(&store, 1).await);
    assert!(!remove(&store, 1).await, "was removed before");
    assert_eq!(routes().await, rows(vec![(2, any)]));
    assert_eq!(add(&store, route("BACKUP")).await, RouteAdded::New(3));
}

async fn the_same_route_is_not_added_twice(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let of_any_entry = NewRoute {
        entry_carrier_id: None,
        ..route("BACKUP")
    };
    let of_a_campaign = NewRoute {
        campaign_id: Some("TEST".into()),
        ..route("BACKUP")
    };
    let of_a_namesake = route("backup");
    let at_night = NewRoute {
        schedule: Some("22:00-06:00 UTC".into()),
        ..route("BACKUP")
    };
    for (id, other) in [
        (1, route("BACKUP")),
        (2, of_any_entry),
        (3, of_a_campaign),
        (4, route("OTHER")),
        (5, of_a_namesake),
        (6, at_night),
    ] {
        assert_eq!(add(&store, other.clone()).await, RouteAdded::New(id));
        let later = NewRoute { priority: 9, ..other };
        assert_eq!(add(&store, later).await, RouteAdded::Same(id));
    }
    assert_eq!(store.routing_tables().await.expect("are read").routes.len(), 6);
    assert_eq!(store.latest_audit(10).await.expect("is read").len(), 6);
}

/// Each store's own, so that they never say the same.
async fn routes_added_at_the_same_time_get_ids_of_their_own(stage: Stage) {
    let (scene, one) = stage.store().await;
    let two = scene.open().await;
    let add_ten = async |store: &Store, name: &str| {
        for number in 0..10 {
            add(store, route(&format!("{name}{number}"))).await;
        }
    };
    tokio::join!(add_ten(&one, "ONE"), add_ten(&two, "TWO"));
    let tables = one.routing_tables().await.expect("are read");
    let ids: Vec<i64> = tables.routes.iter().map(|row| row.id).collect();
    assert_eq!(ids, (1..=20).collect::<Vec<i64>>());
    assert_eq!(tables.fingerprint.revision, 20);
    assert_eq!(one.latest_audit(100).await.expect("is read").len(), 20);
}

async fn the_same_route_added_at_the_same_time_is_added_once(stage: Stage) {
    let (scene, one) = stage.store().await;
    let two = scene.open().await;
    for id in 1..=10 {
        let wanted = route(&format!("BACKUP{id}"));
        let (left, right) = tokio::join!(add(&one, wanted.clone()), add(&two, wanted));
        let mut both = [left, right];
        both.sort_by_key(|added| matches!(added, RouteAdded::Same(_)));
        assert_eq!(both, [RouteAdded::New(id), RouteAdded::Same(id)]);
    }
}

async fn a_route_that_does_not_fit_is_refused(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let long = NewRoute {
        match_text: "9".repeat(65).into(),
        ..route("BACKUP")
    };
    let refused = store.add_route(long, |id| audit("route_add", id)).await;
    let error = refused.expect_err("is too long");
    assert_eq!(error.code(), "store_value");
    assert!(error.to_string().contains("column match_text holds"), "{error}");
    let tables = store.routing_tables().await.expect("are read");
    assert!(tables.routes.is_empty());
    assert_eq!(tables.fingerprint.revision, 0);
}

async fn only_changes_of_routes_grow_the_revision(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let revision = async || store.fingerprint().await.expect("is read").revision;
    assert_eq!(revision().await, 0);
    add(&store, route("BACKUP")).await;
    assert_eq!(revision().await, 1);
    assert_eq!(add(&store, route("BACKUP")).await, RouteAdded::Same(1));
    assert_eq!(revision().await, 1);
    assert!(remove(&store, 1).await);
    assert_eq!(revision().await, 2);
    assert!(!remove(&store, 1).await);
    store.insert_audit(audit("route_add", 1)).await.expect("is written");
    store
        .insert_attempts(vec![attempt("a", 1, 1_000)])
        .await
        .expect("is written");
    assert_eq!(revision().await, 2);
}

async fn a_change_and_its_audit_row_stand_or_fall_together(stage: Stage) {
    let (scene, store) = stage.store().await;
    add(&store, route("BACKUP")).await;
    assert!(remove(&store, 1).await);
    assert!(!remove(&store, 1).await);
    let expected = [audit("route_remove", 1), audit("route_add", 1)];
    assert_eq!(store.latest_audit(10).await.expect("is read"), expected);
    assert_eq!(store.latest_audit(1).await.expect("is read"), expected[..1]);

    scene.sql("DROP TABLE crankback_audit").await;
    let refused = store.add_route(route("BACKUP"), |id| audit("route_add", id)).await;
    assert_eq!(refused.expect_err("cannot go on record").code(), "store_statement");
    assert_eq!(store.routing_tables().await.expect("are read").routes, []);
}

async fn audit_rows_written_at_the_same_time_are_all_kept(stage: Stage) {
    let (scene, one) = stage.store().await;
    let two = scene.open().await;
    let write_ten = async |store: &Store| {
        for id in 1..=10 {
            let written = store.insert_audit(audit("reload", id)).await;
            written.expect("is written");
        }
    };
    tokio::join!(write_ten(&one), write_ten(&two));
    assert_eq!(one.latest_audit(100).await.expect("is read").len(), 20);
}

async fn audit_texts_that_are_too_long_are_cut(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let of_length = |length: usize| "\u{1f4de}".repeat(length);
    let long = AuditRow {
        at_ms: 1,
        actor: of_length(200),
        command: of_length(200),
        target: of_length(200),
        detail: of_length(20_000),
        outcome: of_length(200),
    };
    store.insert_audit(long).await.expect("is written");
    let cut = AuditRow {
        at_ms: 1,
        actor: of_length(128),
        command: of_length(32),
        target: of_length(64),
        detail: of_length(16_383),
        outcome: of_length(64),
    };
    assert_eq!(store.latest_audit(10).await, Ok(vec![cut]));
}

async fn what_is_set_about_a_carrier_comes_back_and_can_be_taken_back(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let change = async |change: fn(&mut CarrierSettingsRow)| {
        let done = store.change_carrier_settings("PRIMARY", change, audit("carrier_set", 1));
        done.await.expect("is written");
        store.routing_tables().await.expect("are read").carrier_settings
    };
    let set = CarrierSettingsRow {
        carrier_id: "PRIMARY".into(),
        guard_ms: Some(3_000),
        fakes_progress: Some(true),
        verdicts: Some("503=stop\nphrase:größer=next".into()),
        max_cps: Some(u32::MAX),
        engine: Some("agi".into()),
        ..CarrierSettingsRow::default()
    };
    let rows = change(|row| {
        row.guard_ms = Some(3_000);
        row.fakes_progress = Some(true);
        row.verdicts = Some("503=stop\nphrase:größer=next".into());
        row.max_cps = Some(u32::MAX);
        row.engine = Some("agi".into());
    });
    assert_eq!(rows.await, std::slice::from_ref(&set));
    let rows = change(|row| row.engine = None);
    assert_eq!(rows.await, [CarrierSettingsRow { engine: None, ..set }]);
}
