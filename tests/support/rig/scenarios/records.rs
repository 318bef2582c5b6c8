//! Attempts on record outlive whatever happens to the daemon and its database.

use std::time::{Duration, Instant};

use super::super::super::dialer::DEFAULT_CONTEXT;
use super::super::super::error::LabError;
use super::super::super::sip::Script;
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Rig, SOON};
use super::{answers, auto_dial, refuses};

/// The daemon is killed while the second leg rings, and the caller gives up before the next one comes: the first attempt is on
/// record with its end, the second one as lost.
pub(super) async fn killed_with_an_attempt_out(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, Script::new().trying().ringing());
    let gives_up = Duration::from_secs(2);
    let call = rig.dialer.auto_dial(&number.dialled, DEFAULT_CONTEXT, gives_up).await?;
    let began = Instant::now();
    let rings = |rig: &Rig| {
        let calls = rig.seen(&rig.backup, &number);
        calls.iter().any(|call| call.responded(180).is_some())
    };
    while !rings(rig) && began.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    rig.take_daemon()?.kill()?;
    let end = rig.agi.wait_for_end(&call.code, gives_up + SOON).await?;
    rig.start_daemon().await?;
    let attempts = rig.attempts(&end, 2).await?;
    let seen: Vec<_> = attempts
        .iter()
        .map(|row| (row.carrier_id.as_str(), row.sip_code, row.rule.as_deref()))
        .collect();
    report.equal(
        "attempts",
        seen.as_slice(),
        [
            ("PRIMARY", Some(503), Some("sip_503")),
            ("BACKUP", None, Some("daemon_lost")),
        ]
        .as_slice(),
    );
    rig.wait_until_empty(SOON).await?;
    let backup = rig.seen(&rig.backup, &number);
    report.carrier_saw("BACKUP", &backup);
    report.equal("INVITEs", (rig.seen(&rig.primary, &number).len(), backup.len()), (1, 1));
    report.check(
        "the leg that nobody waited for was cancelled",
        backup.iter().any(|call| call.received("CANCEL").is_some()),
    );
    Ok(())
}

/// Nothing can be written to the database while calls are placed, and the daemon is killed before it can be: every attempt is
/// on record all the same, once the next daemon runs.
pub(super) async fn database_locked(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const CALLS: usize = 5;
    let lock = rusqlite::Connection::open(rig.database()).map_err(told)?;
    lock.execute_batch("BEGIN IMMEDIATE").map_err(told)?;
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, refuses(503));
        rig.backup.on_number(&number.wire, answers());
        calls.push((auto_dial(rig, &number).await?, number));
    }
    let mut ends = Vec::new();
    for (call, number) in &calls {
        let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
        report.equal("DIALSTATUS without a database", end.dialstatus.as_str(), "ANSWER");
        report.equal(
            "INVITEs",
            (
                rig.seen(&rig.primary, number).len(),
                rig.seen(&rig.backup, number).len(),
            ),
            (1, 1),
        );
        report.equal(
            "attempts in the locked database",
            rig.store_attempts(&end).await?.len(),
            0,
        );
        ends.push(end);
    }
    rig.wait_until_empty(SOON).await?;
    rig.take_daemon()?.kill()?;
    lock.execute_batch("ROLLBACK").map_err(told)?;
    rig.start_daemon().await?;
    for end in &ends {
        let attempts = rig.attempts(end, 2).await?;
        let seen: Vec<_> = attempts
            .iter()
            .map(|row| (row.n, row.carrier_id.as_str(), row.dialstatus.as_str()))
            .collect();
        report.equal(
            "attempts",
            seen.as_slice(),
            [(1, "PRIMARY", "CONGESTION"), (2, "BACKUP", "ANSWER")].as_slice(),
        );
    }
    Ok(())
}

fn told(error: rusqlite::Error) -> LabError {
    LabError::Missing(format!("a lock on the database: {error}"))
}
