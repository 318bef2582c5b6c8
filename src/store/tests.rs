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

    fn url(&self) -> StoreUrl {
        StoreUrl::sqlite(self.directory.path().join("crankback.db"))
    }

    async fn store(&self) -> Store {
        Store::open(&self.url(), IfMissing::Create)
            .await
            .expect("the store opens")
    }

    /// The file through another connection, as another process would see it.
    fn beside(&self) -> Connection {
        Connection::open(self.url().path()).expect("a second connection")
    }
}

fn route(carrier: &str) -> NewRoute {
    NewRoute {
        entry_carrier_id: Some("PRIMARY".into()),
        campaign_id: None,
        match_type: "prefix".into(),
        match_text: "91".into(),
        carrier_id: carrier.into(),
        priority: 2,
        weight: 1,
        cost: Some(1_250),
        schedule: None,
        strip_prefix: Some(1),
        add_prefix: Some("00".into()),
        enabled: true,
    }
}

fn audit(command: &str, id: i64) -> AuditRow {
    AuditRow {
        at_ms: 1_795_220_185_000,
        actor: "uid:1000 (alice)".into(),
        command: command.into(),
        target: format!("route {id}"),
        detail: "{}".into(),
        outcome: "done".into(),
    }
}

async fn add(store: &Store, route: NewRoute) -> RouteAdded {
    let added = store.add_route(route, |id| audit("route_add", id)).await;
    added.expect("the store answers")
}

async fn remove(store: &Store, id: i64) -> bool {
    let removed = store.remove_route(id, audit("route_remove", id)).await;
    removed.expect("the store answers")
}

fn attempt(call: &str, n: u32, started_ms: i64) -> AttemptRow {
    AttemptRow {
        call_id: call.into(),
        n,
        number: "13125550100".into(),
        carrier_id: "PRIMARY".into(),
        entry_carrier: "PRIMARY".into(),
        campaign: Some("TEST".into()),
        started_ms,
        progress: "trying".into(),
        progress_ms: Some(started_ms + 40),
        ended_ms: started_ms + 90,
        sip_code: Some(503),
        sip_phrase: Some("Service Unavailable".into()),
        q850_cause: Some(34),
        verdict: "next_carrier".into(),
        why: "503: the carrier has no circuit".into(),
        rule: None,
        dialstatus: "CONGESTION".into(),
        channel_id: "1795220185.901000001".into(),
        sip_call_id: None,
        caller_channel: "Local/913125550100@default-00000001;2".into(),
    }
}

#[tokio::test]
async fn a_new_database_is_migrated_once() {
    let scratch = Scratch::new();
    let first = scratch.store().await;
    assert_eq!(first.schema_version().await.expect("is read"), 4);
    let before = first.fingerprint().await.expect("is read");
    let second = Store::open(&scratch.url(), IfMissing::Fail)
        .await
        .expect("opens beside the first");
    assert_eq!(second.schema_version().await.expect("is read"), 4);
    assert_eq!(second.fingerprint().await.expect("is read"), before);
}

#[tokio::test]
async fn two_processes_that_start_together_migrate_once() {
    let scratch = Scratch::new();
    let (url, other) = (scratch.url(), scratch.url());
    let (left, right) = tokio::join!(
        Store::open(&url, IfMissing::Create),
        Store::open(&other, IfMissing::Create)
    );
    assert_eq!(left.expect("opens").schema_version().await.expect("is read"), 4);
    assert_eq!(right.expect("opens").schema_version().await.expect("is read"), 4);
}

#[tokio::test]
async fn routes_come_back_as_they_were_added() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
    let any = NewRoute {
        entry_carrier_id: None,
        match_type: "any".into(),
        match_text: String::new(),
        cost: None,
        strip_prefix: None,
        add_prefix: None,
        enabled: false,
        ..route("OTHER")
    };
    assert_eq!(add(&store, route("BACKUP")).await, RouteAdded::New(1));
    assert_eq!(add(&store, any.clone()).await, RouteAdded::New(2));
    let expected = vec![
        RouteRow {
            id: 1,
            route: route("BACKUP"),
        },
        RouteRow {
            id: 2,
            route: any.clone(),
        },
    ];
    assert_eq!(store.routing_tables().await.expect("are read").routes, expected);

    assert!(remove(&store, 1).await);
    assert!(!remove(&store, 1).await, "was removed before");
    assert_eq!(
        store.routing_tables().await.expect("are read").routes,
        vec![RouteRow { id: 2, route: any }]
    );
    assert_eq!(add(&store, route("BACKUP")).await, RouteAdded::New(3));
}

#[tokio::test]
async fn the_same_route_is_not_added_twice() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
    let of_any_entry = NewRoute {
        entry_carrier_id: None,
        ..route("BACKUP")
    };
    let of_a_campaign = NewRoute {
        campaign_id: Some("TEST".into()),
        ..route("BACKUP")
    };
    for (id, other) in [
        (1, route("BACKUP")),
        (2, of_any_entry),
        (3, of_a_campaign),
        (4, route("OTHER")),
    ] {
        assert_eq!(add(&store, other.clone()).await, RouteAdded::New(id));
        let later = NewRoute { priority: 9, ..other };
        assert_eq!(add(&store, later).await, RouteAdded::Same(id));
    }
    assert_eq!(store.routing_tables().await.expect("are read").routes.len(), 4);
    assert_eq!(store.latest_audit(10).await.expect("is read").len(), 4);
}

#[tokio::test]
async fn a_change_and_its_audit_row_stand_or_fall_together() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
    add(&store, route("BACKUP")).await;
    assert!(remove(&store, 1).await);
    assert!(!remove(&store, 1).await);
    let expected = [audit("route_remove", 1), audit("route_add", 1)];
    assert_eq!(store.latest_audit(10).await.expect("is read"), expected);
    assert_eq!(store.latest_audit(1).await.expect("is read"), expected[..1]);

    scratch
        .beside()
        .execute_batch("DROP TABLE crankback_audit")
        .expect("the table is dropped");
    let refused = store.add_route(route("BACKUP"), |id| audit("route_add", id)).await;
    assert_eq!(refused.expect_err("cannot go on record").code(), "store_statement");
    assert_eq!(store.routing_tables().await.expect("are read").routes, []);
}

#[tokio::test]
async fn only_changes_of_routes_grow_the_revision() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
    let revision = async || store.fingerprint().await.expect("is read").revision;
    let start = revision().await;
    add(&store, route("BACKUP")).await;
    assert_eq!(revision().await, start + 1);
    add(&store, route("BACKUP")).await;
    assert_eq!(revision().await, start + 1);
    remove(&store, 1).await;
    assert_eq!(revision().await, start + 2);
    remove(&store, 1).await;
    store.insert_audit(audit("route_add", 1)).await.expect("is written");
    store
        .insert_attempts(vec![attempt("a", 1, 1_000)])
        .await
        .expect("is written");
    assert_eq!(revision().await, start + 2);
}

#[tokio::test]
async fn an_edit_of_another_process_changes_the_fingerprint() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
    let empty = store.fingerprint().await.expect("is read");
    let other = scratch.beside();
    other
        .execute_batch(
            "INSERT INTO vicidial_server_carriers (carrier_id, server_ip, dialplan_entry) VALUES ('ONE', '0.0.0.0', NULL);",
        )
        .expect("a carrier is added");
    let added = store.fingerprint().await.expect("is read");
    assert_ne!(added.carriers, empty.carriers);
    assert_eq!(added.campaigns, empty.campaigns);

    let edit = "UPDATE vicidial_server_carriers SET carrier_name = 'One', account_entry = ''";
    other.execute_batch(edit).expect("a carrier is edited");
    let edited = store.fingerprint().await.expect("is read");
    assert_ne!(edited.carriers, added.carriers);
    assert_eq!(store.fingerprint().await.expect("is read"), edited);

    let carriers = store.routing_tables().await.expect("are read").carriers;
    assert_eq!(carriers.len(), 1);
    assert_eq!(
        (carriers[0].carrier_id.as_str(), carriers[0].carrier_name.as_str()),
        ("ONE", "One")
    );
    assert_eq!((carriers[0].dialplan_entry.as_str(), carriers[0].active), ("", true));

    other
        .execute_batch("INSERT INTO vicidial_campaigns VALUES ('TEST', '91', 26)")
        .expect("a campaign is added");
    assert_ne!(store.fingerprint().await.expect("is read").campaigns, edited.campaigns);
    let campaign = CampaignRow {
        campaign_id: "TEST".into(),
        dial_prefix: "91".into(),
        dial_timeout_s: 26,
    };
    assert_eq!(
        store.routing_tables().await.expect("are read").campaigns,
        vec![campaign]
    );
}

#[tokio::test]
async fn missing_vicidial_tables_read_as_empty() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
    scratch
        .beside()
        .execute_batch(
            "DROP TABLE vicidial_server_carriers; DROP TABLE vicidial_campaigns; DROP TABLE vicidial_conf_templates; \
             DROP TABLE servers",
        )
        .expect("the tables are dropped");
    let tables = store.routing_tables().await.expect("are read");
    assert!(tables.carriers.is_empty() && tables.campaigns.is_empty());
    assert!(tables.templates.is_empty() && tables.servers.is_empty());
    store.fingerprint().await.expect("is read");
}

#[tokio::test]
async fn templates_and_the_wish_to_rebuild_are_read() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
    let empty = store.fingerprint().await.expect("is read");
    scratch
        .beside()
        .execute_batch(
            "INSERT INTO vicidial_conf_templates VALUES ('T', 'type = peer'); \
             INSERT INTO servers (server_ip, generate_vicidial_conf, rebuild_conf_files) \
             VALUES ('10.0.0.1', 'Y', 'Y'), ('10.0.0.2', 'N', 'Y'), ('10.0.0.3', 'Y', 'N'), ('10.0.0.4', NULL, NULL)",
        )
        .expect("rows are written");
    let tables = store.routing_tables().await.expect("are read");
    assert_eq!(tables.templates[0].template_contents, "type = peer");
    let due: Vec<_> = tables.servers.iter().map(|server| server.is_rebuild_due).collect();
    assert_eq!(due, [true, false, false, false]);
    assert_ne!(tables.fingerprint.templates, empty.templates);
    assert_ne!(tables.fingerprint.servers, empty.servers);
    assert_eq!(tables.fingerprint.carriers, empty.carriers);
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
async fn attempts_are_written_once_however_often_they_are_sent() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
    let batch = vec![attempt("a", 2, 2_000), attempt("a", 1, 1_000), attempt("b", 1, 3_000)];
    store.insert_attempts(batch.clone()).await.expect("is written");
    store.insert_attempts(batch).await.expect("is written again");

    let of_call = store.attempts_of_call("a").await.expect("are read");
    assert_eq!(of_call, vec![attempt("a", 1, 1_000), attempt("a", 2, 2_000)]);
}

#[tokio::test]
async fn attempts_are_found_newest_first_by_what_is_asked_for() {
    let scratch = Scratch::new();
    let store = scratch.store().await;
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
    let error = Store::open(&scratch.url(), IfMissing::Fail)
        .await
        .expect_err("is missing");
    assert_eq!(error.code(), "store_missing");
    assert!(!scratch.url().path().exists());

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
    std::fs::write(scratch.url().path(), "this is a letter, not a database; ".repeat(40)).expect("is written");
    let error = Store::open(&scratch.url(), IfMissing::Create)
        .await
        .expect_err("is a letter");
    assert_eq!(error.code(), "store_not_a_database");
}

#[tokio::test]
async fn a_newer_or_altered_schema_is_refused() {
    let scratch = Scratch::new();
    drop(scratch.store().await);
    let other = scratch.beside();
    other
        .execute_batch("UPDATE crankback_meta SET value = 7 WHERE name = 'migration.0001'")
        .expect("is altered");
    let error = Store::open(&scratch.url(), IfMissing::Fail)
        .await
        .expect_err("is altered");
    assert_eq!(error.code(), "store_schema_differs");
    assert!(error.to_string().contains("migration 0001"), "{error}");

    other
        .execute_batch("INSERT INTO crankback_meta VALUES ('migration.0099', 1)")
        .expect("is newer");
    let error = Store::open(&scratch.url(), IfMissing::Fail)
        .await
        .expect_err("is newer");
    assert!(
        error.to_string().contains("has schema 99, this program knows 4"),
        "{error}"
    );
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

#[test]
fn urls_are_absolute_sqlite_paths() {
    let url: StoreUrl = "sqlite:///var/lib/crankback/crankback.db".parse().expect("is one");
    assert_eq!(url.path().to_str(), Some("/var/lib/crankback/crankback.db"));
    assert_eq!(url.to_string(), "sqlite:///var/lib/crankback/crankback.db");
    for text in [
        "crankback.db",
        "sqlite://crankback.db",
        "sqlite:///var/lib/",
        "mysql://cron:1234@db/asterisk",
        "",
    ] {
        assert_eq!(text.parse::<StoreUrl>(), Err(NotAStoreUrl), "{text}");
    }
}
