//! What an operator allows the calls of one carrier: how long they ring, how long they look for a carrier, how often they try.

use std::time::Duration;

use super::super::super::error::LabError;
use super::super::super::sip::{Refusal, Script};
use super::super::report::Report;
use super::super::{Engine, Entry, Rig};
use super::{Ended, Expected, answers, auto_dial, finish, refuses};

const RING: Duration = Duration::from_secs(3);

pub(super) async fn all(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let result = each(rig, report).await;
    // The cases after this one need the limits of all calls, whatever came of it here.
    rig.crankback("carrier set PRIMARY ring_ms= setup_ms= max_attempts=")
        .await?;
    result
}

async fn each(rig: &Rig, report: &mut Report) -> Result<(), LabError> {
    // Dial() tells no response of a leg that was given up.
    let last_reply = (rig.engine == Engine::Stasis).then_some(180);
    let given_up = Expected {
        dialstatus: "NOANSWER",
        cause: 16,
        tech: "SIP 180 Ringing",
        attempts: &[("PRIMARY", last_reply, "stop")],
        primary_invites: 1,
        backup_invites: 0,
    };
    let rings = Script::new().trying().ringing();
    let ended = with(rig, report, &format!("ring_ms={}", RING.as_millis()), rings, &given_up).await?;
    let primary = &ended.primary[0];
    report.check("the primary saw a CANCEL", primary.was_cancelled());
    if let (Some(asked), Some(cancelled)) = (primary.received("INVITE"), primary.received("CANCEL")) {
        let rang = cancelled.at.duration_since(asked.at);
        report.check(
            format!("it rang until its limit: {rang:?}"),
            rang >= RING - Duration::from_millis(50) && rang <= RING + Duration::from_secs(10),
        );
    }

    let refused = Expected {
        dialstatus: "CONGESTION",
        cause: 34,
        tech: "SIP 503 Service Unavailable",
        attempts: &[("PRIMARY", Some(503), "next")],
        primary_invites: 1,
        backup_invites: 0,
    };
    let thinks = Script::new().trying().after(Duration::from_millis(1_500));
    let refuses_late = thinks.finally(Refusal::code(503));
    with(rig, report, "ring_ms= setup_ms=1000", refuses_late, &refused).await?;
    with(rig, report, "setup_ms= max_attempts=1", refuses(503), &refused).await?;
    Ok(())
}

/// One call with these settings; the backup would answer.
async fn with(
    rig: &Rig,
    report: &mut Report,
    settings: &str,
    primary: Script,
    expected: &Expected<'_>,
) -> Result<Ended, LabError> {
    rig.crankback(&format!("carrier set PRIMARY {settings}")).await?;
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, primary);
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    finish(rig, report, &call.code, &number, expected).await
}
