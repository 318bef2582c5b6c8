//! Callers of every kind: an agent's manual call, a three-way call, a trunk channel.

use std::time::{Duration, Instant};

use super::super::super::ami::Originate;
use super::super::super::dialer::{DEFAULT_CONTEXT, NATIVE_CONTEXT};
use super::super::super::error::LabError;
use super::super::super::sip::{Answer, Script};
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Engine, Entry, Rig, SOON};
use super::{ANSWERED, Expected, answers, answers_and_waits, finish, refuses, same_as_dial};

const FAILED_OVER: Expected<'_> = Expected {
    attempts: &[("PRIMARY", Some(503), "next"), ("BACKUP", Some(200), "stop")],
    primary_invites: 1,
    backup_invites: 1,
    ..ANSWERED
};

pub(super) async fn manual(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    let call = rig
        .dialer
        .manual(&number.dialled, DEFAULT_CONTEXT, DIAL_TIMEOUT)
        .await?;
    let ended = finish(rig, report, &call.code, &number, &FAILED_OVER).await?;
    report.check("the entry ran on Local;1", ended.end.channel.ends_with(";1"));

    let native = rig.number(Entry::Primary);
    rig.primary.on_number(&native.wire, answers());
    let call = rig.dialer.manual(&native.dialled, NATIVE_CONTEXT, DIAL_TIMEOUT).await?;
    let dial = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    rig.wait_until_empty(SOON).await?;
    same_as_dial(report, &ended.end, &dial);
    Ok(())
}

/// The agent hears what the carrier plays before the answer: the leg is in the caller's bridge while it is not up.
pub(super) async fn manual_early_media(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    let plays = Script::new()
        .trying()
        .progress_with_media()
        .after(Duration::from_secs(2));
    rig.primary.on_number(
        &number.wire,
        plays.finally(Answer::with_rtp().hang_up_after(Duration::from_secs(1))),
    );
    let call = rig
        .dialer
        .manual(&number.dialled, DEFAULT_CONTEXT, DIAL_TIMEOUT)
        .await?;
    let began = Instant::now();
    let mut shared_before_answer = false;
    while began.elapsed() < Duration::from_secs(2) && !shared_before_answer {
        let channels = rig.asterisk.ami().core_show_channels().await?;
        let bridge_of = |local: bool| {
            let mut rows = channels
                .iter()
                .filter(|row| row.caller_id_name == call.code && row.is_local() == local);
            rows.find(|row| local == row.name.ends_with(";1"))
                .map(|row| (row.state.clone(), row.bridge_id.clone()))
        };
        shared_before_answer = match (bridge_of(true), bridge_of(false)) {
            (Some((_, Some(caller))), Some((state, Some(leg)))) => caller == leg && state != "Up",
            _ => false,
        };
    }
    if rig.engine == Engine::Stasis {
        report.check("caller and ringing leg share a bridge", shared_before_answer);
    }
    let expected = Expected {
        attempts: &[("PRIMARY", Some(200), "stop")],
        primary_invites: 1,
        backup_invites: 0,
        ..FAILED_OVER
    };
    let ended = finish(rig, report, &call.code, &number, &expected).await?;
    let attempts = rig.store_attempts(&ended.end).await?;
    report.check(
        format!("the media was seen: {attempts:?}"),
        attempts.first().is_some_and(|attempt| attempt.progress_ms.is_some()),
    );
    Ok(())
}

pub(super) async fn three_way(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    let call = rig.dialer.three_way(&number.dialled, DEFAULT_CONTEXT).await?;
    let ended = finish(rig, report, &call.code, &number, &FAILED_OVER).await?;
    report.check("the entry ran on Local;2", ended.end.channel.ends_with(";2"));
    Ok(())
}

/// A blind transfer makes the customer's own channel dial: a PJSIP channel that has been up for a while.
pub(super) async fn trunk_channel(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    rig.inbound.on_number(&number.wire, answers_and_waits());
    let code = format!("TRANSFER{}", number.wire);
    let originate = Originate {
        channel: format!("PJSIP/{}@inbound", number.wire),
        context: DEFAULT_CONTEXT.to_owned(),
        extension: number.dialled.clone(),
        caller_id: format!("\"{code}\" <3125551212>"),
        timeout: Some(DIAL_TIMEOUT),
        variables: Vec::new(),
        asynchronous: true,
    };
    let placed = rig.asterisk.ami().originate(&originate).await?;
    report.check("the caller came up", placed.response().await?.answered);
    let ended = finish(rig, report, &code, &number, &FAILED_OVER).await?;
    report.check(
        "the entry ran on a trunk channel",
        ended.end.channel.starts_with("PJSIP/inbound-"),
    );
    let callers = rig.seen(&rig.inbound, &number);
    report.check(
        "the caller was hung up",
        callers.first().is_some_and(|caller| caller.ended.is_some()),
    );
    Ok(())
}
