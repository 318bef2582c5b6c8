//! Many calls: everything comes out right, and nothing is left.

use std::time::Duration;

use super::super::super::error::LabError;
use super::super::super::sip::{Answer, Script};
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Rig, SOON};
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

/// Memory between call 1,000 and call 10,000, every second call failing over.
pub(super) async fn growth(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const FIRST: usize = 1_000;
    const LAST: usize = 10_000;
    const PER_SECOND: u64 = 50;
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
    let mut pace = tokio::time::interval(Duration::from_micros(1_000_000 / PER_SECOND));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for index in 0..LAST {
        pace.tick().await;
        if index == FIRST {
            rig.wait_until_empty(SOON).await?;
            at_first = rig.daemon()?.resident_kb()?;
        }
        let number = rig.number(Entry::Primary);
        if index % 2 == 1 {
            rig.primary.on_number(&number.wire, refuses(503));
        }
        auto_dial(rig, &number).await?;
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
