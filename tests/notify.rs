//! Notices to receivers on this host: signed, retried, paced; a receiver that is away holds up nobody.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "notify/command_line.rs"]
mod command_line;
#[path = "notify/sinks.rs"]
mod sinks;

use std::time::Duration;

use crankback::health::{Because, Change, OperatorChange, OperatorSetting, OperatorWord, State};
use crankback::notify::{
    ChannelCounters, Limits, MailSettings, MailTls, Notice, Notifier, NotifySettings, WebhookSettings, WebhookUrl,
};
use ring::hmac;
use secrecy::SecretString;
use serde_json::json;

use sinks::{HttpSink, MailSink};

/// Far more than anything here takes.
pub const SOON: Duration = Duration::from_secs(30);
const SECRET: &str = "correct horse battery staple";

fn quick() -> Limits {
    Limits {
        first_pause: Duration::from_millis(5),
        ..Limits::default()
    }
}

fn to_webhook(sink: &HttpSink) -> NotifySettings {
    NotifySettings {
        webhook: Some(WebhookSettings {
            url: WebhookUrl::parse(&format!("http://{}/hook?token=1", sink.address)).expect("is an address"),
            secret: SecretString::from(SECRET),
        }),
        ..NotifySettings::default()
    }
}

fn open(settings: &NotifySettings, limits: Limits) -> Notifier {
    Notifier::open(settings, limits, "10.0.0.7".into())
}

fn change(to: State) -> Notice {
    let change = Change {
        at_ms: 1_795_220_185_000,
        from: State::Active,
        to,
        because: Because::AsteriskCannotReach,
    };
    Notice::State("PRIMARY".into(), change)
}

fn word(why: &str) -> Notice {
    Notice::Operator(OperatorChange {
        carrier: "PRIMARY".into(),
        from: OperatorWord::Enabled,
        to: OperatorWord::Disabled,
        setting: OperatorSetting {
            word: OperatorWord::Disabled,
            by: "uid:1000 (alice)".into(),
            why: why.into(),
            since_ms: 1_795_220_185_000,
            until_ms: None,
        },
        is_over: false,
        at_ms: 1_795_220_185_000,
    })
}

/// Waits until the counters of the only channel say so.
async fn counted(notifier: &Notifier, is_so: impl Fn(&ChannelCounters) -> bool) {
    let wait = async {
        while !notifier.counters().all(|(_, counters)| is_so(counters)) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let seen = tokio::time::timeout(SOON, wait).await;
    seen.unwrap_or_else(|_| panic!("{:?}", notifier.counters().collect::<Vec<_>>()));
}

#[tokio::test]
async fn a_notice_is_signed_and_tried_again_until_it_is_taken() {
    let mut sink = HttpSink::start(|n| Some(if n < 2 { 500 } else { 204 }), None).await;
    let notifier = open(&to_webhook(&sink), quick());
    notifier.tell(change(State::Failed));
    let tries = [sink.next().await, sink.next().await, sink.next().await];
    for posted in &tries {
        assert_eq!(posted.line, "POST /hook?token=1 HTTP/1.1");
        assert_eq!(posted.header("content-type"), "application/json");
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let signed = format!("{}.{}", posted.header("x-crankback-timestamp"), posted.body);
        let digits = posted
            .header("x-crankback-signature")
            .strip_prefix("sha256=")
            .expect("the scheme");
        let tag: Vec<u8> = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal"))
            .collect();
        hmac::verify(&key, signed.as_bytes(), &tag).expect("the signature fits");
        assert_eq!(posted.body, tries[0].body, "a retry is the same notice");
    }
    let body = tries[0].json();
    assert_eq!(
        (
            &body["event"],
            &body["carrier"],
            &body["server_ip"],
            &body["suppressed"]
        ),
        (
            &json!("carrier_state"),
            &json!("PRIMARY"),
            &json!("10.0.0.7"),
            &json!(0)
        )
    );
    assert_eq!(
        body["details"],
        json!({ "from": "active", "to": "failed", "because": { "code": "asterisk_cannot_reach" } })
    );
    counted(&notifier, |counters| counters.sent() == 1).await;
    counted(&notifier, |counters| counters.retried() == 2 && counters.failed() == 0).await;
}

#[tokio::test]
async fn what_a_receiver_refuses_for_good_is_not_tried_again() {
    let mut sink = HttpSink::start(|n| Some(if n == 0 { 404 } else { 200 }), None).await;
    let notifier = open(&to_webhook(&sink), quick());
    notifier.tell(word("first"));
    notifier.tell(word("second"));
    let (first, second) = (sink.next().await.json(), sink.next().await.json());
    assert_eq!(
        (
            &first["details"]["operator"]["why"],
            &second["details"]["operator"]["why"]
        ),
        (&json!("first"), &json!("second"))
    );
    assert_ne!(first["id"], second["id"]);
    counted(&notifier, |counters| counters.sent() == 1).await;
    counted(&notifier, |counters| counters.failed() == 1 && counters.retried() == 0).await;
}

#[tokio::test]
async fn a_receiver_that_is_away_is_given_up_after_all_tries() {
    let sink = HttpSink::start(|_| Some(503), None).await;
    let limits = Limits { tries: 3, ..quick() };
    let notifier = open(&to_webhook(&sink), limits);
    notifier.tell(word("x"));
    counted(&notifier, |counters| counters.failed() == 1).await;
    counted(&notifier, |counters| counters.retried() == 2 && counters.sent() == 0).await;
}

#[tokio::test]
async fn a_flapping_carrier_is_told_twice_and_what_was_left_out_is_counted() {
    let mut sink = HttpSink::start(|_| Some(200), None).await;
    let settings = NotifySettings {
        minimum_interval: Duration::from_secs(2),
        ..to_webhook(&sink)
    };
    let notifier = open(&settings, quick());
    let states = [
        State::Failed,
        State::HalfOpen,
        State::Failed,
        State::HalfOpen,
        State::Active,
    ];
    for state in states {
        notifier.tell(change(state));
    }
    // A person's word does not wait.
    notifier.tell(word("x"));
    let (mut told, mut suppressed, mut words) = (Vec::new(), 0, 0);
    while told.last() != Some(&json!("active")) || words == 0 {
        let body = sink.next().await.json();
        if body["event"] == "operator_word" {
            words += 1;
            continue;
        }
        told.push(body["details"]["to"].clone());
        suppressed += body["suppressed"].as_u64().expect("a count");
    }
    // However slow the machine, nothing is lost and nothing is told twice.
    assert_eq!(told.len() as u64 + suppressed, states.len() as u64, "{told:?}");
    assert_eq!(told[0], json!("failed"));
    assert!(suppressed >= 1, "{told:?}");
}

#[tokio::test]
async fn a_receiver_that_keeps_silent_holds_up_nobody_and_a_full_queue_is_counted() {
    let mut sink = HttpSink::start(|_| None, None).await;
    let limits = Limits {
        queue: 2,
        ..Limits::default()
    };
    let notifier = open(&to_webhook(&sink), limits);
    notifier.tell(word("on its way"));
    sink.next().await;
    for _ in 0..9 {
        notifier.tell(word("waits or is dropped"));
    }
    counted(&notifier, |counters| counters.dropped() == 7).await;
    assert_eq!(notifier.overflows(), 0);
    // More than the task's own mailbox holds, before the task runs: this one has a single thread.
    for _ in 0..2_000 {
        notifier.tell(word("too many"));
    }
    assert_eq!(notifier.overflows(), 2_000 - 1_024);
}

#[tokio::test]
async fn who_goes_sends_what_waits_and_what_was_held_back() {
    let mut sink = HttpSink::start(|n| Some(if n == 0 { 500 } else { 204 }), None).await;
    let notifier = open(&to_webhook(&sink), quick());
    for state in [State::Failed, State::HalfOpen, State::Active] {
        notifier.tell(change(state));
    }
    notifier.tell(word("last"));
    notifier.finish(SOON).await;
    let sent = notifier.counters().map(|(_, counters)| counters.sent()).sum::<u64>();
    assert_eq!(sent, 3, "the first state, the word, and the last state");
    let mut posted = Vec::new();
    for _ in 0..4 {
        posted.push(sink.next().await.json());
    }
    let last = posted.iter().find(|body| body["details"]["to"] == json!("active"));
    assert_eq!(last.map(|body| &body["suppressed"]), Some(&json!(1)), "{posted:?}");
}

#[tokio::test]
async fn who_goes_does_not_wait_for_ever() {
    let mut sink = HttpSink::start(|_| None, None).await;
    let notifier = open(&to_webhook(&sink), Limits::default());
    notifier.tell(word("nobody takes it"));
    let posted = sink.next().await;
    assert_eq!(posted.json()["event"], json!("operator_word"));
    let began = std::time::Instant::now();
    notifier.finish(Duration::from_millis(100)).await;
    assert!(began.elapsed() < Limits::default().try_limit);
    let nothing = open(&NotifySettings::default(), Limits::default());
    nothing.finish(SOON).await;
}

#[tokio::test]
async fn a_mail_has_sender_recipients_subject_and_evidence() {
    let mut sink = MailSink::start(None, None).await;
    let settings = NotifySettings {
        mail: Some(MailSettings {
            host: "127.0.0.1".into(),
            port: sink.address.port(),
            tls: MailTls::Off,
            credentials: Some(("crankback".into(), SecretString::from("hunter2"))),
            from: "Crankback <crankback@example.com>".parse().expect("an address"),
            to: "noc@example.com, Boss <boss@example.com>".parse().expect("addresses"),
        }),
        ..NotifySettings::default()
    };
    let notifier = open(&settings, quick());
    notifier.tell(change(State::Failed));
    let mail = sink.next().await;
    assert!(mail.from.starts_with("<crankback@example.com>"), "{mail:?}");
    assert_eq!(mail.to, ["<noc@example.com>", "<boss@example.com>"]);
    assert!(mail.auth.is_some(), "{mail:?}");
    for part in [
        "Subject: crankback on 10.0.0.7: carrier PRIMARY is failed (was active):",
        "To: noc@example.com, Boss <boss@example.com>",
        "\"asterisk_cannot_reach\"",
    ] {
        let unfolded = mail.text.replace("\r\n ", " ");
        assert!(unfolded.contains(part), "{part:?} is missing in\n{}", mail.text);
    }
    counted(&notifier, |counters| counters.sent() == 1).await;
}

#[tokio::test]
async fn a_mail_server_that_refuses_for_now_is_asked_again_and_one_that_refuses_for_good_is_not() {
    for (refusal, retried) in [("451 later", 2), ("550 nobody here", 0)] {
        let sink = MailSink::start(Some(refusal), None).await;
        let settings = NotifySettings {
            mail: Some(MailSettings {
                host: "127.0.0.1".into(),
                port: sink.address.port(),
                tls: MailTls::Off,
                credentials: None,
                from: "crankback@example.com".parse().expect("an address"),
                to: "noc@example.com".parse().expect("an address"),
            }),
            ..NotifySettings::default()
        };
        let notifier = open(&settings, Limits { tries: 3, ..quick() });
        notifier.tell(word("x"));
        counted(&notifier, |counters| counters.failed() == 1).await;
        counted(&notifier, |counters| counters.retried() == retried).await;
    }
}
