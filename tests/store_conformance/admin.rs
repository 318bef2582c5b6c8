//! The door of VICIdial's admin screen: a carrier changed as the screen does it, on tables that undo nothing too.

use crankback::store::{ChangedBy, OriginalKind, OriginalRow, Store};
use crankback::vicidial::admin::{
    AdminError, Written, insert_carrier, set_active, update_custom_dialplan, update_dialplan_entry,
};
use crankback::vicidial::carriers::CarrierRow;

use super::stage::{Place, Scene, Stage};
use super::{Case, cases};

pub const CASES: [(&str, Case); 7] = cases![
    a_carrier_is_added_as_the_screen_adds_it,
    an_entry_is_changed_only_where_it_is_what_was_read,
    a_run_that_ended_in_the_middle_is_finished_by_the_next,
    a_carrier_is_switched_on_and_off,
    only_the_servers_that_the_carrier_is_for_write_their_files,
    a_servers_custom_dialplan_is_changed_as_the_screen_changes_it,
    originals_are_kept_byte_for_byte,
];

const ENTRY: &str =
    "exten => _91NXX,1,AGI(agi://127.0.0.1:4577/call_log)\nexten => _91NXX,2,Dial(SIP/main/${EXTEN:1},,To) ; \"out\"\n";
const LOGGED: &str = "SELECT COUNT(*) FROM vicidial_admin_log WHERE event_section = 'CARRIERS'";
const DUE: &str = "SELECT COUNT(*) FROM servers WHERE rebuild_conf_files = 'Y'";

fn by() -> ChangedBy {
    ChangedBy {
        user: "alice".into(),
        ip_address: "10.0.0.1".into(),
        what: "conf install".into(),
    }
}

fn row() -> CarrierRow {
    CarrierRow {
        carrier_id: "MAIN".into(),
        carrier_name: "Main".into(),
        template_id: "--NONE--".into(),
        account_entry: "[main]\ntype = peer\nsecret = hunter2".into(),
        registration_string: "register => user:hunter2@10.0.0.5".into(),
        protocol: "SIP".into(),
        dialplan_entry: ENTRY.into(),
        server_ip: "10.0.0.1".into(),
        ..CarrierRow::default()
    }
}

async fn servers(scene: &Scene<'_>) {
    let rows = "INSERT INTO servers (server_ip, active, active_asterisk_server, generate_vicidial_conf) VALUES \
                ('10.0.0.1', 'Y', 'Y', 'Y'), ('10.0.0.2', 'Y', 'Y', 'Y'), ('10.0.0.3', 'Y', 'N', 'Y'), ('10.0.0.4', 'Y', 'Y', 'N')";
    scene.sql(rows).await;
}

async fn forget_the_wish(scene: &Scene<'_>) {
    scene.sql("UPDATE servers SET rebuild_conf_files = 'N'").await;
}

async fn entry(store: &Store) -> String {
    let tables = store.routing_tables().await.expect("are read");
    tables.carriers[0].dialplan_entry.clone()
}

async fn update(store: &Store, expected: &str, new: &str) -> Result<Written, AdminError> {
    update_dialplan_entry(store, "MAIN", "10.0.0.1", expected, new, by()).await
}

async fn a_carrier_is_added_as_the_screen_adds_it(stage: Stage) {
    let (scene, store) = stage.store().await;
    servers(&scene).await;
    assert_eq!(insert_carrier(&store, row(), by()).await, Ok(Written::Changed));
    assert_eq!(store.routing_tables().await.expect("are read").carriers, [row()]);
    assert_eq!(scene.number(DUE).await, 1);
    let said = "SELECT COUNT(*) FROM vicidial_admin_log WHERE user = 'alice' AND ip_address = '10.0.0.1' AND event_type = 'ADD' \
                AND record_id = 'MAIN' AND event_code = 'ADMIN ADD CARRIER' AND event_notes = 'crankback conf install' \
                AND event_sql LIKE '%server_ip=''10.0.0.1''%' AND event_sql NOT LIKE '%hunter2%' AND event_sql NOT LIKE '%;%'";
    assert_eq!(scene.number(said).await, 1);

    forget_the_wish(&scene).await;
    set_active(&store, "MAIN", true, by()).await.expect("is switched on");
    forget_the_wish(&scene).await;
    let other = CarrierRow {
        carrier_name: "Another".into(),
        ..row()
    };
    let refused = insert_carrier(&store, other, by()).await.expect_err("the id is taken");
    assert_eq!(refused.code(), "carrier_exists");
    assert!(
        refused.to_string().contains("carrier MAIN exists already (\"Main\""),
        "{refused}"
    );
    let unfit = CarrierRow {
        carrier_id: "OTHER".into(),
        dialplan_entry: "it's".into(),
        ..row()
    };
    let refused = insert_carrier(&store, unfit, by()).await.expect_err("is refused");
    assert_eq!(refused.code(), "screen_character");
    assert_eq!((scene.number(LOGGED).await, scene.number(DUE).await), (2, 0));
}

async fn an_entry_is_changed_only_where_it_is_what_was_read(stage: Stage) {
    let (scene, store) = stage.store().await;
    servers(&scene).await;
    insert_carrier(&store, row(), by()).await.expect("is added");
    forget_the_wish(&scene).await;

    // Blanks at the end and case count, though VICIdial's collation knows no such difference.
    for other in [ENTRY.to_lowercase(), format!("{ENTRY} "), String::new()] {
        let refused = update(&store, &other, "x").await.expect_err("is another text");
        assert_eq!(refused.code(), "carrier_edited", "{refused}");
    }
    let refused = update(&store, &ENTRY.replace("NXX,2", "NXX,n"), "x").await;
    let refused = refused.expect_err("is another text").to_string();
    assert!(refused.contains("carrier MAIN, dialplan entry, line 2: "), "{refused}");
    assert_eq!((entry(&store).await, scene.number(DUE).await), (ENTRY.to_owned(), 0));

    let new = format!("{ENTRY}; caf\u{e9}\n");
    assert_eq!(update(&store, ENTRY, &new).await, Ok(Written::Changed));
    assert_eq!((entry(&store).await, scene.number(DUE).await), (new.clone(), 1));
    forget_the_wish(&scene).await;
    assert_eq!(update(&store, ENTRY, &new).await, Ok(Written::AlreadySo));
    assert_eq!((scene.number(LOGGED).await, scene.number(DUE).await), (2, 0));
    assert_eq!(update(&store, &new, ENTRY).await, Ok(Written::Changed));

    let moved = update_dialplan_entry(&store, "MAIN", "10.0.0.9", ENTRY, "x", by()).await;
    assert_eq!(moved.expect_err("has moved").code(), "carrier_missing");
    let gone = update_dialplan_entry(&store, "GONE", "10.0.0.1", ENTRY, "x", by()).await;
    assert_eq!(gone.expect_err("is gone").code(), "carrier_missing");
}

async fn a_run_that_ended_in_the_middle_is_finished_by_the_next(stage: Stage) {
    let (scene, store) = stage.store().await;
    servers(&scene).await;
    insert_carrier(&store, row(), by()).await.expect("is added");
    forget_the_wish(&scene).await;
    // The row was written, and then the machine went down.
    scene
        .sql("UPDATE vicidial_server_carriers SET dialplan_entry = 'x'")
        .await;
    assert_eq!(update(&store, ENTRY, "x").await, Ok(Written::AlreadySo));
    assert_eq!((scene.number(LOGGED).await, scene.number(DUE).await), (2, 1));
    forget_the_wish(&scene).await;
    assert_eq!(update(&store, ENTRY, "x").await, Ok(Written::AlreadySo));
    assert_eq!((scene.number(LOGGED).await, scene.number(DUE).await), (2, 0));
}

async fn a_carrier_is_switched_on_and_off(stage: Stage) {
    let (scene, store) = stage.store().await;
    servers(&scene).await;
    insert_carrier(&store, row(), by()).await.expect("is added");
    assert_eq!(set_active(&store, "MAIN", true, by()).await, Ok(Written::Changed));
    let on = "SELECT COUNT(*) FROM vicidial_server_carriers WHERE active = 'Y'";
    assert_eq!(scene.number(on).await, 1);
    assert_eq!(set_active(&store, "MAIN", true, by()).await, Ok(Written::AlreadySo));
    assert_eq!(insert_carrier(&store, row(), by()).await, Ok(Written::AlreadySo));
    assert_eq!(set_active(&store, "MAIN", false, by()).await, Ok(Written::Changed));
    assert_eq!(scene.number(on).await, 0);
    let gone = set_active(&store, "GONE", true, by()).await;
    assert_eq!(gone.expect_err("is gone").code(), "carrier_missing");
}

async fn only_the_servers_that_the_carrier_is_for_write_their_files(stage: Stage) {
    let (scene, store) = stage.store().await;
    servers(&scene).await;
    let everywhere = CarrierRow {
        server_ip: "0.0.0.0".into(),
        ..row()
    };
    insert_carrier(&store, everywhere, by()).await.expect("is added");
    assert_eq!(scene.number(DUE).await, 2, "those that write files and place calls");
    let own = format!("{DUE} AND server_ip IN ('10.0.0.1', '10.0.0.2')");
    assert_eq!(scene.number(&own).await, 2);
}

async fn a_servers_custom_dialplan_is_changed_as_the_screen_changes_it(stage: Stage) {
    let (scene, store) = stage.store().await;
    if matches!(stage.place(), Place::Sqlite) {
        let read = store.custom_dialplan("10.0.0.1".into()).await;
        assert_eq!(read, Ok(None), "there is no VICIdial beside it");
        scene.sql("ALTER TABLE servers ADD COLUMN server_id VARCHAR(10)").await;
        scene
            .sql("ALTER TABLE servers ADD COLUMN custom_dialplan_entry TEXT")
            .await;
        scene
            .sql("CREATE TABLE system_settings (allow_custom_dialplan VARCHAR(1))")
            .await;
    }
    servers(&scene).await;
    scene
        .sql("UPDATE servers SET server_id = 'one' WHERE server_ip = '10.0.0.1'")
        .await;
    let read = async || {
        store
            .custom_dialplan("10.0.0.1".into())
            .await
            .expect("is read")
            .expect("is there")
    };
    let update =
        async |expected: &str, new: &str| update_custom_dialplan(&store, "10.0.0.1", expected, new, by()).await;
    assert_eq!((read().await.entry.as_str(), read().await.is_offered), ("", false));
    scene
        .sql("INSERT INTO system_settings (allow_custom_dialplan) VALUES ('1')")
        .await;
    assert!(read().await.is_offered);
    assert_eq!(store.custom_dialplan("10.0.0.99".into()).await, Ok(None));

    assert_eq!(update("", ENTRY).await, Ok(Written::Changed));
    assert_eq!(
        (read().await.entry.as_str(), read().await.server_id.as_str()),
        (ENTRY, "one")
    );
    assert_eq!(scene.number(DUE).await, 1, "this server's files alone");
    let said = "SELECT COUNT(*) FROM vicidial_admin_log WHERE user = 'alice' AND event_section = 'SERVERS' AND event_type = 'MODIFY' \
                AND record_id = 'one' AND event_code = 'ADMIN MODIFY SERVER' AND event_sql LIKE '%rebuild_conf_files%'";
    assert_eq!(scene.number(said).await, 1);
    forget_the_wish(&scene).await;
    assert_eq!(update("", ENTRY).await, Ok(Written::AlreadySo));
    assert_eq!((scene.number(said).await, scene.number(DUE).await), (1, 0));

    for other in [ENTRY.to_lowercase(), format!("{ENTRY} "), String::new()] {
        let refused = update(&other, "x").await.expect_err("is another text");
        assert_eq!(refused.code(), "server_edited", "{refused}");
    }
    let unfit = update(ENTRY, "it's")
        .await
        .expect_err("the screen would take the quote out");
    assert!(
        unfit
            .to_string()
            .starts_with("server 10.0.0.1, custom_dialplan_entry, line 1"),
        "{unfit}"
    );
    let long = update(ENTRY, &"x".repeat(65_536)).await.expect_err("is too long");
    assert_eq!(long.code(), "screen_length");
    assert_eq!(read().await.entry, ENTRY);
    let gone = update_custom_dialplan(&store, "10.0.0.99", "", "x", by()).await;
    assert_eq!(gone.expect_err("is gone").code(), "server_missing");
}

async fn originals_are_kept_byte_for_byte(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let row = OriginalRow {
        kind: OriginalKind::Carrier,
        name: "MAIN".into(),
        original: format!("{ENTRY}\r\n\t caf\u{e9} \u{1f4de} 'x' \\ "),
        installed: "x ".into(),
        at_ms: 1_700_000_000_000,
        actor: "uid:0 (root)".into(),
    };
    store.keep_original(row.clone()).await.expect("is kept");
    assert_eq!(store.originals(OriginalKind::Carrier).await, Ok(vec![row.clone()]));
    let again = OriginalRow { at_ms: 7, ..row };
    store.keep_original(again.clone()).await.expect("is kept");
    assert_eq!(store.originals(OriginalKind::Carrier).await, Ok(vec![again.clone()]));
    // A server may have the name of a carrier.
    let server = OriginalRow {
        kind: OriginalKind::Server,
        ..again
    };
    store.keep_original(server.clone()).await.expect("is kept");
    let forgotten = store.forget_original(OriginalKind::Carrier, "MAIN".into()).await;
    forgotten.expect("is forgotten");
    assert_eq!(store.originals(OriginalKind::Server).await, Ok(vec![server]));
    assert_eq!(store.originals(OriginalKind::Carrier).await, Ok(vec![]));
}
