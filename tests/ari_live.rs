//! The client against a real Asterisk, 16 and 22: every operation, a freeze, a restart, another client that takes over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

mod ari_support;
mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use ari_support::{PATIENCE, config_as, connected, next, until};
use crankback::ari::{
    self, AddChannel, Channel, ChannelState, Client, Config, ContinueInDialplan, Error, Event, HangupReason, Notice,
    Originate, State,
};
use support::asterisk::{ARI_PASSWORD, ARI_USER, Asterisk, AsteriskConfig};
use support::error::LabError;
use support::roots::{AsteriskVersion, Root, progress_on_stderr};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Where the test's own Local channels go.
const DIALPLAN: &str =
    "[lab]\nexten => s,1,Answer()\n same => n,Wait(60)\nexten => ring,1,Ringing()\n same => n,Wait(60)\n";

/// 250 ms is promised; the rest is what a busy machine may take to notice.
const SOON_BACK: Duration = Duration::from_millis(500);

async fn start(version: AsteriskVersion) -> Result<Asterisk, LabError> {
    let root = Root::ensure(version, progress_on_stderr).await?;
    let mut config = AsteriskConfig::new(4577);
    config.extra_dialplan = DIALPLAN.to_owned();
    Asterisk::start(&root, config).await
}

fn config(asterisk: &Asterisk) -> Config {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, asterisk.ports().http));
    config_as(address, ARI_USER, ARI_PASSWORD)
}

/// Skips events until one is what the test waits for.
async fn wait_for<T>(notices: &mut mpsc::Receiver<Notice>, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    loop {
        match next(notices).await {
            Some(Notice::Event { event, .. }) => {
                if let Some(found) = wanted(*event) {
                    return found;
                }
            }
            other => panic!("the connection ended: {other:?}"),
        }
    }
}

async fn started(notices: &mut mpsc::Receiver<Notice>, id: &str) -> (Vec<String>, Channel) {
    wait_for(notices, |event| match event {
        Event::StasisStart(start) if start.channel.id == id => Some((start.args, start.channel)),
        _ => None,
    })
    .await
}

async fn destroyed(notices: &mut mpsc::Receiver<Notice>, id: &str) -> Option<i64> {
    wait_for(notices, |event| match event {
        Event::ChannelDestroyed(gone) if gone.channel.id == id => Some(gone.cause),
        _ => None,
    })
    .await
}

fn leg<'a>(id: &'a str, endpoint: &'a str) -> Originate<'a> {
    let variables: &[(&str, &str)] = &[("CB_B", "two words"), ("CB_A", "${CB_B}+1")];
    Originate {
        endpoint,
        app: "crankback",
        app_args: Some("leg,7"),
        channel_id: Some(id),
        caller_id: Some("A & B <+1555>"),
        variables,
        ..Originate::default()
    }
}

async fn operations(client: &Client, notices: &mut mpsc::Receiver<Notice>, asterisk: &ari::AsteriskInfo) {
    let channels = client.channels();
    let channel = channels
        .originate(&leg("1795219764.901000001", "Local/s@lab/n"))
        .await
        .unwrap();
    let id = channel.id.as_str();
    assert_eq!(id, "1795219764.901000001");
    let (args, channel) = started(notices, id).await;
    assert_eq!(args, ["leg", "7"]);
    assert_eq!(
        (channel.state, channel.dialplan.app_name.as_str()),
        (ChannelState::Up, "Stasis")
    );
    assert!(channel.creationtime.unwrap().epoch_milliseconds().is_some());

    assert_eq!(
        channels.get_variable(id, "CB_B").await.unwrap().as_deref(),
        Some("two words")
    );
    assert_eq!(
        channels.get_variable(id, "CALLERID(num)").await.unwrap().as_deref(),
        Some("+1555")
    );
    assert_eq!(channels.get_variable(id, "CB_NOT_SET").await.unwrap(), None);
    let gone = channels.get_variable("no.such.channel", "CB_B").await.unwrap();
    assert_eq!(gone, None);
    // On 16 the effect comes after the answer, but in order: the second write is seen at last.
    channels.set_variable(id, "CB_X", "first").await.unwrap();
    let odd = "a+b c&d=%é\"'".repeat(20);
    channels.set_variable(id, "CB_X", &odd).await.unwrap();
    let read = tokio::time::timeout(PATIENCE, async {
        loop {
            let value = channels.get_variable(id, "CB_X").await.unwrap();
            if value.as_deref() == Some(odd.as_str()) {
                return value;
            }
        }
    });
    assert_eq!(read.await.expect("the value arrives").as_deref(), Some(odd.as_str()));

    let application = client.applications().get("crankback").await.unwrap();
    assert!(
        application.channel_ids.iter().any(|known| known == id),
        "{application:?}"
    );
    assert!(channels.list().await.unwrap().iter().any(|channel| channel.id == id));
    assert_eq!(channels.get(id).await.unwrap().id, id);

    let bridges = client.bridges();
    assert_eq!(bridges.create_with_id("cb-1").await.unwrap().bridge_type, "mixing");
    let quiet = AddChannel {
        inhibit_connected_line_updates: asterisk.capabilities.inhibit_connected_line_updates,
    };
    bridges.add_channel("cb-1", &[id], quiet).await.unwrap();
    wait_for(notices, |event| match event {
        Event::ChannelEnteredBridge(entered) if entered.bridge.id == "cb-1" => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(bridges.get("cb-1").await.unwrap().channels, [id]);
    assert!(bridges.list().await.unwrap().iter().any(|bridge| bridge.id == "cb-1"));
    bridges.remove_channel("cb-1", &[id]).await.unwrap();
    wait_for(notices, |event| match event {
        Event::ChannelLeftBridge(left) if left.channel.id == id => Some(()),
        _ => None,
    })
    .await;
    bridges.destroy("cb-1").await.unwrap();
    assert_eq!(bridges.get("cb-1").await.unwrap_err().status(), Some(404));

    channels.ring(id).await.unwrap();
    channels.ring_stop(id).await.unwrap();
    channels.answer(id).await.unwrap();
    channels.progress(id, &asterisk.capabilities).await.unwrap();
    let to = ContinueInDialplan {
        context: Some("lab"),
        extension: Some("s"),
        priority: Some(2),
        label: None,
    };
    channels.continue_in_dialplan(id, to).await.unwrap();
    wait_for(notices, |event| match event {
        Event::StasisEnd(end) if end.channel.id == id => Some(()),
        Event::BridgeDestroyed(gone) => panic!("a bridge that our channel has left is no longer ours: {gone:?}"),
        _ => None,
    })
    .await;
    channels.hangup(id, HangupReason::Normal).await.unwrap();
    assert_eq!(destroyed(notices, id).await, Some(16));
    assert_eq!(
        channels.hangup(id, HangupReason::Normal).await.unwrap_err().status(),
        Some(404)
    );

    let mut reasons = vec![
        (HangupReason::Normal, 16),
        (HangupReason::Busy, 17),
        (HangupReason::Congestion, 34),
        (HangupReason::NoAnswer, 19),
        (HangupReason::Rejected, 21),
        (HangupReason::Unallocated, 1),
    ];
    if asterisk.capabilities.hangup_reason_code {
        reasons.push((HangupReason::Cause(27), 27));
    }
    for (number, (reason, cause)) in reasons.into_iter().enumerate() {
        let id = format!("1795219764.90100001{number}");
        channels.originate(&leg(&id, "Local/s@lab/n")).await.unwrap();
        started(notices, &id).await;
        channels.hangup(&id, reason).await.unwrap();
        assert_eq!(destroyed(notices, &id).await, Some(cause), "{reason:?}");
    }
    let error = channels
        .originate(&leg("1795219764.901000002", "PJSIP/1@nobody"))
        .await
        .unwrap_err();
    println!("unknown endpoint: {error}");
    assert!(error.status().is_some());

    let counters = client.counters();
    println!(
        "events: {} delivered, {} ignored",
        counters.delivered(),
        counters.ignored()
    );
    assert!(counters.decode_errors().all(|(_, count)| count == 0));
    assert_eq!(counters.ignored(), 0, "the event filter keeps the rest away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asterisk_16() -> Result<(), LabError> {
    a_real_asterisk(AsteriskVersion::V16).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asterisk_22() -> Result<(), LabError> {
    a_real_asterisk(AsteriskVersion::V22).await
}

async fn a_real_asterisk(version: AsteriskVersion) -> Result<(), LabError> {
    let mut asterisk = start(version).await?;
    let cancel = CancellationToken::new();
    let _guard = cancel.clone().drop_guard();
    let (client, mut notices, mut state) = ari::connect(config(&asterisk), cancel.clone()).unwrap();
    let info = match next(&mut notices).await {
        Some(Notice::Connected { epoch: 1, asterisk }) => asterisk,
        other => panic!("expected Connected, got {other:?}"),
    };
    eprintln!("connected to {} {:?}", info.version, info.capabilities);

    let error = ari::probe(&config_as(
        SocketAddr::from((Ipv4Addr::LOCALHOST, asterisk.ports().http)),
        ARI_USER,
        "wrong",
    ))
    .await
    .unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");

    operations(&client, &mut notices, &info).await;

    asterisk.freeze()?;
    let frozen = Instant::now();
    loop {
        match next(&mut notices).await {
            Some(Notice::Lost { epoch: 1, reason }) => break assert_eq!(reason.code(), "silent"),
            Some(Notice::Event { .. }) => {}
            other => panic!("expected Lost, got {other:?}"),
        }
    }
    eprintln!("freeze noticed after {:?}", frozen.elapsed());
    assert!(frozen.elapsed() < Duration::from_secs(5));
    // Stay frozen until at least one attempt has failed on it.
    until(&mut state, |state| {
        matches!(state, State::Connecting { failures: 1.., .. })
    })
    .await;
    asterisk.thaw()?;
    let thawed = Instant::now();
    assert_eq!(connected(&mut notices).await, 2);
    eprintln!("connected again {:?} after the thaw", thawed.elapsed());
    assert!(thawed.elapsed() < SOON_BACK, "{:?}", thawed.elapsed());

    let killed = Instant::now();
    asterisk.kill();
    assert_eq!(ari_support::lost(&mut notices).await.0, 2);
    eprintln!("death noticed after {:?}", killed.elapsed());
    let starting = Instant::now();
    // Another client watches for the moment at which ARI answers.
    let answering = tokio::spawn({
        let client = Client::new(&config(&asterisk)).unwrap();
        async move {
            while client.asterisk().info().await.is_err() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Instant::now()
        }
    });
    let (restarted, epoch) = tokio::join!(asterisk.restart(), async {
        (connected(&mut notices).await, Instant::now())
    });
    restarted?;
    let (epoch, back) = epoch;
    assert_eq!(epoch, 3);
    let answered = answering.await.unwrap();
    eprintln!(
        "ARI answered {:?} after the start, connected {:?} later",
        answered - starting,
        back - answered
    );
    assert!(back.saturating_duration_since(answered) < SOON_BACK);

    // Another connection takes the name: ours ends, the other one works.
    let (_, mut others, _) = ari::connect(config(&asterisk), cancel).unwrap();
    assert_eq!(connected(&mut others).await, 1);
    assert_eq!(ari_support::lost(&mut notices).await, (3, "replaced"));
    assert!(next(&mut notices).await.is_none());
    client
        .channels()
        .originate(&leg("1795219764.901000003", "Local/s@lab/n"))
        .await
        .unwrap();
    started(&mut others, "1795219764.901000003").await;
    Ok(())
}
