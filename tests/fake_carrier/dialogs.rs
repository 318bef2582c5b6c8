//! Answered calls: media, re-INVITE, BYE both ways.

use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::phone::{Leg, Phone, QUIET, SOON, audio_port, sdp_offer};
use crate::sip::{Answer, CancelReaction, Direction, FakeCarrier, Outcome, Script, SipTimers};

async fn carrier(script: Script) -> FakeCarrier {
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    carrier.set_default(script);
    carrier
}

fn quiet_answer() -> Script {
    Script::new().trying().finally(Answer::without_rtp())
}

#[tokio::test]
async fn sends_ulaw_every_20_ms_and_counts_what_arrives() {
    let carrier = carrier(Script::answer()).await;
    let mut phone = Phone::udp(&carrier).await;
    let media = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut leg = Leg::new("100", "media");
    leg.sdp = Some(sdp_offer(media.local_addr().unwrap().port(), "8 0 101"));

    let answer = phone.call(&leg).await;
    let mut last_sequence = None;
    for _ in 0..5 {
        let mut packet = [0u8; 2048];
        let (length, _) = timeout(SOON, media.recv_from(&mut packet)).await.unwrap().unwrap();
        assert_eq!((length, packet[0], packet[1]), (172, 0x80, 0), "PCMU is preferred");
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        assert!(last_sequence.is_none_or(|last: u16| sequence == last + 1));
        last_sequence = Some(sequence);
    }
    for _ in 0..3 {
        media
            .send_to(&[0x80; 172], ("127.0.0.1", audio_port(&answer)))
            .await
            .unwrap();
    }
    let stats = carrier
        .wait_for(|stats| stats.rtp_received == 3 && stats.rtp_sent >= 5, SOON)
        .await
        .unwrap();
    assert_eq!((stats.answered, stats.active), (1, 1));
    assert_eq!(carrier.calls()[0].rtp_received(), 3);
    assert!(carrier.calls()[0].rtp_sent() >= 5);
    assert!(carrier.calls()[0].is_active());

    phone.send("BYE", &leg.next().within(&answer)).await;
    phone.expect(200).await;
    assert_eq!(carrier.calls()[0].outcome, Some(Outcome::HungUpByCaller));
    let mut packet = [0u8; 2048];
    let drained = async { while timeout(QUIET, media.recv_from(&mut packet)).await.is_ok() {} };
    timeout(SOON, drained).await.expect("RTP ends with the call");
}

#[tokio::test]
async fn sdp_in_a_progress_alone_sends_no_rtp() {
    let answer_late = CancelReaction::AnswerAnyway(Answer::with_rtp());
    let carrier = carrier(Script::new().trying().progress_with_sdp().on_cancel(answer_late)).await;
    let mut phone = Phone::udp(&carrier).await;
    let media = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut leg = Leg::new("100", "mute");
    leg.sdp = Some(sdp_offer(media.local_addr().unwrap().port(), "0"));
    let mut packet = [0u8; 2048];

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    let progress = phone.expect(183).await;
    assert!(timeout(QUIET, media.recv_from(&mut packet)).await.is_err());
    phone.send("CANCEL", &leg).await;
    phone.expect(200).await;
    let answer = phone.expect(200).await;
    assert_eq!(answer.body, progress.body, "one SDP for the whole call");
    timeout(SOON, media.recv_from(&mut packet)).await.unwrap().unwrap();
}

#[tokio::test]
async fn early_media_flows_before_the_answer() {
    let carrier = carrier(Script::new().trying().progress_with_media()).await;
    let mut phone = Phone::udp(&carrier).await;
    let media = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut leg = Leg::new("100", "early");
    leg.sdp = Some(sdp_offer(media.local_addr().unwrap().port(), "8"));

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    phone.expect(183).await;
    let mut packet = [0u8; 2048];
    timeout(SOON, media.recv_from(&mut packet)).await.unwrap().unwrap();
    assert_eq!(packet[1], 8, "PCMA where only PCMA is offered");
    assert_eq!(carrier.stats().answered, 0);
}

#[tokio::test]
async fn hangs_up_after_the_talk_time() {
    let talk_time = Duration::from_millis(80);
    let carrier = carrier(
        Script::new()
            .trying()
            .finally(Answer::without_rtp().hang_up_after(talk_time)),
    )
    .await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "short");

    let answer = phone.call(&leg).await;
    let bye = phone.expect_request("BYE").await;
    phone.accept(&bye).await;
    let stats = carrier.wait_for(|stats| stats.byes_sent == 1, SOON).await.unwrap();

    assert_eq!(bye.start.to_string(), format!("BYE sip:caller@{} SIP/2.0", phone.local));
    assert_eq!(bye.header("From"), answer.header("To"));
    assert_eq!(bye.header("To"), answer.header("From"));
    assert_eq!(bye.header("Call-ID"), Some("short"));
    assert_eq!((stats.byes_received, stats.active), (0, 0));
    let calls = carrier.calls();
    assert_eq!(calls[0].outcome, Some(Outcome::HungUpByCarrier));
    assert!(calls[0].talk_time().unwrap() >= talk_time);
}

#[tokio::test]
async fn repeats_its_bye_until_it_is_answered() {
    let carrier = carrier(quiet_answer()).await;
    let mut phone = Phone::udp(&carrier).await;
    phone.call(&Leg::new("100", "stubborn")).await;
    carrier.wait_for(|stats| stats.acks == 1, SOON).await.unwrap();
    let t1 = Duration::from_millis(20);
    carrier.set_timers(SipTimers { t1, t2: t1 * 2, t4: t1 });

    carrier.hang_up("stubborn");
    let bye = phone.expect_request("BYE").await;
    assert_eq!(phone.expect_request("BYE").await, bye);
    assert_eq!(phone.expect_request("BYE").await, bye);
    phone.accept(&bye).await;
    let stats = carrier.wait_for(|stats| stats.remembered == 0, SOON).await.unwrap();
    assert_eq!(stats.byes_sent, 1);
    let calls = carrier.calls();
    let (last, earlier) = calls[0].packets.split_last().unwrap();
    assert_eq!(
        (last.direction, last.code),
        (Direction::Received, Some(200)),
        "{last:?}"
    );
    assert!(
        earlier
            .iter()
            .filter(|packet| packet.first_line.starts_with("BYE"))
            .count()
            >= 3
    );
}

#[tokio::test]
async fn waits_for_the_ack_before_it_hangs_up() {
    let carrier = carrier(quiet_answer()).await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "eager");

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    let answer = phone.expect(200).await;
    carrier.hang_up_all();
    phone.expect_nothing_before_options().await;
    phone.acknowledge(&leg, &answer).await;
    phone.expect_request("BYE").await;
}

#[tokio::test]
async fn an_answer_that_is_never_acknowledged_is_repeated_then_hung_up() {
    let carrier = carrier(quiet_answer()).await;
    let t1 = Duration::from_millis(5);
    carrier.set_timers(SipTimers { t1, t2: t1 * 8, t4: t1 });
    let mut phone = Phone::tcp(&carrier).await;

    phone.send("INVITE", &Leg::new("100", "no-ack")).await;
    phone.expect(100).await;
    let answer = phone.expect(200).await;
    assert_eq!(phone.expect(200).await, answer, "a 200 is repeated over TCP too");
    let stats = carrier.wait_for(|stats| stats.byes_sent == 1, SOON).await.unwrap();
    assert_eq!((stats.acks, stats.active), (0, 0));
    assert_eq!(carrier.calls()[0].outcome, Some(Outcome::NeverAcknowledged));
}

#[tokio::test]
async fn a_reinvite_gets_the_same_sdp_and_moves_the_media() {
    let carrier = carrier(Script::answer()).await;
    let mut phone = Phone::udp(&carrier).await;
    let elsewhere = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let leg = Leg::new("100", "moved");
    let answer = phone.call(&leg).await;

    let mut reinvite = leg.next().within(&answer);
    reinvite.sdp = Some(sdp_offer(elsewhere.local_addr().unwrap().port(), "0"));
    phone.send("INVITE", &reinvite).await;
    let again = phone.expect(200).await;
    assert_eq!(again.body, answer.body);
    phone.send("INVITE", &reinvite).await;
    assert_eq!(phone.expect(200).await, again);
    phone.acknowledge(&reinvite, &again).await;
    let mut packet = [0u8; 2048];
    timeout(SOON, elsewhere.recv_from(&mut packet)).await.unwrap().unwrap();

    let stats = carrier.stats();
    assert_eq!(
        (
            stats.invites,
            stats.reinvites,
            stats.invite_retransmissions,
            stats.answered
        ),
        (1, 1, 1, 1)
    );
    assert_eq!(carrier.calls().len(), 1);
}

#[tokio::test]
async fn an_invite_without_offer_gets_one_and_media_follows_the_ack() {
    let carrier = carrier(Script::answer()).await;
    let mut phone = Phone::udp(&carrier).await;
    let media = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut leg = Leg::new("100", "late-offer");
    leg.sdp = None;

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    let answer = phone.expect(200).await;
    assert!(audio_port(&answer) > 0);
    let sdp = sdp_offer(media.local_addr().unwrap().port(), "0");
    let ack = phone.text("ACK", &leg.within(&answer)).replace(
        "Content-Length: 0\r\n\r\n",
        &format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len()),
    );
    phone.send_raw(ack.as_bytes()).await;
    let mut packet = [0u8; 2048];
    timeout(SOON, media.recv_from(&mut packet)).await.unwrap().unwrap();
}

#[tokio::test]
async fn accepts_other_requests_of_the_dialog_and_refuses_strangers() {
    let carrier = carrier(quiet_answer()).await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "known");
    let answer = phone.call(&leg).await;
    let within = leg.within(&answer);

    for method in ["INFO", "UPDATE"] {
        phone.send(method, &within.next()).await;
        assert_eq!(phone.expect(200).await.method(), method);
    }
    let bye = within.next().next();
    for _ in 0..2 {
        phone.send("BYE", &bye).await;
        assert_eq!(phone.expect(200).await.method(), "BYE");
    }
    assert_eq!(carrier.stats().byes_received, 1, "a repeated BYE counts once");

    let mut stranger = bye.clone();
    stranger.call_id = "unknown".to_owned();
    stranger.branch.push('x');
    for method in ["BYE", "CANCEL", "INVITE", "INFO"] {
        phone.send(method, &stranger).await;
        assert_eq!(phone.expect(481).await.method(), method);
    }
    assert_eq!(carrier.stats().unmatched, 4);
}

#[tokio::test]
async fn bye_follows_the_recorded_route() {
    let carrier = carrier(quiet_answer()).await;
    let mut phone = Phone::udp(&carrier).await;
    let mut proxy = Phone::udp(&carrier).await;
    let route = format!("<sip:{};lr>", proxy.local);
    let leg = Leg::new("100", "routed").with(&format!("Record-Route: {route}"));

    let answer = phone.call(&leg).await;
    assert_eq!(answer.header("Record-Route"), Some(route.as_str()));
    carrier.wait_for(|stats| stats.acks == 1, SOON).await.unwrap();
    carrier.hang_up_all();
    let bye = proxy.expect_request("BYE").await;
    assert_eq!(bye.header("Route"), Some(route.as_str()));
    assert_eq!(bye.start.to_string(), format!("BYE sip:caller@{} SIP/2.0", phone.local));
}
