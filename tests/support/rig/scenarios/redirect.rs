//! VICIdial takes the answered leg away: from then on it is a customer, and nobody's leg.

use std::time::{Duration, Instant};

use crankback::control::StatusView;

use super::super::super::agi_listener::AgiKind;
use super::super::super::error::LabError;
use super::super::report::Report;
use super::super::{Engine, Entry, Rig, SOON};
use super::{answers_and_waits, auto_dial};

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

    // Dial() ends with the redirect, and with it what FastAGI knows of the leg.
    let is_counted = daemon == Daemon::Alive && rig.engine == Engine::Stasis;
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
    }
    Ok(())
}

async fn legs_out(rig: &Rig) -> Result<u32, LabError> {
    let status: StatusView = rig.ask_crankback("status").await?;
    Ok(status.legs_out.values().sum())
}

fn second(uniqueid: &str) -> Option<u64> {
    uniqueid.split('.').next()?.parse().ok()
}
