//! A MariaDB server that is away, dies, freezes or is slow: callers get an error in good time, and the store comes back by
//! itself.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crankback::store::{IfMissing, RouteAdded, Store, StoreError, StoreUrl};
use mysql_async::prelude::Queryable;
use nix::sys::signal::Signal;

use super::recent_channels;
use super::rows::{SERVER_IP, add, attempt, audit, route, since};
use super::support::host::run;
use super::support::mariadb::{Flavour, PASSWORD, RECENT_CHANNELS, RECENT_CHANNELS_TABLE, Server};
use super::support::ports::ClosedTcpPort;
use super::{ServerCase, cases};

/// What a caller may have to wait: the limit of a request and a busy machine's delay.
const GOOD_TIME: Duration = Duration::from_secs(7);
/// How soon the store must be back: its longest pause between connections, and a start of the server's.
const BACK_WITHIN: Duration = Duration::from_secs(20);

pub const CASES: [(&str, ServerCase); 9] = cases![
    away_at_start_is_told_at_once,
    a_server_that_dies_and_comes_back_is_found_again,
    a_restart_between_two_requests_goes_unnoticed,
    a_locked_table_holds_nobody_for_long,
    a_frozen_server_holds_nobody_for_long,
    a_connection_that_was_killed_is_replaced,
    the_row_of_a_leg_outlives_its_connection,
    a_replica_is_told_from_the_primary,
    tls_trusts_the_authority_that_the_address_names,
];

/// A migrated database with a table of VICIdial, and the store of the everyday account on it.
pub async fn store_on(server: &Server) -> (String, Store) {
    let database = server.new_database().await;
    let mut administrator = server.administrator().await;
    let table = format!(
        "CREATE TABLE {database}.vicidial_campaigns (campaign_id VARCHAR(8), dial_prefix VARCHAR(20), dial_timeout INT)"
    );
    administrator.query_drop(table).await.expect("is made");
    let url = |user| server.url(user, &database).parse().expect("is a url");
    Store::migrate(&url("custom")).await.expect("is migrated");
    let store = Store::open(&url("cron"), IfMissing::Fail).await;
    (database, store.expect("opens"))
}

async fn try_to_add(store: &Store) -> Result<RouteAdded, StoreError> {
    store.add_route(route("BACKUP"), |id| audit("route_add", id)).await
}

/// Asks until there is an answer; errors meanwhile must come in good time.
async fn until_back(store: &Store) -> Vec<&'static str> {
    let started = Instant::now();
    let mut errors = Vec::new();
    loop {
        let asked = Instant::now();
        match store.fingerprint().await {
            Ok(_) => return errors,
            Err(error) => errors.push(error.code()),
        }
        assert!(asked.elapsed() < GOOD_TIME, "a caller waited {:?}", asked.elapsed());
        assert!(started.elapsed() < BACK_WITHIN, "still {errors:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn away_at_start_is_told_at_once(_: Flavour) {
    let closed = ClosedTcpPort::take().expect("a closed port");
    let url: StoreUrl = format!("mysql://cron:{PASSWORD}@{}/asterisk", closed.address())
        .parse()
        .expect("is a url");
    let started = Instant::now();
    let error = Store::open(&url, IfMissing::Create).await.expect_err("nobody listens");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(error.code(), "store_unreachable");
    let text = error.to_string();
    assert!(text.contains("check that the server runs"), "{text}");
    assert!(!format!("{text}{error:?}").contains(PASSWORD), "{text}");
}

async fn a_server_that_dies_and_comes_back_is_found_again(flavour: Flavour) {
    let server = Server::start(flavour);
    let (_, store) = store_on(&server).await;
    store
        .insert_attempts(vec![attempt("a", 1, 1_000)])
        .await
        .expect("is written");
    server.kill();

    let started = Instant::now();
    let mut codes = Vec::new();
    for _ in 0..20 {
        codes.push(store.fingerprint().await.expect_err("the server is dead").code());
    }
    assert!(
        started.elapsed() < GOOD_TIME,
        "20 callers waited {:?}",
        started.elapsed()
    );
    assert!(codes.iter().all(|code| *code == "store_unreachable"), "{codes:?}");
    let batch = vec![attempt("a", 1, 1_000), attempt("a", 2, 2_000)];
    store
        .insert_attempts(batch.clone())
        .await
        .expect_err("the server is dead");

    server.restart();
    until_back(&store).await;
    store.insert_attempts(batch.clone()).await.expect("is written");
    assert_eq!(store.attempts_of_call(SERVER_IP, "a").await, Ok(batch));
}

async fn a_restart_between_two_requests_goes_unnoticed(flavour: Flavour) {
    let server = Server::start(flavour);
    let (_, store) = store_on(&server).await;
    store.fingerprint().await.expect("is read");
    server.stop();
    server.restart();
    let added = add(&store, route("BACKUP")).await;
    assert_eq!(added, RouteAdded::New(1), "goes through at once");
    assert_eq!(store.routing_tables().await.expect("are read").routes.len(), 1);
}

async fn a_locked_table_holds_nobody_for_long(flavour: Flavour) {
    let server = Server::start(flavour);
    let (database, store) = store_on(&server).await;
    let mut holder = server.administrator().await;
    holder
        .query_drop(format!(
            "LOCK TABLES {database}.vicidial_campaigns WRITE, {database}.crankback_attempts WRITE"
        ))
        .await
        .expect("is locked");
    let asked = Instant::now();
    let (tables, fingerprint, insert, attempts) = tokio::join!(
        store.routing_tables(),
        store.fingerprint(),
        store.insert_attempts(vec![attempt("a", 1, 1_000)]),
        store.find_attempts(since(0, 10)),
    );
    // All together: they queue behind each other, and none may wait for the others' time on top of its own.
    assert!(asked.elapsed() < GOOD_TIME, "callers waited {:?}", asked.elapsed());
    let codes = [tables.map(drop), fingerprint.map(drop), insert, attempts.map(drop)]
        .map(|result| result.map_err(|error| error.code()));
    assert_eq!(codes, [Err("store_timeout"); 4]);

    holder.query_drop("UNLOCK TABLES").await.expect("is unlocked");
    assert_eq!(until_back(&store).await, Vec::<&str>::new());
    assert_eq!(
        store.find_attempts(since(0, 10)).await,
        Ok(vec![]),
        "what timed out was not written"
    );
}

async fn a_frozen_server_holds_nobody_for_long(flavour: Flavour) {
    let server = Server::start(flavour);
    let (_, store) = store_on(&server).await;
    store.fingerprint().await.expect("is read");
    server.signal(Signal::SIGSTOP);
    let asked = Instant::now();
    let error = try_to_add(&store).await.expect_err("nothing answers");
    let waited = asked.elapsed();
    let asked = Instant::now();
    let next = store.fingerprint().await.expect_err("nothing answers");
    let waited_next = asked.elapsed();
    server.signal(Signal::SIGCONT);
    assert_eq!(error.code(), "store_timeout");
    assert_eq!(next.code(), "store_unreachable");
    assert!(
        waited < GOOD_TIME && waited_next < GOOD_TIME,
        "callers waited {waited:?}, {waited_next:?}"
    );
    until_back(&store).await;
    let routes = store.routing_tables().await.expect("are read").routes;
    assert!(routes.is_empty(), "what timed out was not written");
}

async fn a_connection_that_was_killed_is_replaced(flavour: Flavour) {
    let server = Server::start(flavour);
    let (_, store) = store_on(&server).await;
    let mut administrator = server.administrator().await;
    let of_cron = "SELECT id FROM information_schema.processlist WHERE user = 'cron'";
    let before: Vec<u64> = administrator.query(of_cron).await.expect("are listed");
    assert_eq!(before.len(), 1, "the store has one connection");
    administrator
        .query_drop(format!("KILL {}", before[0]))
        .await
        .expect("is killed");
    store.fingerprint().await.expect("is read over a new connection");
    let after: Vec<u64> = administrator.query(of_cron).await.expect("are listed");
    assert!(!after.contains(&before[0]), "{after:?}");
}

async fn the_row_of_a_leg_outlives_its_connection(flavour: Flavour) {
    let server = Server::start(flavour);
    let (database, store) = store_on(&server).await;
    let mut administrator = server.administrator().await;
    for statement in [&format!("USE {database}"), RECENT_CHANNELS_TABLE] {
        administrator.query_drop(statement).await.expect("is run");
    }
    let of_cron = "SELECT id FROM information_schema.processlist WHERE user = 'cron'";
    let connections: Vec<u64> = administrator.query(of_cron).await.expect("are listed");
    for connection in connections {
        let kill = format!("KILL {connection}");
        administrator.query_drop(kill).await.expect("is killed");
    }
    let deadline = Instant::now() + GOOD_TIME;
    let row = recent_channels::row(recent_channels::CODE, "PJSIP/backup-00000003");
    let written = store.write_recent_channel(recent_channels::SERVER, row, recent_channels::RECENT, deadline);
    written.await.expect("is written over a new connection");
    let rows = format!("SELECT COUNT(*) FROM {RECENT_CHANNELS}");
    let rows: Option<u64> = administrator.query_first(rows).await.expect("are counted");
    assert_eq!(rows, Some(1));
}

async fn a_replica_is_told_from_the_primary(flavour: Flavour) {
    let server = Server::start(flavour);
    let (_, store) = store_on(&server).await;
    let mut administrator = server.administrator().await;
    administrator
        .query_drop("SET GLOBAL read_only = ON")
        .await
        .expect("is set");
    let error = try_to_add(&store).await.expect_err("is read-only");
    assert_eq!(error.code(), "store_read_only");
    assert!(error.to_string().contains("store.url must name the primary"), "{error}");
    store.routing_tables().await.expect("can be read");
}

async fn tls_trusts_the_authority_that_the_address_names(flavour: Flavour) {
    let server = Server::start_with(flavour, |directory| {
        make_certificates(directory);
        let option = |name: &str, file: &str| format!("--ssl-{name}={}", directory.join(file).display());
        vec![
            option("ca", "ca.pem"),
            option("cert", "server.pem"),
            option("key", "server.key"),
        ]
    });
    let database = server.new_database().await;
    let address = |tls: &str| -> StoreUrl {
        let url = format!(
            "mysql://custom:{PASSWORD}@127.0.0.1:{}/{database}?tls={tls}",
            server.port()
        );
        url.parse().expect("is a url")
    };
    let authority = server.directory().join("ca.pem");
    let store = Store::open(&address(&authority.display().to_string()), IfMissing::Create).await;
    let store = store.expect("the certificate is good");
    store.routing_tables().await.expect("are read");
    let mut administrator = server.administrator().await;
    administrator
        .query_drop(format!("ALTER USER custom@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL"))
        .await
        .expect("TLS is required");
    Store::status(&store.url().clone())
        .await
        .expect("the connection is encrypted");
    let plain = Store::status(&address("off")).await.expect_err("TLS is required");
    assert_eq!(plain.code(), "store_access_denied");
    let stranger = Store::status(&address("on"))
        .await
        .expect_err("no public authority signed it");
    assert_eq!(stranger.code(), "store_unreachable");
    let text = stranger.to_string();
    assert!(text.contains("UnknownIssuer"), "{text}");
}

/// An authority, and a certificate of it for 127.0.0.1.
fn make_certificates(directory: &Path) {
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        command.current_dir(directory).args(arguments.split_whitespace());
        run(&mut command).unwrap_or_else(|error| panic!("{error}"));
    };
    std::fs::write(directory.join("server.ext"), "subjectAltName = IP:127.0.0.1\n").expect("is written");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"
    ));
    openssl(&format!(
        "req -new {key} -keyout server.key -out server.csr -subj /CN=server"
    ));
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem",
    );
}
