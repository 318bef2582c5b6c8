//! OPTIONS of our own, as an operator wants them for one carrier.

use crankback::control::CarrierView;
use crankback::health::OperatorWord;

use super::*;

/// A carrier over TCP is probed where it is wanted, over TCP; which replies count as alive holds at once, without a restart.
pub(in super::super) async fn set_for_a_carrier(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    begin(rig, &PROBES).await?;
    let account = format!(
        "[primary]\ntype = endpoint\ntransport = transport-tcp\naors = primary\n[primary]\ntype = aor\n\
         contact = sip:{}\n",
        rig.primary.addr()
    );
    rig.sql(&format!(
        "UPDATE vicidial_server_carriers SET account_entry = '{account}' WHERE carrier_id = 'PRIMARY'"
    ))?;
    rig.crankback("reload").await?;
    rig.primary.set_options_reply(Reply::Code(404));
    let before = rig.primary.stats().options_over_tcp;
    rig.crankback("carrier set PRIMARY probe=on probe_interval_s=2 probe_alive=!503,!404")
        .await?;
    wait_for_state(rig, "standby").await?;
    let calls = offer(rig, 3, 10, |_| answers_briefly()).await?;
    all_answered(rig, report, &calls).await?;
    report.equal("calls at the primary and the backup", reached(rig, &calls), (0, 3));
    let over_tcp = rig.primary.stats().options_over_tcp - before;
    report.check(format!("{over_tcp} OPTIONS over TCP"), over_tcp >= 2);

    rig.crankback("carrier set PRIMARY probe_alive=").await?;
    wait_for_state(rig, "active").await?;
    let calls = offer(rig, 3, 10, |_| answers_briefly()).await?;
    all_answered(rig, report, &calls).await?;
    report.equal("calls at the primary and the backup", reached(rig, &calls), (3, 0));
    rig.crankback("carrier set PRIMARY probe= probe_interval_s=").await?;
    end(rig).await
}

/// Answers to OPTIONS that were on their way when an operator took the carrier out, and all that follow, change what is known of
/// the carrier and not the word.
pub(in super::super) async fn disabled_in_flight(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    /// Longer than a command takes; less than `PROBES` wait.
    const ON_ITS_WAY: Duration = Duration::from_millis(700);
    rig.primary.set_options_reply(Reply::Code(503));
    begin(rig, &PROBES).await?;
    wait_for_state(rig, "standby").await?;
    rig.primary.set_options_reply(Reply::Late(200, ON_ITS_WAY));
    options(rig, 1).await?;
    rig.crankback("carrier disable PRIMARY --reason trial").await?;
    wait_for_state(rig, "active").await?;
    let calls = offer(rig, 3, 10, |_| answers_briefly()).await?;
    all_answered(rig, report, &calls).await?;
    report.equal("calls at the primary and the backup", reached(rig, &calls), (0, 3));
    let shown: CarrierView = rig.ask_crankback("carrier show PRIMARY").await?;
    report.equal("the word", shown.operator.word, OperatorWord::Disabled);

    rig.crankback("carrier enable PRIMARY").await?;
    let calls = offer(rig, 3, 10, |_| answers_briefly()).await?;
    all_answered(rig, report, &calls).await?;
    report.equal("calls at the primary and the backup", reached(rig, &calls), (3, 0));
    end(rig).await
}
