//! The tables, by code, cause, phrase and time.

use super::*;

#[test]
fn the_tables_say_what_operators_settled() {
    use Action::{Next, OneMore, Stop};
    use Health::{ConfigFault, None as Nothing, OurLimit, Strong, Weak};
    for (codes, action, health) in [
        (&[302_u16, 380] as &[u16], Stop, Nothing),
        (
            &[400, 406, 409, 412, 424, 425, 429, 440, 481, 482, 483, 493],
            Next,
            Weak,
        ),
        (
            &[401, 402, 405, 407, 411, 413, 414, 416, 417, 421, 428],
            Next,
            ConfigFault,
        ),
        (&[436, 437, 438, 439, 494, 501, 505, 513], Next, ConfigFault),
        (&[403, 480, 487, 418, 423, 441, 469, 489, 498], OneMore, Weak),
        (&[404, 410, 433, 470, 484, 485, 486, 499], Stop, Nothing),
        (&[408, 430, 477, 478, 500, 502, 503, 504, 506, 599], Next, Strong),
        (&[415, 488, 606], Next, Weak),
        (&[422, 491], Next, Nothing),
        (&[420], Next, ConfigFault),
        (&[555, 580], Next, Weak),
        (&[600, 601, 603, 604, 607, 608, 687, 698], Stop, Nothing),
        (&[699], Next, OurLimit),
    ] {
        for &code in codes {
            let verdict = plainly(&answer(code));
            assert_eq!((verdict.action, verdict.health), (action, health), "{code}");
        }
    }
    for (causes, action, health) in [
        (
            &[1_u8, 4, 7, 16, 17, 19, 20, 22, 23, 24, 26, 28, 30, 54, 55, 87] as &[u8],
            Stop,
            Nothing,
        ),
        (&[2, 6, 18, 32, 34, 37, 38, 39, 41, 42, 44, 45, 47, 102], Next, Strong),
        (
            &[
                3, 14, 25, 29, 43, 48, 49, 51, 56, 58, 59, 63, 80, 88, 89, 95, 97, 100, 111,
            ],
            Next,
            Weak,
        ),
        (
            &[5, 50, 52, 53, 57, 62, 64, 65, 66, 69, 70, 79, 90, 91, 96],
            Next,
            ConfigFault,
        ),
        (&[8, 9, 10, 13, 15, 21, 27, 31, 40, 46, 112, 127], OneMore, Weak),
    ] {
        for &number in causes {
            let verdict = plainly(&cause(number, Source::Unknown));
            assert_eq!((verdict.action, verdict.health), (action, health), "cause {number}");
        }
    }
}

#[test]
fn a_request_is_repaired_only_where_that_is_allowed() {
    let repairing = CarrierPolicy {
        repair_allowed: true,
        ..CarrierPolicy::default()
    };
    for code in [415, 420, 422, 488, 491, 606] {
        assert_eq!(
            judged(&answer(code), &repairing).action,
            Action::RepairAndRetry,
            "{code}"
        );
        assert_eq!(plainly(&answer(code)).action, Action::Next, "{code}");
    }
    let asked_for = overriding(&["400=repair_and_retry"]);
    assert_eq!(judged(&answer(400), &asked_for).action, Action::Next);
    let allowed = CarrierPolicy {
        repair_allowed: true,
        ..asked_for
    };
    assert_eq!(judged(&answer(400), &allowed).action, Action::RepairAndRetry);
}

#[test]
fn time_parts_the_meanings_of_a_code() {
    let after = |code, milliseconds| Evidence {
        elapsed: Duration::from_millis(milliseconds),
        ..answer(code)
    };
    for (code, milliseconds, rule) in [
        (480, 999, "sip_480_early"),
        (480, 1_000, "sip_480"),
        (401, 3_999, "sip_401"),
        (401, 4_000, "sip_401_then_silence"),
        (407, 32_000, "sip_401_then_silence"),
    ] {
        assert_eq!(
            &*plainly(&after(code, milliseconds)).rule,
            rule,
            "{code} after {milliseconds} ms"
        );
    }
}

#[test]
fn local_and_received_failures_are_two_things() {
    for (number, local, received) in [
        (20, "q850_20_local", "q850_20"),
        (21, "q850_local", "q850_21"),
        (34, "q850_34_local", "q850_34"),
        (127, "q850_local", "q850_interworking"),
        (18, "q850_18", "q850_18"),
    ] {
        assert_eq!(&*plainly(&cause(number, Source::Local)).rule, local);
        assert_eq!(&*plainly(&cause(number, Source::Received)).rule, received);
        // chan_iax2 shows no responses: what looks local may have come from the carrier.
        let iax2 = Evidence {
            technology: Technology::Iax2,
            ..cause(number, Source::Local)
        };
        assert_eq!(&*plainly(&iax2).rule, received, "IAX2 {number}");
    }
    let made_here = |code| Evidence {
        source: Source::Local,
        ..answer(code)
    };
    assert_eq!(&*plainly(&made_here(408)).rule, "sip_408_local");
    assert_eq!(&*plainly(&made_here(503)).rule, "sip_503_local");
}

#[test]
fn our_own_limit_is_not_the_carriers_sickness() {
    for (evidence, rule) in [
        (answer(503), "sip_503_our_limit"),
        (cause(34, Source::Unknown), "q850_at_our_limit"),
        (cause(42, Source::Unknown), "q850_at_our_limit"),
    ] {
        let verdict = judge(
            &evidence,
            &Circumstances {
                policy: &CarrierPolicy::default(),
                rules: Rulebook::built_in(),
                at_our_limit: true,
            },
        );
        assert_eq!((verdict.action, verdict.health), (Action::Next, Health::OurLimit));
        assert_eq!(&*verdict.rule, rule);
    }
}

#[test]
fn phrases_come_before_the_code_and_only_from_the_carrier() {
    for (code, phrase, rule) in [
        (403, "User channel limit exceeded D1", "phrase_limit"),
        (503, "Maximum Calls In Progress", "phrase_limit"),
        (480, "Overloaded capacity", "phrase_limit"),
        (503, "CPS limit exceeded", "phrase_rate"),
        (603, "No credits", "phrase_money"),
        (404, "Account blocked (billing) D19", "phrase_money"),
        (404, "Connection inactive D18", "phrase_account"),
        (603, "Network Blocked", "phrase_analytics"),
        (404, "No route to destination", "phrase_no_route"),
        (603, "MaxPeak cost exceeded", "phrase_cost"),
        (403, "DNC", "phrase_do_not_call"),
        (404, "Number in blacklist", "phrase_blacklist"),
        (603, "Declined", "sip_603"),
    ] {
        assert_eq!(&*plainly(&phrased(code, phrase)).rule, rule, "{code} {phrase}");
    }
    let made_here = Evidence {
        source: Source::Local,
        ..phrased(503, "channel limit")
    };
    assert_eq!(&*plainly(&made_here).rule, "sip_503_local");
}

#[test]
fn the_standards_own_words_change_nothing() {
    for row in &Rulebook::built_in().sip {
        for code in 300..=699 {
            let name = Rulebook::built_in().name_of_code(code).unwrap_or_default();
            if row.holds(code) && row.when.is_empty() {
                let (bare, named) = (plainly(&answer(code)), plainly(&phrased(code, name)));
                assert_eq!(
                    (bare.action, bare.health),
                    (named.action, named.health),
                    "{code} {name}"
                );
            }
        }
    }
}

#[test]
fn what_asterisk_does_not_show_is_ready_for_the_day_it_does() {
    for (code, rule) in [(503, "sip_503_retry_after"), (429, "sip_429_retry_after")] {
        let asked = Evidence {
            retry_after: Some(Duration::from_secs(300)),
            ..answer(code)
        };
        assert_eq!(&*plainly(&asked).rule, rule);
    }
    let book = Rulebook::built_in();
    let rows = book.phrases.iter().chain(&book.sip).chain(&book.q850);
    let unreachable: Vec<&str> = rows
        .filter(|row| row.unreachable.is_some())
        .map(|row| &*row.id)
        .collect();
    assert_eq!(
        unreachable,
        [
            "reason_analytics",
            "warning_text",
            "sip_429_retry_after",
            "sip_482_ours",
            "sip_503_retry_after"
        ]
    );
}
