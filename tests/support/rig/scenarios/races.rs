//! Two sides act in the same instant: whatever comes first, the call ends properly and nothing is left.

mod caller_gone;
mod carrier_late;
mod connection_lost;

use std::future::Future;
use std::time::{Duration, Instant};

use crankback::control::StatusView;

use super::super::super::agi_listener::{AgiKind, AgiRecord};
use super::super::super::error::LabError;
use super::super::super::proxy::Wire;
use super::super::super::sip::{CallRecord, FakeCarrier, Moment};
use super::super::report::Report;
use super::super::{Number, Rig, SOON};

pub(super) use caller_gone::{
    between_attempts, hangs_up_with_the_answer, hangs_up_with_the_refusal, redirected_as_the_caller_ends,
    redirected_in_a_gap, with_the_next_leg_on_its_way,
};
pub(super) use carrier_late::{answers_a_cancel, late_answer, refuses_five_times, stale_progress, wakes_up_late};
pub(super) use connection_lost::{cut_for_a_moment, cut_for_seconds};

/// Puts a wire between the daemon and Asterisk.
async fn behind_a_wire(rig: &mut Rig) -> Result<Wire, LabError> {
    let wire = Wire::to(rig.asterisk.ports().http).await?;
    rig.take_daemon()?.stop().await?;
    rig.start_daemon_behind(&wire).await?;
    Ok(wire)
}

/// Takes it away again.
async fn without_the_wire(rig: &mut Rig) -> Result<(), LabError> {
    rig.take_daemon()?.stop().await?;
    rig.start_daemon().await?;
    Ok(())
}

/// Waits until something can be seen.
async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, LabError> {
    eventually(what, || std::future::ready(Ok(look()))).await
}

/// Waits until something can be seen that takes a question to see.
async fn eventually<T, R>(what: &str, mut look: impl FnMut() -> R) -> Result<T, LabError>
where
    R: Future<Output = Result<Option<T>, LabError>>,
{
    let began = Instant::now();
    loop {
        if let Some(seen) = look().await? {
            return Ok(seen);
        }
        if began.elapsed() > SOON {
            return Err(LabError::Timeout {
                what: what.to_owned(),
                after: SOON,
            });
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// When a carrier sent this code to a number.
async fn responded(rig: &Rig, carrier: &FakeCarrier, number: &Number, code: u16) -> Result<Moment, LabError> {
    let what = format!("{code} of {} to {}", carrier.name(), number.wire);
    let sent = || rig.seen(carrier, number).iter().find_map(|call| call.responded(code));
    until(&what, sent).await
}

/// When a carrier received a request of this method for a number.
async fn received(rig: &Rig, carrier: &FakeCarrier, number: &Number, method: &str) -> Result<Moment, LabError> {
    let what = format!("{method} at {} for {}", carrier.name(), number.wire);
    let came = || rig.seen(carrier, number).iter().find_map(|call| call.received(method));
    until(&what, came).await
}

/// How often `h` ran on the channel that ran the carrier's entry.
async fn times_ended(rig: &Rig, end: &AgiRecord) -> usize {
    let records = rig.agi.records_for(end.call_code()).await;
    let ends = records
        .iter()
        .filter(|record| record.kind == AgiKind::End && record.uniqueid == end.uniqueid);
    ends.count()
}

/// Answers that the running daemon has counted as too late.
async fn late_answers(rig: &Rig) -> Result<Option<u64>, LabError> {
    let status: StatusView = rig.ask_crankback("status").await?;
    Ok(status.counters.get("late_answer").copied())
}

/// That a carrier was told of the end of every call it was given: none is up, none rings on.
fn nothing_left(report: &mut Report, carrier: &str, calls: &[CallRecord]) {
    for call in calls {
        report.check(
            format!(
                "{carrier} is left with a call: {:?} after {}",
                call.outcome,
                summary(call)
            ),
            call.outcome.is_some(),
        );
    }
}

/// The packets of a call in a line.
fn summary(call: &CallRecord) -> String {
    let words = call.packets.iter().map(|packet| match packet.code {
        Some(code) => format!("{code}/{}", packet.method),
        None => packet.method.clone(),
    });
    words.collect::<Vec<_>>().join(" ")
}
