//! The caller's end crosses something else: the next attempt, the answer, the dialer's redirect.

use std::time::Duration;

use super::super::super::super::asterisk::dialplan::CUSTOMER_EXTENSION;
use super::super::super::super::dialer::PlacedCall;
use super::super::super::super::error::LabError;
use super::super::super::super::proxy::{Hold, Part};
use super::super::super::super::sip::{Answer, CallRecord, Outcome, Refusal, Script};
use super::super::super::report::Report;
use super::super::super::{BACKUP, Engine, Entry, Number, Rig, SOON};
use super::super::{answers_and_waits, auto_dial, refuses};
use super::{behind_a_wire, eventually, nothing_left, received, responded, times_ended, until, without_the_wire};

/// Rings until it is cancelled.
fn rings() -> Script {
    Script::new().trying().ringing()
}

/// The caller hangs up while the request for the next leg has not reached Asterisk yet.
pub(in super::super) async fn between_attempts(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    hangs_up_during_the_request(rig, report, Part::Request).await
}

/// The caller hangs up when Asterisk has dialled the next leg, and has not answered the request for it.
pub(in super::super) async fn with_the_next_leg_on_its_way(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    hangs_up_during_the_request(rig, report, Part::Answer).await
}

async fn hangs_up_during_the_request(rig: &mut Rig, report: &mut Report, held: Part) -> Result<(), LabError> {
    let wire = behind_a_wire(rig).await?;
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, rings());
    // Dial() is asked for over FastAGI, and answers when it is over.
    let next_leg = match rig.engine {
        Engine::Stasis => Some(wire.hold(held, format!("{}%40backup", number.wire))),
        Engine::Agi => None,
    };
    let call = auto_dial(rig, &number).await?;
    if let Some(next_leg) = &next_leg {
        next_leg.wait_until_caught(SOON).await?;
    }
    if held == Part::Answer {
        responded(rig, &rig.backup, &number, 180).await?;
    }
    let half = rig.dialer.half_of(&call).await?;
    rig.asterisk.ami().hangup(&half.name).await?;
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    // By then the daemon knows that the caller is gone.
    let attempts = rig.attempts(&end, 2).await?;
    if held == Part::Answer {
        let cancelled = received(rig, &rig.backup, &number, "CANCEL").await;
        let is_held = next_leg.as_ref().is_none_or(Hold::holds);
        report.check("the leg was cancelled at once", cancelled.is_ok() && is_held);
    }
    if let Some(next_leg) = &next_leg {
        next_leg.release();
    }
    rig.wait_until_empty(SOON).await?;
    let (primary, backup) = (rig.seen(&rig.primary, &number), rig.seen(&rig.backup, &number));
    report.dialer_saw(&end);
    report.carrier_saw("PRIMARY", &primary);
    report.carrier_saw(BACKUP, &backup);
    report.crankback_said(&attempts, &primary);
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "CANCEL");
    report.equal("times that h ran", times_ended(rig, &end).await, 1);
    let why: Vec<_> = attempts
        .iter()
        .map(|row| (row.carrier_id.as_str(), row.why.as_str()))
        .collect();
    report.equal(
        "the second attempt",
        why.get(1).copied(),
        Some((BACKUP, "caller hung up")),
    );
    report.equal("INVITEs at the primary", primary.len(), 1);
    never_connected(report, &backup);
    without_the_wire(rig).await
}

/// The backup saw no INVITE, or its INVITE was cancelled.
fn never_connected(report: &mut Report, backup: &[CallRecord]) {
    report.check(format!("{} INVITEs at the backup", backup.len()), backup.len() <= 1);
    for call in backup {
        report.equal("the backup's end of it", call.outcome, Some(Outcome::Cancelled));
    }
}

/// What the primary does at the moment at which the caller hangs up.
const PAUSE: Duration = Duration::from_millis(700);

/// Places a call for each offset; each caller hangs up so many milliseconds after the moment at which the primary acts.
async fn hang_up_around(
    rig: &Rig,
    offsets_ms: impl Iterator<Item = i64>,
    primary: &Script,
    backup: &Script,
) -> Result<Vec<(PlacedCall, Number)>, LabError> {
    let calls = offsets_ms.map(|offset_ms| async move {
        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, primary.clone());
        rig.backup.on_number(&number.wire, backup.clone());
        let call = auto_dial(rig, &number).await?;
        let half = rig.dialer.half_of(&call).await?;
        let invited = received(rig, &rig.primary, &number, "INVITE").await?;
        let offset = Duration::from_millis(offset_ms.unsigned_abs());
        let moment = if offset_ms < 0 {
            PAUSE.saturating_sub(offset)
        } else {
            PAUSE + offset
        };
        tokio::time::sleep_until((invited.at + moment).into()).await;
        // A call that has ended by itself cannot be hung up.
        let _ = rig.asterisk.ami().hangup(&half.name).await;
        Ok::<_, LabError>((call, number))
    });
    futures_util::future::try_join_all(calls).await
}

pub(in super::super) async fn hangs_up_with_the_refusal(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let primary = Script::new().trying().after(PAUSE).finally(Refusal::code(503));
    // On this machine the next INVITE is 2 to 20 ms behind the 503.
    let offsets = (-10..=28).step_by(2);
    let calls = hang_up_around(rig, offsets, &primary, &rings()).await?;
    let (mut invited, mut spared) = (0, 0);
    for (call, number) in &calls {
        let end = rig.agi.wait_for_end(&call.code, SOON).await?;
        rig.attempts(&end, 1).await?;
        report.equal("times that h ran", times_ended(rig, &end).await, 1);
        let seen = || {
            let backup = rig.seen(&rig.backup, number);
            backup.iter().all(|call| call.outcome.is_some()).then_some(backup)
        };
        let backup = until("end of the backup's leg", seen).await?;
        never_connected(report, &backup);
        // Dial() tells what the attempt came to that had ended by then.
        let is_told = end.dialstatus == "CANCEL" || (end.dialstatus == "CONGESTION" && backup.is_empty());
        report.check(format!("DIALSTATUS {}", end.dialstatus), is_told);
        if backup.is_empty() { spared += 1 } else { invited += 1 }
    }
    report.note(format!(
        "{spared} callers were gone before the next INVITE, {invited} after it"
    ));
    rig.wait_until_empty(SOON).await
}

pub(in super::super) async fn hangs_up_with_the_answer(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let primary = Script::new()
        .trying()
        .ringing()
        .after(PAUSE)
        .finally(Answer::with_rtp());
    // 20 calls; the outermost leave no doubt about the order.
    let offsets = [-600, -100, -20]
        .into_iter()
        .chain((-7..=6).step_by(1))
        .chain([20, 100, 600]);
    let calls = hang_up_around(rig, offsets, &primary, &rings()).await?;
    let (mut cancelled, mut hung_up, mut answered) = (0, 0, 0);
    for (call, number) in &calls {
        let end = rig.agi.wait_for_end(&call.code, SOON).await?;
        let attempts = rig.attempts(&end, 1).await?;
        let ended = || rig.seen(&rig.primary, number).iter().find_map(|call| call.outcome);
        let outcome = until("end of the carrier's call", ended).await?;
        match (end.dialstatus.as_str(), outcome) {
            ("CANCEL", Outcome::Cancelled) => cancelled += 1,
            ("CANCEL", Outcome::HungUpByCaller) => hung_up += 1,
            ("ANSWER", Outcome::HungUpByCaller) => answered += 1,
            (dialstatus, outcome) => report.check(format!("{dialstatus} with {outcome:?}"), false),
        }
        report.equal("times that h ran", times_ended(rig, &end).await, 1);
        report.equal("attempts", attempts.len(), 1);
        let (primary, backup) = (rig.seen(&rig.primary, number), rig.seen(&rig.backup, number));
        report.equal(
            "INVITEs at the primary and the backup",
            (primary.len(), backup.len()),
            (1, 0),
        );
        nothing_left(report, "PRIMARY", &primary);
    }
    report.note(format!(
        "{cancelled} cancelled, {hung_up} answered and hung up before the caller was connected, {answered} answered"
    ));
    report.equal("calls", calls.len(), 20);
    report.check("both orders were seen", cancelled > 0 && answered > 0);
    rig.wait_until_empty(SOON).await
}

/// The dialer redirects the answered leg and gives up its own half of the call at once: the customer stays.
pub(in super::super) async fn redirected_as_the_caller_ends(
    rig: &mut Rig,
    report: &mut Report,
) -> Result<(), LabError> {
    const CALLS: usize = 20;
    let ami = rig.asterisk.ami();
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, answers_and_waits());
        let call = auto_dial(rig, &number).await?;
        let half = rig.dialer.half_of(&call).await?;
        let customer = rig.dialer.take_customer(&call).await?;
        // The leg is on its way out of its bridge. The half may have ended by itself by now.
        let _ = ami.hangup(&half.name).await;
        let end = rig.agi.wait_for_end(&call.code, SOON).await?;
        report.equal("attempts", rig.attempts(&end, 1).await?.len(), 1);
        report.equal("times that the caller's h ran", times_ended(rig, &end).await, 1);
        calls.push((number, customer));
    }
    let only_customers = || async {
        let rows = ami.core_show_channels().await?;
        Ok((rows.len() <= CALLS).then_some(rows))
    };
    let left = eventually("end of all but the customers", only_customers).await?;
    for (number, customer) in &calls {
        let row = left.iter().find(|row| row.name == customer.name);
        report.equal(
            "the customer",
            row.map(|row| row.extension.as_str()),
            Some(CUSTOMER_EXTENSION),
        );
        report.check(
            format!("the carrier's call of {} is up", number.wire),
            rig.seen(&rig.primary, number).iter().any(CallRecord::is_active),
        );
    }
    report.equal("channels left", left.len(), CALLS);
    rig.primary.hang_up_all();
    rig.wait_until_empty(SOON).await
}

/// The same while the daemon has no connection: when it is back, the caller is gone and the customer is not its business.
pub(in super::super) async fn redirected_in_a_gap(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let wire = behind_a_wire(rig).await?;
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, answers_and_waits());
    let call = auto_dial(rig, &number).await?;
    report.check("the call is up", call.response().await?.answered);
    wire.cut();
    let half = rig.dialer.half_of(&call).await?;
    let customer = rig.dialer.take_customer(&call).await?;
    rig.asterisk.ami().hangup(&half.name).await?;
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    // The reader of the leg's state must not be faster than the one of the caller's. Dial() has told the end of both.
    let leg_seen = match rig.engine {
        Engine::Stasis => Some(wire.hold(Part::Answer, format!("GET /ari/channels/{}", customer.uniqueid))),
        Engine::Agi => None,
    };
    wire.mend();
    if let Some(leg_seen) = &leg_seen {
        leg_seen.wait_until_caught(SOON).await?;
    }
    report.equal("attempts", rig.attempts(&end, 1).await?.len(), 1);
    if let Some(leg_seen) = &leg_seen {
        leg_seen.release();
    }
    report.check(
        "the daemon looked twice",
        rig.wait_for_log_lines("books compared", 4).await,
    );
    let left = rig.asterisk.ami().core_show_channels().await?;
    let customers: Vec<_> = left
        .iter()
        .map(|row| (row.name.as_str(), row.extension.as_str()))
        .collect();
    report.equal("channels left", customers, vec![(customer.name.as_str(), "8368")]);
    report.check(
        "the carrier's call is up",
        rig.seen(&rig.primary, &number).iter().any(CallRecord::is_active),
    );
    rig.primary.hang_up_all();
    rig.wait_until_empty(SOON).await?;
    without_the_wire(rig).await
}
