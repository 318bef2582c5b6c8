//! TCP: where messages begin and end, and what differs from UDP.

use std::time::Duration;

use crate::phone::{Leg, Phone, SOON, to_tag};
use crate::sip::{Answer, FakeCarrier, Framer, Message, Script, SipTimers, Transport};

#[test]
fn framer_gives_whole_messages_whatever_the_reads() {
    let first = Message::request("OPTIONS", "sip:a@b")
        .with("v", "SIP/2.0/TCP b")
        .with("f", "<sip:a@b>")
        .with("t", "<sip:a@b>")
        .with("i", "1")
        .with("CSeq", "1 OPTIONS");
    let second = first.clone().with_sdp("v=0\r\n\r\n".to_owned());
    let mut stream = b"\r\n\r\n".to_vec();
    for message in [&first, &second, &first] {
        stream.extend(message.to_bytes());
    }
    for read_length in [1, 7, 100, stream.len()] {
        let mut framer = Framer::default();
        let mut seen = Vec::new();
        for read in stream.chunks(read_length) {
            framer.push(read);
            while let Some(message) = framer.next_message() {
                seen.push(message.unwrap());
            }
        }
        assert_eq!(seen.len(), 3, "reads of {read_length} bytes");
        assert_eq!(seen[1].body, b"v=0\r\n\r\n");
        assert_eq!(seen[2].header("Call-ID"), Some("1"));
    }
}

#[test]
fn framer_reports_what_it_cannot_frame() {
    let head = "OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\nFrom: x\r\nTo: x\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n";
    for (text, complaint) in [
        (format!("{head}\r\n"), "no Content-Length on a stream"),
        (
            format!("{head}Content-Length: ten\r\n\r\n"),
            "Content-Length is not a number",
        ),
        (format!("{head}Content-Length: 99999999\r\n\r\n"), "body too long"),
        (
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            "first line is neither a request nor a status line",
        ),
    ] {
        let mut framer = Framer::default();
        framer.push(text.as_bytes());
        assert_eq!(framer.next_message().unwrap().unwrap_err().0, complaint);
    }
}

#[tokio::test]
async fn takes_split_and_merged_messages_over_tcp() {
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    carrier.set_default(Script::new().trying().ringing());
    let mut phone = Phone::tcp(&carrier).await;
    let (first, second) = (Leg::new("1", "first"), Leg::new("2", "second"));
    let text = phone.text("INVITE", &first) + &phone.text("INVITE", &second) + &phone.text("OPTIONS", &second);

    let (head, tail) = text.as_bytes().split_at(40);
    phone.send_raw(head).await;
    let mut other = Phone::tcp(&carrier).await;
    other.expect_nothing_before_options().await;
    assert_eq!(carrier.stats().invites, 0, "half a message is none");
    let (middle, last) = tail.split_at(tail.len() - 5);
    phone.send_raw(middle).await;
    for call_id in ["first", "second"] {
        for code in [100, 180] {
            assert_eq!(phone.expect(code).await.header("Call-ID"), Some(call_id));
        }
    }
    phone.send_raw(last).await;
    assert_eq!(phone.expect(200).await.method(), "OPTIONS");
    assert_eq!(carrier.calls()[1].transport, Transport::Tcp);
}

#[tokio::test]
async fn does_not_repeat_a_refusal_over_tcp() {
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    carrier.set_default(Script::refuse(503));
    let t1 = Duration::from_millis(2);
    carrier.set_timers(SipTimers { t1, t2: t1, t4: t1 });
    let mut phone = Phone::tcp(&carrier).await;

    phone.send("INVITE", &Leg::new("1", "once")).await;
    phone.expect(100).await;
    phone.expect(503).await;
    let stats = carrier.wait_for(|stats| stats.remembered == 0, SOON).await.unwrap();
    assert_eq!(stats.final_retransmissions, 0);
    phone.expect_nothing_before_options().await;
}

#[tokio::test]
async fn hangs_up_over_the_connection_of_the_call() {
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    carrier.set_default(Script::new().trying().finally(Answer::without_rtp()));
    let mut phone = Phone::tcp(&carrier).await;
    let leg = Leg::new("1", "tcp-call");

    let answer = phone.call(&leg).await;
    assert!(
        answer.header("Contact").unwrap().ends_with(";transport=tcp>"),
        "{answer:?}"
    );
    carrier.wait_for(|stats| stats.acks == 1, SOON).await.unwrap();
    carrier.hang_up("tcp-call");
    let bye = phone.expect_request("BYE").await;
    assert!(bye.header("From").unwrap().ends_with(&to_tag(&answer)));
    phone.accept(&bye).await;
    assert_eq!((carrier.stats().byes_sent, carrier.active_calls().len()), (1, 0));
}

#[tokio::test]
async fn closes_a_connection_that_sends_no_sip() {
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    let mut phone = Phone::tcp(&carrier).await;
    phone.send_raw(b"GET / HTTP/1.1\r\n\r\n").await;
    carrier.wait_for(|stats| stats.malformed == 1, SOON).await.unwrap();
    let mut next = Phone::tcp(&carrier).await;
    next.expect_nothing_before_options().await;
}
