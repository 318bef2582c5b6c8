//! Requests: what goes over the wire, and how failures are told apart.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

mod ari_support;

use std::net::SocketAddr;
use std::time::Duration;

use ari_support::{FakeAsterisk, PATIENCE, Reply, Seen, config, info};
use crankback::ari::{
    self, AddChannel, Channels, Client, ContinueInDialplan, Create, Error, EventSource, HangupReason, Operation,
    Originate,
};
use tokio::net::{TcpSocket, TcpStream};

/// A port that nothing listens on.
async fn closed_port() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

fn channel(_: &Seen) -> Reply {
    Reply::Json(200, r#"{"id":"1.1","name":"PJSIP/a-1","state":"Down"}"#.to_owned())
}

fn client(fake: &FakeAsterisk) -> Client {
    Client::new(&config(fake.address)).unwrap()
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let client = Client::new(&config(closed_port().await)).unwrap();
    let error = client.channels().answer("1.1").await.unwrap_err();
    assert!(matches!(error, Error::NotSent { .. }), "{error}");
    assert!(
        error.to_string().starts_with("answer channel 1.1: not sent: "),
        "{error}"
    );
}

#[tokio::test]
async fn a_connection_that_is_never_taken_was_not_sent() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Fill the accept queue until a connect hangs.
    let mut held = Vec::new();
    while let Ok(connected) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        held.push(connected.unwrap());
        assert!(held.len() < 100, "the accept queue never fills up");
    }
    let mut config = config(address);
    config.limits.connect_timeout = Duration::from_millis(200);
    let error = Client::new(&config)
        .unwrap()
        .channels()
        .answer("1.1")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotSent { .. }), "{error}");
}

#[tokio::test]
async fn an_unanswered_request_has_an_unknown_outcome() {
    let fake = FakeAsterisk::start(|_| Reply::Nothing).await;
    let mut config = config(fake.address);
    config.limits.request_timeout = Duration::from_millis(200);
    let client = Client::new(&config).unwrap();
    let leg = Originate {
        endpoint: "PJSIP/1@c",
        app: "crankback",
        channel_id: Some("179.9"),
        ..Originate::default()
    };
    let error = client.channels().originate(&leg).await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    assert!(
        error.to_string().starts_with("originate channel 179.9: sent, but"),
        "{error}"
    );
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn a_connection_closed_instead_of_an_answer_has_an_unknown_outcome() {
    let fake = FakeAsterisk::start(|_| Reply::Close).await;
    let error = client(&fake).channels().ring("1.1").await.unwrap_err();
    assert_eq!(error.code(), "outcome_unknown", "{error}");
    assert_eq!(
        fake.seen().len(),
        1,
        "a request whose outcome is unknown is not sent again"
    );
}

#[tokio::test]
async fn requests_beyond_the_limit_wait_and_then_were_not_sent() {
    let fake = FakeAsterisk::start(|_| Reply::Nothing).await;
    let mut config = config(fake.address);
    config.limits.concurrent_requests = 2;
    config.limits.request_timeout = Duration::from_millis(500);
    let client = Client::new(&config).unwrap();
    let stuck =
        [client.clone(), client.clone()].map(|client| tokio::spawn(async move { client.channels().ring("1.1").await }));
    tokio::time::timeout(PATIENCE, async {
        while fake.seen().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("both requests arrive");
    // A third that may not wait for long: the slots are taken.
    let third = tokio::time::timeout(Duration::from_millis(100), client.channels().ring("1.2")).await;
    assert!(third.is_err(), "it waits");
    assert_eq!(fake.seen().len(), 2, "and does not go out");
    for stuck in stuck {
        assert_eq!(stuck.await.unwrap().unwrap_err().code(), "outcome_unknown");
    }
    // The slots are free again.
    let error = client.channels().ring("1.3").await.unwrap_err();
    assert_eq!(error.code(), "outcome_unknown", "{error}");
}

#[tokio::test]
async fn asterisks_own_words_are_in_the_error() {
    let fake = FakeAsterisk::start(|request| match request.line.contains("missing") {
        true => Reply::Json(404, r#"{"message":"Channel not found"}"#.to_owned()),
        false => Reply::Json(500, r#"{"error":"Allocation failed"}"#.to_owned()),
    })
    .await;
    let channels = client(&fake);
    let channels = channels.channels();
    let error = channels.get("missing").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "get channel missing: Asterisk answered 404: Channel not found"
    );
    assert_eq!(error.status(), Some(404));
    let leg = Originate {
        endpoint: "PJSIP/1@nobody",
        app: "crankback",
        ..Originate::default()
    };
    let error = channels.originate(&leg).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "originate channel PJSIP/1@nobody: Asterisk answered 500: Allocation failed"
    );
}

#[tokio::test]
async fn a_wrong_password_is_its_own_error() {
    let fake = FakeAsterisk::start(|_| Reply::Json(401, r#"{"error":"Authentication required"}"#.to_owned())).await;
    let error = ari::probe(&config(fake.address)).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");
}

#[tokio::test]
async fn a_probe_opens_no_websocket() {
    let fake = FakeAsterisk::start(|_| info("16.28.0~dfsg-0+deb11u4")).await;
    let asterisk = ari::probe(&config(fake.address)).await.unwrap();
    assert_eq!(asterisk.version.as_str(), "16.28.0~dfsg-0+deb11u4");
    assert_eq!(asterisk.entity_id, "02:fc:00:00:00:01");
    assert!(!asterisk.capabilities.tech_cause);
    let lines: Vec<_> = fake.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(lines, ["GET /ari/asterisk/info?only=system%2Cstatus"]);
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_promised_says_where() {
    let fake = FakeAsterisk::start(|_| Reply::Json(200, r#"[{"id":"1.1"},{"id":7}]"#.to_owned())).await;
    let error = client(&fake).channels().list().await.unwrap_err();
    assert!(
        matches!(&error, Error::Decode { path, .. } if path == "[1].id"),
        "{error}"
    );
}

/// Runs one operation against a fake and returns the request line and the body.
async fn wire<T>(operation: impl AsyncFnOnce(Client) -> Result<T, Error>) -> (String, String) {
    let fake = FakeAsterisk::start(channel).await;
    assert!(operation(client(&fake)).await.is_ok());
    let [seen] = fake.seen().try_into().expect("one request");
    (seen.line, seen.body)
}

#[tokio::test]
async fn a_leg_is_originated_with_everything_in_one_request() {
    let leg = Originate {
        endpoint: "PJSIP/+15551230000@carrier a",
        app: "crankback",
        app_args: Some("leg,1"),
        caller_id: Some("A & B <1555>"),
        timeout_seconds: Some(-1),
        channel_id: Some("179.901000001"),
        originator: Some("179.1"),
        formats: None,
        variables: &[("Z", "1"), ("A", "two"), ("TIMEOUT(absolute)", "14400")],
    };
    let (line, body) = wire(async |client| client.channels().originate(&leg).await).await;
    assert_eq!(
        line,
        "POST /ari/channels?endpoint=PJSIP%2F%2B15551230000%40carrier+a&app=crankback&appArgs=leg%2C1\
         &callerId=A+%26+B+%3C1555%3E&timeout=-1&channelId=179.901000001&originator=179.1"
    );
    assert_eq!(
        body, r#"{"variables":{"Z":"1","A":"two","TIMEOUT(absolute)":"14400"}}"#,
        "in the order given"
    );

    let leg = Create {
        endpoint: "PJSIP/1@c",
        app: "crankback",
        formats: Some("ulaw"),
        ..Create::default()
    };
    let (line, body) = wire(async |client| client.channels().create(&leg).await).await;
    assert_eq!(
        line,
        "POST /ari/channels/create?endpoint=PJSIP%2F1%40c&app=crankback&formats=ulaw"
    );
    assert_eq!(body, r#"{"variables":{}}"#);
}

#[tokio::test]
async fn channel_operations_by_aris_names() {
    type Call = for<'a> fn(Channels<'a>) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;
    let old = ari::Version::parse("16.28.0").capabilities();
    let new = ari::Version::parse("22.10.1").capabilities();
    assert!(!old.progress && new.progress);
    let calls: [(Call, &str); 12] = [
        (
            |c| Box::pin(async move { c.answer("1.1").await }),
            "POST /ari/channels/1.1/answer",
        ),
        (
            |c| Box::pin(async move { c.ring("1.1").await }),
            "POST /ari/channels/1.1/ring",
        ),
        (
            |c| Box::pin(async move { c.ring_stop("1.1").await }),
            "DELETE /ari/channels/1.1/ring",
        ),
        (
            |c| Box::pin(async move { c.stop_silence("1.1").await }),
            "DELETE /ari/channels/1.1/silence",
        ),
        (
            |c| Box::pin(async move { c.dial("1.1", Some("1.0"), 30).await }),
            "POST /ari/channels/1.1/dial?caller=1.0&timeout=30",
        ),
        (
            |c| Box::pin(async move { c.hangup("1.1", HangupReason::NoAnswer).await }),
            "DELETE /ari/channels/1.1?reason=no_answer",
        ),
        (
            |c| Box::pin(async move { c.hangup("1.1", HangupReason::Cause(34)).await }),
            "DELETE /ari/channels/1.1?reason_code=34",
        ),
        (
            |c| Box::pin(async move { c.continue_in_dialplan("1.1", ContinueInDialplan::default()).await }),
            "POST /ari/channels/1.1/continue",
        ),
        (
            |c| {
                Box::pin(async move {
                    let to = ContinueInDialplan {
                        context: Some("crankback"),
                        label: Some("native"),
                        ..Default::default()
                    };
                    c.continue_in_dialplan("1.1", to).await
                })
            },
            "POST /ari/channels/1.1/continue?context=crankback&label=native",
        ),
        (
            |c| Box::pin(async move { c.set_variable("1.1", "CALLERID(num)", "+1 555&").await }),
            "POST /ari/channels/1.1/variable?variable=CALLERID%28num%29&value=%2B1+555%26",
        ),
        (
            |c| Box::pin(async move { c.get("a/b+c").await.map(drop) }),
            "GET /ari/channels/a%2Fb%2Bc",
        ),
        (
            |c| Box::pin(async move { c.answer("é ").await }),
            "POST /ari/channels/%C3%A9%20/answer",
        ),
    ];
    for (call, expected) in calls {
        let (line, _) = wire(async |client| call(client.channels()).await).await;
        assert_eq!(line, expected);
    }
    for (capabilities, expected) in [
        (new, "POST /ari/channels/1.1/progress"),
        (old, "POST /ari/channels/1.1/silence"),
    ] {
        let (line, _) = wire(async |client| client.channels().progress("1.1", &capabilities).await).await;
        assert_eq!(line, expected);
    }
}

#[tokio::test]
async fn bridge_operations_by_aris_names() {
    let (line, _) = wire(async |client| client.bridges().create_with_id("cb-1").await).await;
    assert_eq!(line, "POST /ari/bridges/cb-1?type=mixing");
    let quiet = AddChannel {
        inhibit_connected_line_updates: true,
    };
    let (line, _) = wire(async |client| client.bridges().add_channel("cb-1", &["1.1", "1.2"], quiet).await).await;
    assert_eq!(
        line,
        "POST /ari/bridges/cb-1/addChannel?channel=1.1%2C1.2&inhibitConnectedLineUpdates=true"
    );
    let (line, _) = wire(async |client| {
        client
            .bridges()
            .add_channel("cb-1", &["1.1"], AddChannel::default())
            .await
    })
    .await;
    assert_eq!(line, "POST /ari/bridges/cb-1/addChannel?channel=1.1");
    let (line, _) = wire(async |client| client.bridges().remove_channel("cb-1", &["1.1"]).await).await;
    assert_eq!(line, "POST /ari/bridges/cb-1/removeChannel?channel=1.1");
    let (line, _) = wire(async |client| client.bridges().destroy("cb-1").await).await;
    assert_eq!(line, "DELETE /ari/bridges/cb-1");
    let (line, _) = wire(async |client| client.bridges().get("cb-1").await).await;
    assert_eq!(line, "GET /ari/bridges/cb-1");
}

#[tokio::test]
async fn a_variable_that_is_not_set_is_none() {
    let fake = FakeAsterisk::start(|request| match request.line.contains("SET") {
        true => Reply::Json(200, r#"{"value":"a b"}"#.to_owned()),
        false => Reply::Json(404, r#"{"message":"Provided variable was not found"}"#.to_owned()),
    })
    .await;
    let client = client(&fake);
    assert_eq!(
        client.channels().get_variable("1.1", "SET").await.unwrap().as_deref(),
        Some("a b")
    );
    assert_eq!(client.channels().get_variable("1.1", "NOT").await.unwrap(), None);
}

#[tokio::test]
async fn an_operation_without_a_method_of_its_own_can_be_sent() {
    let (line, body) = wire(async |client| {
        let operation = Operation {
            name: "mute channel",
            target: "1.1",
        };
        let request = client.request(operation, reqwest::Method::POST, &["channels", "1.1", "mute"]);
        request.query("direction", "in").execute().await
    })
    .await;
    assert_eq!(
        (line.as_str(), body.as_str()),
        ("POST /ari/channels/1.1/mute?direction=in", "")
    );
}

#[tokio::test]
async fn a_prefix_of_http_conf_goes_before_every_path() {
    let fake = FakeAsterisk::start(channel).await;
    let mut config = config(fake.address);
    config.endpoint = ari::Endpoint::parse(&format!("http://{}/asterisk", fake.address)).unwrap();
    Client::new(&config).unwrap().channels().answer("1.1").await.unwrap();
    assert_eq!(fake.seen()[0].line, "POST /asterisk/ari/channels/1.1/answer");
}

#[tokio::test]
async fn an_endpoint_is_there_or_not() {
    let fake = FakeAsterisk::start(|seen| match seen.line.as_str() {
        "GET /ari/endpoints/PJSIP/carrier%20a" => Reply::Json(
            200,
            r#"{"technology":"PJSIP","resource":"carrier a","state":"online","channel_ids":[]}"#.to_owned(),
        ),
        "GET /ari/endpoints/SIP/gone" => Reply::Json(404, r#"{"message":"Endpoint not found"}"#.to_owned()),
        _ => Reply::Json(500, r#"{"message":"no"}"#.to_owned()),
    })
    .await;
    let client = client(&fake);
    let found = client.endpoints().get("PJSIP", "carrier a").await.unwrap().unwrap();
    assert_eq!((found.resource.as_str(), found.state.as_str()), ("carrier a", "online"));
    assert_eq!(client.endpoints().get("SIP", "gone").await.unwrap(), None);
    let error = client.endpoints().get("IAX2", "x").await.unwrap_err();
    assert_eq!(error.to_string(), "get endpoint x: Asterisk answered 500: no");
}

#[tokio::test]
async fn endpoints_are_listed_and_their_devices_subscribed_to() {
    let fake = FakeAsterisk::start(|seen| match seen.line.as_str() {
        "GET /ari/endpoints" => Reply::Json(
            200,
            r#"[{"technology":"SIP","resource":"a","state":"offline","channel_ids":["1.1"]},{"technology":"PJSIP","resource":"b","state":"online","channel_ids":[]}]"#
                .to_owned(),
        ),
        "POST /ari/applications/crankback/subscription?eventSource=deviceState%3APJSIP%2Fb"
        | "POST /ari/applications/crankback/subscription?eventSource=channel%3A1.1" => Reply::Json(200, "{}".to_owned()),
        line => panic!("{line}"),
    })
    .await;
    let client = client(&fake);
    let peers = client.endpoints().list().await.unwrap();
    let states: Vec<_> = peers
        .iter()
        .map(|peer| (peer.resource.as_str(), peer.state.as_str()))
        .collect();
    assert_eq!(states, [("a", "offline"), ("b", "online")]);
    for source in [EventSource::Device("PJSIP/b"), EventSource::Channel("1.1")] {
        client.applications().subscribe("crankback", source).await.unwrap();
    }
}
