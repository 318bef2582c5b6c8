//! A carrier that says nothing costs its guard and no more.

use std::time::Duration;

use super::super::super::error::LabError;
use super::super::super::sip::Script;
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Rig, SOON};
use super::{ANSWERED, Expected, answers, auto_dial, finish};

const GUARD: Duration = Duration::from_secs(4);
/// The guard runs from the request to Asterisk, which is a moment before the INVITE.
const LEAD: Duration = Duration::from_millis(50);
const CALLS: usize = 20;

pub(super) async fn silent_primary(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, Script::silence());
        rig.backup.on_number(&number.wire, answers());
        calls.push((auto_dial(rig, &number).await?, number));
    }
    let mut waits = Vec::new();
    for (call, number) in &calls {
        let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
        report.equal("DIALSTATUS", end.dialstatus.as_str(), "ANSWER");
        let attempts = rig.attempts(&end, 2).await?;
        let seen: Vec<_> = attempts
            .iter()
            .map(|row| (row.carrier_id.as_str(), row.sip_code, row.why.as_str()))
            .collect();
        let expected = [
            ("PRIMARY", None, "no response from the carrier"),
            ("BACKUP", Some(200), "answered"),
        ];
        report.equal("attempts", seen.as_slice(), expected.as_slice());
        let (primary, backup) = (rig.seen(&rig.primary, number), rig.seen(&rig.backup, number));
        report.equal(
            "INVITEs at the primary and the backup",
            (primary.len(), backup.len()),
            (1, 1),
        );
        if let (Some(asked), Some(moved_on)) = (
            primary.first().and_then(|call| call.received("INVITE")),
            backup.first().and_then(|call| call.received("INVITE")),
        ) {
            waits.push(moved_on.at.duration_since(asked.at));
        }
        if waits.len() == 1 {
            report.dialer_saw(&end);
            report.carrier_saw("PRIMARY", &primary);
            report.carrier_saw("BACKUP", &backup);
            report.crankback_said(&attempts, &[primary, backup].concat());
        }
    }
    rig.wait_until_empty(SOON).await?;
    waits.sort();
    report.equal("calls that moved on", waits.len(), CALLS);
    if let (Some(&p50), Some(&worst)) = (waits.get(CALLS / 2), waits.last()) {
        report.note(format!(
            "{CALLS} calls moved on after {p50:?} at p50, {worst:?} at worst"
        ));
        report.check(
            format!("not before the guard: {:?}", waits.first()),
            waits.iter().all(|&wait| wait >= GUARD - LEAD),
        );
        report.check(
            format!("p50 within guard + 100 ms: {p50:?}"),
            p50 <= GUARD + Duration::from_millis(100),
        );
        report.check(
            format!("p99 within guard + 500 ms: {worst:?}"),
            worst <= GUARD + Duration::from_millis(500),
        );
    }
    Ok(())
}

/// 100 Trying is a sign of life: the guard passes, the progress limit moves on.
pub(super) async fn trying_only(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, Script::new().trying());
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let expected = Expected {
        attempts: &[("PRIMARY", Some(100), "next"), ("BACKUP", Some(200), "stop")],
        primary_invites: 1,
        backup_invites: 1,
        ..ANSWERED
    };
    let ended = finish(rig, report, &call.code, &number, &expected).await?;
    let (primary, backup) = (&ended.primary[0], &ended.backup[0]);
    report.check("the primary saw a CANCEL", primary.was_cancelled());
    if let (Some(asked), Some(moved_on)) = (primary.received("INVITE"), backup.received("INVITE")) {
        let wait = moved_on.at.duration_since(asked.at);
        let limit = Duration::from_secs(12);
        report.check(
            format!("moved on at the progress limit: {wait:?}"),
            wait >= limit - LEAD && wait <= limit + Duration::from_millis(500),
        );
    }
    Ok(())
}
