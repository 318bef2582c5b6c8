//! The carrier as a whole: ports, OPTIONS and REGISTER, records, load.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::net::{TcpStream, UdpSocket};

use crate::phone::{Leg, Phone, SOON};
use crate::sip::{Answer, FakeCarrier, Reply, Script, SipTimers};

#[tokio::test]
async fn nothing_listens_on_a_closed_port() {
    let address = FakeCarrier::closed_port().await.unwrap();
    assert_eq!(
        TcpStream::connect(address).await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(address).await.unwrap();
    socket.send(b"x").await.unwrap();
    let answer = tokio::time::timeout(SOON, socket.recv(&mut [0u8; 10])).await.unwrap();
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn comes_back_on_the_same_port() {
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    let address = carrier.addr();
    let _connection = Phone::tcp(&carrier).await;
    carrier.stop().await;
    let carrier = FakeCarrier::start_at("carrier", address).await.unwrap();
    assert_eq!(carrier.addr(), address);
    Phone::udp(&carrier).await.expect_nothing_before_options().await;
    Phone::tcp(&carrier).await.expect_nothing_before_options().await;
}

#[tokio::test]
async fn options_are_answered_as_told() {
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    let mut phone = Phone::udp(&carrier).await;
    let probe = Leg::new("", "probe");

    phone.send("OPTIONS", &probe).await;
    phone.expect(200).await;
    carrier.set_options_reply(Reply::Code(503));
    phone.send("OPTIONS", &probe).await;
    phone.expect(503).await;
    carrier.set_options_reply(Reply::Silence);
    phone.send("OPTIONS", &probe).await;
    carrier.wait_for(|stats| stats.options == 3, SOON).await.unwrap();
    phone.send("REGISTER", &probe.with("Expires: 300")).await;
    let registered = phone.expect(200).await;
    assert_eq!(registered.method(), "REGISTER", "the third OPTIONS was not answered");
    assert_eq!(registered.header("Expires"), Some("300"));
    assert!(registered.header("Contact").unwrap().contains(&phone.local.to_string()));
    assert_eq!(carrier.stats().registers, 1);
}

#[tokio::test]
async fn says_what_it_counted_when_the_time_is_over() {
    let carrier = FakeCarrier::start("lonely").await.unwrap();
    let not_seen = carrier
        .wait_for(|stats| stats.invites == 1, Duration::from_millis(1))
        .await
        .unwrap_err();
    assert!(
        not_seen
            .to_string()
            .starts_with("carrier lonely did not see it within 1ms"),
        "{not_seen}"
    );
}

#[tokio::test]
async fn datagrams_that_are_no_sip_are_counted() {
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    let mut phone = Phone::udp(&carrier).await;
    phone.send_raw(b"\r\n\r\n").await;
    phone.send_raw(b"hello").await;
    phone.send_raw(b"INVITE sip:1@x SIP/2.0\r\nVia: x\r\n\r\n").await;
    phone.expect_nothing_before_options().await;
    assert_eq!(carrier.stats().malformed, 2, "a keep-alive is no error");
}

#[tokio::test]
async fn hangs_up_the_named_call_only() {
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    carrier.set_default(Script::new().trying().finally(Answer::without_rtp()));
    let mut phone = Phone::udp(&carrier).await;
    for call_id in ["a", "b", "c"] {
        phone.call(&Leg::new("1", call_id)).await;
    }
    carrier.wait_for(|stats| stats.acks == 3, SOON).await.unwrap();
    assert_eq!(carrier.active_calls(), ["a", "b", "c"]);

    carrier.hang_up("b");
    let bye = phone.expect_request("BYE").await;
    assert_eq!(bye.header("Call-ID"), Some("b"));
    phone.accept(&bye).await;
    assert_eq!(carrier.active_calls(), ["a", "c"]);
    carrier.hang_up_all();
    carrier
        .wait_for(|stats| stats.byes_sent == 3 && stats.active == 0, SOON)
        .await
        .unwrap();
    carrier.forget_finished();
    assert_eq!(carrier.calls().len(), 0);
}

/// 2,000 calls as fast as one caller can place them, refused and answered in turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_many_calls_exactly_and_keeps_none() {
    const CALLS: u64 = 2_000;
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    carrier.keep_records(false);
    carrier.set_timers(SipTimers {
        t4: Duration::from_millis(10),
        ..SipTimers::default()
    });
    carrier.follow_numbers(true);
    carrier.on_prefix("2", Script::new().trying().finally(Answer::without_rtp()));
    let mut phone = Phone::udp(&carrier).await;

    for call in 0..CALLS {
        let is_answered = call % 2 == 0;
        let leg = Leg::new(if is_answered { "20000" } else { "10503" }, &format!("call-{call}"));
        phone.send("INVITE", &leg).await;
        phone.expect(100).await;
        let last = phone.expect(if is_answered { 200 } else { 503 }).await;
        phone.acknowledge(&leg, &last).await;
        if is_answered {
            phone.send("BYE", &leg.next().within(&last)).await;
            phone.expect(200).await;
        }
    }
    let stats = carrier.wait_for(|stats| stats.remembered == 0, SOON).await.unwrap();
    assert_eq!((stats.invites, stats.acks), (CALLS, CALLS));
    assert_eq!(
        (stats.answered, stats.byes_received, stats.refused),
        (CALLS / 2, CALLS / 2, CALLS / 2)
    );
    assert_eq!((stats.pending, stats.active, stats.final_retransmissions), (0, 0, 0));
    assert_eq!(carrier.calls().len(), 0);
}
