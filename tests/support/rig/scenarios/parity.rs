//! Parity: without a backup, the dialer is told of every failing SIP code exactly what plain `Dial()` tells it.
//!
//! Each code is dialled twice at the same time, once through each. Redirections (3xx) are left out: what they do is a policy
//! and not a failure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crankback::store::AttemptRow;

use super::super::super::agi_listener::AgiRecord;
use super::super::super::ami::Originate;
use super::super::super::asterisk::dialplan::AGENT_CONFERENCE;
use super::super::super::dialer::{DEFAULT_CONTEXT, NATIVE_CONTEXT};
use super::super::super::error::LabError;
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Engine, Entry, Number, Rig, SOON};
use super::refuses;

/// Every code for which Asterisk's drivers have a cause of its own or none, and of each class one that nobody has heard of.
const CODES: &[u16] = &[
    400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 413, 414, 415, 416, 420, 421, 422, 423, 480, 481, 482,
    483, 484, 485, 486, 487, 488, 491, 493, 499, 500, 501, 502, 503, 504, 505, 513, 580, 599, 600, 603, 604, 606, 607,
    608, 699,
];

/// So many codes are dialled at once, each of them twice.
const AT_ONCE: usize = 8;

/// The dialer's patience where `Dial()` does not end by itself.
const SHORT_TIMEOUT: Duration = Duration::from_secs(8);

/// Who calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// An auto-dialled call: the campaign's timeout hangs it up.
    Auto,
    /// An agent: `Dial()` has the timeout.
    Manual,
    /// A third party into an agent's conference.
    ThreeWay,
}

/// What the dialer and the carrier saw of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    dialstatus: String,
    cause: Option<u16>,
    tech: String,
    times: (Option<u32>, Option<u32>),
    invites: usize,
}

pub(super) async fn pjsip_auto(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    every_code(rig, report, Entry::Alone, Caller::Auto).await
}

pub(super) async fn pjsip_manual(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    every_code(rig, report, Entry::Alone, Caller::Manual).await
}

pub(super) async fn pjsip_three_way(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    every_code(rig, report, Entry::Alone, Caller::ThreeWay).await
}

pub(super) async fn old_driver_auto(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    every_code(rig, report, Entry::AloneOldDriver, Caller::Auto).await
}

pub(super) async fn old_driver_manual(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    every_code(rig, report, Entry::AloneOldDriver, Caller::Manual).await
}

pub(super) async fn old_driver_three_way(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    every_code(rig, report, Entry::AloneOldDriver, Caller::ThreeWay).await
}

async fn every_code(rig: &Rig, report: &mut Report, entry: Entry, caller: Caller) -> Result<(), LabError> {
    let mut table: BTreeMap<String, String> = BTreeMap::new();
    for codes in CODES.chunks(AT_ONCE) {
        let pairs = codes.iter().map(|&code| both(rig, entry, caller, code));
        let pairs = futures_util::future::join_all(pairs).await;
        for (code, pair) in codes.iter().zip(pairs) {
            let (mut dial, crankback) = pair?;
            if is_ignored(rig, entry, *code) && caller == Caller::Manual && crankback.tech.is_empty() {
                report.note(format!(
                    "{code}: the technology cause is empty, plain Dial() says {:?}",
                    dial.tech
                ));
                dial.tech.clear();
            }
            report.equal(format!("{code}, crankback instead of plain Dial()"), &crankback, &dial);
            let cause = dial.cause.map_or("-".to_owned(), |cause| cause.to_string());
            let row = table.entry(format!("{}/{cause}", dial.dialstatus)).or_default();
            let _ = write!(row, " {code}");
        }
    }
    rig.wait_until_empty(SOON).await?;
    for (result, codes) in table {
        report.note(format!("{result:<16}{codes}"));
    }
    Ok(())
}

/// The same call through plain `Dial()` and through crankback.
async fn both(rig: &Rig, entry: Entry, caller: Caller, code: u16) -> Result<(Seen, Seen), LabError> {
    let dial = one(rig, entry, caller, code, NATIVE_CONTEXT);
    let crankback = async {
        let (seen, end) = one(rig, entry, caller, code, DEFAULT_CONTEXT).await?;
        let expected = 1 + repeats(rig, code);
        let attempts = rig.attempts(&end, expected).await?;
        let is_same = |row: &AttemptRow| row.carrier_id == entry.carrier_id();
        if attempts.len() == expected && attempts.iter().all(is_same) {
            Ok(seen)
        } else {
            let what = format!("{expected} attempts on record for {code}: {attempts:#?}");
            Err(LabError::Missing(what))
        }
    };
    let ((mut dial, _), crankback) = futures_util::future::try_join(dial, crankback).await?;
    dial.invites += repeats(rig, code);
    let lasted = |seen: &Seen| seen.times.0.unwrap_or_default();
    if code == GLARE && lasted(&crankback).abs_diff(lasted(&dial)) <= GLARE_PAUSE_SECONDS {
        dial.times = crankback.times;
    }
    Ok((dial, crankback))
}

/// 491 Request Pending: the request is sent once more after a pause, which the times show.
const GLARE: u16 = 491;
const GLARE_PAUSE_SECONDS: u32 = 3;

/// How often crankback repairs such a refusal: a refused offer by another one where it makes the offer itself, and glare by
/// asking again. What the dialer is told stays the same.
fn repeats(rig: &Rig, code: u16) -> usize {
    match code {
        GLARE => 1,
        415 | 488 | 606 => usize::from(rig.engine == Engine::Stasis),
        _ => 0,
    }
}

async fn one(
    rig: &Rig,
    entry: Entry,
    caller: Caller,
    code: u16,
    context: &str,
) -> Result<(Seen, Arc<AgiRecord>), LabError> {
    let number = rig.number(entry);
    rig.primary.on_number(&number.wire, refuses(code));
    let timeout = if is_ignored(rig, entry, code) {
        SHORT_TIMEOUT
    } else {
        DIAL_TIMEOUT
    };
    let call_code = match caller {
        Caller::Auto => rig.dialer.auto_dial(&number.dialled, context, timeout).await?.code,
        Caller::Manual => rig.dialer.manual(&number.dialled, context, timeout).await?.code,
        Caller::ThreeWay => three_way(rig, &number, context, timeout).await?,
    };
    let end = rig.agi.wait_for_end(&call_code, DIAL_TIMEOUT + SOON).await?;
    let seen = Seen {
        dialstatus: end.dialstatus.clone(),
        cause: end.hangup_cause,
        tech: end.tech_cause.clone(),
        times: (end.dialed_time_seconds, end.answered_time_seconds),
        invites: rig.seen(&rig.primary, &number).len(),
    };
    Ok((seen, end))
}

/// `chan_sip` takes 422 and 423 for answers to a timer of its own and goes on waiting: the dialer's timeout ends such a call,
/// so it gets a short one. An engine that places legs over ARI learns of that response when the guard, after 4 s, lets it look.
///
/// The only exception: the technology cause of an agent's call may be empty. Such an engine ends its leg itself, as it would a
/// silent one.
fn is_ignored(rig: &Rig, entry: Entry, code: u16) -> bool {
    entry == Entry::AloneOldDriver && rig.version.has_chan_sip() && matches!(code, 422 | 423)
}

/// A third party for an agent's conference, with a timeout of the case's own.
async fn three_way(rig: &Rig, number: &Number, context: &str, timeout: Duration) -> Result<String, LabError> {
    let code = format!("DC000000W{}W", number.wire);
    let originate = Originate {
        channel: format!("Local/{}@{context}", number.dialled),
        context: DEFAULT_CONTEXT.to_owned(),
        extension: AGENT_CONFERENCE.to_owned(),
        caller_id: format!("\"{code}\" <3125551212>"),
        timeout: Some(timeout),
        variables: Vec::new(),
        asynchronous: true,
    };
    rig.asterisk.ami().originate(&originate).await?;
    Ok(code)
}
