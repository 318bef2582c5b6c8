//! The ARI password stands in no URL, no log line and no `Debug` text. One test, for it owns the process's logger.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

mod ari_support;
mod full_log;

use ari_support::{BASIC, FakeAsterisk, PASSWORD, Reply, Seen, config, connected, event, healthy, lost};
use crankback::ari::{self, Client, Originate};
use full_log::FullLog;
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn no_credentials_in_urls_logs_or_debug_texts() {
    let log = FullLog::begin();

    fn some_failures(request: &Seen) -> Reply {
        match request.line.as_str() {
            "POST /ari/channels/1.1/answer" => Reply::Json(404, r#"{"message":"Channel not found"}"#.to_owned()),
            "POST /ari/channels/1.1/ring" => Reply::Close,
            line if line.starts_with("POST /ari/channels?") => Reply::Json(401, "{}".to_owned()),
            _ => healthy(request),
        }
    }
    let mut fake = FakeAsterisk::start(some_failures).await;
    let config = config(fake.address);
    let cancel = CancellationToken::new();
    let _guard = cancel.clone().drop_guard();
    let (client, mut notices, state) = ari::connect(config.clone(), cancel).unwrap();
    let mut websocket = fake.websocket().await;
    assert_eq!(connected(&mut notices).await, 1);
    websocket
        .send(Message::text(r#"{"type":"StasisEnd","channel":{"id":"1.1"}}"#))
        .await
        .unwrap();
    websocket.send(Message::text(r#"{"type":"Dial"}"#)).await.unwrap();
    event(&mut notices).await;
    let leg = Originate {
        endpoint: "PJSIP/1@c",
        app: "crankback",
        ..Originate::default()
    };
    let errors = [
        client.channels().answer("1.1").await.unwrap_err(),
        client.channels().ring("1.1").await.unwrap_err(),
        client.channels().originate(&leg).await.unwrap_err(),
    ];
    assert_eq!(
        errors.each_ref().map(ari::Error::code),
        ["status", "outcome_unknown", "unauthorized"]
    );
    drop(websocket);
    lost(&mut notices).await;

    let mut shown = vec![
        format!("{config:?} {config:#?}"),
        format!("{client:?}"),
        format!("{:?}", *state.borrow()),
    ];
    shown.extend(errors.iter().map(|error| format!("{error} {error:?}")));
    shown.push(format!("{:?}", Client::new(&config).unwrap().channels()));
    let seen = fake.seen();
    assert!(
        seen.iter().all(|seen| seen.authorization == format!("Basic {BASIC}")),
        "the password was in use"
    );
    shown.extend(seen.into_iter().map(|seen| seen.line));
    let log = log.text();
    assert!(
        log.contains("TRACE tungstenite"),
        "the libraries' own trace lines are captured"
    );
    assert!(log.contains("ARI connected") && log.contains("ARI request"), "and ours");
    shown.push(log);

    for text in shown {
        for secret in [PASSWORD, BASIC, "correct", "horse", "Y3Jhbm"] {
            assert!(!text.contains(secret), "{secret:?} is shown in: {text}");
        }
    }
}
