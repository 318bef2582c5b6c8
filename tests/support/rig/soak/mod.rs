//! The soak: every way in which a call can end, in turn and over and over, with both engines; then nothing may be left.
//!
//! Health watches the carriers and does not steer, so that every fault is met; one carrier (`OLDDRIVER`) flaps, good for five
//! seconds, 503 for five seconds. Both carriers do the same with a number where they can: a call comes out alike even if a slow
//! machine makes the first one late.
//!
//! What must hold, in [`Outcome::broken`]'s words: every call comes out as its kind does; Asterisk has neither channels nor
//! bridges; the daemon knows of no call, holds no place at a carrier and has written every attempt with its end; rows are
//! as many as the distinct INVITEs that the carriers counted; memory is flat; the daemon ends at once, so that no task was left.

mod kind;
mod outcome;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crankback::control::StatusView;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use self::kind::Kind;
pub use self::outcome::Outcome;
use super::super::error::LabError;
use super::super::sip::FakeCarrier;
use super::{BACKUP, DIAL_TIMEOUT, Engine, Rig, SOON};

/// How the flapping carrier changes its mind.
const FLAPS_EVERY: Duration = Duration::from_secs(5);
/// Calls that are out at once never exceed this, whatever the pace: a machine that cannot keep up is not buried.
const MOST_AT_ONCE: usize = 400;
/// A daemon that is told to stop goes when its last task has ended.
const STOPS_WITHIN: Duration = Duration::from_secs(2);

/// Attempts whose end is not on record, or was put there by the daemon's own clearing up.
const WITHOUT_END: &str = "ended_ms IS NULL OR ended_by = 'unseen'";

/// How quickly calls follow each other.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// So many a second.
    PerSecond(u32),
    /// So many out at once, on any machine.
    AtOnce(usize),
}

/// Places calls for so long and looks what is left. `progress` is told a line every few seconds.
pub async fn run(rig: &mut Rig, lasts: Duration, pace: Pace, progress: impl Fn(String)) -> Result<Outcome, LabError> {
    begin(rig).await?;
    let before = (rig.attempt_rows(None)?, invites(rig));
    let without_end = rig.attempt_rows(Some(WITHOUT_END))?;
    let mut outcome = Outcome::default();
    place_calls(rig, lasts, pace, &mut outcome, progress).await?;
    let emptied = rig.wait_until_empty(DIAL_TIMEOUT + SOON).await;
    outcome.require(emptied.is_ok(), || format!("Asterisk is not empty: {emptied:?}"));
    let status = settled(rig).await?;
    outcome.require(status.calls.total() == 0, || {
        format!("calls are left: {:?}", status.calls)
    });
    outcome.require(status.legs_out.is_empty(), || {
        format!("places at carriers are left: {:?}", status.legs_out)
    });
    outcome.require(status.attempts_waiting == 0, || {
        format!("attempts are not in the store: {}", status.attempts_waiting)
    });
    let still_without_end = rig.attempt_rows(Some(WITHOUT_END))?;
    outcome.require(still_without_end == without_end, || {
        format!("ends of attempts are not on record: {still_without_end:?}, before {without_end:?}")
    });
    outcome.count(&before.0, &rig.attempt_rows(None)?, before.1, invites(rig));
    outcome.judge_memory();
    let stopping = rig.take_daemon()?.stop().await?;
    outcome.require(stopping < STOPS_WITHIN, || {
        format!("tasks are left: the daemon took {stopping:?} to stop")
    });
    end(rig).await?;
    Ok(outcome)
}

/// A daemon that says little, and carriers that know what to do with each kind of call.
async fn begin(rig: &mut Rig) -> Result<(), LabError> {
    rig.take_daemon()?.stop().await?;
    // A limit of its own: otherwise the retry budget would tell how many calls may fail over.
    rig.crankback(&format!("carrier set {BACKUP} max_channels=1000"))
        .await?;
    for carrier in [&rig.primary, &rig.backup] {
        carrier.keep_records(false);
    }
    for kind in Kind::ALL {
        rig.primary.on_prefix(&kind.prefix(), kind.at_primary(false));
        rig.backup.on_prefix(&kind.prefix(), kind.at_backup());
    }
    rig.start_daemon_with(&[("CRANKBACK_LOG__LEVEL", "warn")]).await
}

/// Everything as other cases have it.
async fn end(rig: &mut Rig) -> Result<(), LabError> {
    for carrier in [&rig.primary, &rig.backup] {
        carrier.keep_records(true);
        carrier.clear_scripts();
    }
    rig.crankback(&format!("carrier set {BACKUP} max_channels=")).await?;
    rig.start_daemon().await?;
    Ok(())
}

async fn place_calls(
    rig: &Rig,
    lasts: Duration,
    pace: Pace,
    outcome: &mut Outcome,
    progress: impl Fn(String),
) -> Result<(), LabError> {
    let began = Instant::now();
    let most = match pace {
        Pace::PerSecond(_) => MOST_AT_ONCE,
        Pace::AtOnce(calls) => calls,
    };
    // Calls that come at once still come one after the other, so that the carriers' answers are looked at in between.
    let mut due = tokio::time::interval(match pace {
        Pace::PerSecond(calls) => Duration::from_secs(1) / calls,
        Pace::AtOnce(_) => Duration::from_millis(1),
    });
    let mut looks = tokio::time::interval((lasts / 40).clamp(Duration::from_secs(1), Duration::from_secs(5)));
    let mut flaps = tokio::time::interval(FLAPS_EVERY);
    let mut refuses = true;
    let mut turns = Kind::ALL
        .into_iter()
        .flat_map(|kind| Engine::ALL.map(|engine| (kind, engine)))
        .cycle();
    let mut calls = FuturesUnordered::new();
    loop {
        let goes_on = began.elapsed() < lasts;
        if !goes_on && calls.is_empty() {
            return Ok(());
        }
        tokio::select! {
            _ = due.tick(), if goes_on && calls.len() < most => {
                let Some((kind, engine)) = turns.next() else { continue };
                calls.push(async move { (kind, engine, kind.play(rig, engine).await) });
            }
            Some((kind, engine, end)) = calls.next() => outcome.ended(kind, engine, end),
            _ = flaps.tick() => {
                refuses = !refuses;
                rig.primary.on_prefix(&Kind::Flapping.prefix(), Kind::Flapping.at_primary(refuses));
            }
            _ = looks.tick() => {
                let memory_kb = rig.daemon()?.anonymous_kb()?;
                if goes_on {
                    outcome.memory(began.elapsed().as_secs_f64() / lasts.as_secs_f64(), memory_kb);
                }
                progress(format!(
                    "{:>5} s of {}: {} calls over, {} out, {} not as they should be; {} channels; the daemon has {memory_kb} kB",
                    began.elapsed().as_secs(), lasts.as_secs(), outcome.calls(), calls.len(), outcome.astray(),
                    rig.asterisk.channel_count().await?,
                ));
            }
        }
    }
}

/// Distinct INVITEs that each carrier has counted.
fn invites(rig: &Rig) -> [u64; 2] {
    [&rig.primary, &rig.backup].map(|carrier: &FakeCarrier| carrier.stats().invites)
}

/// What the daemon says of itself once nothing waits any more; or what it says in the end.
async fn settled(rig: &Rig) -> Result<StatusView, LabError> {
    let began = Instant::now();
    loop {
        let status: StatusView = rig.ask_crankback("status").await?;
        let is_settled = status.calls.total() == 0 && status.legs_out.is_empty() && status.attempts_waiting == 0;
        if is_settled || began.elapsed() > SOON {
            return Ok(status);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Numbers by name.
type Counts = BTreeMap<String, u64>;
