//! A carrier says something when its turn is over.

use std::time::{Duration, Instant};

use super::super::super::super::error::{IoContext, LabError};
use super::super::super::super::proxy::Part;
use super::super::super::super::sip::{
    Answer, CallRecord, CancelReaction, Outcome, Refusal, Script, Telephone, TelephoneState,
};
use super::super::super::report::Report;
use super::super::super::{BACKUP, Engine, Entry, Number, Rig, SOON};
use super::super::{ANSWERED, Expected, answers, auto_dial, finish};
use super::{
    behind_a_wire, late_answers, nothing_left, received, responded, summary, times_ended, until, without_the_wire,
};

/// The no-response guard is 4 s; a carrier that wakes up now is late.
const AFTER_THE_GUARD: Duration = Duration::from_millis(4_400);

/// How long the called party talks.
const TALKS_FOR: Duration = Duration::from_secs(1);

/// The same 503 five times is one refusal.
pub(in super::super) async fn refuses_five_times(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    for entry in [Entry::Primary, Entry::OldDriver] {
        let number = rig.number(entry);
        let refuses = Script::new().trying().finally(Refusal::code(503)).retransmit_final(5);
        rig.primary.on_number(&number.wire, refuses);
        rig.backup.on_number(&number.wire, answers());
        let call = auto_dial(rig, &number).await?;
        let expected = Expected {
            attempts: &[(entry.carrier_id(), Some(503), "next"), (BACKUP, Some(200), "stop")],
            primary_invites: 1,
            backup_invites: 1,
            ..ANSWERED
        };
        let ended = finish(rig, report, &call.code, &number, &expected).await?;
        let copies = ended.primary[0].responses(503).count();
        report.check(format!("the 503 was sent five times: {copies}"), copies >= 5);
    }
    Ok(())
}

/// The carrier answers the CANCEL with a 200 to the INVITE: Asterisk acknowledges it and hangs up.
pub(in super::super) async fn answers_a_cancel(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    for entry in [Entry::Primary, Entry::OldDriver] {
        let number = rig.number(entry);
        let answers_anyway = CancelReaction::AnswerAnyway(Answer::with_rtp());
        rig.primary
            .on_number(&number.wire, Script::new().trying().ringing().on_cancel(answers_anyway));
        let call = auto_dial(rig, &number).await?;
        responded(rig, &rig.primary, &number, 180).await?;
        let half = rig.dialer.half_of(&call).await?;
        rig.asterisk.ami().hangup(&half.name).await?;
        let end = rig.agi.wait_for_end(&call.code, SOON).await?;
        received(rig, &rig.primary, &number, "BYE").await?;
        let attempts = rig.attempts(&end, 1).await?;
        rig.wait_until_empty(SOON).await?;
        let primary = rig.seen(&rig.primary, &number);
        report.dialer_saw(&end);
        report.carrier_saw("PRIMARY", &primary);
        report.crankback_said(&attempts, &primary);
        report.equal("DIALSTATUS", end.dialstatus.as_str(), "CANCEL");
        report.equal("times that h ran", times_ended(rig, &end).await, 1);
        report.equal("attempts", attempts.len(), 1);
        let (primary, backup) = (primary, rig.seen(&rig.backup, &number));
        report.equal(
            "INVITEs at the primary and the backup",
            (primary.len(), backup.len()),
            (1, 0),
        );
        for leg in &primary {
            report.check("the CANCEL came before the answer", leg.was_cancelled());
            report.check(
                format!("the answer was acknowledged: {}", summary(leg)),
                leg.received("ACK").is_some(),
            );
            report.equal("the carrier's end of it", leg.outcome, Some(Outcome::HungUpByCaller));
        }
    }
    Ok(())
}

/// The carrier answers after the daemon has given the leg up and before Asterisk is told so.
pub(in super::super) async fn late_answer(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    match rig.engine {
        Engine::Stasis => late_answer_is_hung_up(rig, report).await,
        Engine::Agi => late_answer_is_the_call(rig, report).await,
    }
}

/// `Dial()` has connected the leg by the time that it is told to end it: the call was answered, and no other carrier is asked.
async fn late_answer_is_the_call(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let wire = behind_a_wire(rig).await?;
    let number = rig.number(Entry::Primary);
    let wakes = Script::new().after(AFTER_THE_GUARD);
    rig.primary.on_number(&number.wire, wakes.finally(Answer::with_rtp()));
    rig.backup.on_number(&number.wire, answers());
    let given_up = wire.hold(Part::Request, "DELETE /ari/channels/");
    let call = auto_dial(rig, &number).await?;
    given_up.wait_until_caught(SOON).await?;
    received(rig, &rig.primary, &number, "ACK").await?;
    let connected = rig
        .wait_for_log_lines("answered after it was given up; the caller is connected", 1)
        .await;
    report.check("the caller is connected", connected && given_up.holds());
    given_up.release();
    received(rig, &rig.primary, &number, "BYE").await?;
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    let attempts = rig.attempts(&end, 2).await?;
    rig.wait_until_empty(SOON).await?;
    let primary = rig.seen(&rig.primary, &number);
    report.dialer_saw(&end);
    report.carrier_saw("PRIMARY", &primary);
    report.crankback_said(&attempts, &primary);
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "ANSWER");
    report.equal("times that h ran", times_ended(rig, &end).await, 1);
    report.equal("INVITEs at the backup", rig.seen(&rig.backup, &number).len(), 0);
    let why: Vec<_> = attempts.iter().map(|row| row.why.as_str()).collect();
    report.equal(
        "attempts",
        why,
        vec!["no response from the carrier", "answered after it was given up"],
    );
    nothing_left(report, "PRIMARY", &primary);
    without_the_wire(rig).await
}

/// Asterisk has no caller any more for it.
async fn late_answer_is_hung_up(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let wire = behind_a_wire(rig).await?;
    let number = rig.number(Entry::Primary);
    let slow = Script::new().trying().ringing().after(Duration::from_secs(1));
    rig.primary.on_number(&number.wire, slow.finally(Answer::with_rtp()));
    let given_up = wire.hold(Part::Request, "DELETE /ari/channels/");
    let call = auto_dial(rig, &number).await?;
    responded(rig, &rig.primary, &number, 180).await?;
    let half = rig.dialer.half_of(&call).await?;
    rig.asterisk.ami().hangup(&half.name).await?;
    given_up.wait_until_caught(SOON).await?;
    report.equal("late answers before", late_answers(rig).await?, Some(0));
    // The order to give the leg up is still on its way: the BYE is that of the late answer.
    let ended = received(rig, &rig.primary, &number, "BYE").await;
    report.check("the BYE came for the answer", ended.is_ok() && given_up.holds());
    given_up.release();
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    let attempts = rig.attempts(&end, 1).await?;
    rig.wait_until_empty(SOON).await?;
    let primary = rig.seen(&rig.primary, &number);
    report.dialer_saw(&end);
    report.carrier_saw("PRIMARY", &primary);
    report.crankback_said(&attempts, &primary);
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "CANCEL");
    report.equal("times that h ran", times_ended(rig, &end).await, 1);
    let why: Vec<_> = attempts.iter().map(|row| row.why.as_str()).collect();
    report.equal("attempts", why, vec!["caller hung up"]);
    report.equal("late answers after", late_answers(rig).await?, Some(1));
    nothing_left(report, "PRIMARY", &primary);
    without_the_wire(rig).await
}

/// How a carrier wakes up that said nothing until the guard had passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wakes {
    Ringing,
    Progress,
    Answering,
    /// Rings, and answers the CANCEL that this draws.
    AnsweringTheCancel,
}

impl Wakes {
    const ALL: [Self; 4] = [Self::Ringing, Self::Progress, Self::Answering, Self::AnsweringTheCancel];

    fn script(self) -> Script {
        let silent = Script::new().after(AFTER_THE_GUARD);
        match self {
            Self::Ringing => silent.ringing(),
            Self::Progress => silent.progress_with_media(),
            Self::Answering => silent.finally(Answer::with_rtp()),
            Self::AnsweringTheCancel => silent
                .ringing()
                .on_cancel(CancelReaction::AnswerAnyway(Answer::with_rtp())),
        }
    }

    const fn outcome(self) -> Outcome {
        match self {
            Self::Ringing | Self::Progress => Outcome::Cancelled,
            Self::Answering | Self::AnsweringTheCancel => Outcome::HungUpByCaller,
        }
    }
}

/// A silent carrier wakes up when the backup has the call: the caller hears nothing of it, the backup's call goes on.
pub(in super::super) async fn wakes_up_late(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let inbound = Inbound::open(rig).await?;
    let mut calls = Vec::new();
    for wakes in Wakes::ALL {
        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, wakes.script());
        rig.backup.on_number(&number.wire, backup_after_the_primary_woke());
        calls.push((wakes, inbound.call(rig, &number).await?, number));
    }
    for (wakes, (phone, code), number) in &calls {
        let heard = backup_carried_it(rig, report, phone, code, number).await?;
        let ended = || rig.seen(&rig.primary, number).iter().find_map(|call| call.outcome);
        report.equal(
            format!("end of the primary's leg, {wakes:?}"),
            until("end of the primary's leg", ended).await?,
            wakes.outcome(),
        );
        report.note(format!("{wakes:?}: the caller heard {heard:?}"));
    }
    rig.wait_until_empty(SOON).await?;
    inbound.close(rig).await
}

/// A leg that the daemon has given up, and that Asterisk still has, rings, plays and answers: nothing of it reaches the caller.
pub(in super::super) async fn stale_progress(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let wire = behind_a_wire(rig).await?;
    let inbound = Inbound::open(rig).await?;
    let number = rig.number(Entry::Primary);
    let pause = Duration::from_millis(100);
    let wakes = Script::new()
        .after(AFTER_THE_GUARD)
        .ringing()
        .after(pause)
        .progress_with_media()
        .after(pause)
        .finally(Answer::with_rtp());
    rig.primary.on_number(&number.wire, wakes);
    rig.backup.on_number(&number.wire, backup_after_the_primary_woke());
    let given_up = wire.hold(Part::Request, "DELETE /ari/channels/");
    let (phone, code) = inbound.call(rig, &number).await?;
    given_up.wait_until_caught(SOON).await?;
    let ended = received(rig, &rig.primary, &number, "BYE").await;
    report.check("the BYE came for the late answer", ended.is_ok() && given_up.holds());
    given_up.release();
    backup_carried_it(rig, report, &phone, &code, &number).await?;
    nothing_left(report, "PRIMARY", &rig.seen(&rig.primary, &number));
    report.equal("late answers", late_answers(rig).await?, Some(1));
    rig.wait_until_empty(SOON).await?;
    inbound.close(rig).await?;
    without_the_wire(rig).await
}

/// Rings only when the primary has had time to say everything it has to say.
fn backup_after_the_primary_woke() -> Script {
    Script::new()
        .trying()
        .after(Duration::from_millis(1_500))
        .ringing()
        .after(Duration::from_millis(300))
        .finally(Answer::with_rtp().hang_up_after(TALKS_FOR))
}

/// What the caller heard: the backup's ringing, after the backup sent it, and its answer; no more.
async fn backup_carried_it(
    rig: &Rig,
    report: &mut Report,
    phone: &Telephone,
    code: &str,
    number: &Number,
) -> Result<Vec<u16>, LabError> {
    let end = rig.agi.wait_for_end(code, SOON + SOON).await?;
    let is_over = |state| state == TelephoneState::Ended(200);
    phone
        .wait_for("the end of the call for the caller", is_over, SOON)
        .await
        .map_err(LabError::Missing)?;
    let attempts = rig.attempts(&end, 2).await?;
    let (primary, backup) = (rig.seen(&rig.primary, number), rig.seen(&rig.backup, number));
    report.dialer_saw(&end);
    report.carrier_saw("PRIMARY", &primary);
    report.carrier_saw(BACKUP, &backup);
    report.crankback_said(&attempts, &primary);
    report.equal(
        "DIALSTATUS",
        (end.dialstatus.as_str(), end.hangup_cause),
        ("ANSWER", Some(16)),
    );
    report.equal("times that h ran", times_ended(rig, &end).await, 1);
    let seen: Vec<_> = attempts
        .iter()
        .map(|row| (row.carrier_id.as_str(), row.why.as_str()))
        .collect();
    let expected = [("PRIMARY", "no response from the carrier"), (BACKUP, "answered")];
    report.equal("attempts", seen.as_slice(), expected.as_slice());
    report.equal(
        "INVITEs at the primary and the backup",
        (primary.len(), backup.len()),
        (1, 1),
    );
    let ends: Vec<_> = backup.iter().map(|call| call.outcome).collect();
    report.equal("the backup's end of it", ends, vec![Some(Outcome::HungUpByCarrier)]);
    let talked = backup.iter().filter_map(CallRecord::talk_time).max();
    report.check(
        format!("the backup's call was as long as the called party wanted: {talked:?}"),
        talked >= Some(TALKS_FOR),
    );
    let heard: Vec<_> = phone.heard().into_iter().filter(|heard| heard.code > 100).collect();
    let codes: Vec<u16> = heard.iter().map(|heard| heard.code).collect();
    report.equal("what the caller heard", codes.as_slice(), [180, 200].as_slice());
    let rang = backup
        .iter()
        .find_map(|call| call.responded(180))
        .map(|moment| moment.at);
    let first: Option<Instant> = heard.first().map(|heard| heard.moment.at);
    report.check(
        "the caller heard nothing before the backup rang",
        first >= rang && rang.is_some(),
    );
    Ok(codes)
}

/// Calls from a telephone through the trunk `inbound` to the carriers' entries, as a forwarded call comes: not answered yet.
struct Inbound {
    entry: &'static str,
}

impl Inbound {
    async fn open(rig: &Rig) -> Result<Self, LabError> {
        // Before the rig's own pattern, which puts every call through to the backup.
        let entry = "_9X.";
        let command = format!("dialplan add extension {entry},1,Goto(default,${{EXTEN}},1) into trunkinbound");
        rig.asterisk.cli(&command).await?;
        Ok(Self { entry })
    }

    /// The telephone, and the call code by which the call is booked.
    async fn call(&self, rig: &Rig, number: &Number) -> Result<(Telephone, String), LabError> {
        let code = format!("FORWARD{}", number.wire);
        let server = (std::net::Ipv4Addr::LOCALHOST, rig.asterisk.ports().sip_udp).into();
        let phone = Telephone::place(server, "inbound", &code, &number.dialled)
            .await
            .context(|| "call Asterisk".to_owned())?;
        received(rig, &rig.primary, number, "INVITE").await?;
        Ok((phone, code))
    }

    async fn close(self, rig: &Rig) -> Result<(), LabError> {
        let command = format!("dialplan remove extension {}@trunkinbound", self.entry);
        rig.asterisk.cli(&command).await.map(drop)
    }
}
