//! Answering machine detection: VICIdial sends the answered leg through `AMD()`, which listens to what the carrier sends.

use std::time::Duration;

use super::super::super::agi_listener::AgiRecord;
use super::super::super::asterisk::dialplan::{MACHINE_DETECTED, MACHINE_DETECTION_EXTENSION};
use super::super::super::dialer::{DEFAULT_CONTEXT, NATIVE_CONTEXT};
use super::super::super::error::LabError;
use super::super::super::sip::{Answer, CallRecord, FakeCarrier, Script, Sound};
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Number, Rig, SOON};
use super::refuses;

/// The detection ends by itself after 5 s of sound; a machine that is too busy to send sound in time makes it longer.
const DETECTED: Duration = Duration::from_secs(30);

/// A person and a machine, each called by plain `Dial()` and then after a failover: the same is heard.
pub(super) async fn after_a_failover(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    for (sound, status) in [(Sound::Hello, "HUMAN"), (Sound::Announcement, "MACHINE")] {
        let speaks = Script::new().trying().ringing().finally(Answer::with_sound(sound));
        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, speaks.clone());
        let by_dial = detected(rig, report, &rig.primary, &number, NATIVE_CONTEXT).await?;
        report.equal(format!("{sound:?} by plain Dial()"), by_dial.as_str(), status);

        let number = rig.number(Entry::Primary);
        rig.primary.on_number(&number.wire, refuses(503));
        rig.backup.on_number(&number.wire, speaks);
        let after_failover = detected(rig, report, &rig.backup, &number, DEFAULT_CONTEXT).await?;
        report.equal(format!("{sound:?} after a failover"), after_failover, by_dial);
        let refused = rig.seen(&rig.primary, &number);
        report.carrier_saw("PRIMARY", &refused);
        report.equal("INVITEs at the primary", refused.len(), 1);
    }
    Ok(())
}

/// What the detection says of the customer at a carrier.
async fn detected(
    rig: &Rig,
    report: &mut Report,
    carrier: &FakeCarrier,
    number: &Number,
    context: &str,
) -> Result<String, LabError> {
    let call = rig.dialer.auto_dial(&number.dialled, context, DIAL_TIMEOUT).await?;
    report.check("the call is answered", call.response().await?.answered);
    let customer = rig.dialer.take_customer_to(&call, MACHINE_DETECTION_EXTENSION).await?;
    let is_told = |record: &AgiRecord| record.request.contains(MACHINE_DETECTED);
    let records = rig
        .agi
        .wait_until(&call.code, "result of the detection", DETECTED, move |records| {
            records.iter().any(|record| is_told(record))
        })
        .await?;
    let told = records.iter().find(|record| is_told(record));
    let request = told.map(|record| record.request.clone()).unwrap_or_default();
    report.note(format!("{context}: {request}"));
    report.equal(
        "the channel that was listened to",
        told.map(|record| record.channel.as_str()),
        Some(customer.name.as_str()),
    );
    let end = rig.agi.wait_for_end(&call.code, SOON).await?;
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "ANSWER");
    let calls = rig.seen(carrier, number);
    report.carrier_saw(carrier.name(), &calls);
    report.equal("INVITEs", calls.len(), 1);
    report.check("the customer is up", calls.iter().any(CallRecord::is_active));
    carrier.hang_up_all();
    rig.wait_until_empty(SOON).await?;
    Ok(request.split("-----").nth(1).unwrap_or_default().to_owned())
}
