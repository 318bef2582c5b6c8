//! An operator takes carriers out of use and brings them back: the next call goes by it, whoever is asked.

use std::time::Instant;

use crankback::control::{CarrierOperateView, CarrierView, CarriersView, Effect};
use crankback::health::OperatorWord;

use super::super::super::dialer::DEFAULT_CONTEXT;
use super::super::super::error::LabError;
use super::super::report::Report;
use super::super::{BACKUP, Entry, Number, Rig, SOON};
use super::{Expected, answers, answers_and_waits, auto_dial, finish, refuses};

const PRIMARY: &str = "PRIMARY";
/// From a command's arrival to its effect. The tables are looked at each second; the quickest of some commands shows that
/// the word does not wait for that.
const EFFECT_LIMIT_MS: u64 = 100;

/// Runs a case, and takes all words back whatever came of it: the next case knows nothing of them.
macro_rules! without_trace {
    ($rig:ident, $result:expr) => {{
        let result = $result.await;
        $rig.start_daemon().await?;
        for carrier in [PRIMARY, BACKUP] {
            say($rig, &format!("enable {carrier}")).await?;
        }
        result
    }};
}

/// One word, through the running daemon.
async fn say(rig: &Rig, word: &str) -> Result<CarrierOperateView, LabError> {
    rig.ask_crankback(&format!("carrier {word}")).await
}

/// One word of which nothing is to be warned.
async fn says(rig: &Rig, report: &mut Report, word: &str) -> Result<CarrierOperateView, LabError> {
    let view = say(rig, word).await?;
    report.equal(format!("`{word}` holds"), view.effect, Effect::Now);
    report.equal(format!("`{word}` warns of"), view.left_without.clone(), Vec::new());
    Ok(view)
}

/// A call that both carriers would answer: it goes to `carrier`, and the other one hears nothing of it.
async fn goes_to(rig: &Rig, report: &mut Report, carrier: &str) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, answers());
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let expected = Expected {
        dialstatus: "ANSWER",
        cause: 16,
        tech: "SIP 200 OK",
        attempts: &[(carrier, Some(200), "stop")],
        primary_invites: usize::from(carrier == PRIMARY),
        backup_invites: usize::from(carrier == BACKUP),
    };
    finish(rig, report, &call.code, &number, &expected).await?;
    Ok(())
}

pub(super) async fn disables_and_enables(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    without_trace!(rig, async {
        let mut took_ms = Vec::new();
        for _ in 0..2 {
            took_ms.push(
                says(rig, report, "disable PRIMARY --reason maintenance --for 1h")
                    .await?
                    .took_ms,
            );
            goes_to(rig, report, BACKUP).await?;
            took_ms.push(says(rig, report, "enable PRIMARY").await?.took_ms);
            goes_to(rig, report, PRIMARY).await?;
        }
        let quickest = took_ms.iter().min().copied().unwrap_or(u64::MAX);
        report.check(
            format!("in effect {took_ms:?} ms after the command arrived"),
            quickest <= EFFECT_LIMIT_MS,
        );

        says(rig, report, "disable PRIMARY --reason maintenance --for 1h").await?;
        let shown: CarrierView = rig.ask_crankback("carrier show PRIMARY").await?;
        report.equal(
            "the word in `carrier show`",
            shown.operator.word,
            OperatorWord::Disabled,
        );
        report.equal("why in `carrier show`", shown.operator.why.as_str(), "maintenance");
        report.check(
            format!("who in `carrier show`: {}", shown.operator.by),
            shown.operator.by.starts_with("uid:"),
        );
        let list: CarriersView = rig.ask_crankback("carrier list").await?;
        let backup = list.carriers.iter().find(|carrier| carrier.id == BACKUP);
        let figures = backup.and_then(|backup| Some(backup.now.clone()?.figures));
        report.check(
            format!("the backup's figures in `carrier list`: {figures:?}"),
            figures.is_some_and(|figures| {
                figures.legs >= 2
                    && figures.asr_percent.is_some_and(|percent| percent > 0)
                    && figures.acd_s.is_some()
                    && figures.pdd_ms.is_some()
                    && !figures.last_answers.is_empty()
            }),
        );
        Ok(())
    })
}

/// The call that is up goes on while new ones go elsewhere.
pub(super) async fn drains(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    without_trace!(rig, async {
        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, answers_and_waits());
        let talking = rig.dialer.three_way(&number.dialled, DEFAULT_CONTEXT).await?;
        report.check("the first call is up", talking.response().await?.answered);
        says(rig, report, "drain PRIMARY --reason maintenance").await?;

        let other = rig.number(Entry::Primary);
        rig.primary.on_number(&other.wire, answers());
        rig.backup.on_number(&other.wire, answers());
        let call = auto_dial(rig, &other).await?;
        let end = rig.agi.wait_for_end(&call.code, SOON).await?;
        report.equal("DIALSTATUS of the new call", end.dialstatus.as_str(), "ANSWER");
        report.equal(
            "INVITEs of the new call at the primary",
            rig.seen(&rig.primary, &other).len(),
            0,
        );
        report.equal(
            "INVITEs of the new call at the backup",
            rig.seen(&rig.backup, &other).len(),
            1,
        );

        let shown: CarrierView = rig.ask_crankback("carrier show PRIMARY").await?;
        report.equal(
            "legs that are up at the primary",
            shown.now.map(|now| now.channels),
            Some(1),
        );
        rig.primary.hang_up_all();
        let end = rig.agi.wait_for_end(&talking.code, SOON).await?;
        report.equal("DIALSTATUS of the call that was up", end.dialstatus.as_str(), "ANSWER");
        rig.wait_until_empty(SOON).await
    })
}

pub(super) async fn wants_only_the_backup(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    without_trace!(rig, async {
        says(rig, report, "only BACKUP --reason trial").await?;
        goes_to(rig, report, BACKUP).await?;
        // There is no way back to the primary either.
        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, answers());
        rig.backup.on_number(&number.wire, refuses(503));
        let call = auto_dial(rig, &number).await?;
        let expected = Expected {
            dialstatus: "CONGESTION",
            cause: 34,
            tech: "SIP 503 Service Unavailable",
            attempts: &[(BACKUP, Some(503), "next")],
            primary_invites: 0,
            backup_invites: 1,
        };
        finish(rig, report, &call.code, &number, &expected).await?;
        Ok(())
    })
}

/// With all carriers out by the operator's word a call ends at once: plain `Dial()` would use one of them.
pub(super) async fn disables_all(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    without_trace!(rig, async {
        says(rig, report, "disable PRIMARY --reason maintenance").await?;
        let view = say(rig, "disable BACKUP --reason maintenance").await?;
        let mut left: Vec<_> = view.left_without.iter().map(|left| left.entry.as_str()).collect();
        left.sort_unstable();
        report.check(
            format!("entries that are left without a carrier: {left:?}"),
            left.contains(&PRIMARY) && !left.contains(&"WIZARD"),
        );
        let number: Number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, answers());
        rig.backup.on_number(&number.wire, answers());
        let call = auto_dial(rig, &number).await?;
        let end = rig.agi.wait_for_end(&call.code, SOON).await?;
        rig.wait_until_empty(SOON).await?;
        report.dialer_saw(&end);
        report.equal("DIALSTATUS", end.dialstatus.as_str(), "CONGESTION");
        report.equal("INVITEs at the primary", rig.seen(&rig.primary, &number).len(), 0);
        report.equal("INVITEs at the backup", rig.seen(&rig.backup, &number).len(), 0);
        Ok(())
    })
}

pub(super) async fn outlives_the_daemon(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    without_trace!(rig, outlive(rig, report))
}

async fn outlive(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    says(rig, report, "disable PRIMARY --reason maintenance --for 1h").await?;
    rig.take_daemon()?.kill()?;
    // An operator's word needs no daemon.
    let view = say(rig, "drain BACKUP --reason mistaken").await?;
    report.equal("without a daemon it holds", view.effect, Effect::AtStart);
    say(rig, "enable BACKUP").await?;
    rig.start_daemon().await?;
    goes_to(rig, report, BACKUP).await?;
    rig.take_daemon()?.stop().await?;
    rig.start_daemon().await?;
    goes_to(rig, report, BACKUP).await?;

    says(rig, report, "disable PRIMARY --reason maintenance --for 1s").await?;
    let began = Instant::now();
    let told =
        || -> Result<bool, LabError> { Ok(rig.daemon()?.log_text().contains("carrier PRIMARY is enabled again")) };
    while !told()? && began.elapsed() < SOON {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    report.check("the log tells that the time of the word is over", told()?);
    goes_to(rig, report, PRIMARY).await
}
