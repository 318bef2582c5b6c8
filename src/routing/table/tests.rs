//! Plans over small tables, and over one of a hundred thousand routes.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::super::fixtures::{carrier, carriers, format, prefixes};
use super::super::plan::{Candidate, Rejection, Stage};
use super::super::route::NumberMatch;
use super::*;
use crate::carrier::{Technology, Timers};
use crate::health::{Class, HealthView, OperatorWord, State};

fn route(id: i64, carrier: &str, priority: i32) -> Route {
    Route {
        id,
        entry: Some("MAIN".into()),
        campaign: None,
        number_match: NumberMatch::Any,
        carrier: carrier.into(),
        priority,
        weight: 1,
        schedule: None,
        number_format: None,
        enabled: true,
    }
}

fn request() -> CallRequest {
    CallRequest {
        entry: "MAIN".into(),
        dialled: "912125550100".into(),
        dial_string: "SIP/main/12125550100".into(),
        campaign: None,
        at_ms: 0,
    }
}

fn table(routes: Vec<Route>) -> RouteTable {
    RouteTable::build(carriers(), routes, HashMap::new())
}

fn dial_strings(plan: &Plan) -> Vec<&str> {
    plan.stages
        .iter()
        .flat_map(|stage| &stage.legs)
        .map(|leg| leg.dial_string.as_str())
        .collect()
}

fn rejections(plan: &Plan) -> Vec<(&str, &str)> {
    plan.rejected
        .iter()
        .map(|(carrier, rejection)| (carrier.as_str(), rejection.code()))
        .collect()
}

#[test]
fn without_routes_the_entry_stands_alone() {
    let plan = table(vec![]).plan(&request(), &Fitness::default());
    assert_eq!(plan.rejected, []);
    let expected = Candidate {
        carrier: "MAIN".into(),
        technology: Technology::Sip,
        dial_string: "SIP/main/12125550100".into(),
        wire_number: "12125550100".into(),
        timers: Timers::default(),
        because: "entry carrier".into(),
    };
    assert_eq!(
        plan.stages,
        [Stage {
            legs: vec![expected],
            ring_for: None
        }]
    );
}

#[test]
fn backups_follow_by_priority() {
    let routes = vec![route(9, "B8", 5), route(2, "B6", 8), route(1, "B7", 7)];
    let plan = table(routes).plan(&request(), &Fitness::default());
    assert_eq!(
        dial_strings(&plan),
        ["SIP/main/12125550100", "SIP/b8/2125550100", "SIP/b7/+12125550100"]
    );
    let reasons: Vec<_> = plan.stages.iter().map(|stage| stage.legs[0].because.as_str()).collect();
    assert_eq!(reasons, ["entry carrier", "route 9, priority 5", "route 1, priority 7"]);
    assert_eq!(rejections(&plan), []);
}

#[test]
fn backups_of_one_priority_share_calls_by_weight_and_a_call_always_draws_the_same() {
    let heavy = Route {
        weight: 3,
        ..route(1, "B8", 5)
    };
    let table = table(vec![heavy, route(2, "B7", 5)]).with_attempt_limit(2);
    let first_backup = |call: u32| {
        let fitness = Fitness::of_call(HealthView::default(), &format!("1700000000.{call}"));
        table.plan(&request(), &fitness).stages[1].legs[0].carrier.clone()
    };
    let of_heavy = (0..1_000)
        .filter(|call| first_backup(*call) == CarrierId::from("B8"))
        .count();
    assert!((700..800).contains(&of_heavy), "{of_heavy} of 1000");
    assert_eq!(first_backup(7), first_backup(7));
}

fn with_states(states: &[(&str, State, OperatorWord)]) -> Fitness {
    let classes = states.iter().map(|(carrier, state, operator)| {
        let class = Class {
            state: *state,
            operator: *operator,
            ..Class::default()
        };
        (CarrierId::from(*carrier), class)
    });
    Fitness::of_call(classes.collect(), "1700000000.1")
}

#[test]
fn a_carrier_that_is_down_is_left_out_and_the_next_route_takes_its_place() {
    let table = table(vec![route(1, "B8", 1), route(2, "B7", 2), route(3, "B6", 3)]);
    let fitness = with_states(&[
        ("MAIN", State::Failed, OperatorWord::Enabled),
        ("B8", State::Standby, OperatorWord::Enabled),
    ]);
    let plan = table.plan(&request(), &fitness);
    assert_eq!(
        dial_strings(&plan),
        ["SIP/b7/+12125550100", "SIP/b6/612125550100", "SIP/b8/2125550100"]
    );
    assert_eq!(
        plan.stages[2].legs[0].because,
        "route 1, priority 1, if nothing better is left"
    );
    assert_eq!(rejections(&plan), [("MAIN", "unfit")]);
    assert_eq!(table.explain(&request(), &fitness).stages, plan.stages);
}

#[test]
fn a_carrier_that_stands_alone_is_tried_whatever_health_says_but_not_against_the_operator() {
    let table = table(vec![]);
    let planned = |state, operator| table.plan(&request(), &with_states(&[("MAIN", state, operator)]));
    for state in State::ALL {
        assert_eq!(planned(state, OperatorWord::Enabled).stages.len(), 1, "{state}");
    }
    let disabled = planned(State::Active, OperatorWord::Disabled);
    assert!(disabled.is_held_back());
    assert_eq!(rejections(&disabled), [("MAIN", "unfit")]);
    assert!(!planned(State::Failed, OperatorWord::Only).is_held_back());
}

#[test]
fn the_only_carrier_that_the_operator_wants_is_found_behind_the_attempt_limit() {
    let routes = vec![route(1, "B8", 1), route(2, "B7", 2)];
    let table = table(routes).with_attempt_limit(1);
    let fitness = with_states(&[("B7", State::Failed, OperatorWord::Only)]);
    assert_eq!(dial_strings(&table.plan(&request(), &fitness)), ["SIP/b7/+12125550100"]);
}

#[test]
fn the_attempt_limit_counts_the_entry() {
    let routes = vec![route(1, "B8", 1), route(2, "B7", 2), route(3, "B6", 3)];
    let lengths = |limit| {
        let table = table(routes.clone()).with_attempt_limit(limit);
        (
            table.plan(&request(), &Fitness::default()).stages.len(),
            rejections(&table.explain(&request(), &Fitness::default())).len(),
        )
    };
    assert_eq!(lengths(4), (4, 0));
    assert_eq!(lengths(3), (3, 1));
    assert_eq!(lengths(1), (1, 3));
    assert_eq!(lengths(0), (1, 3));
}

#[test]
fn routes_for_any_entry_mix_in_by_priority() {
    let any = Route {
        entry: None,
        ..route(1, "B8", 1)
    };
    let other = Route {
        entry: Some("B6".into()),
        ..route(2, "B7", 0)
    };
    let plan = table(vec![route(3, "B6", 2), any.clone(), other]).plan(&request(), &Fitness::default());
    assert_eq!(
        dial_strings(&plan),
        ["SIP/main/12125550100", "SIP/b8/2125550100", "SIP/b6/612125550100"]
    );
    let unknown = CallRequest {
        entry: "NEW".into(),
        ..request()
    };
    let with_format = Route {
        number_format: Some(Box::new(format(0, ""))),
        ..any
    };
    let table = RouteTable::build(
        carriers(),
        vec![with_format],
        prefixes(&[("SALES", "9"), ("CARE", "8")]),
    );
    assert_eq!(
        dial_strings(&table.plan(
            &CallRequest {
                campaign: Some("SALES".into()),
                ..unknown.clone()
            },
            &Fitness::default()
        )),
        ["SIP/main/12125550100", "SIP/b8/12125550100"]
    );
    let plan = table.plan(&unknown, &Fitness::default());
    assert_eq!(
        (dial_strings(&plan), rejections(&plan)),
        (vec!["SIP/main/12125550100"], vec![("B8", "number_unproven")])
    );
}

#[test]
fn an_entry_carrier_brings_its_timers_and_an_unknown_one_the_default() {
    let mut carriers = carriers();
    carriers[0].timers = Timers {
        guard: Duration::from_secs(1),
        progress: Duration::from_secs(2),
        ring: None,
    };
    let table = RouteTable::build(carriers, vec![], HashMap::new());
    let leg = |request: &CallRequest| table.plan(request, &Fitness::default()).stages[0].legs[0].clone();
    let known = leg(&request());
    assert_eq!(known.timers.guard, Duration::from_secs(1));
    let unknown = leg(&CallRequest {
        entry: "NEW".into(),
        ..request()
    });
    assert_eq!(unknown.timers, Timers::default());
}

#[test]
fn an_entry_carrier_may_have_an_attempt_limit_of_its_own() {
    let mut carriers = carriers();
    carriers[0].call_limits.attempts = Some(2);
    let routes = vec![route(1, "B8", 1), route(2, "B7", 2)];
    let table = RouteTable::build(carriers, routes, HashMap::new());
    let legs = |entry: &str| {
        let request = CallRequest {
            entry: entry.into(),
            ..request()
        };
        (
            table.plan(&request, &Fitness::default()).stages.len(),
            rejections(&table.explain(&request, &Fitness::default())).len(),
        )
    };
    assert_eq!(legs("MAIN"), (2, 1));
    assert_eq!(table.call_limits(&"MAIN".into()).attempts, Some(2));
    assert_eq!(table.call_limits(&"NEW".into()).attempts, None);
}

#[test]
fn a_route_outside_its_schedule_is_left_out_and_the_entry_never() {
    // 1970-01-01 was a Thursday.
    const NOON_MS: i64 = 12 * 3_600_000;
    let at_night = Route {
        schedule: Some(Box::new("thu 18:00-06:00 UTC".parse().expect("a schedule"))),
        ..route(1, "B8", 1)
    };
    let table = table(vec![at_night, route(2, "B7", 2)]);
    let carriers = |at_ms: i64| {
        let plan = table.plan(&CallRequest { at_ms, ..request() }, &Fitness::default());
        let legs = plan.stages.iter().flat_map(|stage| &stage.legs);
        (
            legs.map(|leg| leg.carrier.to_string()).collect::<Vec<_>>(),
            plan.rejected,
        )
    };
    let outside = Rejection::OutsideSchedule {
        route: 1,
        schedule: "thu 18:00-06:00 UTC".into(),
    };
    assert_eq!(
        carriers(NOON_MS),
        (vec!["MAIN".into(), "B7".into()], vec![("B8".into(), outside)])
    );
    assert_eq!(carriers(2 * NOON_MS - 1).0, ["MAIN", "B8", "B7"]);
}

#[test]
fn the_technology_is_the_dial_strings_own() {
    let plan = |dial_string: &str| {
        table(vec![route(1, "B8", 1)]).plan(
            &CallRequest {
                dial_string: dial_string.into(),
                ..request()
            },
            &Fitness::default(),
        )
    };
    let leg = plan("pjsip/1@other").stages[0].legs[0].clone();
    assert_eq!(
        (leg.technology, leg.dial_string.as_str(), leg.wire_number.as_str()),
        (Technology::Pjsip, "pjsip/1@other", "1")
    );
    let odd = plan("PJSIP/odd").stages[0].legs[0].clone();
    assert_eq!(
        (odd.dial_string.as_str(), odd.wire_number.as_str()),
        ("PJSIP/odd", "912125550100")
    );
    for unplaceable in ["DAHDI/g1/1", "SIP/a/1&SIP/b/1", ""] {
        let plan = plan(unplaceable);
        assert_eq!(
            (plan.stages.len(), rejections(&plan)),
            (0, vec![("MAIN", "not_placeable")]),
            "{unplaceable}"
        );
    }
}

#[test]
fn every_rejection_has_its_reason() {
    let routes = vec![
        Route {
            enabled: false,
            ..route(1, "B8", 1)
        },
        Route {
            campaign: Some("SALES".into()),
            ..route(2, "B8", 2)
        },
        Route {
            number_match: NumberMatch::parse("prefix", "1213").unwrap(),
            ..route(3, "B8", 3)
        },
        Route {
            number_match: NumberMatch::parse("pattern", "_1213.").unwrap(),
            ..route(4, "B8", 4)
        },
        route(5, "GONE", 5),
        route(6, "MAIN", 6),
        route(7, "BARE", 7),
        Route {
            number_format: Some(Box::new(format(11, ""))),
            ..route(8, "BARE", 8)
        },
        route(9, "B8", 9),
        route(10, "B8", 10),
    ];
    let table = table(routes);
    let explained = table.explain(&request(), &Fitness::default());
    assert_eq!(
        rejections(&explained),
        [
            ("B8", "route_disabled"),
            ("B8", "other_campaign"),
            ("B8", "number_not_matched"),
            ("B8", "number_not_matched"),
            ("GONE", "carrier_unavailable"),
            ("MAIN", "already_planned"),
            ("BARE", "number_unproven"),
            ("BARE", "number_unproven"),
            ("B8", "already_planned"),
        ]
    );
    let plan = table.plan(&request(), &Fitness::default());
    assert_eq!(plan.stages, explained.stages);
    let considered = [
        "other_campaign",
        "carrier_unavailable",
        "already_planned",
        "number_unproven",
        "number_unproven",
        "already_planned",
    ];
    assert_eq!(
        rejections(&plan).iter().map(|(_, code)| *code).collect::<Vec<_>>(),
        considered
    );
    let of_sales = table.plan(
        &CallRequest {
            campaign: Some("SALES".into()),
            ..request()
        },
        &Fitness::default(),
    );
    assert_eq!(of_sales.stages[1].legs[0].because, "route 2, priority 2");
}

#[test]
fn the_campaigns_dial_prefix_makes_the_canonical_number() {
    let stripping = carrier("MAIN", &[("_91NXXNXXXXXX", 2, "")]);
    let bare = Route {
        number_format: Some(Box::new(format(0, "+"))),
        ..route(1, "BARE", 1)
    };
    let table = RouteTable::build(
        vec![stripping, carrier("BARE", &[])],
        vec![bare],
        prefixes(&[("SALES", "9"), ("NONE", "X"), ("EMPTY", ""), ("OTHER", "8")]),
    );
    let sent = |campaign: Option<&str>| {
        let request = CallRequest {
            campaign: campaign.map(str::to_owned),
            ..request()
        };
        table.plan(&request, &Fitness::default()).stages[1].legs[0]
            .wire_number
            .clone()
    };
    assert_eq!(sent(Some("SALES")), "+12125550100");
    for without_prefix in [None, Some("NONE"), Some("EMPTY"), Some("OTHER"), Some("UNKNOWN")] {
        assert_eq!(sent(without_prefix), "+2125550100", "{without_prefix:?}");
    }
}

#[test]
fn a_call_without_campaign_has_the_prefix_that_all_campaigns_agree_on() {
    let bare = Route {
        number_format: Some(Box::new(format(0, "+"))),
        ..route(1, "BARE", 1)
    };
    let sent = |campaigns: &[(&str, &str)], campaign: Option<&str>| {
        let carriers = vec![carrier("MAIN", &[("_91NXXNXXXXXX", 2, "")]), carrier("BARE", &[])];
        let table = RouteTable::build(carriers, vec![bare.clone()], prefixes(campaigns));
        let request = CallRequest {
            campaign: campaign.map(str::to_owned),
            ..request()
        };
        table.plan(&request, &Fitness::default()).stages[1].legs[0]
            .wire_number
            .clone()
    };
    let agreed = [("SALES", "9"), ("CARE", "9"), ("NONE", "X")];
    assert_eq!(sent(&agreed, None), "+12125550100");
    assert_eq!(
        sent(&agreed, Some("NONE")),
        "+2125550100",
        "a named campaign speaks for itself"
    );
    assert_eq!(
        sent(&[("SALES", "9"), ("CARE", "8")], None),
        "+2125550100",
        "they disagree"
    );
    assert_eq!(
        sent(&[("SALES", "8")], None),
        "+2125550100",
        "it does not fit the number"
    );
}

#[test]
fn carriers_of_three_technologies_back_each_other_up() {
    let of = |id: &str, technology, peer: &str, pattern: &str, strip| Carrier {
        technology,
        peer: peer.into(),
        ..carrier(id, &[(pattern, strip, "")])
    };
    let carriers = vec![
        of("MAIN", Technology::Sip, "ExampleSIP", "_91999NXXXXXX", 1),
        of("PJSIPEX", Technology::Pjsip, "ExamplePJSIP", "_81999NXXXXXX", 1),
        of("OLDIAX", Technology::Iax2, "testcarrier", "_71999NXXXXXX", 2),
    ];
    let table = RouteTable::build(
        carriers,
        vec![route(1, "PJSIPEX", 1), route(2, "OLDIAX", 2)],
        HashMap::new(),
    );
    let plan = table.plan(
        &CallRequest {
            dialled: "919992345678".into(),
            dial_string: "SIP/ExampleSIP/19992345678".into(),
            ..request()
        },
        &Fitness::default(),
    );
    assert_eq!(
        dial_strings(&plan),
        [
            "SIP/ExampleSIP/19992345678",
            "PJSIP/19992345678@ExamplePJSIP",
            "IAX2/testcarrier/9992345678"
        ]
    );
}

#[test]
fn a_hundred_thousand_routes_are_not_looked_at_one_by_one() {
    let numbered = |id: i64, entry: &str, prefix: String| Route {
        entry: Some(entry.into()),
        number_match: NumberMatch::Prefix(prefix.as_str().into()),
        ..route(id, "B8", 1)
    };
    let own = (0..50_000).map(|n| numbered(n, "MAIN", format!("1{:07}", 2_000_000 + n * 10)));
    let others = (50_000..100_000).map(|n| numbered(n, &format!("E{n}"), "1".into()));
    let table = table(own.chain(others).collect());
    let plan = table.plan(&request(), &Fitness::default());
    assert_eq!((plan.stages.len(), plan.rejected.len()), (2, 0));
    assert_eq!(table.of_entry[&request().entry].candidates("12125550100").count(), 1);
    assert_eq!(table.explain(&request(), &Fitness::default()).rejected.len(), 49_999);
}

fn any_route() -> impl Strategy<Value = Route> {
    let number_match = prop_oneof![
        Just(NumberMatch::Any),
        "1?2?1?".prop_filter_map("empty", |text| NumberMatch::parse("prefix", &text).ok()),
        "_[1XN]{0,2}[.!]".prop_filter_map("no pattern", |text| NumberMatch::parse("pattern", &text).ok()),
    ];
    let entry = prop_oneof![Just(None), Just(Some("MAIN")), Just(Some("B8"))];
    let campaign = prop_oneof![3 => Just(None), 1 => Just(Some("SALES".into()))];
    let carrier = prop_oneof![
        Just("MAIN"),
        Just("B8"),
        Just("B7"),
        Just("B6"),
        Just("BARE"),
        Just("GONE")
    ];
    (
        0..50_i64,
        entry,
        campaign,
        number_match,
        carrier,
        0..4_i32,
        any::<bool>(),
    )
        .prop_map(
            |(id, entry, campaign, number_match, carrier, priority, enabled)| Route {
                entry: entry.map(CarrierId::from),
                campaign,
                number_match,
                enabled,
                ..route(id, carrier, priority)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn explaining_changes_no_plan(
        routes in proptest::collection::vec(any_route(), 0..12), limit in 1_usize..6,
        dialled in prop_oneof![Just("912125550100"), Just("911"), Just("9"), Just("812125550100")],
        entry in prop_oneof![Just("MAIN"), Just("B8"), Just("NEW")],
        campaign in prop_oneof![Just(None), Just(Some("SALES".to_owned()))],
    ) {
        let table = RouteTable::build(carriers(), routes, prefixes(&[("SALES", "9")])).with_attempt_limit(limit);
        let request = CallRequest { entry: entry.into(), dialled: dialled.into(), campaign, ..request() };
        let (plan, explained) = (table.plan(&request, &Fitness::default()), table.explain(&request, &Fitness::default()));
        prop_assert_eq!(&plan.stages, &explained.stages);
        prop_assert!(plan.stages.len() <= limit && plan.stages[0].legs[0].carrier.as_str() == entry);
        for rejection in &plan.rejected {
            prop_assert!(explained.rejected.contains(rejection), "{:?}", rejection);
        }
        let mut planned: Vec<_> = plan.stages.iter().map(|stage| &stage.legs[0].carrier).collect();
        planned.sort();
        planned.dedup();
        prop_assert_eq!(planned.len(), plan.stages.len());
    }
}
