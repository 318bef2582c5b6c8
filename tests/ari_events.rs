//! Decoding of events: recorded streams of Asterisk 16.28 and 22.10, and whatever else may come.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

use std::collections::BTreeMap;

use crankback::ari::{ChannelDestroyed, ChannelHangupRequest, ChannelState, Dial, Event};
use proptest::prelude::*;

fn corpus(name: &str) -> Vec<Event> {
    let path = format!("{}/tests/corpora/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let decode = |(number, line)| Event::decode(line).unwrap_or_else(|error| panic!("{name}:{}: {error}", number + 1));
    text.lines().enumerate().map(decode).collect()
}

/// How many of each decoded type; everything else under `other`.
fn count(events: &[Event]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        let kind = match event {
            Event::StasisStart(_) => "StasisStart",
            Event::StasisEnd(_) => "StasisEnd",
            Event::Dial(_) => "Dial",
            Event::ChannelStateChange(_) => "ChannelStateChange",
            Event::ChannelHangupRequest(_) => "ChannelHangupRequest",
            Event::ChannelDestroyed(_) => "ChannelDestroyed",
            Event::ChannelEnteredBridge(_) => "ChannelEnteredBridge",
            Event::ChannelLeftBridge(_) => "ChannelLeftBridge",
            Event::BridgeDestroyed(_) => "BridgeDestroyed",
            Event::DeviceStateChanged(_) => "DeviceStateChanged",
            Event::ApplicationReplaced(_) => "ApplicationReplaced",
            _ => "other",
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

fn destroyed(events: &[Event]) -> impl Iterator<Item = &ChannelDestroyed> {
    events.iter().filter_map(|event| {
        if let Event::ChannelDestroyed(event) = event {
            Some(event)
        } else {
            None
        }
    })
}

fn hangup_requests(events: &[Event]) -> impl Iterator<Item = &ChannelHangupRequest> {
    events.iter().filter_map(|event| {
        if let Event::ChannelHangupRequest(event) = event {
            Some(event)
        } else {
            None
        }
    })
}

fn dials(events: &[Event]) -> impl Iterator<Item = &Dial> {
    events.iter().filter_map(|event| {
        if let Event::Dial(event) = event {
            Some(event)
        } else {
            None
        }
    })
}

#[test]
fn every_recorded_event_decodes() {
    let bridged = [
        ("BridgeDestroyed", 2),
        ("ChannelDestroyed", 13),
        ("ChannelEnteredBridge", 4),
        ("ChannelHangupRequest", 15),
        ("ChannelLeftBridge", 4),
        ("ChannelStateChange", 11),
        ("Dial", 20),
        ("StasisEnd", 4),
        ("StasisStart", 4),
    ];
    let plain = [
        ("ChannelDestroyed", 3),
        ("ChannelHangupRequest", 3),
        ("ChannelStateChange", 2),
        ("Dial", 6),
        ("StasisEnd", 1),
        ("StasisStart", 1),
    ];
    for (name, kinds, devices, other) in [
        ("ev16", &bridged[..], 26, 147),
        ("ev22", &bridged[..], 25, 160),
        ("plain16", &plain[..], 0, 21),
        ("plain22", &plain[..], 0, 22),
    ] {
        let rest = [("DeviceStateChanged", devices), ("other", other)];
        let counted = kinds.iter().copied().chain(rest);
        let expected: BTreeMap<_, _> = counted.filter(|(_, count)| *count > 0).collect();
        assert_eq!(count(&corpus(name)), expected, "{name}");
    }
}

#[test]
fn asterisk_22_gives_the_sip_code_of_a_failed_leg() {
    let events = corpus("ev22");
    let failed: Vec<_> = destroyed(&events)
        .filter(|event| event.channel.name.starts_with("PJSIP/c503-"))
        .collect();
    assert_eq!(failed.len(), 4);
    for event in failed {
        assert_eq!((event.cause, event.tech_cause), (Some(34), Some(503)));
        assert_eq!(event.cause_txt, "Circuit/channel congestion");
    }
    assert!(hangup_requests(&events).all(|event| event.cause.is_some()));
}

#[test]
fn asterisk_16_leaves_the_cause_out_and_believes_the_carriers_reason_header() {
    let events = corpus("ev16");
    let requests: Vec<_> = hangup_requests(&events).filter(|event| event.cause.is_none()).collect();
    assert_eq!(requests.len(), 4);
    assert!(
        requests
            .iter()
            .all(|event| event.channel.name.starts_with("PJSIP/c503-") && !event.soft)
    );
    let failed = destroyed(&events).filter(|event| event.channel.name.starts_with("PJSIP/c503-"));
    assert!(
        failed
            .map(|event| (event.cause, event.tech_cause))
            .all(|causes| causes == (Some(38), None))
    );
}

#[test]
fn the_fields_of_a_leg() {
    let events = corpus("ev22");
    let Some(Event::StasisStart(start)) = events.iter().find(|event| matches!(event, Event::StasisStart(_))) else {
        panic!("ev22 has a StasisStart");
    };
    assert_eq!(start.args, ["one", "two"]);
    assert_eq!(start.replace_channel, None);
    assert_eq!(start.channel.state, ChannelState::Up);
    assert_eq!(start.channel.dialplan.app_name, "Stasis");
    assert_eq!(start.channel.dialplan.app_data, "ctest,one,two");
    assert_eq!(start.channel.dialplan.priority, 3);
    assert_eq!(start.channel.channelvars.get("FOO").map(String::as_str), Some("bar"));
    assert_eq!(
        start.channel.protocol_id, None,
        "a Local channel has none: Asterisk writes an empty text"
    );
    let created = start
        .channel
        .creationtime
        .as_ref()
        .and_then(|time| time.epoch_milliseconds())
        .unwrap();
    let started = start
        .timestamp
        .as_ref()
        .and_then(|time| time.epoch_milliseconds())
        .unwrap();
    assert!((0..60_000).contains(&(started - created)), "{created} then {started}");

    let statuses: Vec<_> = dials(&events)
        .filter(|dial| dial.peer.name == "PJSIP/cok-00000000")
        .map(|dial| dial.dialstatus.as_str())
        .collect();
    assert_eq!(statuses, ["", "RINGING", "ANSWER"]);
    assert!(dials(&events).all(|dial| dial.forward.is_none()));
    assert_eq!(
        dials(&events).filter(|dial| dial.caller.is_some()).count(),
        7,
        "those of the dialplan's Dial()"
    );
}

#[test]
fn every_recorded_timestamp_is_a_time() {
    for name in ["ev16", "ev22", "plain16", "plain22"] {
        let events = corpus(name);
        let times: Vec<_> = events
            .iter()
            .filter_map(Event::timestamp)
            .map(|time| time.epoch_milliseconds())
            .collect();
        assert!(!times.is_empty() && times.iter().all(Option::is_some), "{name}");
    }
}

/// Any JSON value, with objects that often have the keys of ARI.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let key = prop_oneof![
        prop::sample::select(vec![
            "id",
            "name",
            "state",
            "channel",
            "peer",
            "caller",
            "bridge",
            "channels",
            "dialplan",
            "priority",
            "cause",
            "args",
            "channelvars",
            "forward",
            "timestamp",
            "creationtime",
            "replace_channel",
            "soft",
            "tech_cause",
        ])
        .prop_map(str::to_owned),
        ".*",
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::hash_map(key.clone(), inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(16_22), ..ProptestConfig::default() })]

    /// Whatever an object with a type holds, it is an event or an error that names the type.
    #[test]
    fn no_object_with_a_type_panics(
        body in json(),
        kind in prop_oneof![prop::sample::select(Event::KINDS.to_vec()).prop_map(str::to_owned), ".*"],
    ) {
        let mut object = match body {
            serde_json::Value::Object(map) => map,
            value => serde_json::Map::from_iter([("channel".to_owned(), value)]),
        };
        object.insert("type".to_owned(), kind.clone().into());
        let known = Event::KINDS.contains(&kind.as_str());
        match Event::decode(&serde_json::Value::Object(object).to_string()) {
            Ok(Event::Other { kind: found }) => prop_assert!(!known && *found == *kind),
            Ok(event) => prop_assert!(known, "{event:?}"),
            Err(error) => prop_assert!(known && error.kind == kind, "{error}"),
        }
    }

    #[test]
    fn no_text_panics(text in ".*") {
        let _ = Event::decode(&text);
    }
}
