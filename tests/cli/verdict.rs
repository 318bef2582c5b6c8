//! `crankback verdict`.

use serde_json::{Value, json};

use super::dialer::{Done, assert_holds, crankback};

fn verdict(arguments: &str) -> Done {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    crankback(&[&["verdict"], arguments.as_slice()].concat(), &[])
}

fn explained(arguments: &str) -> Value {
    verdict(&format!("explain {arguments} -o json")).expect(0).json()
}

/// Action, health, DIALSTATUS, HANGUPCAUSE, rule and authority.
fn in_short(view: &Value) -> Value {
    json!([
        view["action"],
        view["health"],
        view["dialstatus"],
        view["hangupcause"],
        view["rule"],
        view["authority"]
    ])
}

#[test]
fn an_answer_is_explained_without_a_configuration() {
    let text = verdict("explain 503").expect(0).stdout;
    assert_holds(
        &text,
        &[
            "SIP 503 Service Unavailable, cause 34 NORMAL_CIRCUIT_CONGESTION, received, 100 ms after the start, PJSIP\n",
            "action       next\n",
            "health       strong\n",
            "DIALSTATUS   CONGESTION\n",
            "HANGUPCAUSE  34\n",
            "why          carrier fault\n",
            "rule         sip_503 (default)\n",
        ],
    );
}

#[test]
fn every_flag_changes_what_it_is_about() {
    for (arguments, expected) in [
        ("503", json!(["next", "strong", "CONGESTION", 34, "sip_503", "default"])),
        (
            "503 --after 180",
            json!(["stop", "none", "CONGESTION", 34, "after_ringing", "above"]),
        ),
        (
            "503 --after 183",
            json!(["stop", "none", "CONGESTION", 34, "after_media", "above"]),
        ),
        (
            "503 --after 183 --failover-after-183",
            json!(["next", "strong", "CONGESTION", 34, "sip_503", "default"]),
        ),
        (
            "503 --after 180 --fakes-progress",
            json!(["next", "strong", "CONGESTION", 34, "sip_503", "default"]),
        ),
        (
            "503 --local",
            json!(["next", "strong", "CONGESTION", 34, "q850_34_local", "default"]),
        ),
        (
            "503 --at-our-limit",
            json!(["next", "our_limit", "CONGESTION", 34, "sip_503_our_limit", "default"]),
        ),
        (
            "480 --elapsed-ms 900",
            json!(["one_more", "weak", "NOANSWER", 19, "sip_480_early", "default"]),
        ),
        (
            "480 --elapsed-ms 1000 --technology sip",
            json!(["stop", "none", "BUSY", 19, "sip_480", "default"]),
        ),
        (
            "480 --preset didww",
            json!(["next", "our_limit", "NOANSWER", 19, "preset:didww:480", "preset"]),
        ),
        (
            "480 --preset didww --override 480=stop --override 4xx=next",
            json!(["stop", "our_limit", "NOANSWER", 19, "override:480", "override"]),
        ),
        (
            "503 --override NORMAL_CIRCUIT_CONGESTION=stop/none",
            json!([
                "stop",
                "none",
                "CONGESTION",
                34,
                "override:NORMAL_CIRCUIT_CONGESTION",
                "override"
            ]),
        ),
        (
            "403 --phrase Channel.limit --override phrase:channel.limit=stop",
            json!([
                "stop",
                "weak",
                "CHANUNAVAIL",
                21,
                "override:phrase:channel.limit",
                "override"
            ]),
        ),
        (
            "--cause 34 --technology iax2",
            json!(["next", "strong", "CONGESTION", 34, "q850_34", "default"]),
        ),
        (
            "--cause user_busy",
            json!(["stop", "none", "BUSY", 17, "q850_17", "default"]),
        ),
        (
            "503 --cause 16",
            json!(["next", "strong", "NOANSWER", 16, "sip_503", "default"]),
        ),
        ("488", json!(["next", "weak", "CHANUNAVAIL", 58, "sip_488", "default"])),
        (
            "488 --repair",
            json!(["repair_and_retry", "weak", "CHANUNAVAIL", 58, "sip_488", "default"]),
        ),
    ] {
        assert_eq!(in_short(&explained(arguments)), expected, "{arguments}");
    }
}

#[test]
fn all_levels_are_shown_with_the_one_that_decides() {
    let view = explained("480 --after 180 --preset didww");
    let levels: Vec<Value> = view["levels"]
        .as_array()
        .expect("levels")
        .iter()
        .map(|level| json!([level["authority"], level["decides"], level["rule"], level["action"]]))
        .collect();
    assert_eq!(
        levels,
        [
            json!(["above", true, "after_ringing", "stop"]),
            json!(["override", false, null, null]),
            json!(["preset", false, "preset:didww:480", "next"]),
            json!(["default", false, "sip_480", "stop"]),
        ]
    );
    let text = verdict("explain 480 --after 180 --preset didww").expect(0).stdout;
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let wanted: [&[&str]; 4] = [
        &["above", "decides", "after_ringing", "stop", "none"],
        &["override", "-", "-", "-", "-"],
        &["preset", "preset:didww:480", "next", "our_limit"],
        &["default", "sip_480", "stop", "none"],
    ];
    for start in wanted {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{start:?} in\n{text}");
    }
}

#[test]
fn a_mistake_is_named_with_what_is_known() {
    for (arguments, parts) in [
        ("explain 200", &["300..=699"] as &[&str]),
        ("explain", &["<CODE|--cause <CAUSE>>"]),
        ("explain --cause 128", &["1 to 127"]),
        (
            "explain 503 --override 503=stpo",
            &["\"stpo\"", "did you mean stop?", "one_more"],
        ),
        ("explain 503 --override 5003=stop", &["\"5003\"", "300 to 699"]),
        ("explain 503 --preset telnix", &["did you mean telnyx?", "didww"]),
        ("explain 503 --technology dahdi", &["PJSIP, SIP and IAX2"]),
        ("table q851", &["q850"]),
    ] {
        let error = verdict(arguments).expect(1).stderr;
        assert_holds(&error, parts);
    }
    let error = verdict("explain 503 --preset telnix -o json").expect(1).stderr;
    let error: Value = serde_json::from_str(&error).expect("JSON");
    assert_eq!(error["error"]["code"], "override_unknown_preset");
}

#[test]
fn the_tables_are_printed_whole_or_one_by_one() {
    let all = verdict("table -o json").expect(0).json();
    for (part, rule) in [
        ("above", "caller_gone"),
        ("phrases", "phrase_do_not_call"),
        ("sip", "sip_3xx"),
        ("q850", "q850_1"),
    ] {
        assert_eq!(all[part][0]["rule"], rule, "{part}");
        let one = verdict(&format!("table {part} -o json")).expect(0).json();
        assert_eq!(one, json!({ part: all[part] }));
    }
    let names: Vec<&str> = all["presets"]
        .as_array()
        .expect("presets")
        .iter()
        .filter_map(|preset| preset["name"].as_str())
        .collect();
    assert!(names.contains(&"telnyx") && names.is_sorted(), "{names:?}");
    assert_holds(
        &verdict("table").expect(0).stdout,
        &[
            "Above every table, in this order\n",
            "sip_503_retry_after",
            "[unreachable: Asterisk shows no Retry-After]",
            "no 180 or 183, within 1000 ms",
            "Presets of providers\n",
        ],
    );
}
