//! Who decides: rules above, overrides, presets, tables.

use std::sync::Arc;

use super::*;

#[test]
fn the_sip_code_outranks_a_cause_that_the_carrier_wrote_into_its_reason_header() {
    let with_cause = |code, q850| Evidence {
        q850: Some(q850),
        ..answer(code)
    };
    assert_eq!(plainly(&with_cause(503, 16)).action, Action::Next);
    assert_eq!(plainly(&with_cause(486, 34)).action, Action::Stop);
    let both = overriding(&["17=stop", "503=one_more", "5xx=stop"]);
    assert_eq!(&*judged(&with_cause(503, 17), &both).rule, "override:503");
    assert_eq!(&*judged(&with_cause(500, 17), &both).rule, "override:USER_BUSY");
    assert_eq!(&*judged(&with_cause(500, 38), &both).rule, "override:5xx");
}

#[test]
fn authority_goes_from_the_rules_above_to_the_tables() {
    let policy = CarrierPolicy {
        overrides: overriding(&["480=stop", "phrase:sold out=one_more/config_fault"]).overrides,
        ..with_preset("didww")
    };
    let circumstances = Circumstances {
        policy: &policy,
        rules: Rulebook::built_in(),
        at_our_limit: false,
    };
    let explanation = explain(&at(Progress::Ringing, answer(480)), &circumstances);
    let said: Vec<_> = explanation
        .opinions
        .iter()
        .map(|opinion| (opinion.authority, &*opinion.rule, opinion.action, opinion.health))
        .collect();
    assert_eq!(
        said,
        [
            (Authority::Above, "after_ringing", Action::Stop, Health::None),
            // An override that leaves the health open takes it from the level below.
            (Authority::Override, "override:480", Action::Stop, Health::OurLimit),
            (Authority::Preset, "preset:didww:480", Action::Next, Health::OurLimit),
            (Authority::Default, "sip_480", Action::Stop, Health::None),
        ]
    );
    assert_eq!(explanation.verdict.authority, Authority::Above);
    assert_eq!(&*judge(&answer(480), &circumstances).rule, "override:480");
    let phrase = judge(&phrased(480, "Sold out!"), &circumstances);
    assert_eq!((phrase.action, phrase.health), (Action::OneMore, Health::ConfigFault));
    assert!(phrase.why.contains("phrase:sold out"), "{}", phrase.why);
}

#[test]
fn presets_know_their_providers() {
    for (preset, code, action, health) in [
        ("telnyx", 480, Action::Next, Health::Weak),
        ("telnyx", 404, Action::Stop, Health::None),
        ("didww", 480, Action::Next, Health::OurLimit),
        ("yeti", 480, Action::Next, Health::OurLimit),
        ("commio", 487, Action::Stop, Health::None),
        ("commio", 484, Action::Next, Health::None),
        ("commio", 486, Action::Stop, Health::None),
        ("wholesale", 404, Action::OneMore, Health::Weak),
        ("jola", 603, Action::OneMore, Health::Weak),
    ] {
        let verdict = judged(&answer(code), &with_preset(preset));
        assert_eq!((verdict.action, verdict.health), (action, health), "{preset} {code}");
    }
    // What the provider says in words counts for more than what its codes usually mean.
    for (phrase, rule) in [
        ("Network Blocked", "phrase_analytics"),
        ("MaxPeak cost exceeded", "phrase_cost"),
        ("Declined", "preset:jola:603"),
    ] {
        assert_eq!(&*judged(&phrased(603, phrase), &with_preset("jola")).rule, rule);
    }
    let error = Rulebook::built_in().preset("telnix").expect_err("no such preset");
    assert_eq!(error.code(), "override_unknown_preset");
    assert!(error.to_string().contains("did you mean telnyx?"), "{error}");
}

#[test]
fn a_policy_is_cheap_to_clone() {
    let policy = CarrierPolicy {
        overrides: overriding(&["503=stop"]).overrides,
        ..with_preset("telnyx")
    };
    let copy = policy.clone();
    let (Some(left), Some(right)) = (&policy.preset, &copy.preset) else {
        panic!("both have a preset");
    };
    assert!(Arc::ptr_eq(left, right));
    assert!(std::ptr::eq(
        policy.overrides.iter().next().expect("one"),
        copy.overrides.iter().next().expect("one")
    ));
}
