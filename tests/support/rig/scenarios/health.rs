//! What is down is known before a call is wasted on it, and comes back by itself.
//!
//! These cases start the daemon with calls that follow the carriers' states, which the others do without.

pub(super) mod probes;
pub(super) mod qualify;
pub(super) mod restarts;

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::super::asterisk::{AMI_SECRET, AMI_USER};
use super::super::super::dialer::PlacedCall;
use super::super::super::error::{IoContext, LabError};
use super::super::super::sip::{Answer, Reply, Script};
use super::super::report::Report;
use super::super::{BACKUP, DIAL_TIMEOUT, Entry, Number, Rig, SERVER_IP, SOON};
use super::check::Edit;
use super::{auto_dial, load, refuses};

/// Calls follow the states of carriers.
const ACTS: (&str, &str) = ("CRANKBACK_HEALTH__STEERING", "acts");
/// Our own OPTIONS as often as they may be.
const PROBES: [(&str, &str); 3] = [
    ("CRANKBACK_PROBE__OPTIONS", "on"),
    ("CRANKBACK_PROBE__INTERVAL_S", "2"),
    ("CRANKBACK_PROBE__TIMEOUT_MS", "1000"),
];
/// Trials follow each other more quickly than in daily use.
const QUICK_TRIALS: (&str, &str) = ("CRANKBACK_HEALTH__TRIAL_INTERVAL_S", "1");
/// A carrier that is well again may take so long from its first good OPTIONS to calls as usual.
const BACK_LIMIT: Duration = Duration::from_secs(15);

type Calls = Vec<(PlacedCall, Number)>;

/// A daemon that knows nothing of its carriers yet, and a backup without retry budget.
async fn begin(rig: &mut Rig, settings: &[(&str, &str)]) -> Result<(), LabError> {
    rig.take_daemon()?.stop().await?;
    rig.sql("DELETE FROM crankback_health")?;
    let account = format!("[primary]\ntype = aor\ncontact = sip:{}\n", rig.primary.addr());
    rig.sql(&format!(
        "UPDATE vicidial_server_carriers SET account_entry = '{account}' WHERE carrier_id = 'PRIMARY'"
    ))?;
    rig.crankback(&format!("carrier set {BACKUP} max_channels=1000"))
        .await?;
    let settings: Vec<_> = [ACTS].iter().chain(settings).copied().collect();
    rig.start_daemon_with(&settings).await
}

/// The daemon and the tables as all other cases have them.
async fn end(rig: &mut Rig) -> Result<(), LabError> {
    rig.wait_until_empty(DIAL_TIMEOUT + SOON).await?;
    rig.take_daemon()?.stop().await?;
    rig.primary.set_options_reply(Reply::Code(200));
    rig.sql("DELETE FROM crankback_health")?;
    rig.sql("UPDATE vicidial_server_carriers SET account_entry = '' WHERE carrier_id = 'PRIMARY'")?;
    rig.crankback(&format!("carrier set {BACKUP} max_channels=")).await?;
    rig.start_daemon().await?;
    Ok(())
}

/// Answers and hangs up soon: calls do not pile up.
fn answers_briefly() -> Script {
    let answer = Answer::without_rtp().hang_up_after(Duration::from_millis(100));
    Script::new().trying().finally(answer)
}

/// One call that the primary takes as it is told; the backup answers.
async fn offer_one(rig: &Rig, primary: Script) -> Result<(PlacedCall, Number), LabError> {
    offer_one_to(rig, Entry::Primary, primary).await
}

async fn offer_one_to(rig: &Rig, entry: Entry, primary: Script) -> Result<(PlacedCall, Number), LabError> {
    let number = rig.number(entry);
    rig.primary.on_number(&number.wire, primary);
    rig.backup.on_number(&number.wire, answers_briefly());
    Ok((auto_dial(rig, &number).await?, number))
}

/// So many calls, evenly spread; the primary takes each as it is told at that moment.
async fn offer(rig: &Rig, calls: u32, per_second: u32, primary: impl Fn(u32) -> Script) -> Result<Calls, LabError> {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / per_second);
    let mut placed = Vec::new();
    for index in 0..calls {
        pace.tick().await;
        placed.push(offer_one(rig, primary(index)).await?);
    }
    Ok(placed)
}

/// Every call was answered, wherever it went.
async fn all_answered(rig: &Rig, report: &mut Report, calls: &Calls) -> Result<(), LabError> {
    for (call, _) in calls {
        let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
        report.equal(
            "DIALSTATUS",
            (end.dialstatus.as_str(), end.hangup_cause),
            ("ANSWER", Some(16)),
        );
    }
    Ok(())
}

/// How many of the calls reached the primary, and how many the backup.
fn reached(rig: &Rig, calls: &Calls) -> (usize, usize) {
    let count = |carrier| {
        calls
            .iter()
            .filter(|(_, number)| !rig.seen(carrier, number).is_empty())
            .count()
    };
    (count(&rig.primary), count(&rig.backup))
}

/// The states that the primary went to, as the daemon that runs says.
fn states(rig: &Rig) -> Vec<String> {
    states_of(rig, Entry::Primary)
}

fn states_of(rig: &Rig, entry: Entry) -> Vec<String> {
    let log = rig.daemon().map(|daemon| daemon.log_since_start()).unwrap_or_default();
    let change = format!("carrier state carrier={} ", entry.carrier_id());
    let changes = log.lines().filter(|line| line.contains(&change));
    let state = |line: &str| Some(line.split_once(" to=")?.1.split(' ').next()?.to_owned());
    changes.filter_map(state).collect()
}

/// Waits until the primary's last change of state was to this one.
async fn wait_for_state(rig: &Rig, state: &str) -> Result<(), LabError> {
    wait_for_state_of(rig, Entry::Primary, state).await
}

async fn wait_for_state_of(rig: &Rig, entry: Entry, state: &str) -> Result<(), LabError> {
    wait_for_state_within(rig, entry, state, DIAL_TIMEOUT).await
}

async fn wait_for_state_within(rig: &Rig, entry: Entry, state: &str, limit: Duration) -> Result<(), LabError> {
    let began = Instant::now();
    while states_of(rig, entry).last().is_none_or(|last| last != state) {
        if began.elapsed() > limit {
            let what = format!("{} {state}; it went to {:?}", entry.carrier_id(), states_of(rig, entry));
            return Err(LabError::Timeout { what, after: limit });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// The registrar refuses: calls go to the backup until it takes the registration again.
pub(super) async fn registration_refused(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let address = rig.primary.addr();
    let registration = format!(
        "[primary-registration]\ntype = registration\ntransport = transport-udp\nserver_uri = sip:{address}\n\
         client_uri = sip:acct@{address}\nretry_interval = 1\nforbidden_retry_interval = 1\nmax_retries = 1000\n"
    );
    let (before, reload) = ("[transport-tcp]", "module reload res_pjsip_outbound_registration.so");
    let edit = Edit::make(rig, "pjsip.conf", before, &format!("{registration}{before}"), reload).await?;
    let manager = format!("127.0.0.1:{}", rig.asterisk.ports().ami);
    let settings = [
        ("CRANKBACK_AMI__ADDRESS", manager.as_str()),
        ("CRANKBACK_AMI__USERNAME", AMI_USER),
        ("CRANKBACK_AMI__PASSWORD", AMI_SECRET),
        ("CRANKBACK_PROBE__INTERVAL_S", "2"),
    ];
    begin(rig, &settings).await?;
    rig.sql(&format!(
        "UPDATE vicidial_server_carriers SET account_entry = '{registration}' WHERE carrier_id = 'PRIMARY'"
    ))?;
    rig.crankback("reload").await?;

    rig.primary.set_register_reply(Reply::Code(403));
    rig.asterisk.cli("pjsip send register primary-registration").await?;
    wait_for_state(rig, "standby").await?;
    let without = offer(rig, 3, 10, |_| answers_briefly()).await?;
    all_answered(rig, report, &without).await?;
    report.equal("calls at the primary and the backup", reached(rig, &without), (0, 3));

    rig.primary.set_register_reply(Reply::Code(200));
    wait_for_state(rig, "active").await?;
    let with = offer(rig, 3, 10, |_| answers_briefly()).await?;
    all_answered(rig, report, &with).await?;
    report.equal("calls with the registration", reached(rig, &with), (3, 0));
    edit.undo(rig).await?;
    end(rig).await
}

/// Waits until the primary has been asked with OPTIONS so often again.
async fn options(rig: &Rig, more: u64) -> Result<(), LabError> {
    let before = rig.primary.stats().options;
    let asked = rig
        .primary
        .wait_for(|stats| stats.options >= before + more, DIAL_TIMEOUT);
    asked
        .await
        .map(drop)
        .map_err(|error| LabError::Missing(error.to_string()))
}

/// The primary falls silent, calls and OPTIONS alike: who is on the way pays the guard, nobody after that; and it comes back.
pub(super) async fn silent_then_back(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const PER_SECOND: u32 = 10;
    /// What was on its way when the first call moved on may still get there.
    const ON_ITS_WAY: Duration = Duration::from_secs(1);
    begin(rig, &[PROBES.as_slice(), &[QUICK_TRIALS]].concat()).await?;
    options(rig, 1).await?;
    rig.primary.set_options_reply(Reply::Silence);
    let calls = offer(rig, 12 * PER_SECOND, PER_SECOND, |_| Script::silence()).await?;
    all_answered(rig, report, &calls).await?;
    let asked = |carrier, number| Some(rig.seen(carrier, number).first()?.received("INVITE")?.at);
    let at_primary: Vec<Instant> = calls
        .iter()
        .filter_map(|(_, number)| asked(&rig.primary, number))
        .collect();
    // Whoever came later and was passed on at once did not move on.
    let paid = calls
        .iter()
        .filter(|(_, number)| !rig.seen(&rig.primary, number).is_empty());
    let moved_on = paid.filter_map(|(_, number)| asked(&rig.backup, number)).min();
    let (Some(first), Some(moved_on)) = (at_primary.first().copied(), moved_on) else {
        return Err(LabError::Missing("no call reached both carriers".to_owned()));
    };
    let wasted = at_primary.iter().filter(|at| **at > moved_on + ON_ITS_WAY).count();
    let offered_after = at_primary.len().max(calls.len()) - at_primary.len();
    report.note(format!(
        "the first call moved on after {:?}; {} calls paid the guard, {wasted} of the {offered_after} others that followed",
        moved_on - first,
        at_primary.len() - wasted
    ));
    report.check(
        format!("{} calls paid the guard", at_primary.len()),
        at_primary.len() <= 6 * PER_SECOND as usize,
    );
    report.check(
        format!("calls did not go on paying: {offered_after} did not"),
        offered_after >= 40,
    );
    report.check(format!("{wasted} were wasted later"), wasted * 200 <= offered_after);

    rig.primary.set_options_reply(Reply::Code(200));
    options(rig, 1).await?;
    let began = Instant::now();
    let mut calls = Vec::new();
    while states(rig).last().is_none_or(|state| state != "active") && began.elapsed() < 2 * BACK_LIMIT {
        calls.extend(offer(rig, 1, PER_SECOND, |_| answers_briefly()).await?);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let took = began.elapsed();
    report.note(format!("back {took:?} after the first good OPTIONS: {:?}", states(rig)));
    report.check(format!("back within {BACK_LIMIT:?}: {took:?}"), took <= BACK_LIMIT);
    all_answered(rig, report, &calls).await?;
    let calls = offer(rig, 10, PER_SECOND, |_| answers_briefly()).await?;
    all_answered(rig, report, &calls).await?;
    report.equal("calls at the primary and the backup", reached(rig, &calls), (10, 0));
    end(rig).await
}

/// What the daemon tells collectors.
async fn metrics_at(address: &str) -> std::io::Result<String> {
    let mut text = String::new();
    let read = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        stream.read_to_string(&mut text).await
    };
    tokio::time::timeout(SOON, read)
        .await
        .map_err(std::io::Error::other)??;
    Ok(text)
}

/// The primary refuses every call with 503: a handful finds out, whatever the pace.
async fn refuses_all(rig: &mut Rig, report: &mut Report, settings: &[(&str, &str)]) -> Result<(), LabError> {
    const PER_SECOND: u32 = 20;
    const CALLS: u32 = 4 * PER_SECOND;
    let metrics = format!("127.0.0.1:{}", rig.asterisk.ports().metrics);
    let listens = ("CRANKBACK_METRICS__LISTEN", metrics.as_str());
    begin(rig, &[settings, &[listens]].concat()).await?;
    if !settings.is_empty() {
        options(rig, 2).await?;
    }
    let calls = offer(rig, CALLS, PER_SECOND, |_| refuses(503)).await?;
    all_answered(rig, report, &calls).await?;
    let (primary, backup) = reached(rig, &calls);
    report.note(format!(
        "{primary} of {CALLS} calls reached the primary: {:?}",
        states(rig)
    ));
    report.equal("calls at the backup", backup, CALLS as usize);
    // Two seconds of calls.
    report.check(
        format!("{primary} calls at the primary"),
        primary <= 2 * PER_SECOND as usize,
    );
    report.equal(
        "the first change",
        states(rig).first().map(String::as_str),
        Some("failed"),
    );
    let told = metrics_at(&metrics)
        .await
        .context(|| format!("read {metrics}/metrics"))?;
    let changed = r#"crankback_carrier_changes_total{carrier="PRIMARY",from="active",to="failed"} 1"#;
    let gaps = format!("crankback_failover_gap_seconds_count {primary}");
    let watched = r#"crankback_carrier_taken_ratio{carrier="PRIMARY"}"#;
    let attempted = r#"crankback_attempts_total{carrier="PRIMARY",action="next""#;
    let probed = (!settings.is_empty()).then_some(r#"crankback_probe_seconds_count{carrier="PRIMARY"}"#);
    for line in [changed, &gaps, watched, attempted].into_iter().chain(probed) {
        let is_told = told.lines().any(|told| told.starts_with(line));
        report.check(format!("metrics: {line}"), is_told);
    }
    end(rig).await
}

pub(super) async fn storm(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    refuses_all(rig, report, &[]).await
}

pub(super) async fn probes_fine_invites_dead(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    refuses_all(rig, report, &PROBES).await
}

/// OPTIONS get 503, then no answer at all; calls come through all the time.
pub(super) async fn probes_dead_invites_fine(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    begin(rig, &PROBES).await?;
    let mut calls = offer(rig, 1, 1, |_| answers_briefly()).await?;
    all_answered(rig, report, &calls).await?;
    for (reply, asked) in [(Reply::Code(503), 4), (Reply::Silence, 4)] {
        rig.primary.set_options_reply(reply);
        calls.extend(calls_until_asked(rig, asked).await?);
    }
    all_answered(rig, report, &calls).await?;
    report.equal(
        "calls at the primary and the backup",
        reached(rig, &calls),
        (calls.len(), 0),
    );
    report.equal("changes of its state", states(rig), Vec::<String>::new());
    end(rig).await
}

/// Calls that the primary answers, until it has got so many OPTIONS.
async fn calls_until_asked(rig: &Rig, asked: u64) -> Result<Calls, LabError> {
    let mut calls = Calls::new();
    let mut told = std::pin::pin!(options(rig, asked));
    loop {
        tokio::select! {
            told = &mut told => break told?,
            placed = offer(rig, 1, 1, |_| answers_briefly()) => calls.extend(placed?),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(calls)
}

/// No calls, OPTIONS get 503: the first call already goes to the backup. Two good OPTIONS, and calls are back.
pub(super) async fn standby(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    rig.primary.set_options_reply(Reply::Code(503));
    begin(rig, &PROBES).await?;
    wait_for_state(rig, "standby").await?;
    let calls = offer(rig, 3, 10, |_| answers_briefly()).await?;
    all_answered(rig, report, &calls).await?;
    report.equal("calls at the primary and the backup", reached(rig, &calls), (0, 3));
    rig.primary.set_options_reply(Reply::Code(200));
    options(rig, 1).await?;
    let began = Instant::now();
    wait_for_state(rig, "active").await?;
    let took = began.elapsed();
    report.note(format!("back {took:?} after the first good OPTIONS"));
    report.check(format!("back within {BACK_LIMIT:?}: {took:?}"), took <= BACK_LIMIT);
    let calls = offer(rig, 3, 10, |_| answers_briefly()).await?;
    all_answered(rig, report, &calls).await?;
    report.equal("calls at the primary and the backup", reached(rig, &calls), (3, 0));
    end(rig).await
}

/// Five bad seconds, five good ones.
pub(super) async fn flapping(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    begin(rig, &[QUICK_TRIALS]).await?;
    let calls = offer(rig, 30 * FLAPPING_CALLS_PER_SECOND, FLAPPING_CALLS_PER_SECOND, flaps).await?;
    all_answered(rig, report, &calls).await?;
    failed_rarely(rig, report, &calls, &states(rig));
    end(rig).await
}

const FLAPPING_CALLS_PER_SECOND: u32 = 8;

/// What the primary does with one call of a row of them.
fn flaps(index: u32) -> Script {
    match (index / (5 * FLAPPING_CALLS_PER_SECOND)) % 2 {
        0 => refuses(503),
        _ => answers_briefly(),
    }
}

/// After the first cool-down of 5 s comes one of 10 s, then one of 20 s: within 30 s there is room for three.
fn failed_rarely(rig: &Rig, report: &mut Report, calls: &Calls, states: &[String]) {
    let (primary, backup) = reached(rig, calls);
    let failed = states.iter().filter(|state| *state == "failed").count();
    report.note(format!(
        "{primary} calls at the primary, {backup} at the backup: {states:?}"
    ));
    report.check(format!("it failed {failed} times in 30 s"), (1..=3).contains(&failed));
}

/// Calls do not go through a carrier that the operator has taken out, not even where it stands alone.
pub(super) async fn disabled(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    for carrier in [Entry::Primary, Entry::Alone] {
        rig.sql(&format!(
            "REPLACE INTO crankback_carriers (carrier_id, operator_state, operator_by, operator_since_ms) \
             VALUES ('{}', 'disabled', 'lab', 1)",
            carrier.carrier_id()
        ))?;
    }
    rig.crankback("reload").await?;
    for (entry, status, cause, at_backup) in [(Entry::Primary, "ANSWER", 16, 1), (Entry::Alone, "CONGESTION", 34, 0)] {
        let number = rig.number(entry);
        rig.backup.on_number(&number.wire, answers_briefly());
        let call = auto_dial(rig, &number).await?;
        let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
        report.equal(
            "DIALSTATUS",
            (end.dialstatus.as_str(), end.hangup_cause),
            (status, Some(cause)),
        );
        report.equal("INVITEs at the primary", rig.seen(&rig.primary, &number).len(), 0);
        report.equal("INVITEs at the backup", rig.seen(&rig.backup, &number).len(), at_backup);
    }
    let explained = rig.crankback("route explain 913125550100").await?;
    report.check(
        format!("explained: {explained}"),
        explained.contains("disabled by the operator"),
    );
    rig.wait_until_empty(SOON).await?;
    rig.sql("DELETE FROM crankback_carriers WHERE carrier_id IN ('PRIMARY', 'ALONE')")?;
    rig.crankback("reload").await?;
    Ok(())
}

/// 200 calls in a second, the primary refuses: most go to the backup first, which never gets more than it allows.
pub(super) async fn burst(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const PER_SECOND: usize = 10;
    begin(rig, &[]).await?;
    load::never_above(rig, report, 30, PER_SECOND, |_| refuses(503)).await?;
    end(rig).await
}
