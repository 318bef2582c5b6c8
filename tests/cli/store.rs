//! The database: missing, unusable, shared with the daemon.

use super::asterisk::nothing;
use super::dialer::{Dialer, assert_holds};

#[test]
fn only_the_daemon_makes_the_database() {
    let dialer = Dialer::configured(&nothing());
    for command in [
        "carrier list",
        "carrier show X",
        "route list",
        "route add --carrier X",
        "route remove 1",
        "route explain 1",
        "attempt list",
    ] {
        let complaint = dialer.run(command).refused();
        assert_holds(
            &complaint,
            &[
                "the database sqlite://",
                "crankback.db does not exist",
                "check store.url",
            ],
        );
    }
    assert_holds(
        &dialer.run("check").expect(2).stdout,
        &["WARNING  store: the database sqlite://", "does not exist"],
    );
    assert!(!dialer.database_path().exists());
}

#[test]
fn a_store_that_cannot_be_opened_is_named() {
    let dialer = Dialer::configured(&nothing());
    let no_directory = [("CRANKBACK_STORE__URL", "sqlite:///nonexistent/directory/crankback.db")];
    let complaint = dialer.run_with("run", &no_directory).expect(1).stderr;
    assert_holds(
        &complaint,
        &[
            "cannot open the database sqlite:///nonexistent/directory/crankback.db",
            "its directory exists",
        ],
    );

    std::fs::write(
        dialer.database_path(),
        "not a database at all, but a letter. ".repeat(40),
    )
    .expect("is written");
    assert_holds(
        &dialer.run("route list").refused(),
        &["is not a SQLite database", "store.url"],
    );

    let unknown = [(
        "CRANKBACK_STORE__URL",
        "postgres://cron:hunter2-is-secret@10.0.0.1/asterisk",
    )];
    let complaint = dialer.run_with("route list", &unknown).refused();
    assert_holds(
        &complaint,
        &["CRANKBACK_STORE__URL: store.url: must be sqlite:// and an absolute path"],
    );
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    dialer.sql("INSERT INTO crankback_meta VALUES ('migration.0099', 1)");
    assert_holds(
        &dialer.run("route list").refused(),
        &["has schema 99", "install the newer crankback"],
    );
}

#[tokio::test]
async fn the_command_line_and_the_daemon_share_the_file() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    let daemon = dialer.store().await;
    let before = daemon.fingerprint().await.expect("is read");
    dialer.run("route add --entry PRIMARY --carrier BACKUP").expect(0);
    let after = daemon.fingerprint().await.expect("is read");
    assert_eq!((after.revision, after.carriers), (before.revision + 1, before.carriers));
    let tables = daemon.routing_tables().await.expect("are read");
    assert_eq!(
        (tables.routes.len(), &*tables.routes[0].route.carrier_id),
        (1, "BACKUP")
    );
}

#[test]
fn a_database_that_is_to_be_migrated_keeps_no_daemon_from_starting() {
    let dialer = Dialer::configured(&nothing());
    std::fs::write(dialer.database_path(), "").expect("is written");
    let older = "has no tables of crankback, this program needs schema";
    assert_holds(
        &dialer.run("check").expect(2).stdout,
        &[
            "WARNING  store: the database sqlite://",
            older,
            "`crankback db migrate`",
            "the daemon does so at its start",
        ],
    );
    assert_holds(&dialer.run("route list").refused(), &[older, "`crankback db migrate`"]);

    dialer.run("db migrate").expect(0);
    assert_holds(&dialer.run("check").stdout, &["ok       store: sqlite://"]);
}
