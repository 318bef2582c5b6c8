//! A carrier that answers 302 wants us to call somebody else: that is never done, wherever it points.

use std::time::Duration;

use super::super::super::dialer::DEFAULT_CONTEXT;
use super::super::super::error::LabError;
use super::super::super::sip::{CallRecord, FakeCarrier, Outcome, Refusal, Script};
use super::super::report::Report;
use super::super::{BACKUP, DIAL_TIMEOUT, Engine, Entry, Rig, SOON};
use super::{answers, auto_dial, oracle};

/// How long a call may live that Asterisk placed by itself. Nobody answers a telephone so fast.
const HUNTED_DOWN: Duration = Duration::from_millis(500);

/// Where the carrier points to. The user part of a Contact is what Asterisk dials, in the context of the trunk.
#[derive(Clone, Copy)]
enum Target {
    /// The number that was called, at the carrier.
    Itself,
    /// Another number at the carrier, which the trunk's context puts through.
    OtherNumber,
    /// Another number at a host that is none of ours.
    Stranger,
    /// Our own dialplan: a user part that reads as a dial string, which Asterisk dials before it tells anybody.
    Dialplan,
    /// Another carrier of ours, by the same trick.
    OtherTrunk,
}

/// Who places the call: that decides how its leg is placed.
#[derive(Clone, Copy)]
enum Caller {
    Auto,
    Manual,
}

pub(super) async fn to_itself(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    not_followed(rig, report, Entry::Primary, Caller::Auto, Target::Itself).await
}

pub(super) async fn to_another_number(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    not_followed(rig, report, Entry::Primary, Caller::Auto, Target::OtherNumber).await
}

pub(super) async fn to_a_stranger(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    not_followed(rig, report, Entry::Primary, Caller::Auto, Target::Stranger).await
}

pub(super) async fn into_the_dialplan(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    not_followed(rig, report, Entry::Primary, Caller::Auto, Target::Dialplan).await
}

pub(super) async fn to_another_trunk(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    not_followed(rig, report, Entry::Primary, Caller::Auto, Target::OtherTrunk).await
}

pub(super) async fn manual_call(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    not_followed(rig, report, Entry::Primary, Caller::Manual, Target::OtherNumber).await
}

pub(super) async fn old_driver(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    not_followed(rig, report, Entry::OldDriver, Caller::Auto, Target::OtherNumber).await
}

pub(super) async fn old_driver_to_a_stranger(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    not_followed(rig, report, Entry::OldDriver, Caller::Auto, Target::Stranger).await
}

pub(super) async fn old_driver_into_the_dialplan(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    not_followed(rig, report, Entry::OldDriver, Caller::Auto, Target::Dialplan).await
}

async fn not_followed(
    rig: &Rig,
    report: &mut Report,
    entry: Entry,
    caller: Caller,
    target: Target,
) -> Result<(), LabError> {
    let stranger = FakeCarrier::start("STRANGER")
        .await
        .map_err(|error| LabError::Missing(error.to_string()))?;
    let (number, other) = (rig.number(entry), rig.number(Entry::Primary));
    let carrier = rig.primary.addr();
    let contact = match target {
        Target::Itself => format!("sip:{}@{carrier}", number.wire),
        Target::OtherNumber => format!("sip:{}@{carrier}", other.wire),
        Target::Stranger => format!("sip:{}@{}", other.wire, stranger.addr()),
        Target::Dialplan => format!("sip:Local/{}%40{DEFAULT_CONTEXT}@{}", other.dialled, stranger.addr()),
        Target::OtherTrunk => format!("sip:PJSIP/{}%40backup@{}", other.wire, stranger.addr()),
    };
    for carrier in [&rig.primary, &rig.backup, &stranger] {
        carrier.on_number(&other.wire, Script::new().trying().ringing());
    }
    rig.backup.on_number(&number.wire, answers());
    let redirects = Refusal::code(302).header("Contact", &format!("<{contact}>"));
    rig.primary
        .on_number(&number.wire, Script::new().trying().finally(redirects));
    let call = match caller {
        Caller::Auto => auto_dial(rig, &number).await?,
        Caller::Manual => {
            rig.dialer
                .manual(&number.dialled, DEFAULT_CONTEXT, DIAL_TIMEOUT)
                .await?
        }
    };
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    let attempts = rig.attempts(&end, 1).await?;
    rig.wait_until_empty(SOON).await?;
    let (asked, other_at_primary) = (rig.seen(&rig.primary, &number), rig.seen(&rig.primary, &other));
    let backup = [rig.seen(&rig.backup, &number), rig.seen(&rig.backup, &other)].concat();
    report.dialer_saw(&end);
    report.carrier_saw("PRIMARY", &[asked.clone(), other_at_primary.clone()].concat());
    report.carrier_saw(BACKUP, &backup);
    report.carrier_saw("STRANGER", &stranger.calls());
    report.crankback_said(&attempts, &asked);
    report.equal("INVITEs at the carrier", asked.len(), 1);
    report.equal("INVITEs at the stranger's host", stranger.stats().invites, 0);
    if rig.engine == Engine::Agi {
        // Dial() with option i does not follow and does not say why it failed: the next carrier is asked for the number itself.
        let other = [other_at_primary, rig.seen(&rig.backup, &other)].concat();
        report.equal("INVITEs for the other number", other.len(), 0);
        report.check("the carrier is done with", !attempts.is_empty());
        return Ok(());
    }
    let followed = [other_at_primary, backup].concat();
    match target {
        Target::Itself | Target::OtherNumber | Target::Stranger => {
            report.equal("INVITEs anywhere else", followed.len(), 0);
        }
        Target::Dialplan | Target::OtherTrunk => hunted_down(report, &followed),
    }
    let verdicts: Vec<_> = attempts
        .iter()
        .map(|row| (row.carrier_id.as_str(), row.sip_code, row.verdict.as_str()))
        .collect();
    report.equal(
        "attempts",
        verdicts.as_slice(),
        &[(entry.carrier_id(), Some(302), "stop")],
    );
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "CHANUNAVAIL");
    report.equal("HANGUPCAUSE", end.hangup_cause, Some(23));
    if matches!(target, Target::Stranger) {
        // Plain Dial() follows, and tells the cause of what it dialled instead: compared where that leads nowhere.
        let nowhere = Script::redirect(&format!("sip:nobody@{}", stranger.addr()));
        let dial = oracle(rig, report, entry, nowhere).await?;
        report.equal("DIALSTATUS of plain Dial()", &end.dialstatus, &dial.dialstatus);
    }
    Ok(())
}

/// What Asterisk had placed before anybody could know was taken back before anybody could answer.
fn hunted_down(report: &mut Report, followed: &[CallRecord]) {
    for call in followed {
        let lived = call
            .received("INVITE")
            .zip(call.received("CANCEL"))
            .map(|(invite, cancel)| cancel.at.duration_since(invite.at));
        report.note(format!("Asterisk followed by itself; taken back after {lived:?}"));
        report.equal(
            "end of what Asterisk placed by itself",
            call.outcome,
            Some(Outcome::Cancelled),
        );
        report.check(
            format!("taken back at once: {lived:?}"),
            lived.is_some_and(|lived| lived < HUNTED_DOWN),
        );
    }
}
