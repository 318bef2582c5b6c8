//! Accounts on a MariaDB server: what each refusal says, and that doing what it says helps.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use crankback::store::{ChangedBy, IfMissing, Store, StoreError, StoreUrl};
use crankback::vicidial::admin::{AdminError, Written, set_active};
use mysql_async::prelude::Queryable;
use secrecy::SecretString;

use super::rows::{SERVER_IP, add, attempt, remove, route};
use super::stage::{Place, Scene, Stage};
use super::support::mariadb::{PASSWORD, RECENT_CHANNELS, RECENT_CHANNELS_TABLE, Server};
use super::{Case, NEWEST, cases};

pub const CASES: [(&str, Case); 12] = cases![
    a_wrong_password_is_named_and_not_repeated,
    a_missing_database_is_named,
    an_account_without_any_right_is_told_which_to_ask_for,
    a_table_that_may_not_be_read_is_not_taken_for_missing,
    an_account_that_may_only_read_is_told_before_it_writes,
    the_table_of_trunk_channels_is_asked_for_by_its_name,
    an_account_that_may_not_change_carriers_is_told,
    an_account_that_may_not_create_is_told_who_may,
    the_everyday_account_needs_no_right_to_create,
    the_grants_of_the_manual_are_enough,
    a_migration_that_was_cut_short_is_done_again,
    a_migration_waits_for_another_one,
];

fn server(stage: &Stage) -> &Server {
    match stage.place() {
        Place::MariaDb(server) => server,
        Place::Sqlite => panic!("accounts are MariaDB's"),
    }
}

async fn refusal(url: &StoreUrl) -> StoreError {
    let opened = Store::open(url, IfMissing::Fail).await;
    opened.expect_err("is refused")
}

async fn a_wrong_password_is_named_and_not_repeated(stage: Stage) {
    let scene = stage.bare("").await;
    let wrong = scene
        .url()
        .with_password(SecretString::from("wrong-secret"))
        .expect("takes one");
    let error = refusal(&wrong).await;
    assert_eq!(error.code(), "store_access_denied");
    let text = format!("{error} {error:?}");
    assert!(text.contains("check user and password of store.url"), "{text}");
    assert!(!text.contains("wrong-secret"), "{text}");
}

async fn a_missing_database_is_named(stage: Stage) {
    let url = server(&stage).url("administrator", "no_such_database");
    let error = refusal(&url.parse().expect("is a url")).await;
    assert_eq!(error.code(), "store_no_database");
    let text = error.to_string();
    assert!(
        text.contains("/no_such_database: check the name at the end of store.url"),
        "{text}"
    );
}

async fn an_account_without_any_right_is_told_which_to_ask_for(stage: Stage) {
    let scene = stage.beside_vicidial("").await;
    scene.migrate().await;
    let user = format!("stranger_{}", scene.name());
    scene
        .sql(&format!("CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}'"))
        .await;
    let url = scene.url_for(&user);
    let error = refusal(&url).await;
    assert_eq!(error.code(), "store_missing_grant");
    let grant = error.grant().expect("names the grant");
    assert!(grant.ends_with(&format!(" TO '{user}'@HOST;")), "{grant}");
    scene.sql(&grant.replace("HOST", "'%'")).await;
    let store = Store::open(&url, IfMissing::Fail).await.expect("opens with the grant");
    store.routing_tables().await.expect("are read with the grant");
}

async fn a_table_that_may_not_be_read_is_not_taken_for_missing(stage: Stage) {
    let scene = stage.beside_vicidial("").await;
    scene.migrate().await;
    let (user, database) = (format!("narrow_{}", scene.name()), scene.name());
    scene
        .sql(&format!("CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}'"))
        .await;
    for table in [
        "crankback_meta",
        "crankback_outbound_routes",
        "crankback_carriers",
        "crankback_attempts",
        "crankback_audit",
        "crankback_health",
        "crankback_originals",
        "vicidial_campaigns",
    ] {
        scene
            .sql(&format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.{table} TO {user}@'%'"
            ))
            .await;
    }
    let store = Store::open(&scene.url_for(&user), IfMissing::Fail)
        .await
        .expect("opens");
    let error = store.routing_tables().await.expect_err("may not read the carriers");
    let text = error.to_string();
    assert_eq!(error.code(), "store_missing_grant");
    let grant = format!("GRANT SELECT ON `{database}`.`vicidial_server_carriers` TO '{user}'@'%';");
    assert!(text.contains(&grant), "{text}");
    scene.sql(&error.grant().expect("names the grant")).await;
    // Rights on a database hold for connections that begin after the grant.
    let store = Store::open(&scene.url_for(&user), IfMissing::Fail)
        .await
        .expect("opens");
    store.routing_tables().await.expect("are read with the grant");
}

/// An account with these rights on the whole database: its name.
async fn account_with(scene: &Scene<'_>, role: &str, rights: &str) -> String {
    let user = format!("{role}_{}", scene.name());
    scene
        .sql(&format!(
            "CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}'; GRANT {rights} ON {}.* TO {user}@'%'",
            scene.name()
        ))
        .await;
    user
}

async fn an_account_that_may_only_read_is_told_before_it_writes(stage: Stage) {
    let scene = stage.beside_vicidial("").await;
    scene.migrate().await;
    let (user, database) = (account_with(&scene, "reader", "SELECT").await, scene.name());
    let opened = async || {
        Store::open(&scene.url_for(&user), IfMissing::Fail)
            .await
            .expect("opens")
    };
    let error = opened().await.check_write_access().await.expect_err("may not write");
    assert_eq!(error.code(), "store_missing_grant");
    let grants = error.grant().expect("names the grants");
    let wanted = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON `{database}`.`crankback_attempts` TO '{user}'@'%';");
    assert!(grants.contains(&wanted), "{grants}");
    scene.sql(&grants).await;
    let store = opened().await;
    store.check_write_access().await.expect("may write with the grants");
    add(&store, route("BACKUP")).await;
}

async fn the_table_of_trunk_channels_is_asked_for_by_its_name(stage: Stage) {
    let scene = stage.beside_vicidial("").await;
    scene.migrate().await;
    let (user, database) = (account_with(&scene, "booker", "SELECT").await, scene.name());
    let opened = async || {
        Store::open(&scene.url_for(&user), IfMissing::Fail)
            .await
            .expect("opens")
    };
    let dialer = Ipv4Addr::LOCALHOST;
    let missing = opened().await.check_recent_channels(dialer).await;
    let missing = missing.expect_err("there is none");
    assert_eq!(missing.code(), "store_no_recent_channels");
    assert!(missing.to_string().contains(RECENT_CHANNELS), "{missing}");

    scene.sql(RECENT_CHANNELS_TABLE).await;
    let refused = opened().await.check_recent_channels(dialer).await;
    let grant = refused.expect_err("may not write").grant().expect("names the grant");
    let wanted = format!("GRANT SELECT, INSERT, DELETE ON `{database}`.`{RECENT_CHANNELS}` TO '{user}'@'%';");
    assert_eq!(grant, wanted);
    scene.sql(&grant).await;
    let store = opened().await;
    store
        .check_recent_channels(dialer)
        .await
        .expect("may write with the grant");
    let rows = scene.number(&format!("SELECT COUNT(*) FROM {RECENT_CHANNELS}")).await;
    assert_eq!(rows, 0, "to look leaves nothing");
}

async fn an_account_that_may_not_change_carriers_is_told(stage: Stage) {
    let scene = stage.beside_vicidial("").await;
    scene.migrate().await;
    scene
        .sql("INSERT INTO vicidial_server_carriers (carrier_id, carrier_name, template_id, server_ip) VALUES ('A', '', '', '10.0.0.1')")
        .await;
    let (user, database) = (account_with(&scene, "looker", "SELECT").await, scene.name());
    let by = ChangedBy {
        user: "alice".into(),
        ip_address: "10.0.0.1".into(),
        what: "conf install".into(),
    };
    let switched_off = async || {
        let store = Store::open(&scene.url_for(&user), IfMissing::Fail)
            .await
            .expect("opens");
        set_active(&store, "A", false, by.clone()).await
    };
    let AdminError::Store(error) = switched_off().await.expect_err("may only read") else {
        panic!("the database refuses it");
    };
    let grants = error.grant().expect("names the grants");
    for right in [
        "SELECT, INSERT, UPDATE ON `{}`.`vicidial_server_carriers`",
        "SELECT, UPDATE ON `{}`.`servers`",
        "SELECT, INSERT ON `{}`.`vicidial_admin_log`",
    ] {
        let right = right.replace("{}", database);
        assert!(grants.contains(&format!("GRANT {right} TO '{user}'@'%';")), "{grants}");
    }
    scene.sql(&grants).await;
    assert_eq!(switched_off().await, Ok(Written::Changed));
}

async fn an_account_that_may_not_create_is_told_who_may(stage: Stage) {
    let scene = stage.bare("").await;
    let user = account_with(&scene, "daily", "SELECT, INSERT, UPDATE, DELETE, LOCK TABLES").await;
    let url = scene.url_for(&user);
    let starting = Store::open(&url, IfMissing::Create).await.expect_err("may not create");
    let error = Store::migrate(&url).await.expect_err("may not create");
    assert_eq!(starting, error);
    let text = error.to_string();
    let port = server(&stage).port();
    let command = format!(
        "CRANKBACK_STORE__URL='mysql://custom:PASSWORD@127.0.0.1:{port}/{}' crankback db migrate",
        scene.name()
    );
    assert!(text.contains(&command), "{text}");
    assert_eq!(error.code(), "store_may_not_migrate");
    let grant = error.grant().expect("names the grant");
    assert!(text.contains(&grant), "{text}");
    scene.sql(&grant).await;
    assert_eq!(Store::migrate(&url).await.expect("may create now").len() as i64, NEWEST);
}

async fn the_everyday_account_needs_no_right_to_create(stage: Stage) {
    let scene = stage.beside_vicidial("").await;
    scene.migrate().await;
    let store = Store::open(&scene.url_for("cron"), IfMissing::Create)
        .await
        .expect("opens as the daemon does");
    assert_eq!(store.schema_version().await, Ok(NEWEST));
}

async fn the_grants_of_the_manual_are_enough(stage: Stage) {
    let scene = stage.beside_vicidial("").await;
    scene.migrate().await;
    let (user, database) = (format!("own_{}", scene.name()), scene.name());
    let manual = include_str!("../../docs/install.md");
    let grants = manual.lines().map(str::trim).filter(|line| line.starts_with("GRANT "));
    let grants: Vec<String> = grants
        .map(|grant| {
            let grant = grant.replace(" ON asterisk.", &format!(" ON {database}."));
            grant.replace("'crankback'@'10.0.0.%'", &format!("'{user}'@'%'"))
        })
        .collect();
    let account = format!("CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}';");
    scene.sql(&format!("{account} {}", grants.join(" "))).await;

    let store = Store::open(&scene.url_for(&user), IfMissing::Create).await;
    let store = store.expect("opens as the daemon does");
    store.check_write_access().await.expect("may write");
    store.routing_tables().await.expect("may read");
    scene
        .sql(
            "INSERT INTO servers (server_ip) VALUES ('10.0.0.1'); INSERT INTO system_settings (allow_custom_dialplan) VALUES ('1')",
        )
        .await;
    let custom = store.custom_dialplan("10.0.0.1".into()).await.expect("may read");
    assert!(custom.is_some_and(|custom| custom.is_offered), "may see and change it");
    scene
        .sql(&format!("REVOKE UPDATE ON {database}.servers FROM {user}@'%'"))
        .await;
    assert_eq!(
        store.custom_dialplan("10.0.0.1".into()).await,
        Ok(None),
        "may not change it"
    );
    add(&store, route("BACKUP")).await;
    assert!(remove(&store, 1).await);
    store
        .insert_attempts(vec![attempt("a", 1, 1_000)])
        .await
        .expect("may write");
    assert_eq!(store.close_open_attempts(SERVER_IP, 9_000, HashSet::new()).await, Ok(0));
    Store::status(store.url()).await.expect("may look");
}

/// A process that ended in the middle left tables and columns that no row tells of.
async fn a_migration_that_was_cut_short_is_done_again(stage: Stage) {
    let scene = stage.beside_vicidial("").await;
    scene.migrate().await;
    scene
        .sql("DELETE FROM crankback_meta WHERE name LIKE 'migration.%'")
        .await;
    let again = Store::migrate(&scene.url_for("custom")).await.expect("is migrated");
    assert_eq!(again.len() as i64, NEWEST);
}

async fn a_migration_waits_for_another_one(stage: Stage) {
    let scene = stage.bare("").await;
    let mut other = server(&stage).administrator().await;
    let lock = format!("crankback.{}", scene.name());
    other
        .query_drop(format!("DO GET_LOCK('{lock}', 0)"))
        .await
        .expect("is taken");
    let url = scene.url_for("custom");
    let migration = tokio::spawn(async move { Store::migrate(&url).await });
    let waits = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{}' AND state = 'User lock'",
        scene.name()
    );
    while other.query_first::<u64, _>(&waits).await.expect("is counted") != Some(1) {
        assert!(!migration.is_finished(), "it did not wait");
        tokio::task::yield_now().await;
    }
    other
        .query_drop(format!("DO RELEASE_LOCK('{lock}')"))
        .await
        .expect("is released");
    assert_eq!(
        migration.await.expect("ends").expect("is migrated").len() as i64,
        NEWEST
    );
}
