//! What a caller hears and sees before the answer, from the packets that its telephone gets; plain `Dial()` is the measure.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::super::super::error::LabError;
use super::super::super::sip::{Answer, CallRecord, Refusal, Script, Telephone, TelephoneState};
use super::super::report::Report;
use super::super::{BACKUP, DIAL_TIMEOUT, Engine, Entry, Number, PHONE, Rig, SOON};
use super::{answers, refuses};

/// How long a carrier rings or plays before it answers, and how long the two then talk.
const BEFORE_ANSWER: Duration = Duration::from_millis(800);
const TALK: Duration = Duration::from_millis(500);
/// So many packets with sound in them (20 ms each) mean that the carrier was heard all the time.
const HEARD: u64 = 20;

/// One call of a telephone, from its side.
#[derive(Debug)]
struct Seen {
    /// Provisional responses but 100.
    progress: Vec<u16>,
    /// The first of them came after the INVITE by.
    first_after: Option<Duration>,
    /// Whether every 183 had a session description.
    described: bool,
    /// The final response.
    last: u16,
    /// Packets with sound in them before the final response and until the end.
    sounds_before: u64,
    sounds: u64,
}

/// Who carries the call.
#[derive(Clone, Copy)]
enum By {
    Crankback,
    /// The same entry with plain `Dial()`.
    Dial,
}

/// Whether a carrier heard the caller for most of the time that they talked.
fn hears_caller(calls: &[CallRecord]) -> bool {
    calls.iter().any(|call| call.rtp_received() >= HEARD / 2)
}

async fn place(rig: &Rig, by: By, options: &str, number: &Number) -> Result<Telephone, LabError> {
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, rig.asterisk.ports().sip_udp));
    let dialled = match by {
        By::Crankback => format!("{options}{}", number.dialled),
        By::Dial => format!("d{options}{}", number.dialled),
    };
    Telephone::place(server, PHONE, &code(number), &dialled)
        .await
        .map_err(|error| LabError::Missing(error.to_string()))
}

/// What the telephone shows as its user's name.
fn code(number: &Number) -> String {
    format!("PHONE{}", number.wire)
}

async fn end_of(phone: &Telephone) -> Result<TelephoneState, LabError> {
    let is_over = |state| matches!(state, TelephoneState::Ended(_));
    phone
        .wait_for("end of the call", is_over, DIAL_TIMEOUT)
        .await
        .map_err(LabError::Missing)
}

/// A telephone calls; the called party ends the call, or it fails.
async fn call(rig: &Rig, by: By, options: &str, number: &Number) -> Result<Seen, LabError> {
    let began = Instant::now();
    let phone = place(rig, by, options, number).await?;
    end_of(&phone).await?;
    rig.wait_until_empty(SOON).await?;
    let heard = phone.heard();
    let last = heard.iter().find(|heard| heard.code >= 200);
    let first = heard.iter().find(|heard| (101..200).contains(&heard.code));
    Ok(Seen {
        progress: phone.progress(),
        first_after: first.map(|first| first.moment.at.duration_since(began)),
        described: heard.iter().all(|heard| heard.code != 183 || heard.has_sdp),
        last: last.map_or(0, |last| last.code),
        sounds_before: last.map_or(0, |last| last.sounds_before),
        sounds: phone.sounds(),
    })
}

/// The same call both ways, with the carrier doing the same.
async fn both(
    rig: &Rig,
    report: &mut Report,
    entry: Entry,
    options: &str,
    script: &Script,
) -> Result<(Number, Seen, Seen), LabError> {
    let (number, native) = (rig.number(entry), rig.number(entry));
    for wire in [&number.wire, &native.wire] {
        rig.primary.on_number(wire, script.clone());
    }
    let ours = call(rig, By::Crankback, options, &number).await?;
    let dial = call(rig, By::Dial, options, &native).await?;
    report.note(format!("crankback: {ours:?}"));
    report.note(format!("Dial():    {dial:?}"));
    report.carrier_saw("PRIMARY", &rig.seen(&rig.primary, &number));
    report.carrier_saw(BACKUP, &rig.seen(&rig.backup, &number));
    Ok((number, ours, dial))
}

fn answers_after(script: Script) -> Script {
    script
        .after(BEFORE_ANSWER)
        .finally(Answer::with_rtp().hang_up_after(TALK))
}

/// The carrier answers in the end: the caller hears and sees what `Dial()` lets it.
async fn answered_like_dial(
    rig: &Rig,
    report: &mut Report,
    entry: Entry,
    options: &str,
    script: Script,
    is_heard_before: bool,
) -> Result<(), LabError> {
    let (number, ours, dial) = both(rig, report, entry, options, &answers_after(script)).await?;
    report.check(
        "the carrier hears the caller",
        hears_caller(&rig.seen(&rig.primary, &number)),
    );
    report.equal("progress of plain Dial()", &ours.progress, &dial.progress);
    report.equal("final response", (ours.last, dial.last), (200, 200));
    report.check("every 183 has a session description", ours.described && dial.described);
    for (who, seen) in [("crankback", &ours), ("Dial()", &dial)] {
        report.equal(
            format!("sound before the answer with {who}"),
            seen.sounds_before >= HEARD,
            is_heard_before,
        );
        if !is_heard_before {
            // The leg joins the bridge before the caller is answered: a few packets may overtake the 200.
            report.check(
                format!("early sound with {who}: {}", seen.sounds_before),
                seen.sounds_before < HEARD / 2,
            );
        }
        report.check(
            format!("sound after the answer with {who}"),
            seen.sounds - seen.sounds_before >= HEARD / 2,
        );
    }
    Ok(())
}

pub(super) async fn ringing(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let rings = Script::new().trying().ringing();
    answered_like_dial(rig, report, Entry::Primary, "", rings, false).await
}

pub(super) async fn early_media(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let plays = Script::new().trying().progress_with_media();
    answered_like_dial(rig, report, Entry::Primary, "", plays, true).await
}

pub(super) async fn ringing_then_early_media(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let pause = Duration::from_millis(100);
    let both = Script::new().trying().ringing().after(pause).progress_with_media();
    answered_like_dial(rig, report, Entry::Primary, "", both, true).await
}

/// Option `r`: ringing before the carrier has said anything, and nothing of its own sound before the answer.
pub(super) async fn ring_at_once(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let slow = Duration::from_secs(2);
    let plays = Script::new().trying().after(slow).progress_with_media();
    let (_, ours, dial) = both(rig, report, Entry::Primary, "r", &answers_after(plays)).await?;
    for (who, seen) in [("crankback", &ours), ("Dial()", &dial)] {
        report.equal(format!("progress with {who}"), seen.progress.as_slice(), &[180]);
        report.check(
            format!("ringing at once with {who}: {:?}", seen.first_after),
            seen.first_after.is_some_and(|after| after < slow),
        );
        // The leg is in the caller's bridge a moment before the caller is answered.
        report.check(
            format!("no early sound with {who}: {} packets", seen.sounds_before),
            seen.sounds_before < HEARD / 2,
        );
        report.equal(format!("final response with {who}"), seen.last, 200);
    }
    Ok(())
}

/// The first carrier refuses before anything was heard: the caller sees one ringing, that of the backup.
pub(super) async fn failover_then_ringing(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    let ours = call(rig, By::Crankback, "", &number).await?;
    report.note(format!("crankback: {ours:?}"));
    report.equal("progress", ours.progress.as_slice(), &[180]);
    report.equal("final response", ours.last, 200);
    Ok(())
}

fn plays_then_fails() -> Script {
    Script::new()
        .trying()
        .progress_with_media()
        .after(BEFORE_ANSWER)
        .finally(Refusal::code(503))
}

/// What was heard stops the hunt: the caller is told the failure as `Dial()` tells it.
pub(super) async fn no_failover_after_media(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let (number, ours, dial) = both(rig, report, Entry::Primary, "", &plays_then_fails()).await?;
    report.equal("progress", ours.progress.as_slice(), &[183]);
    report.equal("progress of plain Dial()", &ours.progress, &dial.progress);
    report.equal("final response of plain Dial()", ours.last, dial.last);
    report.check("the carrier was heard", ours.sounds_before >= HEARD);
    report.equal("INVITEs at the backup", rig.seen(&rig.backup, &number).len(), 0);
    Ok(())
}

/// An operator lets this carrier's server failures after 183 go on: the backup is heard in its turn.
pub(super) async fn failover_after_media(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    rig.crankback("carrier set PRIMARY failover_after_183=if_5xx").await?;
    let result = goes_on_after_media(rig, report).await;
    rig.crankback("carrier set PRIMARY failover_after_183=").await?;
    result
}

async fn goes_on_after_media(rig: &Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, plays_then_fails());
    rig.backup.on_number(
        &number.wire,
        answers_after(Script::new().trying().progress_with_media()),
    );
    let ours = call(rig, By::Crankback, "", &number).await?;
    report.note(format!("crankback: {ours:?}"));
    let (primary, backup) = (rig.seen(&rig.primary, &number), rig.seen(&rig.backup, &number));
    report.carrier_saw("PRIMARY", &primary);
    report.carrier_saw(BACKUP, &backup);
    report.equal("INVITEs at the backup", backup.len(), 1);
    report.equal("final response", ours.last, 200);
    report.check("only 183 was seen", ours.progress.iter().all(|&code| code == 183));
    report.check(
        "at most one 183 of each carrier",
        (1..=2).contains(&ours.progress.len()),
    );
    report.check("both carriers were heard", ours.sounds_before >= 2 * HEARD);
    report.check("the backup hears the caller", hears_caller(&backup));
    Ok(())
}

/// With the stasis engine, legs of chan_sip cannot play into the caller's bridge before the answer: ringing is told instead of
/// silence.
pub(super) async fn early_media_of_the_old_driver(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let plays = answers_after(Script::new().trying().progress_with_media());
    let (_, ours, dial) = both(rig, report, Entry::OldDriver, "", &plays).await?;
    report.equal("final response", (ours.last, dial.last), (200, 200));
    report.equal("progress of plain Dial()", dial.progress.as_slice(), &[183]);
    let comes_through = rig.engine == Engine::Agi || !rig.version.has_chan_sip();
    let expected = if comes_through { 183 } else { 180 };
    report.equal("progress", ours.progress.as_slice(), &[expected]);
    report.check("sound after the answer", ours.sounds - ours.sounds_before >= HEARD / 2);
    Ok(())
}

/// The telephone gives up while the leg rings in its bridge: the carrier gets a CANCEL, nobody else a call.
pub(super) async fn hangs_up_while_it_rings(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, Script::new().trying().ringing());
    let phone = place(rig, By::Crankback, "", &number).await?;
    let began = Instant::now();
    while phone.first(180).is_none() {
        if began.elapsed() > SOON {
            return Err(LabError::Missing(
                "the telephone was never told that it rings".to_owned(),
            ));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    phone.hang_up();
    report.equal(
        "end at the telephone",
        end_of(&phone).await?,
        TelephoneState::Ended(487),
    );
    let end = rig.agi.wait_for_end(&code(&number), SOON).await?;
    let attempts = rig.attempts(&end, 1).await?;
    rig.wait_until_empty(SOON).await?;
    let primary = rig.seen(&rig.primary, &number);
    report.dialer_saw(&end);
    report.carrier_saw("PRIMARY", &primary);
    report.crankback_said(&attempts, &primary);
    report.check(
        "the carrier was cancelled",
        primary.iter().all(CallRecord::was_cancelled),
    );
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "CANCEL");
    report.equal("INVITEs at the backup", rig.seen(&rig.backup, &number).len(), 0);
    report.equal("attempts", attempts.len(), 1);
    Ok(())
}
