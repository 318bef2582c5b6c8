//! What is known of carriers outlives the daemon, however it ends.

use super::super::super::super::agi_listener::AgiKind;
use super::super::super::super::dialer::DEFAULT_CONTEXT;
use super::super::super::super::sip::CallRecord;
use super::*;

type Setting = (&'static str, &'static str);

/// Longer than the case: what comes to the primary is no trial.
const LONG_BACK_OFF: [Setting; 2] = [
    ("CRANKBACK_HEALTH__FIRST_BACK_OFF_S", "600"),
    ("CRANKBACK_HEALTH__LONGEST_BACK_OFF_S", "600"),
];

/// How the daemon ends.
#[derive(Clone, Copy)]
enum End {
    Killed,
    Stopped,
}

/// Every call is refused.
pub(in super::super) async fn storm(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    stays_dead(rig, report, &LONG_BACK_OFF, 20, || refuses(503)).await
}

/// Nothing comes back.
pub(in super::super) async fn silence(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    stays_dead(rig, report, &LONG_BACK_OFF, 60, Script::silence).await
}

/// Every call is refused and every OPTIONS is answered well: those that the next daemon sees are no news.
pub(in super::super) async fn probes_fine_invites_dead(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let settings = [&PROBES[..], &LONG_BACK_OFF].concat();
    stays_dead(rig, report, &settings, 20, || refuses(503)).await
}

/// Calls come through and no OPTIONS are answered well, before a kill of the daemon and after it.
pub(in super::super) async fn probes_dead_invites_fine(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    begin(rig, &PROBES).await?;
    let mut calls = offer(rig, 1, 1, |_| answers_briefly()).await?;
    all_answered(rig, report, &calls).await?;
    rig.primary.set_options_reply(Reply::Code(503));
    calls.extend(calls_until_asked(rig, 4).await?);
    all_answered(rig, report, &calls).await?;
    let mut changes = states(rig);
    restart(rig, End::Killed, &PROBES).await?;
    calls.extend(calls_until_asked(rig, 4).await?);
    changes.extend(states(rig));
    all_answered(rig, report, &calls).await?;
    report.equal(
        "calls at the primary and the backup",
        reached(rig, &calls),
        (calls.len(), 0),
    );
    report.equal("changes of its state", changes, Vec::<String>::new());
    end(rig).await
}

/// Five bad seconds, five good ones, and the daemon is killed amid them: the cool-downs go on where they were.
pub(in super::super) async fn flapping(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    begin(rig, &[QUICK_TRIALS]).await?;
    let mut calls = offer(rig, 15 * FLAPPING_CALLS_PER_SECOND, FLAPPING_CALLS_PER_SECOND, flaps).await?;
    // Whoever is between two carriers when the daemon dies goes on to plain Dial().
    all_answered(rig, report, &calls).await?;
    let mut changes = states(rig);
    restart(rig, End::Killed, &[QUICK_TRIALS]).await?;
    calls.extend(offer(rig, 15 * FLAPPING_CALLS_PER_SECOND, FLAPPING_CALLS_PER_SECOND, flaps).await?);
    all_answered(rig, report, &calls).await?;
    changes.extend(states(rig));
    failed_rarely(rig, report, &calls, &changes);
    end(rig).await
}

/// A daemon that is killed, or told to stop, does not forget that the primary is dead: no call is wasted on it.
async fn stays_dead(
    rig: &mut Rig,
    report: &mut Report,
    settings: &[Setting],
    calls: u32,
    primary: impl Fn() -> Script,
) -> Result<(), LabError> {
    begin(rig, settings).await?;
    let calls = offer(rig, calls, 20, |_| primary()).await?;
    wait_for_state(rig, "failed").await?;
    all_answered(rig, report, &calls).await?;
    for end in [End::Killed, End::Stopped] {
        is_on_record(rig, "\"failed\"").await?;
        restart(rig, end, settings).await?;
        if settings.contains(&PROBES[0]) {
            options(rig, 3).await?;
        }
        let calls = offer(rig, 10, 20, |_| primary()).await?;
        all_answered(rig, report, &calls).await?;
        report.equal("calls at the primary and the backup", reached(rig, &calls), (0, 10));
    }
    end(rig).await
}

async fn restart(rig: &mut Rig, end: End, settings: &[(&str, &str)]) -> Result<(), LabError> {
    let daemon = rig.take_daemon()?;
    match end {
        End::Killed => daemon.kill()?,
        End::Stopped => daemon.stop().await.map(drop)?,
    }
    let settings: Vec<_> = [ACTS].iter().chain(settings).copied().collect();
    rig.start_daemon_with(&settings).await
}

/// Waits until the store has what the daemon knows.
async fn is_on_record(rig: &Rig, what: &str) -> Result<(), LabError> {
    let began = Instant::now();
    loop {
        let kept = rig.store.health_snapshot(SERVER_IP).await;
        let kept = kept.map_err(|error| LabError::Missing(error.to_string()))?;
        if kept.is_some_and(|text| text.contains(what)) {
            return Ok(());
        }
        if began.elapsed() > SOON {
            let what = format!("{what} in the health on record");
            return Err(LabError::Timeout { what, after: SOON });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The daemon is killed in the middle of a burst that goes to the backup, and another burst meets the next one: the backup never
/// has more than it allows.
pub(in super::super) async fn limit(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const CHANNELS: usize = 10;
    rig.crankback(&format!("carrier set {BACKUP} max_channels={CHANNELS}"))
        .await?;
    let first = burst(rig, 2 * CHANNELS).await?;
    let is_half_full = rig.backup.wait_for(|stats| stats.active >= CHANNELS as u64 / 2, SOON);
    is_half_full
        .await
        .map_err(|error| LabError::Missing(error.to_string()))?;
    rig.take_daemon()?.kill()?;
    rig.start_daemon().await?;
    let second = burst(rig, 2 * CHANNELS).await?;
    let began = Instant::now();
    let settled = async |calls: &Calls| {
        for (call, number) in calls {
            let is_up = || rig.seen(&rig.backup, number).iter().any(CallRecord::is_active);
            while !is_up() && !has_ended(rig, &call.code).await {
                if began.elapsed() > DIAL_TIMEOUT {
                    return Err(LabError::Timeout {
                        what: "calls that are up or over".to_owned(),
                        after: DIAL_TIMEOUT,
                    });
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    };
    settled(&second).await?;
    let at_backup: Vec<CallRecord> = first
        .iter()
        .chain(&second)
        .flat_map(|(_, number)| rig.seen(&rig.backup, number))
        .collect();
    let most = load::most_at_once(&at_backup);
    report.note(format!(
        "{} of {} calls before the kill and {} of {} after it reached the backup",
        reached(rig, &first).1,
        first.len(),
        reached(rig, &second).1,
        second.len()
    ));
    report.check(
        format!("{most} legs at the backup at once"),
        (CHANNELS / 2..=CHANNELS).contains(&most),
    );
    rig.backup.hang_up_all();
    rig.wait_until_empty(DIAL_TIMEOUT + SOON).await?;
    rig.crankback(&format!("carrier set {BACKUP} max_channels=")).await?;
    Ok(())
}

async fn has_ended(rig: &Rig, code: &str) -> bool {
    let records = rig.agi.records_for(code).await;
    records.iter().any(|record| record.kind == AgiKind::End)
}

/// Calls at once that the primary refuses and the backup answers; they stay until somebody hangs up.
async fn burst(rig: &Rig, calls: usize) -> Result<Calls, LabError> {
    let answers = || {
        Script::new()
            .trying()
            .after(Duration::from_millis(300))
            .finally(Answer::without_rtp())
    };
    let mut placed = Vec::new();
    for _ in 0..calls {
        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, refuses(503));
        rig.backup.on_number(&number.wire, answers());
        placed.push((rig.dialer.three_way(&number.dialled, DEFAULT_CONTEXT).await?, number));
    }
    Ok(placed)
}

/// The longest back-off begins just as the primary is well again, and it answers no OPTIONS: single calls find out.
pub(in super::super) async fn back_without_options(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const LIMIT: Duration = Duration::from_secs(65);
    // The first one already is as long as they get.
    begin(rig, &[("CRANKBACK_HEALTH__FIRST_BACK_OFF_S", "60")]).await?;
    rig.primary.set_options_reply(Reply::Silence);
    let calls = offer(rig, 20, 20, |_| refuses(503)).await?;
    wait_for_state(rig, "failed").await?;
    let began = Instant::now();
    all_answered(rig, report, &calls).await?;
    let mut calls = Vec::new();
    while states(rig).last().is_none_or(|state| state != "active") && began.elapsed() < 2 * LIMIT {
        calls.extend(offer(rig, 1, 1, |_| answers_briefly()).await?);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let took = began.elapsed();
    let trials = reached(rig, &calls).0;
    report.note(format!("back after {took:.1?}, {trials} trials: {:?}", states(rig)));
    report.check(format!("back within {LIMIT:?}: {took:?}"), took <= LIMIT);
    report.equal("trials", trials, 3);
    all_answered(rig, report, &calls).await?;
    let calls = offer(rig, 10, 10, |_| answers_briefly()).await?;
    all_answered(rig, report, &calls).await?;
    report.equal("calls at the primary and the backup", reached(rig, &calls), (10, 0));
    end(rig).await
}
