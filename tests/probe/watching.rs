//! Probes that go on.

use crankback::probe::Probes;
use tokio::sync::mpsc;

use super::*;

#[tokio::test]
async fn a_carrier_that_goes_and_comes_back_is_noticed_and_a_removed_one_is_left_alone() {
    let carrier = FakeCarrier::start("probed").await.expect("a free port");
    let target = ProbeTarget {
        interval: Duration::from_secs(2),
        timeout: Duration::from_millis(300),
        ..target(carrier.addr(), Transport::Udp)
    };
    let invalid = ProbeTarget {
        interval: Duration::from_secs(1),
        ..ProbeTarget::new("B".into(), "127.0.0.1")
    };
    let (evidence, mut found) = mpsc::channel(8);
    let mut probes = Probes::new(tools(Names::default()), 1, evidence);
    probes.set_targets(vec![target.clone(), invalid]);
    assert_eq!(probes.carriers().collect::<Vec<_>>(), [&"A".into()]);
    let mut asked_at = Vec::new();
    for (reply, report) in [
        (Reply::Code(200), Report::Alive),
        (Reply::Code(503), Report::Unavailable),
        (Reply::Code(200), Report::Alive),
    ] {
        carrier.set_options_reply(reply);
        let evidence = found.recv().await.expect("the probe goes on");
        assert_eq!(evidence.report(), report);
        asked_at.push(evidence.asked_at);
        probes.set_targets(vec![target.clone()]);
    }
    for pair in asked_at.windows(2) {
        let interval = pair[1] - pair[0];
        assert!(
            (Duration::from_millis(1_750)..Duration::from_millis(2_700)).contains(&interval),
            "{interval:?}: the same target goes on undisturbed"
        );
    }
    let before = carrier.stats().options;
    probes.set_targets(Vec::new());
    let more = tokio::time::timeout(Duration::from_millis(2_500), found.recv()).await;
    assert!(more.is_err(), "{more:?}");
    assert_eq!(carrier.stats().options, before);
}
