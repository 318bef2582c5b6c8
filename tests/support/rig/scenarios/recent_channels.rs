//! VICIdial's table of trunk channels: at the answer its script finds the answered leg there and takes it, also after a
//! failover; and where the row cannot be written, the customer is connected all the same.

use std::time::{Duration, Instant};

use crankback::control::StatusView;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::super::super::ami::ChannelRow;
use super::super::super::asterisk::dialplan::CUSTOMER_EXTENSION;
use super::super::super::dialer::{DEFAULT_CONTEXT, PlacedCall};
use super::super::super::error::LabError;
use super::super::super::mariadb::{RECENT_CHANNELS, RECENT_CHANNELS_TABLE};
use super::super::super::sip::{Answer, CallRecord, FakeCarrier, Refusal, Script};
use super::super::report::Report;
use super::super::{BACKUP, DIAL_TIMEOUT, Entry, Number, Rig, SOON};
use super::mariadb::{STORE_URL, start_beside_vicidial, told};
use super::{answers_and_waits, auto_dial, refuses};

/// How long each leg is out while VICIdial looks at the channels: long for a busy machine, short of the 12 s that a carrier has
/// after its 100.
const VISIBLE: Duration = Duration::from_secs(5);
/// Said once for each row that is not written.
const NOT_WRITTEN: &str = "is not written in time";

/// The primary has been seen, also once more when it is gone already; its rows must not win.
pub(super) async fn found(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let (server, database) = start_beside_vicidial(rig).await?;
    let mut vicidial = server.administrator().await;
    vicidial.query_drop(format!("USE {database}")).await.map_err(told)?;

    let number = rig.number(Entry::Primary);
    let refuses_late = Script::new().trying().after(VISIBLE).finally(Refusal::code(503));
    let rings_on = Script::new().trying().ringing().after(VISIBLE);
    rig.primary.on_number(&number.wire, refuses_late);
    rig.backup.on_number(&number.wire, rings_on.finally(Answer::with_rtp()));
    let call = auto_dial(rig, &number).await?;
    invited(rig, &rig.primary, &number).await?;
    let primary = leg_of(rig, &call, "PJSIP/primary-").await?;
    see(&mut vicidial, &call, &primary).await?;
    invited(rig, &rig.backup, &number).await?;
    see(&mut vicidial, &call, &primary).await?;
    let backup = leg_of(rig, &call, "PJSIP/backup-").await?;

    let agents_half = call.response().await?.uniqueid.unwrap_or_default();
    let found = find(&mut vicidial, &call, &agents_half).await?;
    report.equal("the channels that are found", &found, &vec![backup.name.clone()]);
    for channel in &found {
        rig.asterisk
            .ami()
            .redirect(channel, DEFAULT_CONTEXT, CUSTOMER_EXTENSION)
            .await?;
    }
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "ANSWER");
    let row: Option<(String, String, String, String)> = vicidial
        .query_first(format!(
            "SELECT channel, linkedid, dest_uniqueid, uniqueid FROM {RECENT_CHANNELS} WHERE caller_id_name = '{}'",
            call.code
        ))
        .await
        .map_err(told)?;
    let expected = (
        end.channel.clone(),
        agents_half,
        end.uniqueid.clone(),
        backup.uniqueid.clone(),
    );
    report.equal("channel, linkedid, dest_uniqueid, uniqueid", row, Some(expected));
    let customer = rig.asterisk.ami().core_show_channels().await?;
    let customer = customer.iter().find(|row| row.name == backup.name);
    report.equal(
        "where the customer is",
        customer.map(|row| (row.state.as_str(), row.extension.as_str())),
        Some(("Up", CUSTOMER_EXTENSION)),
    );
    report.equal("rows not written", expired(rig).await?, 0);
    let (at_primary, at_backup) = (rig.seen(&rig.primary, &number), rig.seen(&rig.backup, &number));
    report.carrier_saw("PRIMARY", &at_primary);
    report.carrier_saw(BACKUP, &at_backup);
    report.equal("INVITEs", (at_primary.len(), at_backup.len()), (1, 1));
    rig.backup.hang_up_all();
    rig.wait_until_empty(SOON).await?;
    back_to_the_file(rig).await
}

/// The table is missing, then locked, then the server is killed.
pub(super) async fn not_written(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let (server, database) = start_beside_vicidial(rig).await?;
    let mut vicidial = server.administrator().await;
    let drop_table = format!("DROP TABLE {RECENT_CHANNELS}");
    for statement in [&format!("USE {database}"), &drop_table] {
        vicidial.query_drop(statement).await.map_err(told)?;
    }
    connected_all_the_same(rig, report, "table missing").await?;

    let lock_table = format!("LOCK TABLES {RECENT_CHANNELS} WRITE");
    for statement in [RECENT_CHANNELS_TABLE, &lock_table] {
        vicidial.query_drop(statement).await.map_err(told)?;
    }
    connected_all_the_same(rig, report, "table locked").await?;
    vicidial.query_drop("UNLOCK TABLES").await.map_err(told)?;

    server.kill();
    connected_all_the_same(rig, report, "server killed").await?;
    back_to_the_file(rig).await
}

/// The primary refuses, the backup's customer is connected and stays, and the missing row is counted and told.
async fn connected_all_the_same(rig: &mut Rig, report: &mut Report, what: &str) -> Result<(), LabError> {
    let expired_before = expired(rig).await?;
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers_and_waits());
    let call = auto_dial(rig, &number).await?;
    report.check(format!("{what}: the call is answered"), call.response().await?.answered);
    let customer = rig.dialer.take_customer(&call).await?;
    report.check(
        format!("{what}: the backup's leg is the customer: {}", customer.name),
        customer.name.starts_with("PJSIP/backup-"),
    );
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    report.equal(format!("{what}: DIALSTATUS"), end.dialstatus.as_str(), "ANSWER");
    report.equal(
        format!("{what}: INVITEs"),
        (
            rig.seen(&rig.primary, &number).len(),
            rig.seen(&rig.backup, &number).len(),
        ),
        (1, 1),
    );
    // The caller has waited for it, so it is counted by now.
    report.check(format!("{what}: it is counted"), expired(rig).await? > expired_before);
    let log = rig.daemon()?.log_since_start();
    let is_told = |line: &str| line.contains(NOT_WRITTEN) && line.contains(&call.code) && line.contains("lead_id=");
    report.check(format!("{what}: the log names call and lead"), log.lines().any(is_told));
    rig.backup.hang_up_all();
    rig.wait_until_empty(SOON).await
}

/// `Dial()` asks before it connects, and connects whoever is there to hear it: no daemon, the next one, or a dialplan of before
/// that cannot ask.
pub(super) async fn asked_of_nobody(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let (server, database) = start_beside_vicidial(rig).await?;
    let mut vicidial = server.administrator().await;
    vicidial.query_drop(format!("USE {database}")).await.map_err(told)?;

    let on_mariadb = server.url("cron", &database);
    let on_mariadb = [(STORE_URL, on_mariadb.as_str())];
    let killed = ringing_at_the_backup(rig, VISIBLE).await?;
    rig.take_daemon()?.kill()?;
    let row = row_at_the_answer(rig, report, "daemon killed", killed, &mut vicidial).await?;
    report.equal("daemon killed: the channels that are found", row, Vec::new());

    rig.start_daemon_with(&on_mariadb).await?;
    let replaced = ringing_at_the_backup(rig, 2 * VISIBLE).await?;
    rig.take_daemon()?.kill()?;
    rig.start_daemon_with(&on_mariadb).await?;
    let row = row_at_the_answer(rig, report, "next daemon", replaced, &mut vicidial).await?;
    report.check(
        format!("next daemon: the channels that are found: {row:?}"),
        matches!(row.as_slice(), [leg] if leg.starts_with("PJSIP/backup-")),
    );

    rig.asterisk.cli("dialplan remove context crankback-answered").await?;
    let untold = ringing_at_the_backup(rig, Duration::ZERO).await?;
    let row = row_at_the_answer(rig, report, "dialplan of before", untold, &mut vicidial).await?;
    report.equal("dialplan of before: the channels that are found", row, Vec::new());
    rig.asterisk.cli("dialplan reload").await?;
    back_to_the_file(rig).await
}

/// A call that the primary has refused, and that the backup answers after it has rung so long.
async fn ringing_at_the_backup(rig: &Rig, rings_for: Duration) -> Result<(PlacedCall, Number), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    let rings = Script::new().trying().ringing().after(rings_for);
    rig.backup.on_number(&number.wire, rings.finally(Answer::with_rtp()));
    let call = auto_dial(rig, &number).await?;
    invited(rig, &rig.backup, &number).await?;
    Ok((call, number))
}

/// The customer is connected, taken and lives on; the channels that VICIdial would have found.
async fn row_at_the_answer(
    rig: &Rig,
    report: &mut Report,
    what: &str,
    (call, number): (PlacedCall, Number),
    vicidial: &mut Conn,
) -> Result<Vec<String>, LabError> {
    let response = call.response().await?;
    report.check(format!("{what}: the call is answered"), response.answered);
    let found = find(vicidial, &call, &response.uniqueid.unwrap_or_default()).await?;
    rig.dialer.take_customer(&call).await?;
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    report.equal(format!("{what}: DIALSTATUS"), end.dialstatus.as_str(), "ANSWER");
    let at_backup = rig.seen(&rig.backup, &number);
    report.check(
        format!("{what}: the customer is up"),
        at_backup.iter().any(CallRecord::is_active),
    );
    let invites = (rig.seen(&rig.primary, &number).len(), at_backup.len());
    report.equal(format!("{what}: INVITEs"), invites, (1, 1));
    rig.backup.hang_up_all();
    rig.wait_until_empty(SOON).await?;
    Ok(found)
}

/// As VICIdial's script at the answer: every channel that it would take for the customer's, the one that it takes first.
async fn find(vicidial: &mut Conn, call: &PlacedCall, agents_half: &str) -> Result<Vec<String>, LabError> {
    let code = &call.code;
    let query = format!(
        "SELECT dest_channel FROM {RECENT_CHANNELS} WHERE '{code}' IN (caller_id_name, connected_line_name) \
         AND '{agents_half}' IN (linkedid, dest_uniqueid, uniqueid) AND call_date > NOW() - INTERVAL 2 MINUTE"
    );
    vicidial.query(query).await.map_err(told)
}

/// As VICIdial's look at the channels, which it writes down a moment later.
async fn see(vicidial: &mut Conn, call: &PlacedCall, leg: &ChannelRow) -> Result<(), LabError> {
    let code = &call.code;
    let insert = format!(
        "INSERT INTO {RECENT_CHANNELS} VALUES ('{code}', '{code}', NOW(), 'Local/', '{}', '{}', '', '{}')",
        leg.name, leg.linkedid, leg.uniqueid
    );
    vicidial.query_drop(insert).await.map_err(told)
}

async fn invited(rig: &Rig, carrier: &FakeCarrier, number: &Number) -> Result<(), LabError> {
    let began = Instant::now();
    while rig.seen(carrier, number).is_empty() {
        look_again(began, &format!("INVITE at {}", carrier.name())).await?;
    }
    Ok(())
}

async fn leg_of(rig: &Rig, call: &PlacedCall, prefix: &str) -> Result<ChannelRow, LabError> {
    let began = Instant::now();
    loop {
        let channels = rig.asterisk.ami().core_show_channels().await?;
        let is_leg = |row: &ChannelRow| row.name.starts_with(prefix) && row.caller_id_name == call.code;
        if let Some(leg) = channels.into_iter().find(is_leg) {
            return Ok(leg);
        }
        look_again(began, &format!("channel {prefix} of {}", call.code)).await?;
    }
}

async fn look_again(began: Instant, what: &str) -> Result<(), LabError> {
    if began.elapsed() > SOON {
        return Err(LabError::Timeout {
            what: what.to_owned(),
            after: SOON,
        });
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    Ok(())
}

async fn expired(rig: &Rig) -> Result<u64, LabError> {
    let status: StatusView = rig.ask_crankback("status").await?;
    Ok(status
        .counters
        .get("recent_channels_expired")
        .copied()
        .unwrap_or_default())
}

/// The daemon on its SQLite file again.
pub(super) async fn back_to_the_file(rig: &mut Rig) -> Result<(), LabError> {
    rig.take_daemon()?.stop().await?;
    rig.start_daemon().await?;
    Ok(())
}
