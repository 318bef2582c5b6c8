//! What is known of carriers outlives the daemon.

use super::*;

/// A daemon that is killed does not forget that the primary is dead.
pub(in super::super) async fn killed(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let long = [
        ("CRANKBACK_HEALTH__FIRST_BACK_OFF_S", "60"),
        ("CRANKBACK_HEALTH__LONGEST_BACK_OFF_S", "60"),
    ];
    begin(rig, &long).await?;
    let calls = offer(rig, 20, 20, |_| refuses(503)).await?;
    all_answered(rig, report, &calls).await?;
    wait_for_state(rig, "failed").await?;
    let began = Instant::now();
    loop {
        let kept = rig.store.health_snapshot(SERVER_IP).await;
        let kept = kept.map_err(|error| LabError::Missing(error.to_string()))?;
        if kept.is_some_and(|text| text.contains("\"failed\"")) {
            break;
        }
        if began.elapsed() > SOON {
            let what = "health on record".to_owned();
            return Err(LabError::Timeout { what, after: SOON });
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    rig.wait_until_empty(SOON).await?;
    rig.take_daemon()?.kill()?;
    let settings: Vec<_> = [ACTS].iter().chain(&long).copied().collect();
    rig.start_daemon_with(&settings).await?;
    let calls = offer(rig, 10, 20, |_| refuses(503)).await?;
    all_answered(rig, report, &calls).await?;
    report.equal("calls at the primary and the backup", reached(rig, &calls), (0, 10));
    end(rig).await
}
