//! A carrier that says nothing costs its guard and no more.

use std::sync::Arc;
use std::time::Duration;

use crankback::control::RouteAddedView;

use super::super::super::agi_listener::AgiRecord;
use super::super::super::dialer::{DEFAULT_CONTEXT, NATIVE_CONTEXT};
use super::super::super::error::LabError;
use super::super::super::sip::{Answer, Refusal, Script};
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Rig, SOON};
use super::{ANSWERED, Expected, answers, auto_dial, finish, same_as_dial};

const GUARD: Duration = Duration::from_secs(4);
/// The guard runs from the request to Asterisk, which is a moment before the INVITE, and longer on a busy machine.
const LEAD: Duration = Duration::from_millis(500);
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
            .map(|row| (row.carrier_id.as_str(), row.sip_code, row.rule.as_deref()))
            .collect();
        let expected = [
            ("PRIMARY", None, Some("no_response")),
            ("BACKUP", Some(200), Some("answered")),
        ];
        report.equal("attempts", seen.as_slice(), expected.as_slice());
        report.equal(
            "who ended the silent leg",
            attempts[0].ended_by.as_deref(),
            Some("crankback"),
        );
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
        // How soon after it is for a benchmark to say, on a machine that does nothing else.
        report.check(
            format!("soon after the guard: {p50:?} at p50, {worst:?} at worst"),
            p50 <= GUARD + Duration::from_millis(500) && worst <= GUARD + Duration::from_millis(1_500),
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

/// A backup that takes a second to say anything is within its guard, also behind a primary that took its time, and with one more
/// carrier to go to.
pub(super) async fn slow_backup(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let third: RouteAddedView = rig
        .ask_crankback("route add --entry PRIMARY --carrier WIZARD --priority 3")
        .await?;
    let result = behind_a_slow_primary(rig, report).await;
    // The cases after this one have one backup, whatever came of it here.
    rig.crankback(&format!("route remove {}", third.route.id)).await?;
    result
}

async fn behind_a_slow_primary(rig: &Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    let refuses_late = Script::new().trying().after(Duration::from_millis(600));
    let thinks = Script::new().after(Duration::from_secs(1)).trying();
    let talks = Answer::with_rtp().hang_up_after(Duration::from_secs(1));
    rig.primary
        .on_number(&number.wire, refuses_late.finally(Refusal::code(503)));
    rig.backup.on_number(&number.wire, thinks.finally(talks));
    let call = auto_dial(rig, &number).await?;
    let expected = Expected {
        attempts: &[("PRIMARY", Some(503), "next"), ("BACKUP", Some(200), "stop")],
        primary_invites: 1,
        backup_invites: 1,
        ..ANSWERED
    };
    finish(rig, report, &call.code, &number, &expected).await?;
    Ok(())
}

/// The dialer gives a call up whose only carrier has said 100, or nothing: what it is told is what plain `Dial()` tells it.
pub(super) async fn given_up(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let (rig, mut calls) = (&*rig, Vec::new());
    for entry in [Entry::Alone, Entry::AloneOldDriver] {
        for script in [Script::new().trying(), Script::silence()] {
            let call = move |context| given_up_in(rig, context, entry, script.clone());
            calls.push(async move { futures_util::try_join!(call(DEFAULT_CONTEXT), call(NATIVE_CONTEXT)) });
        }
    }
    for (crankback, dial) in futures_util::future::try_join_all(calls).await? {
        report.dialer_saw(&crankback);
        same_as_dial(report, &crankback, &dial);
        report.equal("DIALSTATUS", crankback.dialstatus.as_str(), "CANCEL");
    }
    rig.wait_until_empty(SOON).await
}

async fn given_up_in(rig: &Rig, context: &str, entry: Entry, script: Script) -> Result<Arc<AgiRecord>, LabError> {
    let number = rig.number(entry);
    rig.primary.on_number(&number.wire, script);
    let call = rig.dialer.auto_dial(&number.dialled, context, 2 * GUARD).await?;
    rig.agi.wait_for_end(&call.code, 2 * GUARD + SOON).await
}
