//! Callers of every kind: an agent's manual call, a three-way call, a trunk channel.

use std::time::{Duration, Instant};

use super::super::super::ami::{Action, Originate};
use super::super::super::asterisk::dialplan::AGENT_CONFERENCE;
use super::super::super::dialer::{DEFAULT_CONTEXT, NATIVE_CONTEXT};
use super::super::super::error::LabError;
use super::super::super::sip::{Answer, Refusal, Script};
use super::super::report::Report;
use super::super::{BACKUP, DIAL_TIMEOUT, Engine, Entry, Rig, SOON};
use super::{ANSWERED, Expected, answers, answers_and_waits, auto_dial, finish, refuses, same_as_dial};

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

    let native = rig.number(Entry::Primary);
    rig.primary.on_number(&native.wire, answers());
    let call = rig.dialer.three_way(&native.dialled, NATIVE_CONTEXT).await?;
    let dial = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    rig.wait_until_empty(SOON).await?;
    same_as_dial(report, &ended.end, &dial);
    Ok(())
}

/// Where a carrier fakes ringing, an auto-dialled call goes on after it; an agent's screen would hold the dead channel, so an
/// agent's call stays.
pub(super) async fn after_faked_ringing(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    rig.crankback("carrier set PRIMARY fakes_progress=yes").await?;
    let result = each_kind_after_faked_ringing(rig, report).await;
    rig.crankback("carrier set PRIMARY fakes_progress=").await?;
    result
}

async fn each_kind_after_faked_ringing(rig: &Rig, report: &mut Report) -> Result<(), LabError> {
    let number = || {
        let number = rig.number(Entry::Primary);
        let rings_and_refuses = Script::new().trying().ringing().finally(Refusal::code(503));
        rig.primary.on_number(&number.wire, rings_and_refuses);
        rig.backup.on_number(&number.wire, answers());
        number
    };
    let stays = Expected {
        dialstatus: "CONGESTION",
        cause: 34,
        tech: "SIP 503 Service Unavailable",
        attempts: &[("PRIMARY", Some(503), "stop")],
        primary_invites: 1,
        backup_invites: 0,
    };
    let auto = number();
    let call = auto_dial(rig, &auto).await?;
    finish(rig, report, &call.code, &auto, &FAILED_OVER).await?;
    let agents = number();
    let call = rig
        .dialer
        .manual(&agents.dialled, DEFAULT_CONTEXT, DIAL_TIMEOUT)
        .await?;
    finish(rig, report, &call.code, &agents, &stays).await?;
    let third = number();
    let call = rig.dialer.three_way(&third.dialled, DEFAULT_CONTEXT).await?;
    finish(rig, report, &call.code, &third, &stays).await?;
    Ok(())
}

/// The leg that is answered after a failover has from its caller what VICIdial and its scripts look for, and nothing of what
/// the attempt before it came to.
pub(super) async fn inheritance(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::OldDriver);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers_and_waits());
    let code = format!("V121000746{}", &number.wire[1..]);
    let originate = Originate {
        channel: format!("Local/{}@{DEFAULT_CONTEXT}", number.dialled),
        context: DEFAULT_CONTEXT.to_owned(),
        // It stays as long as the customer does.
        extension: AGENT_CONFERENCE.to_owned(),
        caller_id: format!("\"{code}\" <3125551212>"),
        timeout: Some(DIAL_TIMEOUT),
        variables: vec![("__SIPADDHEADER01".to_owned(), "X-Lead: 42".to_owned())],
        asynchronous: true,
    };
    let placed = rig.asterisk.ami().originate(&originate).await?;
    report.check("the call is answered", placed.response().await?.answered);
    let channels = rig.asterisk.ami().core_show_channels().await?;
    let leg = channels.iter().find(|row| row.name.starts_with("PJSIP/backup-"));
    let leg = leg.ok_or_else(|| LabError::Missing("the backup's leg".to_owned()))?;
    for (variable, value) in [
        ("CAMPCUST", "TESTCAMP"),
        ("SIPADDHEADER01", "X-Lead: 42"),
        ("CALLERID(name)", code.as_str()),
        ("CALLERID(num)", "3125551212"),
        ("CONNECTEDLINE(name)", code.as_str()),
        ("DIALSTATUS", ""),
    ] {
        let ask = Action::new("Getvar")
            .field("Channel", &leg.name)
            .field("Variable", variable);
        let answer = rig.asterisk.ami().action(ask).await?;
        report.equal(variable, answer.get("Value"), value);
    }
    let invites = [rig.seen(&rig.primary, &number), rig.seen(&rig.backup, &number)];
    for (carrier, invites) in ["PRIMARY", BACKUP].into_iter().zip(&invites) {
        report.carrier_saw(carrier, invites);
        report.equal(format!("INVITEs at {carrier}"), invites.len(), 1);
        for invite in invites {
            report.equal("call code on the trunk", invite.caller_name.as_str(), &code);
            report.equal(
                "caller's number on the trunk",
                invite.caller_number.as_str(),
                "3125551212",
            );
        }
    }
    if rig.version.has_chan_sip() {
        let header = invites[0].first().and_then(|invite| invite.header("X-Lead"));
        report.equal("header of chan_sip's INVITE", header, Some("42"));
    }
    rig.backup.hang_up_all();
    let end = rig.agi.wait_for_end(&code, SOON).await?;
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "ANSWER");
    rig.wait_until_empty(SOON).await
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
