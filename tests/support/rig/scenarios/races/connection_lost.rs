//! The connection to Asterisk breaks between two attempts.

use std::time::Duration;

use super::super::super::super::error::LabError;
use super::super::super::super::proxy::{Part, Wire};
use super::super::super::super::sip::{Answer, Refusal, Script};
use super::super::super::report::Report;
use super::super::super::{BACKUP, DIAL_TIMEOUT, Engine, Entry, Rig, SOON};
use super::super::auto_dial;
use super::{behind_a_wire, nothing_left, responded, times_ended, without_the_wire};

/// Where the request for the backup's leg is when the connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextLeg {
    /// The 503 comes while there is no connection: nobody has told the daemon.
    RefusedInTheGap,
    /// The 503 comes with the cut: told or not.
    RefusedWithTheCut,
    /// Asked for; Asterisk never sees the request.
    RequestLost,
    /// Asked for and dialled; the daemon never sees the answer.
    AnswerLost,
}

impl NextLeg {
    /// What can happen to an engine: legs of `Dial()` are asked for over another connection.
    const fn of(engine: Engine) -> &'static [Self] {
        match engine {
            Engine::Stasis => &[
                Self::RefusedInTheGap,
                Self::RefusedWithTheCut,
                Self::RequestLost,
                Self::AnswerLost,
            ],
            Engine::Agi => &[Self::RefusedInTheGap, Self::RefusedWithTheCut],
        }
    }

    /// How long the primary takes to refuse.
    const fn refuses_after(self) -> Duration {
        match self {
            Self::RefusedInTheGap => Duration::from_millis(700),
            Self::RefusedWithTheCut => Duration::from_millis(600),
            Self::RequestLost | Self::AnswerLost => Duration::from_millis(100),
        }
    }
}

pub(in super::super) async fn cut_for_a_moment(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    cut(rig, report, Duration::from_millis(300)).await
}

pub(in super::super) async fn cut_for_seconds(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    cut(rig, report, Duration::from_secs(3)).await
}

async fn cut(rig: &mut Rig, report: &mut Report, gap: Duration) -> Result<(), LabError> {
    let wire: Wire = behind_a_wire(rig).await?;
    // It rings while the connection is cut for a moment, and is answered while it is cut for longer.
    let answer = Answer::with_rtp().hang_up_after(Duration::from_secs(1));
    let backup = Script::new()
        .trying()
        .ringing()
        .after(Duration::from_secs(2))
        .finally(answer);
    let mut calls = Vec::new();
    let mut holds = Vec::new();
    for &next_leg in NextLeg::of(rig.engine) {
        let number = rig.number(Entry::Primary);
        let primary = Script::new().trying().after(next_leg.refuses_after());
        rig.primary.on_number(&number.wire, primary.finally(Refusal::code(503)));
        rig.backup.on_number(&number.wire, backup.clone());
        let request = format!("{}%40backup", number.wire);
        match next_leg {
            NextLeg::RefusedInTheGap | NextLeg::RefusedWithTheCut => {}
            NextLeg::RequestLost => holds.push(wire.hold(Part::Request, request)),
            NextLeg::AnswerLost => holds.push(wire.hold(Part::Answer, request)),
        }
        calls.push((next_leg, auto_dial(rig, &number).await?, number));
    }
    for hold in &holds {
        hold.wait_until_caught(SOON).await?;
    }
    let (_, _, with_the_cut) = &calls[1];
    responded(rig, &rig.primary, with_the_cut, 503).await?;
    wire.cut();
    tokio::time::sleep(gap).await;
    wire.mend();
    report.check(
        "the daemon came back",
        rig.wait_for_log_lines("connected to Asterisk", 2).await,
    );
    for (next_leg, call, number) in &calls {
        let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
        let attempts = rig.attempts(&end, 1).await?;
        let (primary, backup) = (rig.seen(&rig.primary, number), rig.seen(&rig.backup, number));
        report.dialer_saw(&end);
        report.carrier_saw("PRIMARY", &primary);
        report.carrier_saw(BACKUP, &backup);
        report.crankback_said(&attempts, &primary);
        report.note(format!(
            "{next_leg:?}: {}/{:?} {}, INVITEs {} and {}: {:?}",
            end.dialstatus,
            end.hangup_cause,
            end.tech_cause,
            primary.len(),
            backup.len(),
            attempts.iter().map(|row| row.why.as_str()).collect::<Vec<_>>(),
        ));
        report.equal(format!("{next_leg:?}: INVITEs at the primary"), primary.len(), 1);
        report.check(
            format!("{next_leg:?}: {} INVITEs at the backup", backup.len()),
            backup.len() <= 1,
        );
        let was_connected = backup
            .iter()
            .any(|call| call.talk_time().is_some_and(|time| time > Duration::from_millis(500)));
        let is_proper = match end.dialstatus.as_str() {
            "ANSWER" => was_connected,
            "CONGESTION" | "CHANUNAVAIL" | "NOANSWER" => !was_connected,
            _ => false,
        };
        report.check(
            format!("{next_leg:?}: {}, talked: {was_connected}", end.dialstatus),
            is_proper,
        );
        report.equal(
            format!("{next_leg:?}: times that h ran"),
            times_ended(rig, &end).await,
            1,
        );
        nothing_left(report, "PRIMARY", &primary);
        nothing_left(report, BACKUP, &backup);
    }
    rig.wait_until_empty(SOON).await?;
    without_the_wire(rig).await
}
