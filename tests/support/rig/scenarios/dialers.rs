//! Several dialers on one database: each serves its own carriers and those of all, and none needs the other.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::super::super::agi_listener::AgiRecord;
use super::super::super::error::LabError;
use super::super::super::mariadb::RECENT_CHANNELS;
use super::super::daemon::Daemon;
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Engine, Entry, Rig, SOON};
use super::mariadb::{STORE_URL, start_beside_vicidial, told};
use super::recent_channels::back_to_the_file;
use super::{answers, auto_dial, refuses};

const SECOND_IP: &str = "127.0.0.2";
/// The same table of the second dialer.
const SECOND_CHANNELS: &str = "cid_channels_recent_127000000002";

/// `PRIMARY` is a carrier of the first dialer alone, `WIZARD` of the second, `BACKUP` of all. In the end the second one's
/// dialplan is without crankback.
pub(super) async fn two(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let (server, database) = start_beside_vicidial(rig).await?;
    let mut vicidial = server.administrator().await;
    for statement in [
        format!("USE {database}"),
        "UPDATE vicidial_server_carriers SET server_ip = '127.0.0.1' WHERE carrier_id = 'PRIMARY'".to_owned(),
        format!("UPDATE vicidial_server_carriers SET server_ip = '{SECOND_IP}' WHERE carrier_id = 'WIZARD'"),
        format!("CREATE TABLE {SECOND_CHANNELS} LIKE {RECENT_CHANNELS}"),
    ] {
        vicidial.query_drop(statement).await.map_err(told)?;
    }
    rig.crankback("reload").await?;
    let mut second = Rig::start(rig.version, rig.engine, rig.program.clone(), |_| {}).await?;
    second.take_daemon()?.stop().await?;
    let environment = [
        (STORE_URL, server.url("cron", &database)),
        ("CRANKBACK_SERVER__IP", SECOND_IP.to_owned()),
        ("CRANKBACK_SERVER__NUMBER", "1".to_owned()),
    ];
    let directory = second.directory.path();
    let daemon = Daemon::start_with(&second.program, &second.config, directory, &environment).await?;
    second.daemon = Some(daemon);
    second
        .crankback("route add --entry WIZARD --carrier BACKUP --priority 2")
        .await?;

    for (dialer, has, lacks) in [(&*rig, "PRIMARY", "WIZARD"), (&second, "WIZARD", "PRIMARY")] {
        let carriers = dialer.crankback("carrier list").await?;
        let is_listed = |carrier: &str| carriers.lines().any(|line| line.starts_with(carrier));
        report.check(
            format!("{has} and BACKUP are listed, {lacks} is not"),
            is_listed(has) && is_listed("BACKUP") && !is_listed(lacks),
        );
    }
    let dialers = [
        (
            &*rig,
            Entry::Primary,
            "127.0.0.1",
            ".900",
            [RECENT_CHANNELS, SECOND_CHANNELS],
        ),
        (
            &second,
            Entry::Wizard,
            SECOND_IP,
            ".901",
            [SECOND_CHANNELS, RECENT_CHANNELS],
        ),
    ];
    for (dialer, entry, server_ip, ids, [own, other]) in dialers {
        let end = fails_over(dialer, report, entry, ("ANSWER", 1)).await?;
        let attempts = attempts_of(&mut vicidial, &end).await?;
        let seen: Vec<_> = attempts
            .iter()
            .map(|(ip, carrier, _)| (ip.as_str(), carrier.as_str()))
            .collect();
        report.equal(
            "attempts on record",
            seen.as_slice(),
            &[(server_ip, entry.carrier_id()), (server_ip, "BACKUP")],
        );
        if dialer.engine == Engine::Stasis {
            let is_own = |id: &str| id.contains(ids);
            report.check(
                format!("ids of the legs are this dialer's: {attempts:?}"),
                attempts.iter().all(|(_, _, id)| is_own(id)),
            );
            report.check(
                format!("rows of the legs are in {own} alone"),
                rows_of(&mut vicidial, own, &end).await? > 0 && rows_of(&mut vicidial, other, &end).await? == 0,
            );
        }
    }

    second.asterisk.cli("dialplan remove context crankback").await?;
    let end = fails_over(&second, report, Entry::Wizard, ("CONGESTION", 0)).await?;
    report.equal("attempts on record", attempts_of(&mut vicidial, &end).await?.len(), 0);
    fails_over(rig, report, Entry::Primary, ("ANSWER", 1)).await?;
    second.take_daemon()?.stop().await?;
    back_to_the_file(rig).await
}

/// A call whose first carrier refuses and whose backup would answer; DIALSTATUS and the backup's INVITEs are given.
async fn fails_over(
    rig: &Rig,
    report: &mut Report,
    entry: Entry,
    (dialstatus, at_backup): (&str, usize),
) -> Result<std::sync::Arc<AgiRecord>, LabError> {
    let number = rig.number(entry);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    report.equal("DIALSTATUS", end.dialstatus.as_str(), dialstatus);
    let (primary, backup) = (rig.seen(&rig.primary, &number), rig.seen(&rig.backup, &number));
    report.equal("INVITEs", (primary.len(), backup.len()), (1, at_backup));
    rig.wait_until_empty(SOON).await?;
    Ok(end)
}

/// Dialer, carrier and channel id of each attempt of a call, as soon as all have ended on record.
async fn attempts_of(vicidial: &mut Conn, call: &AgiRecord) -> Result<Vec<(String, String, String)>, LabError> {
    let id = &call.uniqueid;
    let open = format!("SELECT COUNT(*) FROM crankback_attempts WHERE call_id = '{id}' AND ended_ms IS NULL");
    let all =
        format!("SELECT server_ip, carrier_id, channel_id FROM crankback_attempts WHERE call_id = '{id}' ORDER BY n");
    let look = async {
        loop {
            let open: Option<usize> = vicidial.query_first(&open).await.map_err(told)?;
            let rows: Vec<_> = vicidial.query(&all).await.map_err(told)?;
            if open == Some(0) && (rows.len() == 2 || call.dialstatus != "ANSWER") {
                return Ok(rows);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, look).await.map_err(|_| LabError::Timeout {
        what: format!("attempts of {id} on record"),
        after: SOON,
    })?
}

async fn rows_of(vicidial: &mut Conn, table: &str, call: &AgiRecord) -> Result<usize, LabError> {
    let count = format!("SELECT COUNT(*) FROM {table} WHERE dest_uniqueid = '{}'", call.uniqueid);
    let count: Option<usize> = vicidial.query_first(count).await.map_err(told)?;
    Ok(count.unwrap_or_default())
}
