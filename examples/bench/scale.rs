//! `--scale`: a table of 100,000 routes and 2,000 answered calls held up at once, for each engine.
//!
//! The calls carry no media: what is measured is signalling, the daemon's and Asterisk's. Time to load is that of a whole start
//! or of a whole `crankback reload`, from the command until it has answered.
//!
//! Asterisk has three threads for a call with `agi` and five with `stasis`, and seven open files. Where the machine does not allow it so
//! many, as many calls are held as it allows, and memory is taken up to all of them by what those calls took; the result says so. Its
//! modules for timing are left out: nothing here plays sound, and they open three files more for each call.

use std::time::{Duration, Instant};

use crankback::control::StatusView;
use serde_json::{Value, json};

use crate::process::{cpu_of, files_left, threads_left, threads_of};
use crate::support::asterisk::dialplan::CUSTOMER_EXTENSION;
use crate::support::asterisk::modules::modules_conf;
use crate::support::error::LabError;
use crate::support::rig::daemon::Program;
use crate::support::rig::{BACKUP, DIAL_TIMEOUT, Engine, Entry, Rig};
use crate::support::roots::{AsteriskVersion, progress_on_stderr};
use crate::support::sip::{Answer, Script};

const ROUTES: usize = 100_000;
const CALLS: usize = 2_000;
const CALLS_PER_SECOND: u32 = 20;
/// Threads that are left to everything else on the machine.
const SPARE_THREADS: u64 = 800;
/// Open files that are left to the rest of Asterisk.
const SPARE_FILES: u64 = 600;
/// How many calls are placed between two looks at that and at the daemon.
const LOOK_EVERY: usize = 50;
/// What routes and calls together may take.
const MEMORY_LIMIT_KB: u64 = 100 * 1024;
/// For the last calls to be answered, and for all to be gone.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long calls that are merely up are looked at.
const QUIET: Duration = Duration::from_secs(10);
/// More RTP ports than the lab's own, below them; each leg takes two.
const RTP: &str = "[general]\nrtpstart = 10000\nrtpend = 19999\n";
const NO_TIMING: &str = "noload = res_timing_timerfd.so\nnoload = res_timing_pthread.so\n";

/// Routes for the prefixes of exchanges, the eighth part for each carrier that sends calls.
fn routes() -> String {
    let entries: Vec<String> = Entry::ALL
        .iter()
        .map(|entry| format!("'{}'", entry.carrier_id()))
        .collect();
    let nth = (0..entries.len()).zip(&entries);
    let cases: String = nth.map(|(nth, entry)| format!("WHEN {nth} THEN {entry} ")).collect();
    format!(
        "INSERT INTO crankback_outbound_routes \
         (id, entry_carrier_id, match_type, match_text, carrier_id, priority, weight, enabled) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROUTES}) \
         SELECT 1000 + i, CASE i % {} {cases}END, 'prefix', '1' || (200000 + i * 7), '{BACKUP}', 3, 1, 1 FROM n",
        entries.len()
    )
}

/// Runs it and prints what came out; whether all calls that the machine allows were held and memory stays below its limit.
pub async fn run(version: AsteriskVersion, json: bool) -> Result<bool, LabError> {
    let files = vec![
        ("rtp.conf".to_owned(), RTP.to_owned()),
        ("modules.conf".to_owned(), modules_conf() + NO_TIMING),
    ];
    let program = Program::itself()?;
    let mut rig = Rig::start_with_files(version, Engine::Stasis, program, progress_on_stderr, files).await?;
    rig.primary.keep_records(false);
    rig.primary
        .set_default(Script::new().trying().ringing().finally(Answer::without_rtp()));
    let without = start(&mut rig).await?;
    rig.sql(&routes())?;
    let with = start(&mut rig).await?;
    let mut engines = serde_json::Map::new();
    let mut fits = true;
    for engine in Engine::ALL {
        // Each engine has a daemon that has carried no call before.
        start(&mut rig).await?;
        let held = hold(&rig, engine).await?;
        fits &= held.is_whole && held.rss_kb_with_all < MEMORY_LIMIT_KB;
        engines.insert(engine.as_str().to_owned(), held.measured);
    }
    let result = json!({
        "asterisk": version.to_string(),
        "few_routes": without,
        "many_routes": with,
        "engines": engines,
    });
    let text = serde_json::to_string_pretty(&result).map_err(|error| LabError::Missing(error.to_string()))?;
    match json {
        true => println!("{result}"),
        false => println!("{text}"),
    }
    Ok(fits)
}

/// Starts the daemon anew: how many routes it has, when it was ready, what it takes then.
async fn start(rig: &mut Rig) -> Result<Value, LabError> {
    rig.take_daemon()?.stop().await?;
    let began = Instant::now();
    rig.start_daemon_with(&[("CRANKBACK_LOG__LEVEL", "warn")]).await?;
    let ready = began.elapsed();
    let status: StatusView = rig.ask_crankback("status").await?;
    let before = rig.daemon()?.resident_kb()?;
    let reload = reload(rig).await?;
    Ok(json!({
        "routes": status.tables.routes,
        "ready_ms": milliseconds(ready),
        "rss_kb": before,
        "reload_ms": milliseconds(reload),
        "rss_after_reload_kb": rig.daemon()?.resident_kb()?,
    }))
}

async fn reload(rig: &Rig) -> Result<Duration, LabError> {
    let began = Instant::now();
    rig.crankback("reload").await?;
    Ok(began.elapsed())
}

/// What came of holding calls.
struct Held {
    measured: Value,
    /// All that were placed were held, and no fewer were placed than the machine allows.
    is_whole: bool,
    /// The daemon's memory at its fullest, with as many calls as there should be.
    rss_kb_with_all: u64,
}

/// Places calls, all or as many as the machine has threads and files for; whether Asterisk took them all, and how many it took.
async fn place(rig: &Rig, engine: Engine) -> Result<(bool, usize), LabError> {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / CALLS_PER_SECOND);
    for placed in 0..CALLS {
        pace.tick().await;
        if placed % LOOK_EVERY == 0 {
            let (threads, files) = (threads_left(), files_left(rig.asterisk.pid()?));
            if threads.is_some_and(|left| left < SPARE_THREADS) || files.is_some_and(|left| left < SPARE_FILES) {
                eprintln!(
                    "bench: with {placed} calls the machine allows {threads:?} more threads, and Asterisk {files:?} more open files: \
                     no more calls"
                );
                return Ok((true, placed));
            }
            eprintln!(
                "{}: {placed} calls placed, {} answered at the carrier, the daemon has {} kB",
                engine.as_str(),
                rig.primary.stats().active,
                rig.daemon()?.resident_kb()?
            );
        }
        let number = rig.number(Entry::Primary);
        let variables = [("CB_ENGINE", engine.as_str())];
        let call = rig
            .dialer
            .auto_dial_with(&number.dialled, DIAL_TIMEOUT, CUSTOMER_EXTENSION, &variables)
            .await;
        if let Err(error) = call {
            eprintln!("bench: Asterisk takes no more than {placed} calls: {error}");
            return Ok((false, placed));
        }
    }
    Ok((true, CALLS))
}

/// Places the calls, looks at them while they are up, ends them.
async fn hold(rig: &Rig, engine: Engine) -> Result<Held, LabError> {
    let before = Books::of(rig).await?;
    let rss_before_kb = rig.daemon()?.resident_kb()?;
    let threads_before = threads_of(rig.asterisk.pid()?)?;
    let began = Instant::now();
    let (took_all, placed) = place(rig, engine).await?;
    let live = connected(rig, placed).await?;
    let placed_in = began.elapsed();
    let up = Books::of(rig).await?;
    let rss_kb = rig.daemon()?.resident_kb()?;
    tokio::time::sleep(QUIET).await;
    let quiet = Books::of(rig).await?;
    let threads_up = threads_of(rig.asterisk.pid()?)?;
    let swap = reload(rig).await?;
    let rss_after_reload_kb = rig.daemon()?.resident_kb()?;
    let channels = rig.asterisk.channel_count().await?;
    let hanging_up = Books::of(rig).await?;
    rig.primary.hang_up_all();
    rig.wait_until_empty(PATIENCE).await?;
    let ended = Books::of(rig).await?;
    let (calls, events) = (live.max(1) as f64, (up.events - before.events) as f64);
    // Few events are for calls of `agi`: Asterisk's `Dial()` acts on them.
    let per_event = |time: f64| (events >= calls).then(|| time / events);
    let ms = |from: Duration, until: Duration| until.saturating_sub(from).as_secs_f64() * 1_000.0;
    let share = |from: Duration, until: Duration| ms(from, until) / (QUIET.as_secs_f64() * 10.0);
    let fullest_kb = rss_kb.max(rss_after_reload_kb);
    let kb_per_call = rss_kb.saturating_sub(rss_before_kb) as f64 / calls;
    let rss_kb_with_all = fullest_kb + (kb_per_call * CALLS.saturating_sub(live) as f64) as u64;
    let measured = json!({
        "calls_wanted": CALLS,
        "live_calls": live,
        "kb_per_call": kb_per_call,
        "rss_kb_with_all_calls": rss_kb_with_all,
        "channels": channels,
        "placed_in_s": placed_in.as_secs_f64(),
        "rss_kb": rss_kb,
        "reload_under_calls_ms": milliseconds(swap),
        "rss_after_reload_kb": rss_after_reload_kb,
        "events_per_call": events / calls,
        "daemon_cpu_ms_per_answered_call": ms(before.daemon, up.daemon) / calls,
        "daemon_cpu_us_per_event": per_event(ms(before.daemon, up.daemon) * 1_000.0),
        "asterisk_threads_per_call": (threads_up as f64 - threads_before as f64) / calls,
        "asterisk_cpu_ms_per_answered_call": ms(before.asterisk, up.asterisk) / calls,
        "daemon_percent_of_a_core_while_up": share(up.daemon, quiet.daemon),
        "asterisk_percent_of_a_core_while_up": share(up.asterisk, quiet.asterisk),
        "daemon_cpu_ms_per_ended_call": ms(hanging_up.daemon, ended.daemon) / calls,
    });
    Ok(Held {
        measured,
        is_whole: took_all && live == placed,
        rss_kb_with_all,
    })
}

/// How many calls are connected, once that is all of them or no more come.
async fn connected(rig: &Rig, placed: usize) -> Result<usize, LabError> {
    let began = Instant::now();
    loop {
        let status: StatusView = rig.ask_crankback("status").await?;
        let calls = status.calls;
        if calls.connected == placed || (calls.trying + calls.ringing == 0 && began.elapsed() > DIAL_TIMEOUT) {
            return Ok(calls.connected);
        }
        if began.elapsed() > PATIENCE {
            eprintln!("bench: after {PATIENCE:?} calls are still on their way: {calls:?}");
            return Ok(calls.connected);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What both processes have taken so far.
struct Books {
    asterisk: Duration,
    daemon: Duration,
    events: u64,
}

impl Books {
    async fn of(rig: &Rig) -> Result<Self, LabError> {
        let status: StatusView = rig.ask_crankback("status").await?;
        let counter = |name: &str| status.counters.get(name).copied().unwrap_or_default();
        Ok(Self {
            asterisk: cpu_of(rig.asterisk.pid()?)?,
            daemon: cpu_of(rig.daemon()?.pid())?,
            events: counter("ari_events_delivered") + counter("ari_events_ignored"),
        })
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
