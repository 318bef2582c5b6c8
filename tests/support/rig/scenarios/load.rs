//! Many calls: everything comes out right, and nothing is left.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crankback::store::AttemptFilter;

use super::super::super::dialer::PlacedCall;
use super::super::super::error::LabError;
use super::super::super::sip::{Answer, CallRecord, Refusal, Script};
use super::super::report::Report;
use super::super::soak::{self, Pace};
use super::super::{BACKUP, DIAL_TIMEOUT, Entry, Rig, SOON};
use super::{answers, auto_dial, refuses};

pub(super) async fn burst(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const CALLS: usize = 200;
    let mut calls = Vec::new();
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    for index in 0..CALLS {
        pace.tick().await;
        let number = rig.number(Entry::Primary);
        rig.primary
            .on_number(&number.wire, if index % 2 == 0 { answers() } else { refuses(503) });
        rig.backup.on_number(&number.wire, answers());
        calls.push((auto_dial(rig, &number).await?, number));
    }
    let mut gaps = Vec::new();
    for (index, (call, number)) in calls.iter().enumerate() {
        let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
        let fails_over = index % 2 == 1;
        let (primary, backup) = (rig.seen(&rig.primary, number), rig.seen(&rig.backup, number));
        report.equal(
            "DIALSTATUS",
            (end.dialstatus.as_str(), end.hangup_cause),
            ("ANSWER", Some(16)),
        );
        report.equal(
            "INVITEs at the primary and the backup",
            (primary.len(), backup.len()),
            (1, usize::from(fails_over)),
        );
        report.equal(
            "attempts",
            rig.attempts(&end, 1 + usize::from(fails_over)).await?.len(),
            1 + usize::from(fails_over),
        );
        if let (Some(failed), Some(next)) = (
            primary.first().and_then(|call| call.responded(503)),
            backup.first().and_then(|call| call.received("INVITE")),
        ) {
            gaps.push(next.at.duration_since(failed.at));
        }
    }
    gaps.sort();
    if let (Some(p50), Some(worst)) = (gaps.get(gaps.len() / 2), gaps.last()) {
        report.note(format!("{} failovers: gap p50 {p50:?}, worst {worst:?}", gaps.len()));
    }
    rig.wait_until_empty(SOON).await?;
    // A daemon that is told to stop goes when its last call's task has ended, and not before.
    let stopping = rig.take_daemon()?.stop().await?;
    report.note(format!("no task was left: the daemon stopped within {stopping:?}"));
    report.check(
        format!("no task is left: {stopping:?}"),
        stopping < Duration::from_secs(2),
    );
    rig.start_daemon().await?;
    Ok(())
}

/// 200 calls come within a second, the primary refuses each: the backup never gets more than it allows, and those that find
/// no room are told the primary's result.
pub(super) async fn limits(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const CHANNELS: usize = 15;
    // The last refusals come seconds after the first, also where a busy Asterisk stands still for some of them, so that the backup's
    // pace lets through more than its channels hold.
    let refused = |call: usize| {
        let later = Duration::from_millis(40 * (call as u64));
        Script::new().trying().after(later).finally(Refusal::code(503))
    };
    const PER_SECOND: usize = 10;
    let most = never_above(rig, report, CHANNELS, PER_SECOND, refused).await?;
    report.check(format!("the limit was reached: {most}"), most == CHANNELS);
    Ok(())
}

/// 200 calls at once, with limits of the backup and a primary that refuses them: the most legs that the backup had at one time.
pub(super) async fn never_above(
    rig: &mut Rig,
    report: &mut Report,
    channels: usize,
    per_second: usize,
    primary: impl Fn(usize) -> Script,
) -> Result<usize, LabError> {
    const CALLS: usize = 200;
    let began_ms = crankback::engine::now().wall_ms;
    rig.crankback(&format!(
        "carrier set {BACKUP} max_channels={channels} max_cps={per_second}"
    ))
    .await?;
    // So many calls at once may keep a busy machine from hearing the primary in time: it is given time.
    rig.crankback("carrier set PRIMARY guard_ms=30000 progress_ms=30000")
        .await?;
    let talks = || {
        Script::new()
            .trying()
            .finally(Answer::without_rtp().hang_up_after(Duration::from_secs(4)))
    };
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, primary(calls.len()));
        rig.backup.on_number(&number.wire, talks());
        calls.push((auto_dial(rig, &number).await?, number));
    }
    let mut ends = Vec::new();
    for (call, _) in &calls {
        ends.push(rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?);
    }
    rig.wait_until_empty(SOON).await?;
    let (mut answered, mut at_backup) = (0, Vec::new());
    for (end, (_, number)) in ends.iter().zip(&calls) {
        let backup = rig.seen(&rig.backup, number);
        let expected = if backup.is_empty() {
            ("CONGESTION", Some(34))
        } else {
            ("ANSWER", Some(16))
        };
        report.equal("DIALSTATUS", (end.dialstatus.as_str(), end.hangup_cause), expected);
        answered += usize::from(end.dialstatus == "ANSWER");
        at_backup.extend(backup);
    }
    let asked: Vec<_> = at_backup
        .iter()
        .filter_map(|call| Some(call.received("INVITE")?.at))
        .collect();
    let most = most_at_once(&at_backup);
    let let_out = let_out_since(rig, began_ms, asked.len()).await?;
    let window_ms = 700;
    let within = |from| {
        let_out
            .iter()
            .filter(|&&at| at >= from && at < from + window_ms)
            .count()
    };
    let fastest = let_out.iter().map(|&from| within(from)).max().unwrap_or_default();
    report.note(format!(
        "{answered} of {CALLS} found room: at most {most} legs at once, at most {fastest} within {window_ms} ms"
    ));
    report.equal("attempts through the backup", let_out.len(), asked.len());
    report.check(
        format!("never more than {per_second} a second: {fastest}"),
        fastest <= per_second,
    );
    report.equal("INVITEs at the backup", asked.len(), answered);
    report.check(format!("never more than {channels} legs: {most}"), most <= channels);
    rig.crankback(&format!("carrier set {BACKUP} max_channels= max_cps="))
        .await?;
    rig.crankback("carrier set PRIMARY guard_ms= progress_ms=").await?;
    Ok(most)
}

/// When the legs of the backup were let out, milliseconds since 1970. So many calls at once hold INVITEs up for seconds: the
/// pace is that of what was let out.
async fn let_out_since(rig: &Rig, began_ms: i64, legs: usize) -> Result<Vec<i64>, LabError> {
    let wanted = AttemptFilter {
        since_ms: Some(began_ms),
        carrier_id: Some(BACKUP.to_owned()),
        sip_code: None,
        call_id: None,
        limit: 1_000,
    };
    let began = Instant::now();
    loop {
        let rows = rig.store.find_attempts(wanted.clone()).await;
        let rows = rows.map_err(|error| LabError::Missing(error.to_string()))?;
        if rows.len() >= legs || began.elapsed() > SOON {
            return Ok(rows.into_iter().map(|row| row.started_ms).collect());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The most of these calls that a carrier had at one time, from the INVITE to the end.
pub(super) fn most_at_once(calls: &[CallRecord]) -> usize {
    let asked = |call: &CallRecord| call.received("INVITE").map(|packet| packet.at);
    let at_once = |moment| {
        let up = calls.iter().filter(|call| {
            let is_asked = asked(call).is_some_and(|asked| asked <= moment);
            is_asked && call.ended.is_none_or(|ended| ended.at > moment)
        });
        up.count()
    };
    calls.iter().filter_map(asked).map(at_once).max().unwrap_or_default()
}

/// Memory between call 1,000 and call 10,000, every second call failing over. So many calls are out at once on any machine.
pub(super) async fn growth(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const FIRST: usize = 1_000;
    const LAST: usize = 10_000;
    const AT_ONCE: usize = 20;
    const LIMIT_KB: u64 = 5 * 1024;
    let short = || {
        Script::new()
            .trying()
            .finally(Answer::without_rtp().hang_up_after(Duration::from_millis(100)))
    };
    for carrier in [&rig.primary, &rig.backup] {
        carrier.keep_records(false);
        carrier.set_default(short());
    }
    let before = (rig.primary.stats(), rig.backup.stats());
    let mut at_first = 0;
    let mut out: VecDeque<PlacedCall> = VecDeque::new();
    for index in 0..LAST {
        if out.len() == AT_ONCE
            && let Some(oldest) = out.pop_front()
        {
            rig.agi.wait_for_end(&oldest.code, SOON).await?;
        }
        if index == FIRST {
            rig.wait_until_empty(SOON).await?;
            at_first = rig.daemon()?.resident_kb()?;
        }
        let number = rig.number(Entry::Primary);
        if index % 2 == 1 {
            rig.primary.on_number(&number.wire, refuses(503));
        }
        out.push_back(auto_dial(rig, &number).await?);
    }
    rig.wait_until_empty(SOON).await?;
    let at_last = rig.daemon()?.resident_kb()?;
    let after = (rig.primary.stats(), rig.backup.stats());
    report.equal(
        "INVITEs at the primary",
        after.0.invites - before.0.invites,
        LAST as u64,
    );
    report.equal(
        "INVITEs at the backup",
        after.1.invites - before.1.invites,
        LAST as u64 / 2,
    );
    report.equal(
        "answered calls",
        after.0.answered + after.1.answered - before.0.answered - before.1.answered,
        LAST as u64,
    );
    report.note(format!(
        "resident memory {at_first} kB at call {FIRST}, {at_last} kB at call {LAST}"
    ));
    report.check(
        format!("memory grew by {} kB", at_last.saturating_sub(at_first)),
        at_last <= at_first + LIMIT_KB,
    );
    for carrier in [&rig.primary, &rig.backup] {
        carrier.keep_records(true);
        carrier.clear_scripts();
    }
    Ok(())
}

/// Every way in which a call can end, for two minutes; nothing is left. So many calls are out at once on any machine.
pub(super) async fn soak(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const LASTS: Duration = Duration::from_secs(120);
    let outcome = soak::run(rig, LASTS, Pace::AtOnce(20), |_| {}).await?;
    report.note(outcome.text());
    report.check(format!("all holds: {:?}", outcome.broken), outcome.broken.is_empty());
    Ok(())
}
