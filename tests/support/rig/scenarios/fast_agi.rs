//! What is the FastAGI engine's own: `Dial()` goes on without us.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::super::dialer::{DEFAULT_CONTEXT, NATIVE_CONTEXT};
use super::super::super::error::LabError;
use super::super::super::proxy::Wire;
use super::super::super::sip::{Answer, FakeCarrier, Refusal, Script};
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Number, Rig, SOON};
use super::{answers, auto_dial, refuses};

async fn wait_for_invites(rig: &Rig, carrier: &FakeCarrier, number: &Number, count: usize) -> Result<(), LabError> {
    let began = Instant::now();
    while rig.seen(carrier, number).len() < count {
        if began.elapsed() > SOON {
            return Err(LabError::Timeout {
                what: format!("{count} INVITEs of {}", number.wire),
                after: SOON,
            });
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

/// All attempts together get the time that `Dial()` was given, and the end looks like that of one `Dial()`.
pub(super) async fn ring_limit(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let limit = Duration::from_secs(8);
    let rings = || Script::new().trying().ringing();
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, rings());
    let began = Instant::now();
    let call = rig.dialer.manual(&number.dialled, DEFAULT_CONTEXT, limit).await?;
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT).await?;
    let took = began.elapsed();
    rig.wait_until_empty(SOON).await?;
    report.dialer_saw(&end);
    report.carrier_saw("PRIMARY", &rig.seen(&rig.primary, &number));
    report.carrier_saw("BACKUP", &rig.seen(&rig.backup, &number));
    let attempts = rig.attempts(&end, 2).await?;
    let whys: Vec<_> = attempts.iter().map(|row| row.why.as_str()).collect();
    report.equal("attempts", whys, vec!["carrier fault", "no time left"]);
    report.check(
        format!("the limit holds for both attempts together: {took:?}"),
        took >= limit - Duration::from_millis(100) && took < limit + Duration::from_secs(2),
    );

    let native = rig.number(Entry::Primary);
    rig.primary.on_number(&native.wire, rings());
    let call = rig.dialer.manual(&native.dialled, NATIVE_CONTEXT, limit).await?;
    let dial = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT).await?;
    rig.wait_until_empty(SOON).await?;
    report.note(format!(
        "plain Dial(): {}/{:?} {}; here {}/{:?} {}",
        dial.dialstatus, dial.hangup_cause, dial.tech_cause, end.dialstatus, end.hangup_cause, end.tech_cause
    ));
    report.equal("DIALSTATUS of plain Dial()", &end.dialstatus, &dial.dialstatus);
    report.equal("HANGUPCAUSE of plain Dial()", end.hangup_cause, dial.hangup_cause);
    report.equal("technology cause of plain Dial()", &end.tech_cause, &dial.tech_cause);
    Ok(())
}

/// The daemon dies while the primary makes up its mind: plain `Dial()` does what is left to do.
pub(super) async fn killed_between_attempts(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    for (code, dialstatus, invites) in [(503, "ANSWER", 2), (404, "CHANUNAVAIL", 1), (486, "BUSY", 1)] {
        let number = rig.number(Entry::Primary);
        let decides = Script::new().trying().after(Duration::from_millis(500));
        rig.primary
            .on_number(&number.wire, decides.finally(Refusal::code(code)));
        let call = auto_dial(rig, &number).await?;
        wait_for_invites(rig, &rig.primary, &number, 1).await?;
        rig.primary.on_number(&number.wire, answers());
        rig.take_daemon()?.kill()?;
        let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT).await?;
        rig.wait_until_empty(SOON).await?;
        report.dialer_saw(&end);
        report.carrier_saw("PRIMARY", &rig.seen(&rig.primary, &number));
        report.equal(format!("DIALSTATUS after {code}"), end.dialstatus.as_str(), dialstatus);
        report.equal(
            format!("INVITEs at the primary and the backup after {code}"),
            (
                rig.seen(&rig.primary, &number).len(),
                rig.seen(&rig.backup, &number).len(),
            ),
            (invites, 0),
        );
        rig.start_daemon().await?;
    }
    Ok(())
}

/// The daemon dies while the leg rings, the next one comes, then the carrier answers: the call is one that was answered.
pub(super) async fn answered_after_the_daemon(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    let rings = Script::new().trying().ringing().after(Duration::from_secs(6));
    rig.backup.on_number(&number.wire, rings.finally(Answer::with_rtp()));
    let call = rig.dialer.three_way(&number.dialled, DEFAULT_CONTEXT).await?;
    wait_for_invites(rig, &rig.backup, &number, 1).await?;
    rig.take_daemon()?.kill()?;
    rig.start_daemon().await?;
    report.check("the call is answered", call.response().await?.answered);
    report.check(
        "the next daemon knows the call",
        rig.wait_for_log_lines("a call goes on that another process began", 1)
            .await,
    );
    let heard = |rig: &Rig| -> u64 {
        rig.seen(&rig.backup, &number)
            .iter()
            .map(|call| call.rtp_received())
            .sum()
    };
    let (before, began) = (heard(rig), Instant::now());
    while heard(rig) == before && began.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    report.check("it is audible", heard(rig) > before);
    rig.backup.hang_up_all();
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    let attempts = rig.attempts(&end, 2).await?;
    rig.wait_until_empty(SOON).await?;
    report.dialer_saw(&end);
    report.equal(
        "DIALSTATUS",
        (end.dialstatus.as_str(), end.hangup_cause),
        ("ANSWER", Some(16)),
    );
    let seen: Vec<_> = attempts
        .iter()
        .map(|row| (row.carrier_id.as_str(), row.rule.as_deref(), row.dialstatus.as_str()))
        .collect();
    let expected = vec![
        ("PRIMARY", Some("sip_503"), "CONGESTION"),
        ("BACKUP", Some("answered"), "ANSWER"),
    ];
    report.equal("attempts on record", seen, expected);
    let invites = [&rig.primary, &rig.backup].map(|carrier| rig.seen(carrier, &number).len());
    report.equal("INVITEs at the primary and the backup", invites, [1, 1]);
    Ok(())
}

/// One call too many is dialled natively, at once.
pub(super) async fn too_many_sessions(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    rig.take_daemon()?.stop().await?;
    rig.start_daemon_with(&[("CRANKBACK_AGI__MAX_SESSIONS", "1")]).await?;
    let (first, second) = (rig.number(Entry::Primary), rig.number(Entry::Primary));
    let rings = Script::new().trying().ringing().after(Duration::from_secs(2));
    rig.primary.on_number(&first.wire, rings.finally(Answer::with_rtp()));
    rig.primary.on_number(&second.wire, answers());
    let ringing = auto_dial(rig, &first).await?;
    wait_for_invites(rig, &rig.primary, &first, 1).await?;
    let call = auto_dial(rig, &second).await?;
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    report.dialer_saw(&end);
    report.carrier_saw("PRIMARY", &rig.seen(&rig.primary, &second));
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "ANSWER");
    report.equal("INVITEs", rig.seen(&rig.primary, &second).len(), 1);
    report.equal("attempts on record", rig.store_attempts(&end).await?.len(), 0);
    let end = rig.agi.wait_for_end(&ringing.code, DIAL_TIMEOUT).await?;
    report.equal("attempts of the first call", rig.attempts(&end, 1).await?.len(), 1);
    rig.primary.hang_up_all();
    rig.wait_until_empty(SOON).await?;
    rig.take_daemon()?.stop().await?;
    rig.start_daemon().await?;
    Ok(())
}

/// Without ARI there is no guard, and everything else works: failover by response, a silent carrier as with plain `Dial()`,
/// slow ringing that no timer of ours may end.
pub(super) async fn ari_cut(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let wire = Wire::to(rig.asterisk.ports().http).await?;
    rig.take_daemon()?.stop().await?;
    rig.start_daemon_behind(&wire).await?;
    wire.cut();
    report.check(
        "the loss is seen",
        rig.wait_for_log_lines("ARI connection lost", 3).await,
    );

    let refused = rig.number(Entry::Primary);
    rig.primary.on_number(&refused.wire, refuses(503));
    rig.backup.on_number(&refused.wire, answers());
    let rang = rig.number(Entry::Primary);
    let rings_first = Script::new().trying().ringing().after(Duration::from_millis(300));
    rig.primary
        .on_number(&rang.wire, rings_first.finally(Refusal::code(503)));
    let slow = rig.number(Entry::Primary);
    let late = Script::new().trying().ringing().after(Duration::from_secs(14));
    let talks = Answer::with_rtp().hang_up_after(Duration::from_secs(1));
    rig.primary.on_number(&slow.wire, late.finally(talks));
    let calls = [
        (
            auto_dial(rig, &refused).await?,
            &refused,
            "ANSWER",
            vec!["PRIMARY", "BACKUP"],
        ),
        (auto_dial(rig, &rang).await?, &rang, "CONGESTION", vec!["PRIMARY"]),
        (auto_dial(rig, &slow).await?, &slow, "ANSWER", vec!["PRIMARY"]),
    ];
    for (call, number, dialstatus, carriers) in &calls {
        let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
        let attempts = rig.attempts(&end, carriers.len()).await?;
        report.dialer_saw(&end);
        report.crankback_said(&attempts, &rig.seen(&rig.primary, number));
        report.equal("DIALSTATUS", end.dialstatus.as_str(), dialstatus);
        let seen: Vec<&str> = attempts.iter().map(|row| row.carrier_id.as_str()).collect();
        report.equal("attempts", &seen, carriers);
    }
    wire.mend();
    report.check(
        "the daemon came back",
        rig.wait_for_log_lines("connected to Asterisk", 2).await,
    );
    let status: Value = rig.ask_crankback("status").await?;
    let unwatched = status.pointer("/counters/agi_calls_unwatched").and_then(Value::as_u64);
    report.equal("calls counted that went on without guard", unwatched, Some(3));
    rig.wait_until_empty(SOON).await?;
    rig.take_daemon()?.stop().await?;
    rig.start_daemon().await?;
    Ok(())
}
