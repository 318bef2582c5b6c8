//! Who takes a call.

use super::*;

fn class(state: State) -> Class {
    Class {
        state,
        ..Class::default()
    }
}

fn contender(id: &str, priority: i32, weight: u32) -> Contender {
    Contender {
        carrier: CarrierId::from(id),
        priority,
        weight,
    }
}

fn view(classes: &[(&str, Class)]) -> HealthView {
    let classes = classes.iter().cloned();
    classes.map(|(id, class)| (CarrierId::from(id), class)).collect()
}

#[test]
fn priority_then_health_then_those_that_are_tried_if_nothing_better_is_left() {
    let contenders = [
        "standby",
        "failed",
        "active",
        "degraded",
        "trial",
        "unheard_of",
        "config",
    ]
    .iter()
    .zip([1, 1, 2, 2, 3, 4, 1])
    .map(|(id, priority)| contender(id, priority, 1))
    .collect::<Vec<_>>();
    let trial = Class {
        trial_is_due: true,
        ..class(State::HalfOpen)
    };
    let view = view(&[
        ("standby", class(State::Standby)),
        ("failed", class(State::Failed)),
        ("active", class(State::Active)),
        ("degraded", class(State::Degraded)),
        ("trial", trial),
        ("config", class(State::ConfigError)),
    ]);
    let order = order(&contenders, &view, 7);
    assert_eq!(
        order.tried,
        [
            (2, Place::Fit),
            (3, Place::Fit),
            (4, Place::Trial),
            (5, Place::Fit),
            (0, Place::IfNothingBetter)
        ]
    );
    let left_out: Vec<_> = order
        .left_out
        .iter()
        .map(|(position, why)| (*position, why.to_string()))
        .collect();
    assert_eq!(
        left_out,
        [
            (1, "failed: nothing is known against it".to_owned()),
            (6, "config_error: nothing is known against it".to_owned())
        ]
    );
}

#[test]
fn when_all_are_down_the_least_bad_is_used_that_the_operator_has_not_disabled() {
    let failed_for = |seconds| Class {
        back_off: Duration::from_secs(seconds),
        ..class(State::Failed)
    };
    let disabled = Class {
        operator: OperatorWord::Disabled,
        ..class(State::Active)
    };
    let contenders = ["disabled", "config", "long_dead", "just_failed"].map(|id| contender(id, 1, 1));
    let view = view(&[
        ("disabled", disabled),
        ("config", class(State::ConfigError)),
        ("long_dead", failed_for(60)),
        ("just_failed", failed_for(5)),
    ]);
    let all_down = order(&contenders, &view, 1);
    assert_eq!(all_down.tried, [(3, Place::LeastBad)]);
    assert_eq!(all_down.left_out.len(), 3);
    assert_eq!(all_down.left_out[0].1.code(), "by_operator");
    let only_config = order(&contenders[..2], &view, 1);
    assert_eq!(only_config.tried, [(1, Place::LeastBad)]);
    assert_eq!(order(&contenders[..1], &view, 1).tried, []);
}

#[test]
fn only_overrules_the_evidence_where_the_carrier_is_a_candidate() {
    let only = Class {
        operator: OperatorWord::Only,
        ..class(State::Failed)
    };
    let view = view(&[("only", only)]);
    let contenders = ["first", "only"].map(|id| contender(id, 1, 1));
    let chosen = order(&contenders, &view, 1);
    assert_eq!(chosen.tried, [(1, Place::Only)]);
    assert_eq!(chosen.left_out[0].1.to_string(), "the operator wants only only");
    assert_eq!(order(&contenders[..1], &view, 1).tried, [(0, Place::Fit)]);
    assert_eq!(view.class(&CarrierId::from("only")).hint(&"only".into(), 1), Hint::Take);
}

#[test]
fn weights_share_the_first_place_and_the_same_call_chooses_the_same() {
    let contenders = [
        contender("a", 1, 70),
        contender("b", 1, 20),
        contender("c", 1, 10),
        contender("z", 1, 0),
    ];
    let view = HealthView::default();
    let mut first = [0_u32; 4];
    for draw in 0..20_000 {
        let chosen = order(&contenders, &view, draw);
        assert_eq!(chosen.tried.last(), Some(&(3, Place::Fit)), "weight 0 comes last");
        assert_eq!(chosen, order(&contenders, &view, draw));
        first[chosen.tried[0].0] += 1;
    }
    for (count, share) in first.into_iter().zip([0.7, 0.2, 0.1, 0.0]) {
        let measured = f64::from(count) / 20_000.0;
        assert!((measured - share).abs() < 0.02, "{measured} instead of {share}");
    }
}

#[test]
fn a_carrier_that_leaves_does_not_move_the_calls_of_the_others() {
    let all = [contender("a", 1, 1), contender("b", 1, 1), contender("c", 1, 1)];
    let without_c = &all[..2];
    let view = HealthView::default();
    for draw in 0..1_000 {
        let first = order(&all, &view, draw).tried[0].0;
        if first != 2 {
            assert_eq!(order(without_c, &view, draw).tried[0].0, first);
        }
    }
}

#[test]
fn a_call_that_is_shed_goes_to_the_backup_first() {
    let view = view(&[(
        "primary",
        Class {
            taken_share: 0.5,
            ..class(State::Degraded)
        },
    )]);
    let contenders = [contender("primary", 1, 1), contender("backup", 2, 1)];
    let mut shed = 0;
    for draw in 0..10_000 {
        let chosen = order(&contenders, &view, draw);
        let hint = view.class(&contenders[0].carrier).hint(&contenders[0].carrier, draw);
        if chosen.tried == [(1, Place::Fit), (0, Place::IfNothingBetter)] {
            assert_eq!(hint, Hint::PassOn(State::Degraded), "plan and door agree");
            assert!(!hint.lets_out(false) && hint.lets_out(true));
            shed += 1;
        } else {
            assert_eq!(chosen.tried, [(0, Place::Fit), (1, Place::Fit)]);
            assert_eq!(hint, Hint::Take);
        }
    }
    assert!((4_800..5_200).contains(&shed), "{shed}");
}

#[test]
fn an_expired_word_no_longer_counts() {
    let (mut bench, a) = (Bench::new(), carrier());
    let setting = OperatorSetting {
        word: OperatorWord::Draining,
        until_ms: Some(START_MS + 60_000),
        ..OperatorSetting::default()
    };
    let now = bench.now();
    bench.board.set_operator(&a, setting, now);
    assert_eq!(bench.hint(&a, 0), Hint::Never(OperatorWord::Draining));
    bench.wait(60_000);
    assert_eq!(bench.hint(&a, 0), Hint::Take);
    let now = bench.now();
    assert_eq!(bench.board.view(now).class(&a).operator, OperatorWord::Enabled);
}
