//! INVITE transactions: provisional and final responses, retransmission, CANCEL, challenges.

use std::time::Duration;

use crate::phone::{Leg, Phone, QUIET, SOON, audio_port, sdp_offer};
use crate::sip::{Answer, CancelReaction, Direction, FakeCarrier, Outcome, Refusal, Script, SipTimers, Transport};

async fn carrier(script: Script) -> FakeCarrier {
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    carrier.set_default(script);
    carrier
}

fn fast_timers() -> SipTimers {
    SipTimers {
        t1: Duration::from_millis(10),
        t2: Duration::from_millis(40),
        t4: Duration::from_millis(10),
    }
}

#[tokio::test]
async fn refuses_with_code_phrase_and_headers() {
    let refusal = Refusal::code(503)
        .phrase("No Circuit")
        .header("Reason", "Q.850;cause=34")
        .header("Retry-After", "7");
    let carrier = carrier(Script::new().trying().finally(refusal)).await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("917275551234", "refused").with("X-Lead: 42");

    phone.send("INVITE", &leg).await;
    let trying = phone.expect(100).await;
    assert!(!trying.header("To").unwrap().contains("tag="), "{trying:?}");
    let refused = phone.expect(503).await;
    phone.acknowledge(&leg, &refused).await;
    let stats = carrier.wait_for(|stats| stats.acks == 1, SOON).await.unwrap();

    assert_eq!(refused.start.to_string(), "SIP/2.0 503 No Circuit");
    assert_eq!(refused.header("Reason"), Some("Q.850;cause=34"));
    assert_eq!(refused.header("Retry-After"), Some("7"));
    let via = refused.header("Via").unwrap();
    let stamp = format!(";rport={};received=127.0.0.1", phone.local.port());
    assert!(via.contains(&leg.branch) && via.ends_with(&stamp), "{via}");
    assert_eq!(
        (stats.invites, stats.refused, stats.answered, stats.pending),
        (1, 1, 0, 0)
    );

    let calls = carrier.calls();
    let [call] = calls.as_slice() else {
        panic!("one call: {calls:?}")
    };
    assert_eq!(call.call_id, "refused");
    assert_eq!(call.number, "917275551234");
    assert_eq!(call.caller_number, "7275550100");
    assert_eq!(call.caller_name, "V1 \"Lead\"");
    assert_eq!(call.header("x-lead"), Some("42"));
    assert_eq!(call.transport, Transport::Udp);
    assert_eq!(call.peer, phone.local);
    assert_eq!(call.outcome, Some(Outcome::Refused(503)));
    let lines: Vec<_> = call
        .packets
        .iter()
        .map(|packet| (packet.direction, packet.first_line.as_str()))
        .collect();
    let target = format!("sip:917275551234@{}", carrier.addr());
    assert_eq!(
        lines,
        [
            (Direction::Received, format!("INVITE {target} SIP/2.0").as_str()),
            (Direction::Sent, "SIP/2.0 100 Trying"),
            (Direction::Sent, "SIP/2.0 503 No Circuit"),
            (Direction::Received, format!("ACK {target} SIP/2.0").as_str()),
        ]
    );
    assert!(call.received("INVITE").unwrap().at <= call.responded(503).unwrap().at);
}

#[tokio::test]
async fn plays_provisionals_and_pauses_in_order() {
    let pause = Duration::from_millis(60);
    let script = Script::new()
        .trying()
        .after(pause)
        .ringing()
        .progress()
        .progress_with_sdp()
        .finally(Refusal::code(480));
    let carrier = carrier(script).await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "steps");

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    let ringing = phone.expect(180).await;
    assert!(ringing.body.is_empty());
    assert!(ringing.header("Contact").unwrap().contains(&carrier.addr().to_string()));
    assert!(phone.expect(183).await.body.is_empty());
    assert!(audio_port(&phone.expect(183).await) > 0);
    let refused = phone.expect(480).await;
    phone.acknowledge(&leg, &refused).await;

    let calls = carrier.calls();
    let waited = calls[0].responded(180).unwrap().at - calls[0].responded(100).unwrap().at;
    assert!(waited >= pause, "{waited:?}");
}

#[tokio::test]
async fn repeats_a_refusal_over_udp_until_the_ack() {
    let carrier = carrier(Script::refuse(486)).await;
    carrier.set_timers(fast_timers());
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "repeated");

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    let first = phone.expect(486).await;
    for _ in 0..3 {
        assert_eq!(phone.expect(486).await, first);
    }
    phone.acknowledge(&leg, &first).await;
    carrier.wait_for(|stats| stats.acks == 1, SOON).await.unwrap();
    phone.acknowledge(&leg, &first).await;
    while phone.receive_within(QUIET).await.is_some() {}
    let stats = carrier.wait_for(|stats| stats.remembered == 0, SOON).await.unwrap();

    assert_eq!((stats.invites, stats.refused, stats.acks), (1, 1, 1));
    let calls = carrier.calls();
    let moments: Vec<_> = calls[0].responses(486).map(|packet| packet.moment.at).collect();
    assert_eq!(stats.final_retransmissions, moments.len() as u64 - 1);
    let gaps: Vec<_> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (gap, least) in gaps.iter().zip([10, 20, 40, 40]) {
        assert!(
            *gap >= Duration::from_millis(least),
            "timer G doubles up to T2: {gaps:?}"
        );
    }
    let mut from_ack_on = calls[0].packets.iter().skip_while(|packet| packet.method != "ACK");
    assert!(
        from_ack_on.all(|packet| packet.direction == Direction::Received),
        "none after the ACK"
    );
}

#[tokio::test]
async fn an_ack_with_another_cseq_settles_nothing() {
    let carrier = carrier(Script::refuse(486)).await;
    carrier.set_timers(fast_timers());
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "mistaken");

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    let refused = phone.expect(486).await;
    phone.acknowledge(&leg.next(), &refused).await;
    for _ in 0..3 {
        assert_eq!(phone.expect(486).await, refused);
    }
    assert_eq!(carrier.stats().acks, 0);
}

#[tokio::test]
async fn answers_to_the_port_in_via_unless_rport_asks_otherwise() {
    let carrier = carrier(Script::refuse(486)).await;
    let mut phone = Phone::udp(&carrier).await;
    let mut listener = Phone::udp(&carrier).await;
    let invite = listener
        .text("INVITE", &Leg::new("100", "elsewhere"))
        .replace(";rport", "");

    phone.send_raw(invite.as_bytes()).await;
    listener.expect(100).await;
    listener.expect(486).await;
}

#[tokio::test]
async fn gives_up_repeating_after_64_t1() {
    let carrier = carrier(Script::refuse(503)).await;
    carrier.set_timers(SipTimers {
        t1: Duration::from_millis(5),
        ..fast_timers()
    });
    let mut phone = Phone::udp(&carrier).await;

    phone.send("INVITE", &Leg::new("100", "deaf")).await;
    let stats = carrier
        .wait_for(|stats| stats.invites == 1 && stats.remembered == 0, SOON)
        .await
        .unwrap();

    assert_eq!(stats.acks, 0);
    let calls = carrier.calls();
    let moments: Vec<_> = calls[0].responses(503).map(|packet| packet.moment.at).collect();
    assert!(
        (3..=10).contains(&moments.len()),
        "5, 15, 35, 75, ... 320 ms: {}",
        moments.len()
    );
}

#[tokio::test]
async fn answers_a_repeated_invite_with_the_last_response() {
    let carrier = carrier(Script::new().trying().ringing()).await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "twice");

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    let ringing = phone.expect(180).await;
    phone.send("INVITE", &leg).await;
    assert_eq!(phone.expect(180).await, ringing);

    let stats = carrier.stats();
    assert_eq!((stats.invites, stats.invite_retransmissions, stats.pending), (1, 1, 1));
    assert_eq!(carrier.calls().len(), 1);
}

#[tokio::test]
async fn sends_copies_of_a_final_response_although_acknowledged() {
    let carrier = carrier(Script::refuse(503).retransmit_final(3)).await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "copies");

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    let first = phone.expect(503).await;
    phone.acknowledge(&leg, &first).await;
    carrier.wait_for(|stats| stats.acks == 1, SOON).await.unwrap();
    assert_eq!(phone.expect(503).await, first);
    assert_eq!(phone.expect(503).await, first);
    assert_eq!(phone.receive_within(QUIET).await, None);
    assert_eq!(carrier.stats().final_retransmissions, 2);
}

#[tokio::test]
async fn cancel_ends_a_pending_call_with_487() {
    let carrier = carrier(Script::new().trying().ringing()).await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "cancelled");

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    phone.expect(180).await;
    phone.send("CANCEL", &leg).await;
    assert_eq!(phone.expect(200).await.method(), "CANCEL");
    let terminated = phone.expect(487).await;
    assert_eq!(terminated.method(), "INVITE");
    phone.acknowledge(&leg, &terminated).await;
    phone.send("CANCEL", &leg).await;
    assert_eq!(phone.expect(200).await.method(), "CANCEL");

    let stats = carrier.wait_for(|stats| stats.acks == 1, SOON).await.unwrap();
    assert_eq!(
        (stats.cancels, stats.refused, stats.answered, stats.pending),
        (1, 1, 0, 0)
    );
    let calls = carrier.calls();
    assert_eq!(calls[0].outcome, Some(Outcome::Cancelled));
    assert!(calls[0].was_cancelled());
}

#[tokio::test]
async fn cancel_stops_a_script_in_its_pause() {
    let pause = Duration::from_millis(500);
    let carrier = carrier(Script::new().trying().after(pause).finally(Answer::without_rtp())).await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "in-time");

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    phone.send("CANCEL", &leg).await;
    phone.expect(200).await;
    let terminated = phone.expect(487).await;
    phone.acknowledge(&leg, &terminated).await;
    assert_eq!(phone.receive_within(pause + QUIET).await, None);
    phone.expect_nothing_before_options().await;
    assert_eq!(carrier.stats().answered, 0);
}

#[tokio::test]
async fn answers_a_cancelled_call_all_the_same() {
    let reaction = CancelReaction::AnswerAnyway(Answer::without_rtp());
    let carrier = carrier(Script::new().trying().ringing().on_cancel(reaction)).await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "late");

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    phone.expect(180).await;
    phone.send("CANCEL", &leg).await;
    assert_eq!(phone.expect(200).await.method(), "CANCEL");
    let answer = phone.expect(200).await;
    assert_eq!(answer.method(), "INVITE");
    assert!(audio_port(&answer) > 0);
    phone.acknowledge(&leg, &answer).await;
    phone.send("BYE", &leg.next().within(&answer)).await;
    assert_eq!(phone.expect(200).await.method(), "BYE");

    let stats = carrier.stats();
    assert_eq!(
        (
            stats.cancels,
            stats.answered,
            stats.refused,
            stats.byes_received,
            stats.active
        ),
        (1, 1, 0, 1, 0)
    );
}

#[tokio::test]
async fn silence_answers_neither_invite_nor_cancel_but_counts() {
    let carrier = carrier(Script::silence()).await;
    carrier.set_timers(SipTimers {
        t1: Duration::from_millis(2),
        ..fast_timers()
    });
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "silent");

    phone.send("INVITE", &leg).await;
    phone.send("INVITE", &leg).await;
    phone.send("CANCEL", &leg).await;
    phone.expect_nothing_before_options().await;
    let stats = carrier.stats();
    assert_eq!((stats.invites, stats.invite_retransmissions, stats.cancels), (1, 1, 1));

    let stats = carrier.wait_for(|stats| stats.remembered == 0, SOON).await.unwrap();
    assert_eq!(stats.pending, 0);
    assert_eq!(carrier.calls()[0].outcome, Some(Outcome::Silence));
}

#[tokio::test]
async fn trying_then_silence_still_takes_a_cancel() {
    let carrier = carrier(Script::new().trying()).await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "stuck");

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    phone.expect_nothing_before_options().await;
    phone.send("CANCEL", &leg).await;
    assert_eq!(phone.expect(200).await.method(), "CANCEL");
    phone.expect(487).await;
}

#[tokio::test]
async fn redirects_to_the_given_contact() {
    let carrier = carrier(Script::redirect("sip:200@192.0.2.7:5070")).await;
    let mut phone = Phone::udp(&carrier).await;

    phone.send("INVITE", &Leg::new("100", "moved")).await;
    let moved = phone.expect(302).await;
    assert_eq!(moved.header("Contact"), Some("<sip:200@192.0.2.7:5070>"));
    assert_eq!(carrier.calls()[0].outcome, Some(Outcome::Refused(302)));
}

#[tokio::test]
async fn challenges_once_and_counts_the_retry_apart() {
    let dialects = [
        (401, "WWW-Authenticate", "Authorization"),
        (407, "Proxy-Authenticate", "Proxy-Authorization"),
    ];
    for (code, asks, answers) in dialects {
        let carrier = carrier(Script::new().challenge(code).trying().finally(Refusal::code(486))).await;
        let mut phone = Phone::udp(&carrier).await;
        let leg = Leg::new("100", "challenged");

        phone.send("INVITE", &leg).await;
        let challenge = phone.expect(code).await;
        phone.acknowledge(&leg, &challenge).await;
        let nonce = challenge.header(asks).unwrap().split('"').nth(3).unwrap().to_owned();
        let credentials =
            format!("{answers}: Digest username=\"u\", realm=\"carrier\", nonce=\"{nonce}\", response=\"0\"");
        let retry = leg.next().with(&credentials);
        phone.send("INVITE", &retry).await;
        phone.expect(100).await;
        let refused = phone.expect(486).await;
        phone.acknowledge(&retry, &refused).await;

        let stats = carrier.wait_for(|stats| stats.acks == 2, SOON).await.unwrap();
        assert_eq!(
            (stats.invites, stats.challenges, stats.auth_retries, stats.refused),
            (1, 1, 1, 1)
        );
        assert_eq!((stats.pending, stats.invite_retransmissions), (0, 0));
        let calls = carrier.calls();
        assert_eq!(calls.len(), 1, "the retry belongs to the call");
        assert_eq!(calls[0].outcome, Some(Outcome::Refused(486)));
        assert!(calls[0].header(answers).is_some());
    }
}

#[tokio::test]
async fn challenges_again_when_the_nonce_is_not_its_own() {
    let carrier = carrier(Script::new().challenge(401).finally(Refusal::code(486))).await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "stale");

    phone.send("INVITE", &leg).await;
    let challenge = phone.expect(401).await;
    phone.acknowledge(&leg, &challenge).await;
    let retry = leg
        .next()
        .with("Authorization: Digest username=\"u\", nonce=\"other\", response=\"0\"");
    phone.send("INVITE", &retry).await;
    phone.expect(401).await;
    assert_eq!((carrier.stats().challenges, carrier.stats().auth_retries), (2, 1));
}

#[tokio::test]
async fn an_invite_with_a_new_cseq_is_a_new_call_unless_it_answers_a_challenge() {
    let carrier = carrier(Script::refuse(503)).await;
    let mut phone = Phone::udp(&carrier).await;
    let leg = Leg::new("100", "again");

    let unasked = leg.next().next().with("Authorization: Digest username=\"u\"");
    for leg in [leg.clone(), leg.next(), unasked] {
        phone.send("INVITE", &leg).await;
        phone.expect(100).await;
        let refused = phone.expect(503).await;
        phone.acknowledge(&leg, &refused).await;
    }
    let stats = carrier.stats();
    assert_eq!((stats.invites, stats.auth_retries, carrier.calls().len()), (3, 0, 3));
}

#[tokio::test]
async fn refuses_an_offer_without_g711() {
    let carrier = carrier(Script::answer()).await;
    let mut phone = Phone::udp(&carrier).await;
    let mut leg = Leg::new("100", "codec");
    leg.sdp = Some(sdp_offer(40_000, "18 96"));

    phone.send("INVITE", &leg).await;
    phone.expect(100).await;
    phone.expect(488).await;
    assert_eq!(carrier.calls()[0].outcome, Some(Outcome::Refused(488)));
}
