//! Who ends a call, and what the dialer is told then.

use std::time::Duration;

use super::super::super::dialer::{DEFAULT_CONTEXT, NATIVE_CONTEXT};
use super::super::super::error::LabError;
use super::super::super::sip::{Answer, Outcome, Script};
use super::super::report::Report;
use super::super::{Entry, Rig, SOON};
use super::{PRIMARY_CARRIES, answers_and_waits, auto_dial, finish, oracle, same_as_dial};

pub(super) async fn caller_cancels(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let rings = || Script::new().trying().ringing();
    let timeout = Duration::from_secs(2);
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, rings());
    let call = rig.dialer.auto_dial(&number.dialled, DEFAULT_CONTEXT, timeout).await?;
    let end = rig.agi.wait_for_end(&call.code, timeout + SOON).await?;
    let attempts = rig.attempts(&end, 1).await?;
    rig.wait_until_empty(SOON).await?;
    let (primary, backup) = (rig.seen(&rig.primary, &number), rig.seen(&rig.backup, &number));
    report.dialer_saw(&end);
    report.carrier_saw("PRIMARY", &primary);
    report.crankback_said(&attempts, &primary);
    report.equal(
        "INVITEs at the primary and the backup",
        (primary.len(), backup.len()),
        (1, 0),
    );
    report.equal(
        "the primary's end of it",
        primary.first().and_then(|call| call.outcome),
        Some(Outcome::Cancelled),
    );
    report.equal(
        "attempts",
        attempts
            .iter()
            .map(|row| (row.rule.as_deref(), row.ended_by.as_deref()))
            .collect::<Vec<_>>(),
        vec![(Some("caller_gone"), Some("caller"))],
    );

    let native = rig.number(Entry::Primary);
    rig.primary.on_number(&native.wire, rings());
    let call = rig.dialer.auto_dial(&native.dialled, NATIVE_CONTEXT, timeout).await?;
    let dial = rig.agi.wait_for_end(&call.code, timeout + SOON).await?;
    report.note(format!(
        "plain Dial(): {}/{:?} {}",
        dial.dialstatus, dial.hangup_cause, dial.tech_cause
    ));
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "CANCEL");
    report.equal("DIALSTATUS of plain Dial()", &end.dialstatus, &dial.dialstatus);
    report.equal("HANGUPCAUSE of plain Dial()", end.hangup_cause, dial.hangup_cause);
    report.equal("technology cause of plain Dial()", &end.tech_cause, &dial.tech_cause);
    rig.wait_until_empty(SOON).await
}

pub(super) async fn caller_ends(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    ends(rig, report, answers_and_waits(), Outcome::HungUpByCaller, 2).await
}

pub(super) async fn callee_ends(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    // Whole seconds are told: in the middle of one, a few milliseconds change nothing.
    let answer = Answer::with_rtp().hang_up_after(Duration::from_millis(1_500));
    let talks = Script::new().trying().ringing().finally(answer);
    ends(rig, report, talks, Outcome::HungUpByCarrier, 1).await
}

/// Such a call is on record as answered, although it ends before `agi` looks at its leg.
pub(super) async fn over_at_once(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let answer = Answer::with_rtp().hang_up_after(Duration::from_millis(50));
    let number = rig.number(Entry::Primary);
    rig.primary
        .on_number(&number.wire, Script::new().trying().ringing().finally(answer));
    let call = auto_dial(rig, &number).await?;
    let ended = finish(rig, report, &call.code, &number, &PRIMARY_CARRIES).await?;
    let attempts = rig.attempts(&ended.end, 1).await?;
    report.equal(
        "the carrier's end of it",
        ended.primary[0].outcome,
        Some(Outcome::HungUpByCarrier),
    );
    report.equal("progress on record", attempts[0].progress.as_str(), "answered");
    report.check(
        format!("a time of answer on record: {:?}", attempts[0].answered_ms),
        attempts[0].answered_ms.is_some(),
    );
    Ok(())
}

async fn ends(
    rig: &Rig,
    report: &mut Report,
    talks: Script,
    outcome: Outcome,
    answered_seconds: u32,
) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, talks.clone());
    let call = auto_dial(rig, &number).await?;
    let ended = finish(rig, report, &call.code, &number, &PRIMARY_CARRIES).await?;
    report.equal("the carrier's end of it", ended.primary[0].outcome, Some(outcome));
    report.equal("ANSWEREDTIME", ended.end.answered_time_seconds, Some(answered_seconds));
    let dial = oracle(rig, report, Entry::Primary, talks).await?;
    same_as_dial(report, &ended.end, &dial);
    Ok(())
}
