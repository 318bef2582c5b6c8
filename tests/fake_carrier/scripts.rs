//! Which script a number gets.

use std::time::Duration;

use crate::phone::{Leg, Phone};
use crate::sip::{Answer, CancelReaction, FakeCarrier, Refusal, Script};

/// The first final code that a call to this number gets.
async fn final_code(carrier: &FakeCarrier, number: &str) -> u16 {
    let mut phone = Phone::udp(carrier).await;
    let leg = Leg::new(number, &format!("{number}-{}", phone.local.port()));
    phone.send("INVITE", &leg).await;
    loop {
        let response = phone.receive().await;
        let code = response.code().expect("a response");
        if code >= 200 {
            phone.acknowledge(&leg, &response).await;
            return code;
        }
    }
}

#[tokio::test]
async fn exact_number_beats_longest_prefix_beats_digits_beats_default() {
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    assert_eq!(final_code(&carrier, "1").await, 200, "without scripts it answers");
    carrier.set_default(Script::refuse(500));
    carrier.follow_numbers(true);
    carrier.on_prefix("1727", Script::refuse(486));
    carrier.on_prefix("17275", Script::refuse(603));
    carrier.on_number("17275550503", Script::refuse(404));

    assert_eq!(final_code(&carrier, "12125550999").await, 500);
    assert_eq!(final_code(&carrier, "12125550503").await, 503);
    assert_eq!(final_code(&carrier, "17270000503").await, 486);
    assert_eq!(final_code(&carrier, "17275000503").await, 603);
    assert_eq!(final_code(&carrier, "17275550503").await, 404);

    carrier.on_number("17275550503", Script::refuse(410));
    assert_eq!(final_code(&carrier, "17275550503").await, 410, "changed while it runs");
    carrier.clear_scripts();
    assert_eq!(final_code(&carrier, "17275550503").await, 200);
}

#[tokio::test]
async fn reads_the_number_as_the_request_uri_means_it() {
    let carrier = FakeCarrier::start("carrier").await.unwrap();
    carrier.on_number("+17275551234", Script::refuse(486));
    carrier.on_number("*67#", Script::refuse(603));
    assert_eq!(final_code(&carrier, "+17275551234;npdi").await, 486);
    assert_eq!(final_code(&carrier, "*67%23").await, 603);
}

#[test]
fn last_digits_spell_a_script() {
    let early = Duration::from_millis(200);
    let rtp = Answer::with_rtp();
    let table = [
        ("0503", Script::refuse(503)),
        ("0200", Script::answer()),
        (
            "1486",
            Script::new()
                .trying()
                .ringing()
                .after(early)
                .finally(Refusal::code(486)),
        ),
        (
            "2404",
            Script::new()
                .trying()
                .progress_with_media()
                .after(early)
                .finally(Refusal::code(404)),
        ),
        ("3200", Script::new().challenge(401).trying().finally(rtp)),
        (
            "4150",
            Script::new()
                .trying()
                .ringing()
                .finally(rtp.hang_up_after(Duration::from_millis(1500))),
        ),
        (
            "5030",
            Script::new()
                .trying()
                .ringing()
                .after(Duration::from_millis(300))
                .finally(rtp),
        ),
        ("9000", Script::silence()),
        ("9100", Script::new().trying()),
        ("9180", Script::new().trying().ringing()),
        ("9183", Script::new().trying().progress_with_media()),
        (
            "9200",
            Script::new()
                .trying()
                .ringing()
                .on_cancel(CancelReaction::AnswerAnyway(rtp)),
        ),
    ];
    for (digits, script) in table {
        assert_eq!(
            Script::from_number(&format!("1727555{digits}")),
            Some(script),
            "{digits}"
        );
    }
    for number in ["", "503", "0700", "0399", "8503", "9001", "050x", "ééé"] {
        assert_eq!(Script::from_number(number), None, "{number}");
    }
}
