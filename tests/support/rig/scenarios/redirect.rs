//! VICIdial takes the answered leg away: from then on it is a customer, and nobody's leg.

use std::time::{Duration, Instant};

use crankback::control::StatusView;

use super::super::super::agi_listener::AgiKind;
use super::super::super::ami::ChannelRow;
use super::super::super::asterisk::dialplan::{AGENT_CONFERENCE, CUSTOMER_EXTENSION};
use super::super::super::dialer::DEFAULT_CONTEXT;
use super::super::super::error::LabError;
use super::super::super::sip::{CallRecord, Refusal, Script};
use super::super::report::Report;
use super::super::{BACKUP, DIAL_TIMEOUT, Engine, Entry, Rig, SOON};
use super::{answers, answers_and_waits, auto_dial, refuses};

/// How long the customer must stay untouched.
const LEFT_ALONE: Duration = Duration::from_secs(10);

/// What happens to the daemon between the answer and the redirect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Daemon {
    Alive,
    Killed,
}

pub(super) async fn daemon_alive(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    redirected(rig, report, Daemon::Alive).await
}

pub(super) async fn daemon_killed(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    redirected(rig, report, Daemon::Killed).await
}

async fn redirected(rig: &mut Rig, report: &mut Report, daemon: Daemon) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, answers_and_waits());
    let call = auto_dial(rig, &number).await?;
    report.check("the originate succeeded", call.response().await?.answered);
    if daemon == Daemon::Killed {
        rig.take_daemon()?.kill()?;
    }
    let customer = rig.dialer.take_customer(&call).await?;
    let taken = Instant::now();
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    let caller_ended = end.received_at.saturating_duration_since(taken);
    if daemon == Daemon::Alive {
        // As Dial() does. Without a daemon the agent's half of the call ends it two seconds after the answer.
        report.check(
            format!("the caller's side ends with the redirect: {caller_ended:?}"),
            caller_ended < Duration::from_secs(1),
        );
    }
    report.dialer_saw(&end);
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "ANSWER");
    report.equal("HANGUPCAUSE", end.hangup_cause, Some(16));
    // A new daemon must not take the customer for something that an old one left behind.
    rig.start_daemon().await?;
    tokio::time::sleep(LEFT_ALONE).await;

    let channels = rig.asterisk.ami().core_show_channels().await?;
    report.equal("channels left", channels.len(), 1);
    report.equal("bridges left", rig.asterisk.bridge_count().await?, 0);
    let row = channels.iter().find(|row| row.name == customer.name);
    report.equal(
        "the customer's state",
        row.map(|row| (row.state.as_str(), row.context.as_str(), row.extension.as_str())),
        Some(("Up", "default", "8368")),
    );
    report.check(
        "the carrier's call is up",
        rig.seen(&rig.primary, &number).iter().any(|call| call.is_active()),
    );
    let (caller_second, leg_second) = (second(&end.uniqueid), second(&customer.uniqueid));
    // Dial() takes its leg's id by its own clock: it may be in the next second.
    let latest = caller_second.map(|second| second + u64::from(rig.engine == Engine::Agi));
    report.check(
        format!("the leg's epoch second: {leg_second:?}, the caller's {caller_second:?}"),
        caller_second.is_some() && (caller_second..=latest).contains(&leg_second),
    );
    report.check(
        format!("{} has at most 20 characters", customer.uniqueid),
        customer.uniqueid.len() <= 20,
    );
    report.equal(
        "the leg's linkedid",
        &customer.linkedid,
        &row.map(|row| row.linkedid.clone()).unwrap_or_default(),
    );

    let is_counted = daemon == Daemon::Alive;
    if is_counted {
        report.equal("the carrier's channels with the customer", legs_out(rig).await?, 1);
    }
    rig.primary.hang_up_all();
    rig.wait_until_empty(SOON).await?;
    if is_counted {
        let began = Instant::now();
        while legs_out(rig).await? > 0 && began.elapsed() < SOON {}
        report.equal("the carrier's channels without it", legs_out(rig).await?, 0);
    }
    let leg_end = rig.agi.wait_for_end_of_channel(&customer.uniqueid, SOON).await?;
    let ends = rig.agi.records_for(&call.code).await;
    let of_leg = ends
        .iter()
        .filter(|record| record.kind == AgiKind::End && record.uniqueid == customer.uniqueid);
    report.equal("times that the leg's h ran", of_leg.count(), 1);
    report.equal("DIALSTATUS of the leg", leg_end.dialstatus.as_str(), "");
    report.equal("technology cause of the leg", leg_end.tech_cause.as_str(), "SIP 200 OK");
    let calls = rig.seen(&rig.primary, &number);
    report.carrier_saw("PRIMARY", &calls);
    report.equal("INVITEs at the backup", rig.seen(&rig.backup, &number).len(), 0);
    if daemon == Daemon::Alive {
        let attempts = rig.attempts(&end, 1).await?;
        report.crankback_said(&attempts, &calls);
        report.equal("attempts", attempts.len(), 1);
        if rig.engine == Engine::Stasis {
            report.equal("who ended it", attempts[0].ended_by.as_deref(), Some("dialer"));
        }
    }
    Ok(())
}

/// The primary may carry one call, and carries a customer whom the dialer has taken.
async fn take_the_only_place(rig: &Rig, report: &mut Report) -> Result<(), LabError> {
    rig.crankback("carrier set PRIMARY max_channels=1").await?;
    let first = rig.number(Entry::Primary);
    rig.primary.on_number(&first.wire, answers_and_waits());
    let call = auto_dial(rig, &first).await?;
    report.check("the originate succeeded", call.response().await?.answered);
    rig.dialer.take_customer(&call).await?;
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    report.dialer_saw(&end);
    report.equal("attempts of the customer's call", rig.attempts(&end, 1).await?.len(), 1);
    Ok(())
}

/// A customer takes up one of its carrier's channels for as long as it is there: at the limit the next call goes to the backup.
pub(super) async fn keeps_its_place(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    take_the_only_place(rig, report).await?;
    reaches(rig, report, "with the customer", BACKUP).await?;

    rig.primary.hang_up_all();
    wait_for_legs_out(rig, 0).await?;
    reaches(rig, report, "without it", "PRIMARY").await?;
    rig.crankback("carrier set PRIMARY max_channels=").await?;
    Ok(())
}

/// The same over a kill of the daemon and over a stop: the next one finds the customer.
pub(super) async fn keeps_its_place_over_restarts(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    take_the_only_place(rig, report).await?;
    rig.take_daemon()?.kill()?;
    for when in ["after a kill", "after a stop"] {
        rig.start_daemon().await?;
        wait_for_legs_out(rig, 1).await?;
        reaches(rig, report, when, BACKUP).await?;
        rig.take_daemon()?.stop().await?;
    }
    rig.start_daemon().await?;
    wait_for_legs_out(rig, 1).await?;
    rig.primary.hang_up_all();
    wait_for_legs_out(rig, 0).await?;
    reaches(rig, report, "without it", "PRIMARY").await?;
    rig.crankback("carrier set PRIMARY max_channels=").await?;
    Ok(())
}

async fn wait_for_legs_out(rig: &Rig, wanted: u32) -> Result<(), LabError> {
    let began = Instant::now();
    loop {
        let out = legs_out(rig).await?;
        if out == wanted {
            return Ok(());
        }
        if began.elapsed() > DIAL_TIMEOUT {
            return Err(LabError::Timeout {
                what: format!("{wanted} legs out; there are {out}"),
                after: DIAL_TIMEOUT,
            });
        }
    }
}

/// A call that every carrier would take, and the one that gets it.
async fn reaches(rig: &Rig, report: &mut Report, when: &str, carrier: &str) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, answers());
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    let attempts = rig.attempts(&end, 1).await?;
    let carriers: Vec<_> = attempts.iter().map(|row| row.carrier_id.as_str()).collect();
    report.equal(format!("carriers of a call {when}"), carriers, vec![carrier]);
    let invites = [&rig.primary, &rig.backup].map(|carrier| rig.seen(carrier, &number).len());
    let expected = if carrier == BACKUP { [0, 1] } else { [1, 0] };
    report.equal(
        format!("INVITEs at the primary and the backup {when}"),
        invites,
        expected,
    );
    Ok(())
}

/// The primary said 100, and 503 a second and a half later: VICIdial has seen its channel by then.
pub(super) async fn after_a_late_refusal(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    failed_over(rig, report, Script::new().trying()).await
}

/// The primary is known to fake ringing, and refuses after it.
pub(super) async fn after_faked_ringing(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    rig.crankback("carrier set PRIMARY fakes_progress=yes").await?;
    let result = failed_over(rig, report, Script::new().trying().ringing()).await;
    rig.crankback("carrier set PRIMARY fakes_progress=").await?;
    result
}

/// The backup's customer is taken, then parked in another extension, then sent out again: each time it stays untouched.
async fn failed_over(rig: &mut Rig, report: &mut Report, primary: Script) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    let refuses_late = primary.after(Duration::from_millis(1_500)).finally(Refusal::code(503));
    rig.primary.on_number(&number.wire, refuses_late);
    rig.backup.on_number(&number.wire, answers_and_waits());
    let call = auto_dial(rig, &number).await?;
    report.check("the originate succeeded", call.response().await?.answered);
    let customer = rig.dialer.take_customer(&call).await?;
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    report.dialer_saw(&end);
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "ANSWER");
    report.equal("HANGUPCAUSE", end.hangup_cause, Some(16));
    report.check(
        format!("{} is the backup's", customer.name),
        customer.name.starts_with("PJSIP/backup-"),
    );
    alone_in(rig, report, &customer, CUSTOMER_EXTENSION).await?;
    rig.asterisk
        .ami()
        .redirect(&customer.name, DEFAULT_CONTEXT, AGENT_CONFERENCE)
        .await?;
    alone_in(rig, report, &customer, AGENT_CONFERENCE).await?;

    // A blind transfer: the customer's own channel dials, through crankback again.
    let third = rig.number(Entry::Primary);
    rig.primary.on_number(&third.wire, refuses(503));
    rig.backup.on_number(&third.wire, answers_and_waits());
    rig.asterisk
        .ami()
        .redirect(&customer.name, DEFAULT_CONTEXT, &third.dialled)
        .await?;
    let began = Instant::now();
    while !rig.seen(&rig.backup, &third).iter().any(CallRecord::is_active) && began.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (customers, thirds) = (rig.seen(&rig.backup, &number), rig.seen(&rig.backup, &third));
    report.check("the third party has answered", thirds.iter().any(CallRecord::is_active));
    report.check("the customer is up", customers.iter().any(CallRecord::is_active));
    rig.backup.hang_up_all();
    rig.wait_until_empty(SOON).await?;
    report.carrier_saw("PRIMARY", &rig.seen(&rig.primary, &number));
    report.carrier_saw(BACKUP, &customers);
    report.equal("INVITEs for the customer", customers.len(), 1);
    report.equal("INVITEs for the third party", thirds.len(), 1);
    Ok(())
}

/// Waits until the customer is the only channel, which is when both halves of its caller have ended, and looks where it is.
async fn alone_in(rig: &Rig, report: &mut Report, customer: &ChannelRow, extension: &str) -> Result<(), LabError> {
    let began = Instant::now();
    let is_there = |rows: &[ChannelRow]| match rows {
        [row] => row.name == customer.name && row.state == "Up" && row.extension == extension,
        _ => false,
    };
    let mut channels = rig.asterisk.ami().core_show_channels().await?;
    while !is_there(&channels) && began.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(10)).await;
        channels = rig.asterisk.ami().core_show_channels().await?;
    }
    report.check(
        format!("the customer is alone in {extension}: {channels:?}"),
        is_there(&channels),
    );
    Ok(())
}

async fn legs_out(rig: &Rig) -> Result<u32, LabError> {
    let status: StatusView = rig.ask_crankback("status").await?;
    Ok(status.legs_out.values().sum())
}

fn second(uniqueid: &str) -> Option<u64> {
    uniqueid.split('.').next()?.parse().ok()
}
