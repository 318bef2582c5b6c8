//! The daemon with its tables in MariaDB, as beside a VICIdial, and a server that goes away under it.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;

use super::super::super::agi_listener::AgiRecord;
use super::super::super::error::LabError;
use super::super::super::mariadb::{self, Flavour, RECENT_CHANNELS_TABLE, Server, VICIDIAL_TABLES};
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Rig, SOON};
use super::{answers, auto_dial, refuses};

pub(super) const STORE_URL: &str = "CRANKBACK_STORE__URL";

/// Carriers, routes and attempts are in MariaDB. Its server is killed: calls fail over as before, and their attempts are on
/// record once the server is back.
pub(super) async fn server_killed(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let (server, database) = start_beside_vicidial(rig).await?;
    let before = fails_over(rig, report).await?;
    report.check(
        "the attempts are in MariaDB",
        count_attempts(&server, &database, &before, 2).await?,
    );
    server.kill();
    let during = fails_over(rig, report).await?;
    report.check(
        "the daemon says that its tables grow stale",
        rig.wait_for_log_lines("the last good ones serve", 1).await,
    );
    let later = fails_over(rig, report).await?;
    let server = tokio::task::spawn_blocking(move || {
        server.restart();
        server
    });
    let server = server.await.map_err(told)?;
    for call in [&during, &later] {
        report.check(
            "the attempts reach MariaDB when it is back",
            count_attempts(&server, &database, call, 2).await?,
        );
    }
    rig.take_daemon()?.stop().await?;
    rig.start_daemon().await?;
    Ok(())
}

/// A server with VICIdial's tables, and the daemon on it with a backup for `PRIMARY`.
pub(super) async fn start_beside_vicidial(rig: &mut Rig) -> Result<(Server, String), LabError> {
    let server = start_server().await?;
    let database = server.new_database().await;
    let mut administrator = server.administrator().await;
    let rows = rig.carrier_rows()?;
    for statements in [
        &format!("USE {database}"),
        VICIDIAL_TABLES,
        RECENT_CHANNELS_TABLE,
        &rows,
    ] {
        administrator.query_drop(statements).await.map_err(told)?;
    }
    rig.crankback_with(STORE_URL, &server.url("custom", &database), "db migrate")
        .await?;
    rig.take_daemon()?.stop().await?;
    rig.start_daemon_with(&[(STORE_URL, &server.url("cron", &database))])
        .await?;
    rig.crankback("route add --entry PRIMARY --carrier BACKUP --priority 2")
        .await?;
    Ok((server, database))
}

/// Installs what it needs, which may take a while, and blocks.
async fn start_server() -> Result<Server, LabError> {
    let start = || {
        mariadb::install();
        Server::start(Flavour::Vicidial)
    };
    tokio::task::spawn_blocking(start).await.map_err(told)
}

async fn fails_over(rig: &mut Rig, report: &mut Report) -> Result<Arc<AgiRecord>, LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "ANSWER");
    let (primary, backup) = (rig.seen(&rig.primary, &number), rig.seen(&rig.backup, &number));
    report.equal("INVITEs", (primary.len(), backup.len()), (1, 1));
    rig.wait_until_empty(SOON).await?;
    Ok(end)
}

/// Whether so many ended attempts of a call are on record soon.
async fn count_attempts(server: &Server, database: &str, call: &AgiRecord, count: usize) -> Result<bool, LabError> {
    let ended = format!(
        "SELECT COUNT(*) FROM {database}.crankback_attempts WHERE call_id = '{}' AND ended_ms IS NOT NULL",
        call.uniqueid
    );
    let look = async {
        let mut administrator = server.administrator().await;
        loop {
            let seen: Option<usize> = administrator.query_first(&ended).await.map_err(told)?;
            if seen == Some(count) {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(2 * SOON, look).await.unwrap_or(Ok(false))
}

pub(super) fn told(error: impl std::error::Error) -> LabError {
    LabError::Missing(format!("a private MariaDB: {error}"))
}
