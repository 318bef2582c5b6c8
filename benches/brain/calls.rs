//! One call through its state machine, and one verdict.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crankback::call::{Call, CallSpec, Command, Input, LegEvent, LegId, Now, TimeLimit};
use crankback::carrier::{CarrierId, Technology, Timers};
use crankback::routing::{Candidate, Plan, Stage};
use crankback::verdict::{
    CarrierPolicies, CarrierPolicy, Circumstances, EndedBy, Evidence, Progress, Rulebook, SipReply, Source, judge,
};
use divan::{Bencher, black_box};

fn spec(now: Now, policies: &Arc<CarrierPolicies>) -> CallSpec {
    let stage = |carrier: &str| Stage {
        legs: vec![Candidate {
            carrier: CarrierId::from(carrier),
            technology: Technology::Pjsip,
            dial_string: format!("PJSIP/12125550100@{carrier}"),
            wire_number: "12125550100".to_owned(),
            timers: Timers::default(),
            because: String::new(),
        }],
        ring_for: None,
    };
    CallSpec {
        plan: Plan {
            stages: ["PRIMARY", "BACKUP"].map(stage).into(),
            rejected: Vec::new(),
        },
        policies: Arc::clone(policies),
        limit: TimeLimit {
            hunt_until: now.monotonic + Duration::from_secs(25),
            setup_until: now.monotonic + Duration::from_secs(20),
            ring_until: None,
            minimum_attempt: Duration::from_secs(6),
        },
        maximum_attempts: 3,
        ring_at_once: false,
        changes_offers: true,
        repeat_after: Duration::from_millis(700),
    }
}

fn reply(code: u16, phrase: &str) -> SipReply {
    SipReply {
        code,
        phrase: phrase.to_owned(),
    }
}

fn evidence(code: u16, phrase: &str, q850: u8, progress: Progress) -> Evidence {
    Evidence {
        sip: Some(reply(code, phrase)),
        q850: Some(q850),
        source: Source::Received,
        progress,
        ended_by: EndedBy::Carrier,
        refused: false,
        elapsed: Duration::from_millis(50),
        technology: Technology::Pjsip,
        retry_after: None,
    }
}

/// 503 at the first carrier, an answered call at the second: what an engine tells, in its order.
fn events() -> Vec<Input> {
    let refused = [
        LegEvent::Started,
        LegEvent::Trying(Some(reply(100, "Trying"))),
        LegEvent::Ended(evidence(503, "Service Unavailable", 34, Progress::Trying)),
    ];
    let answered = [
        LegEvent::Started,
        LegEvent::Trying(Some(reply(100, "Trying"))),
        LegEvent::Ringing(Some(reply(180, "Ringing"))),
        LegEvent::Answered(Some(reply(200, "OK"))),
        LegEvent::Connected,
        LegEvent::Ended(evidence(200, "OK", 16, Progress::Answered)),
    ];
    let of = |leg: u32| move |event| Input::Leg(LegId(leg), event);
    let first = std::iter::once(Input::Admitted(LegId(1))).chain(refused.map(of(1)));
    let second = std::iter::once(Input::Admitted(LegId(2))).chain(answered.map(of(2)));
    first.chain(second).collect()
}

#[divan::bench]
fn whole_failed_over_call(bencher: Bencher<'_, '_>) {
    let policies = Arc::default();
    let now = Now {
        monotonic: Instant::now(),
        wall_ms: 1_700_000_000_000,
    };
    let play = |spec: CallSpec, events: Vec<Input>| {
        let (mut call, mut said) = Call::new(spec, now);
        for event in events {
            said.extend(call.handle(event, now));
        }
        (call, said)
    };
    let (call, said) = play(spec(now, &policies), events());
    let legs = said.iter().filter(|command| matches!(command, Command::StartLeg(_)));
    assert!(call.is_over() && legs.count() == 2, "{said:?}");
    bencher
        .with_inputs(|| (spec(now, &policies), events()))
        .bench_local_values(|(spec, events)| play(spec, events));
}

/// By a SIP code, by a phrase that outranks its code, by a cause alone.
#[divan::bench(args = ["503", "phrase", "cause"])]
fn verdict(bencher: Bencher<'_, '_>, by: &str) {
    let evidence = match by {
        "503" => evidence(503, "Service Unavailable", 34, Progress::Trying),
        "phrase" => evidence(403, "Insufficient balance", 21, Progress::Trying),
        _ => Evidence {
            sip: None,
            ..evidence(0, "", 38, Progress::Trying)
        },
    };
    let policy = CarrierPolicy::default();
    let circumstances = Circumstances {
        policy: &policy,
        rules: Rulebook::built_in(),
        at_our_limit: false,
    };
    bencher.bench_local(|| judge(black_box(&evidence), &circumstances));
}
