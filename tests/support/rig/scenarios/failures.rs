//! The carrier's fault goes to the backup; the called party's no does not.

use super::super::super::error::LabError;
use super::super::report::Report;
use super::super::{Entry, Rig};
use super::{ANSWERED, Expected, PRIMARY_CARRIES, answers, auto_dial, finish, oracle, refuses, same_as_dial};

pub(super) async fn primary_answers(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let ended = finish(rig, report, &call.code, &number, &PRIMARY_CARRIES).await?;
    report.check("the originate succeeded", call.response().await?.answered);
    report.check(
        "audio reached the carrier or the call was silent",
        ended.primary[0].rtp_sent() > 0,
    );
    let dial = oracle(rig, report, Entry::Primary, answers()).await?;
    same_as_dial(report, &ended.end, &dial);
    Ok(())
}

/// The entry's carrier says 503 and the backup answers.
async fn fails_over(
    rig: &Rig,
    report: &mut Report,
    entry: Entry,
    code: Option<u16>,
    primary_invites: usize,
) -> Result<(), LabError> {
    let number = rig.number(entry);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let expected = Expected {
        attempts: &[(entry.carrier_id(), code, "next"), ("BACKUP", Some(200), "stop")],
        primary_invites,
        backup_invites: 1,
        ..ANSWERED
    };
    let ended = finish(rig, report, &call.code, &number, &expected).await?;
    report.check("the originate succeeded", call.response().await?.answered);
    if let (Some(primary), Some(backup)) = (ended.primary.first(), ended.backup.first()) {
        report.check("each leg is a call of its own", primary.call_id != backup.call_id);
        if let (Some(failed), Some(next)) = (primary.responded(503), backup.received("INVITE")) {
            report.note(format!(
                "failover gap {:.1} ms",
                next.at.duration_since(failed.at).as_secs_f64() * 1_000.0
            ));
        }
    }
    oracle(rig, report, entry, refuses(503)).await?;
    Ok(())
}

pub(super) async fn unavailable(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    fails_over(rig, report, Entry::Primary, Some(503), 1).await
}

pub(super) async fn old_driver_unavailable(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    fails_over(rig, report, Entry::OldDriver, Some(503), 1).await
}

pub(super) async fn wizard_unavailable(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    fails_over(rig, report, Entry::Wizard, Some(503), 1).await
}

pub(super) async fn unknown_endpoint(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    fails_over(rig, report, Entry::Unknown, None, 0).await
}

pub(super) async fn unreachable_contact(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    fails_over(rig, report, Entry::Unreachable, None, 0).await
}

pub(super) async fn tcp_refused(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    fails_over(rig, report, Entry::Refusing, None, 0).await
}

pub(super) async fn both_unavailable(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, refuses(503));
    let call = auto_dial(rig, &number).await?;
    let expected = Expected {
        dialstatus: "CONGESTION",
        cause: 34,
        tech: "SIP 503 Service Unavailable",
        attempts: &[("PRIMARY", Some(503), "next"), ("BACKUP", Some(503), "next")],
        primary_invites: 1,
        backup_invites: 1,
    };
    let ended = finish(rig, report, &call.code, &number, &expected).await?;
    report.check("the originate failed", !call.response().await?.answered);
    let dial = oracle(rig, report, Entry::Primary, refuses(503)).await?;
    same_as_dial(report, &ended.end, &dial);
    Ok(())
}

/// The called party's no: the backup is not asked, and the dialer sees what plain `Dial()` shows.
async fn is_final(
    rig: &Rig,
    report: &mut Report,
    code: u16,
    dialstatus: &str,
    cause: u16,
    tech: &str,
) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(code));
    let call = auto_dial(rig, &number).await?;
    let expected = Expected {
        dialstatus,
        cause,
        tech,
        attempts: &[("PRIMARY", Some(code), "stop")],
        primary_invites: 1,
        backup_invites: 0,
    };
    let ended = finish(rig, report, &call.code, &number, &expected).await?;
    let dial = oracle(rig, report, Entry::Primary, refuses(code)).await?;
    same_as_dial(report, &ended.end, &dial);
    Ok(())
}

pub(super) async fn busy(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    is_final(rig, report, 486, "BUSY", 17, "SIP 486 Busy Here").await
}

pub(super) async fn dead_number(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    is_final(rig, report, 404, "CHANUNAVAIL", 1, "SIP 404 Not Found").await
}
