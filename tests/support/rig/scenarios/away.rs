//! The daemon is away, comes back, or is stuck: calls go on.

use std::time::{Duration, Instant};

use crankback::control::StatusView;
use nix::sys::signal::Signal;

use super::super::super::dialer::DEFAULT_CONTEXT;
use super::super::super::error::LabError;
use super::super::super::proxy::Wire;
use super::super::super::sip::{Answer, Script};
use super::super::report::Report;
use super::super::{BACKUP, DIAL_TIMEOUT, Engine, Entry, Number, Rig, SOON};
use super::{answers, answers_and_waits, auto_dial, refuses};

pub(super) async fn not_running(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    rig.take_daemon()?.stop().await?;
    for (code, dialstatus, cause) in [(200, "ANSWER", 16), (503, "CONGESTION", 34)] {
        let number = rig.number(Entry::Primary);
        rig.primary
            .on_number(&number.wire, if code == 200 { answers() } else { refuses(code) });
        let call = auto_dial(rig, &number).await?;
        let end = rig.agi.wait_for_end(&call.code, SOON).await?;
        rig.wait_until_empty(SOON).await?;
        let primary = rig.seen(&rig.primary, &number);
        report.dialer_saw(&end);
        report.carrier_saw("PRIMARY", &primary);
        report.equal(
            "plain Dial()",
            (end.dialstatus.as_str(), end.hangup_cause),
            (dialstatus, Some(cause)),
        );
        let invites = (primary.len(), rig.seen(&rig.backup, &number).len());
        report.equal("INVITEs at the primary and the backup", invites, (1, 0));
        report.equal("attempts on record", rig.store_attempts(&end).await?.len(), 0);
    }
    rig.start_daemon().await?;
    Ok(())
}

/// A daemon that Asterisk refuses says so, takes nothing, and ends.
pub(super) async fn wrong_password(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let output = rig.run_with_password("not-the-password").await?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    report.equal("exit code", output.status.code(), Some(1));
    let last = words.lines().last().unwrap_or_default().to_owned();
    report.note(&last);
    let names_it =
        last.contains("Asterisk at http://127.0.0.1:") && last.contains("refused the ARI user or its password");
    report.check(
        format!("the message names the place and the password: {last}"),
        names_it,
    );
    report.check("the password is not repeated", !words.contains("not-the-password"));
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    report.equal("the running daemon still serves", rig.attempts(&end, 1).await?.len(), 1);
    rig.wait_until_empty(SOON).await
}

/// How a daemon goes while calls are up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goes {
    Killed,
    Told,
}

pub(super) async fn killed_during_calls(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    calls_outlive(rig, report, Goes::Killed).await
}

pub(super) async fn stopped_during_calls(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    calls_outlive(rig, report, Goes::Told).await
}

/// Answered calls outlive the daemon, audible all the while; the next one ends them properly.
async fn calls_outlive(rig: &mut Rig, report: &mut Report, goes: Goes) -> Result<(), LabError> {
    const CALLS: usize = 20;
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, refuses(503));
        rig.backup.on_number(&number.wire, answers_and_waits());
        // Its first channel is answered when caller and called party are connected, and waits in the conference then.
        let call = rig.dialer.three_way(&number.dialled, DEFAULT_CONTEXT).await?;
        report.check("a call is up", call.response().await?.answered);
        calls.push((call, number));
    }
    if rig.engine == Engine::Agi {
        // Dial() answers the caller before crankback knows; with Stasis crankback does.
        for (call, _) in &calls {
            if let Some(start) = rig.agi.records_for(&call.code).await.first() {
                report.equal("attempts before", rig.attempts_begun(start, 2).await?.len(), 2);
            }
        }
    }
    match goes {
        Goes::Killed => rig.take_daemon()?.kill()?,
        Goes::Told => {
            let stopped = rig.take_daemon()?.stop().await?;
            report.note(format!("stopped within {stopped:?}"));
            report.check(
                format!("it does not wait for connected calls: {stopped:?}"),
                stopped < Duration::from_secs(2),
            );
        }
    }
    report.equal("calls up without a daemon", rig.backup.active_calls().len(), CALLS);
    let is_audible = |before: &[u64], after: &[u64]| before.iter().zip(after).all(|(before, after)| after > before);
    let heard = |rig: &Rig| -> Vec<u64> {
        let packets = |number| {
            rig.seen(&rig.backup, number)
                .iter()
                .map(|call| call.rtp_received())
                .sum()
        };
        calls.iter().map(|(_, number)| packets(number)).collect()
    };
    let (before, began) = (heard(rig), Instant::now());
    while !is_audible(&before, &heard(rig)) && began.elapsed() < Duration::from_secs(1) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    report.check(
        "every call is audible without a daemon",
        is_audible(&before, &heard(rig)),
    );

    rig.start_daemon().await?;
    let found = match rig.engine {
        Engine::Stasis => "adopted a call",
        Engine::Agi => "a call goes on that another process began",
    };
    report.check(
        "the next daemon knows every call",
        rig.wait_for_log_lines(found, CALLS).await,
    );
    report.equal("calls up with the next daemon", rig.backup.active_calls().len(), CALLS);
    let status: StatusView = rig.ask_crankback("status").await?;
    let places = status.legs_out.get(BACKUP).copied();
    report.equal("places that they take at their carrier", places, Some(CALLS as u32));
    let hung_up = Instant::now();
    rig.backup.hang_up_all();
    let mut slowest = Duration::ZERO;
    for (call, number) in &calls {
        let end = rig.agi.wait_for_end(&call.code, SOON).await?;
        slowest = slowest.max(end.received_at.saturating_duration_since(hung_up));
        report.equal(
            "DIALSTATUS",
            (end.dialstatus.as_str(), end.hangup_cause),
            ("ANSWER", Some(16)),
        );
        let attempts = rig.attempts(&end, 2).await?;
        let seen: Vec<_> = attempts
            .iter()
            .map(|row| {
                (
                    row.n,
                    row.carrier_id.as_str(),
                    row.number.clone(),
                    row.rule.as_deref(),
                    row.dialstatus.as_str(),
                )
            })
            .collect();
        let wire = number.wire.clone();
        report.equal(
            "attempts on record",
            seen,
            vec![
                (1, "PRIMARY", wire.clone(), Some("sip_503"), "CONGESTION"),
                (2, "BACKUP", wire, Some("answered"), "ANSWER"),
            ],
        );
        let cause = attempts.last().and_then(|row| row.q850_cause);
        report.equal("cause on record", cause, Some(16));
    }
    report.note(format!(
        "{CALLS} calls: the slowest caller's h ran {slowest:?} after the callees' BYE"
    ));
    report.check(
        format!("every BYE reached its caller's h within a second: {slowest:?}"),
        slowest < Duration::from_secs(1),
    );
    rig.wait_until_empty(SOON).await
}

/// A second daemon is started beside the first: it takes over calls that are up, calls that ring and calls of which only the
/// 100 was seen, and loses none. The first one has nothing more to say, though the time that it gave its legs runs out.
pub(super) async fn taken_over(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const CALLS: usize = 12;
    let rings_for = Duration::from_secs(3);
    let mut calls = Vec::new();
    for index in 0..CALLS {
        let number = rig.number(Entry::Primary);
        let up_at_once = index % 3 == 0;
        let script = match index % 3 {
            0 => Script::new(),
            1 => Script::new().trying().ringing().after(rings_for),
            _ => Script::new().trying().after(rings_for),
        };
        rig.primary.on_number(&number.wire, script.finally(Answer::with_rtp()));
        let call = rig.dialer.three_way(&number.dialled, DEFAULT_CONTEXT).await?;
        if up_at_once {
            report.check("a call is up", call.response().await?.answered);
        }
        calls.push((call, number));
    }
    let first = rig.take_daemon()?;
    rig.start_daemon().await?;
    let gone = first.ended(SOON).await?;
    report.check(
        format!("the first daemon left of its own accord: {gone}"),
        gone.success(),
    );
    for (call, _) in &calls {
        report.check("a call that rang came up", call.response().await?.answered);
    }
    report.equal("calls up", rig.primary.active_calls().len(), CALLS);
    rig.primary.hang_up_all();
    for (call, number) in &calls {
        let end = rig.agi.wait_for_end(&call.code, SOON).await?;
        report.equal(
            "DIALSTATUS",
            (end.dialstatus.as_str(), end.hangup_cause),
            ("ANSWER", Some(16)),
        );
        report.equal(
            "INVITEs",
            (
                rig.seen(&rig.primary, number).len(),
                rig.seen(&rig.backup, number).len(),
            ),
            (1, 0),
        );
        let attempts = rig.attempts(&end, 1).await?;
        let rules: Vec<_> = attempts.iter().map(|row| row.rule.as_deref()).collect();
        report.equal("attempts on record", rules, vec![Some("answered")]);
    }
    rig.wait_until_empty(SOON).await
}

/// The connection to Asterisk is cut while one call talks, one rings on, and two are answered in the gap: one that rang before,
/// one of which only the 100 was seen.
async fn wire_is_cut(rig: &mut Rig, report: &mut Report, gap: Duration) -> Result<(), LabError> {
    let wire = Wire::to(rig.asterisk.ports().http).await?;
    rig.take_daemon()?.stop().await?;
    rig.start_daemon_behind(&wire).await?;
    let connections_before = wire.connections();
    let mut calls = Vec::new();
    // The dialer itself gives a call up after 30 seconds.
    let longer = gap.min(Duration::from_secs(20)) + Duration::from_secs(2);
    let in_the_gap = gap.min(Duration::from_secs(20)) / 2;
    for (shown, answered_after) in [
        (180, Duration::ZERO),
        (180, longer),
        (180, in_the_gap),
        (100, in_the_gap),
    ] {
        let number = rig.number(Entry::Primary);
        let script = match shown {
            180 => Script::new().trying().ringing(),
            _ => Script::new().trying(),
        };
        let script = script.after(answered_after).finally(Answer::with_rtp());
        rig.primary.on_number(&number.wire, script);
        let call = rig.dialer.three_way(&number.dialled, DEFAULT_CONTEXT).await?;
        if answered_after.is_zero() {
            report.check("the first call is up", call.response().await?.answered);
        }
        let began = Instant::now();
        let has_shown = |rig: &Rig| {
            rig.seen(&rig.primary, &number)
                .iter()
                .any(|call| call.responded(shown).is_some())
        };
        while !has_shown(rig) && began.elapsed() < SOON {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        calls.push((call, number));
    }
    wire.cut();
    tokio::time::sleep(gap).await;
    let attempts = wire.connections() - connections_before;
    wire.mend();
    let mended = Instant::now();
    report.check(
        "the daemon came back",
        rig.wait_for_log_lines("connected to Asterisk", 2).await,
    );
    report.note(format!(
        "cut for {gap:?}: {attempts} connections asked for, back {:?} after it was mended",
        mended.elapsed()
    ));
    // Three websockets, of which each is asked for some five times a second.
    let limit = 100 + 25 * gap.as_secs();
    report.check(
        format!("no tight loop: {attempts} connections in {gap:?}"),
        attempts <= limit,
    );
    let active = |number: &Number| rig.seen(&rig.primary, number).iter().any(|call| call.is_active());
    report.check("the call that talked still talks", active(&calls[0].1));
    // Asterisk hangs a leg up that is answered while its application has no connection: nothing can be done about that but
    // to tell the dialer, and not to ring the called party again. A leg of Dial() is connected all the same.
    for (call, number) in &calls[2..] {
        if rig.engine == Engine::Agi {
            report.check(
                "a call that was answered in the gap is up",
                call.response().await?.answered,
            );
            report.check("and is not taken for a silent one", active(number));
            continue;
        }
        let unlucky = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
        report.check(
            format!("a call that was answered in the gap is over: {}", unlucky.dialstatus),
            unlucky.dialstatus != "ANSWER",
        );
    }
    if gap < Duration::from_secs(20) {
        report.check("the call that rang on came up", calls[1].0.response().await?.answered);
        report.check("and talks", active(&calls[1].1));
    }
    rig.primary.hang_up_all();
    let (first, _) = &calls[0];
    let end = rig.agi.wait_for_end(&first.code, SOON).await?;
    report.equal(
        "DIALSTATUS",
        (end.dialstatus.as_str(), end.hangup_cause),
        ("ANSWER", Some(16)),
    );
    for (_, number) in &calls {
        report.equal(
            "INVITEs",
            (
                rig.seen(&rig.primary, number).len(),
                rig.seen(&rig.backup, number).len(),
            ),
            (1, 0),
        );
    }
    rig.wait_until_empty(SOON + SOON + SOON).await?;
    rig.take_daemon()?.stop().await?;
    rig.start_daemon().await?;
    Ok(())
}

pub(super) async fn cut_for_a_second(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    wire_is_cut(rig, report, Duration::from_secs(1)).await
}

pub(super) async fn cut_for_a_minute(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    wire_is_cut(rig, report, Duration::from_secs(60)).await
}

/// Asterisk dies under a call and comes back: the daemon has nothing left of the old one and serves the new one.
pub(super) async fn asterisk_restarted(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, answers_and_waits());
    let call = rig.dialer.three_way(&number.dialled, DEFAULT_CONTEXT).await?;
    report.check("a call is up", call.response().await?.answered);
    rig.restart_asterisk().await?;
    report.check(
        "the daemon came back",
        rig.wait_for_log_lines("connected to Asterisk", 2).await,
    );
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    report.equal(
        "DIALSTATUS",
        (end.dialstatus.as_str(), end.hangup_cause),
        ("ANSWER", Some(16)),
    );
    report.equal("attempts on record", rig.attempts(&end, 2).await?.len(), 2);
    rig.wait_until_empty(SOON).await?;
    let stopped = rig.take_daemon()?.stop().await?;
    report.check(
        format!("no task of the old calls is left: {stopped:?}"),
        stopped < Duration::from_secs(2),
    );
    rig.primary.hang_up_all();
    rig.start_daemon().await?;
    Ok(())
}

/// SIGSTOP under ten calls a second. The service manager's watchdog ends the stuck process, and calls are native again.
pub(super) async fn frozen(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const NATIVE_AGAIN: Duration = Duration::from_secs(6);
    const FREEZE_AT: usize = 20;
    const CALLS: usize = 110;
    let mut placed = Vec::new();
    let mut stuck = None;
    let mut frozen_at = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    for index in 0..CALLS {
        pace.tick().await;
        if index == FREEZE_AT {
            let daemon = rig.take_daemon()?;
            daemon.signal(Signal::SIGSTOP)?;
            frozen_at = Instant::now();
            stuck = Some(tokio::spawn(daemon.end_when_silent()));
        }
        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, answers());
        let call = rig.dialer.auto_dial(&number.dialled, DEFAULT_CONTEXT, SOON).await?;
        placed.push((Instant::now(), call, number));
    }
    let silent = match stuck {
        Some(watchdog) => watchdog.await.map_err(|error| LabError::Missing(error.to_string()))??,
        None => return Err(LabError::Missing("the daemon was never frozen".to_owned())),
    };
    let ended_after = frozen_at.elapsed();
    report.note(format!("the watchdog ended the daemon after {silent:?} of silence"));
    if let Some((_, last, _)) = placed.last() {
        rig.agi.wait_for_end(&last.code, SOON).await?;
    }
    let (mut before, mut caught, mut native, mut late) = (0, 0, 0, 0);
    for (at, _, number) in &placed {
        let invited = rig
            .seen(&rig.primary, number)
            .first()
            .and_then(|call| call.received("INVITE"));
        let prompt = invited.is_some_and(|invite| invite.at.saturating_duration_since(*at) < Duration::from_secs(1));
        match at.checked_duration_since(frozen_at) {
            None => before += usize::from(prompt),
            Some(since) if since >= NATIVE_AGAIN && prompt => native += 1,
            Some(since) if since >= NATIVE_AGAIN => late += 1,
            Some(_) => caught += 1,
        }
    }
    report.note(format!(
        "{before} calls before, {caught} within {NATIVE_AGAIN:?} of the freeze, {native} native after it"
    ));
    report.equal("calls before the freeze that went out", before, FREEZE_AT);
    report.check(format!("calls came after the watchdog ({ended_after:?})"), native > 10);
    report.equal("calls that were not native again in time", late, 0);
    // The callers that were caught in the stuck process: the next one hands them to plain Dial().
    rig.start_daemon().await?;
    rig.wait_until_empty(SOON + SOON).await
}
