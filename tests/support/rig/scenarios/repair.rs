//! A request that a carrier refused for its form is repaired and sent to the same carrier once more, before any other is asked.

use super::super::super::dialer::DEFAULT_CONTEXT;
use super::super::super::error::LabError;
use super::super::super::sip::{CallRecord, Refusal, Script};
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Rig};
use super::{ANSWERED, Expected, answers, auto_dial, finish, refuses};

/// RTP payload types. The lab's trunks offer PCMU; the old driver's offers G.722 as well.
const PCMA: u8 = 8;
const G722: u8 = 9;

fn speaks_only_pcma(otherwise: u16) -> Script {
    Script::new().trying().needs_codec(PCMA, otherwise).then(answers())
}

/// The audio line that a carrier was offered.
fn offer(call: &CallRecord) -> &str {
    let lines = call.body.lines();
    lines
        .into_iter()
        .find(|line| line.starts_with("m=audio"))
        .unwrap_or_default()
}

/// Everything that a codec refusal should lead to: the same carrier, another offer, the call.
async fn other_codecs(
    rig: &Rig,
    report: &mut Report,
    entry: Entry,
    code: u16,
    carrier_does: Script,
) -> Result<(), LabError> {
    let number = rig.number(entry);
    rig.primary.on_number(&number.wire, carrier_does);
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let carrier = entry.carrier_id();
    let expected = Expected {
        attempts: &[(carrier, Some(code), "repair_and_retry"), (carrier, Some(200), "stop")],
        primary_invites: 2,
        backup_invites: 0,
        ..ANSWERED
    };
    let ended = finish(rig, report, &call.code, &number, &expected).await?;
    for call in &ended.primary {
        report.note(format!("offered: {}", offer(call)));
    }
    if let [refused, repaired] = ended.primary.as_slice() {
        report.check("the second offer is another one", offer(refused) != offer(repaired));
        report.check("each leg is a call of its own", refused.call_id != repaired.call_id);
    }
    Ok(())
}

pub(super) async fn codec_488(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    other_codecs(rig, report, Entry::Primary, 488, speaks_only_pcma(488)).await
}

pub(super) async fn codec_415(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    other_codecs(rig, report, Entry::Primary, 415, speaks_only_pcma(415)).await
}

pub(super) async fn codec_606(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    other_codecs(rig, report, Entry::Primary, 606, speaks_only_pcma(606)).await
}

/// chan_sip can leave codecs out of its offer, but offer none that the peer is not allowed.
pub(super) async fn codec_of_the_old_driver(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let dislikes_g722 = Script::new().trying().dislikes_codec(G722, 488).then(answers());
    other_codecs(rig, report, Entry::OldDriver, 488, dislikes_g722).await
}

/// The leg of an agent's call is placed in its bridge; its offer is changed in the same way.
pub(super) async fn codec_of_a_manual_call(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, speaks_only_pcma(488));
    let call = rig
        .dialer
        .manual(&number.dialled, DEFAULT_CONTEXT, DIAL_TIMEOUT)
        .await?;
    let expected = Expected {
        attempts: &[
            ("PRIMARY", Some(488), "repair_and_retry"),
            ("PRIMARY", Some(200), "stop"),
        ],
        primary_invites: 2,
        backup_invites: 0,
        ..ANSWERED
    };
    finish(rig, report, &call.code, &number, &expected).await?;
    Ok(())
}

/// The repaired request is refused like the first: the next carrier takes the call.
pub(super) async fn in_vain(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(488));
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let expected = Expected {
        attempts: &[
            ("PRIMARY", Some(488), "repair_and_retry"),
            ("PRIMARY", Some(488), "next"),
            ("BACKUP", Some(200), "stop"),
        ],
        primary_invites: 2,
        backup_invites: 1,
        ..ANSWERED
    };
    finish(rig, report, &call.code, &number, &expected).await?;
    Ok(())
}

/// Refused after ringing: the called party was reached, nobody is rung twice.
pub(super) async fn not_after_ringing(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    let rings = Script::new().trying().ringing().finally(Refusal::code(488));
    rig.primary.on_number(&number.wire, rings);
    let call = auto_dial(rig, &number).await?;
    let expected = Expected {
        dialstatus: "CHANUNAVAIL",
        cause: 58,
        tech: "SIP 488 Not Acceptable Here",
        attempts: &[("PRIMARY", Some(488), "stop")],
        primary_invites: 1,
        backup_invites: 0,
    };
    finish(rig, report, &call.code, &number, &expected).await?;
    Ok(())
}

/// Two requests crossed: the same one goes out again, a moment later.
async fn crossed(rig: &Rig, report: &mut Report, entry: Entry) -> Result<(), LabError> {
    let number = rig.number(entry);
    rig.primary.on_number_in_turn(&number.wire, [refuses(491), answers()]);
    let call = auto_dial(rig, &number).await?;
    let carrier = entry.carrier_id();
    let expected = Expected {
        attempts: &[(carrier, Some(491), "repair_and_retry"), (carrier, Some(200), "stop")],
        primary_invites: 2,
        backup_invites: 0,
        ..ANSWERED
    };
    let ended = finish(rig, report, &call.code, &number, &expected).await?;
    if let [first, second] = ended.primary.as_slice()
        && let (Some(refused), Some(again)) = (first.responded(491), second.received("INVITE"))
    {
        let pause = again.at.duration_since(refused.at);
        report.note(format!("sent again after {pause:?}"));
        report.check(
            format!("a pause of 0.1 to 2 s: {pause:?}"),
            (100..2_300).contains(&pause.as_millis()),
        );
        report.equal(
            "the offer is the same",
            offer(first).split(' ').nth(3),
            offer(second).split(' ').nth(3),
        );
    }
    Ok(())
}

pub(super) async fn pending_491(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    crossed(rig, report, Entry::Primary).await
}

pub(super) async fn pending_491_of_the_old_driver(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    crossed(rig, report, Entry::OldDriver).await
}

/// 422: Asterisk asks for a longer session by itself, within the same leg.
pub(super) async fn session_interval(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    session_interval_of(rig, report, Entry::Primary).await
}

async fn session_interval_of(rig: &Rig, report: &mut Report, entry: Entry) -> Result<(), LabError> {
    let number = rig.number(entry);
    let too_small = Refusal::code(422).header("Min-SE", "1800");
    rig.primary
        .on_number_in_turn(&number.wire, [Script::new().trying().finally(too_small), answers()]);
    let call = auto_dial(rig, &number).await?;
    let expected = Expected {
        attempts: &[(entry.carrier_id(), Some(200), "stop")],
        primary_invites: 2,
        backup_invites: 0,
        ..ANSWERED
    };
    let ended = finish(rig, report, &call.code, &number, &expected).await?;
    if let [first, second] = ended.primary.as_slice() {
        report.check("both are one call", first.call_id == second.call_id);
        report.equal("session interval asked for", second.header("Min-SE"), Some("1800"));
    }
    Ok(())
}

pub(super) async fn session_interval_of_the_old_driver(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    session_interval_of(rig, report, Entry::OldDriver).await
}

/// A 422 that does not say which interval is long enough.
pub(super) async fn session_interval_untold(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::OldDriver);
    rig.primary.on_number(&number.wire, refuses(422));
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    // chan_sip ignores it and the leg would hang: to the call that is a silent carrier.
    let code = (!rig.version.has_chan_sip()).then_some(422);
    let expected = Expected {
        attempts: &[("OLDDRIVER", code, "next"), ("BACKUP", Some(200), "stop")],
        primary_invites: 1,
        backup_invites: 1,
        ..ANSWERED
    };
    finish(rig, report, &call.code, &number, &expected).await?;
    Ok(())
}
