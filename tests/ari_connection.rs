//! The event connection against a fake Asterisk: order of notices, loss, reconnection, end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

mod ari_support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ari_support::{FakeAsterisk, Reply, Seen, config, connected, event, healthy, info, lost, next, until};
use crankback::ari::{self, Client, Config, Event, Notice, State};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A connection that ends with the test.
struct Connection {
    client: Client,
    notices: mpsc::Receiver<Notice>,
    state: watch::Receiver<State>,
    cancel: CancellationToken,
    _guard: DropGuard,
}

fn connect(config: Config) -> Connection {
    let cancel = CancellationToken::new();
    let (client, notices, state) = ari::connect(config, cancel.clone()).unwrap();
    Connection {
        client,
        notices,
        state,
        _guard: cancel.clone().drop_guard(),
        cancel,
    }
}

async fn send(websocket: &mut WebSocketStream<TcpStream>, text: impl Into<String>) {
    websocket
        .send(Message::text(text.into()))
        .await
        .expect("the client reads");
}

fn stasis_end(id: impl std::fmt::Display) -> String {
    format!(r#"{{"type":"StasisEnd","channel":{{"id":"{id}"}}}}"#)
}

fn id_of(event: &Event) -> &str {
    match event {
        Event::StasisEnd(event) => &event.channel.id,
        other => panic!("expected StasisEnd, got {other:?}"),
    }
}

#[tokio::test]
async fn connecting_asks_the_version_opens_the_events_and_filters_them() {
    let mut fake = FakeAsterisk::start(healthy).await;
    let mut connection = connect(config(fake.address));
    let mut websocket = fake.websocket().await;
    match next(&mut connection.notices).await {
        Some(Notice::Connected { epoch: 1, asterisk }) => {
            assert_eq!(asterisk.version.as_str(), "22.10.1");
            assert!(asterisk.capabilities.tech_cause && asterisk.started.is_some());
        }
        other => panic!("expected Connected, got {other:?}"),
    }
    let seen = fake.seen();
    let lines: Vec<_> = seen.iter().map(|seen| seen.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "GET /ari/asterisk/info?only=system%2Cstatus",
            "GET /ari/events?app=crankback&subscribeAll=false",
            "PUT /ari/applications/crankback/eventFilter",
        ]
    );
    assert!(
        seen.iter()
            .all(|seen| seen.authorization == format!("Basic {}", ari_support::BASIC))
    );
    let filter: serde_json::Value = serde_json::from_str(&seen[2].body).unwrap();
    let allowed = filter["allowed"].as_array().expect("`allowed` stands at the top level");
    let kinds: Vec<_> = allowed.iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, Event::KINDS);
    assert_eq!(filter.as_object().unwrap().len(), 1);

    let before = Instant::now();
    for id in 0..100 {
        send(&mut websocket, stasis_end(id)).await;
    }
    for id in 0..100 {
        match next(&mut connection.notices).await {
            Some(Notice::Event { event, received_at }) => {
                assert_eq!(id_of(&event), id.to_string());
                assert!(before <= received_at && received_at <= Instant::now());
            }
            other => panic!("expected an event, got {other:?}"),
        }
    }
    assert_eq!(connection.client.counters().delivered(), 100);
}

#[tokio::test]
async fn an_asterisk_without_event_filter_is_not_asked_for_it() {
    fn asterisk_16_2(request: &Seen) -> Reply {
        if request.line.contains("/asterisk/info") {
            info("16.2.1")
        } else {
            healthy(request)
        }
    }
    let mut fake = FakeAsterisk::start(asterisk_16_2).await;
    let mut connection = connect(config(fake.address));
    let _websocket = fake.websocket().await;
    assert_eq!(connected(&mut connection.notices).await, 1);
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn an_event_that_does_not_decode_is_counted_and_the_session_goes_on() {
    let mut fake = FakeAsterisk::start(healthy).await;
    let mut connection = connect(config(fake.address));
    let mut websocket = fake.websocket().await;
    assert_eq!(connected(&mut connection.notices).await, 1);
    for text in [
        r#"{"type":"Dial","dialstatus":""}"#,
        r#"{"type":"Dial","peer":7}"#,
        "no JSON",
        r#"{"type":"ChannelVarset","variable":"X"}"#,
    ] {
        send(&mut websocket, text).await;
    }
    send(&mut websocket, stasis_end("after")).await;
    assert_eq!(id_of(&event(&mut connection.notices).await), "after");
    let counters = connection.client.counters();
    let errors: Vec<_> = counters.decode_errors().filter(|(_, count)| *count > 0).collect();
    assert_eq!(errors, [("Dial", 2), ("", 1)]);
    assert_eq!(
        (counters.ignored(), counters.delivered(), counters.connections()),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn a_peer_that_stops_answering_pings_is_lost_within_five_seconds() {
    let mut fake = FakeAsterisk::start(healthy).await;
    let mut connection = connect(config(fake.address));
    // Held, but never read: the pings stay unanswered, the connection stays open.
    let _frozen = fake.websocket().await;
    assert_eq!(connected(&mut connection.notices).await, 1);
    let frozen_at = Instant::now();
    assert_eq!(lost(&mut connection.notices).await, (1, "silent"));
    let noticed = frozen_at.elapsed();
    assert!(
        (Duration::from_millis(2_900)..Duration::from_secs(5)).contains(&noticed),
        "noticed after {noticed:?}"
    );
}

#[tokio::test]
async fn a_peer_that_only_answers_pings_stays_connected() {
    let mut fake = FakeAsterisk::start(healthy).await;
    let mut config = config(fake.address);
    config.limits.ping_interval = Duration::from_millis(50);
    config.limits.dead_after = Duration::from_millis(500);
    let mut connection = connect(config);
    let mut websocket = fake.websocket().await;
    assert_eq!(connected(&mut connection.notices).await, 1);
    // Reading answers the pings. Twenty of them span twice the time after which silence means death.
    for _ in 0..20 {
        assert!(matches!(websocket.next().await, Some(Ok(Message::Ping(_)))));
    }
    send(&mut websocket, stasis_end("alive")).await;
    assert_eq!(id_of(&event(&mut connection.notices).await), "alive");
}

#[tokio::test]
async fn the_first_attempt_after_a_loss_comes_at_once() {
    let mut fake = FakeAsterisk::start(healthy).await;
    let mut config = config(fake.address);
    config.limits.ping_interval = Duration::from_millis(20);
    config.limits.retry_delay = Duration::from_secs(60);
    let mut connection = connect(config);
    let mut websocket = fake.websocket().await;
    assert_eq!(connected(&mut connection.notices).await, 1);
    // Two pings: the session is older than one ping interval, so this is no connection that dies as soon as it is made.
    for _ in 0..2 {
        assert!(matches!(websocket.next().await, Some(Ok(Message::Ping(_)))));
    }
    websocket.close(None).await.unwrap();
    assert_eq!(lost(&mut connection.notices).await, (1, "closed"));
    let lost_at = Instant::now();
    assert_eq!(connected(&mut connection.notices).await, 2);
    println!("connected again {:?} after the loss", lost_at.elapsed());
    assert!(lost_at.elapsed() < Duration::from_secs(2), "{:?}", lost_at.elapsed());
}

#[tokio::test]
async fn a_peer_that_comes_back_is_connected_within_the_retry_delay() {
    let mut fake = FakeAsterisk::start(healthy).await;
    let address: SocketAddr = fake.address;
    let mut connection = connect(config(address));
    let websocket = fake.websocket().await;
    assert_eq!(connected(&mut connection.notices).await, 1);
    drop((websocket, fake));
    let (epoch, reason) = lost(&mut connection.notices).await;
    assert!(epoch == 1 && matches!(reason, "closed" | "transport"), "{reason}");

    let away_since = Instant::now();
    let state = until(&mut connection.state, |state| {
        matches!(state, State::Connecting { failures: 5.., .. })
    })
    .await;
    let State::Connecting {
        last_error: Some(error),
        ..
    } = state
    else {
        panic!("{state:?}")
    };
    assert_eq!(error.code(), "not_sent", "{error}");
    // Five failures have at least four pauses of 150 to 200 ms between them.
    assert!(
        away_since.elapsed() >= Duration::from_millis(550),
        "no tight loop: {:?}",
        away_since.elapsed()
    );

    let _back = FakeAsterisk::start_on(address, healthy).await;
    let back_at = Instant::now();
    assert_eq!(connected(&mut connection.notices).await, 2);
    println!("connected {:?} after the peer was back", back_at.elapsed());
    // 200 ms of retry delay; the rest is for a busy machine.
    assert!(
        back_at.elapsed() < Duration::from_millis(400),
        "{:?}",
        back_at.elapsed()
    );
}

#[tokio::test]
async fn connections_that_die_at_once_do_not_become_a_tight_loop() {
    fn dying(request: &Seen) -> Reply {
        match healthy(request) {
            Reply::Websocket => Reply::WebsocketThenClose,
            other => other,
        }
    }
    let fake = FakeAsterisk::start(dying).await;
    let mut connection = connect(config(fake.address));
    assert_eq!(connected(&mut connection.notices).await, 1);
    let first = Instant::now();
    for epoch in 1..5 {
        assert_eq!(lost(&mut connection.notices).await.0, epoch);
        assert_eq!(connected(&mut connection.notices).await, epoch + 1);
    }
    assert!(
        first.elapsed() >= Duration::from_millis(4 * 150),
        "{:?}",
        first.elapsed()
    );
}

#[tokio::test]
async fn an_overrun_ends_the_connection_and_the_reader_sees_exactly_where() {
    let mut fake = FakeAsterisk::start(healthy).await;
    let mut config = config(fake.address);
    config.limits.mailbox_capacity = 10;
    let mut connection = connect(config);
    let mut websocket = fake.websocket().await;
    until(&mut connection.state, |state| {
        matches!(state, State::Connected { epoch: 1, .. })
    })
    .await;
    for id in 0..50 {
        if websocket.send(Message::text(stasis_end(id))).await.is_err() {
            break;
        }
    }
    until(&mut connection.state, |state| matches!(state, State::Connecting { .. })).await;
    assert_eq!(
        fake.seen().len(),
        3,
        "no new connection before the reader has caught up"
    );

    assert_eq!(connected(&mut connection.notices).await, 1);
    // `Connected` held its place in the mailbox beforehand, and so does `Lost`.
    for id in 0..10 {
        assert_eq!(id_of(&event(&mut connection.notices).await), id.to_string());
    }
    assert_eq!(lost(&mut connection.notices).await, (1, "overrun"));
    assert_eq!(connected(&mut connection.notices).await, 2);
    assert_eq!(connection.client.counters().overruns(), 1);
}

#[tokio::test]
async fn a_replaced_connection_does_not_fight_for_the_name() {
    let mut fake = FakeAsterisk::start(healthy).await;
    let mut connection = connect(config(fake.address));
    let mut websocket = fake.websocket().await;
    assert_eq!(connected(&mut connection.notices).await, 1);
    send(
        &mut websocket,
        r#"{"type":"ApplicationReplaced","application":"crankback"}"#,
    )
    .await;
    assert_eq!(lost(&mut connection.notices).await, (1, "replaced"));
    assert!(next(&mut connection.notices).await.is_none(), "the stream ends");
    until(&mut connection.state, |state| matches!(state, State::Replaced)).await;
    assert_eq!(fake.seen().len(), 3, "nothing was sent after the replacement");
}

#[tokio::test]
async fn a_refusal_is_reported_retried_slowly_and_cancelled_at_once() {
    let fake = FakeAsterisk::start(|_| Reply::Json(401, r#"{"error":"Authentication required"}"#.to_owned())).await;
    let mut config = config(fake.address);
    config.limits.refused_delay = Duration::from_secs(3600);
    let mut connection = connect(config);
    let state = until(&mut connection.state, |state| {
        matches!(state, State::Connecting { failures: 1, .. })
    })
    .await;
    let State::Connecting {
        last_error: Some(error),
        ..
    } = state
    else {
        panic!("{state:?}")
    };
    assert_eq!(error.code(), "unauthorized", "{error}");
    connection.cancel.cancel();
    assert!(next(&mut connection.notices).await.is_none());
    until(&mut connection.state, |state| matches!(state, State::Stopped)).await;
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn a_refused_websocket_is_reported() {
    fn read_only(request: &Seen) -> Reply {
        if request.line.contains("/events") {
            Reply::Json(403, r#"{"message":"Write access denied"}"#.to_owned())
        } else {
            healthy(request)
        }
    }
    let fake = FakeAsterisk::start(read_only).await;
    let mut connection = connect(config(fake.address));
    let state = until(&mut connection.state, |state| {
        matches!(state, State::Connecting { failures: 1, .. })
    })
    .await;
    let State::Connecting {
        last_error: Some(error),
        ..
    } = state
    else {
        panic!("{state:?}")
    };
    assert_eq!(
        error.to_string(),
        "open events of application crankback: Asterisk answered 403: Write access denied"
    );
    assert_eq!(connection.client.counters().connections(), 0);
}

#[tokio::test]
async fn cancelling_closes_the_websocket_and_ends_the_stream() {
    let mut fake = FakeAsterisk::start(healthy).await;
    let mut connection = connect(config(fake.address));
    let mut websocket = fake.websocket().await;
    assert_eq!(connected(&mut connection.notices).await, 1);
    connection.cancel.cancel();
    let closed = async {
        while let Some(Ok(message)) = websocket.next().await {
            if message.is_close() {
                return true;
            }
        }
        false
    };
    assert!(
        tokio::time::timeout(ari_support::PATIENCE, closed).await.unwrap(),
        "a close frame comes"
    );
    assert!(next(&mut connection.notices).await.is_none());
}

#[tokio::test]
async fn dropping_the_receiver_ends_the_connection() {
    let mut fake = FakeAsterisk::start(healthy).await;
    let mut connection = connect(config(fake.address));
    let _websocket = fake.websocket().await;
    assert_eq!(connected(&mut connection.notices).await, 1);
    connection.notices = mpsc::channel(1).1;
    until(&mut connection.state, |state| matches!(state, State::Stopped)).await;
}
