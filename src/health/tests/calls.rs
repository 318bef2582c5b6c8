//! What calls do to a carrier's state.

use super::*;

#[test]
fn a_total_outage_at_ten_calls_a_second_opens_the_breaker_within_a_second() {
    let (mut bench, a) = (Bench::new(), carrier());
    bench.calls(&a, &good(), 50);
    bench.wait(10_000);
    let mut wasted = 0;
    while bench.state(&a) != State::Failed {
        bench.call(&a, &refused());
        bench.wait(100);
        wasted += 1;
    }
    assert_eq!(wasted, 5, "five in a row are enough when nothing else is heard");
}

#[test]
fn mixed_failures_open_it_at_the_upper_threshold_and_not_below_the_minimum() {
    let (mut bench, a) = (Bench::new(), carrier());
    for _ in 0..4 {
        bench.call(&a, &good());
        bench.call(&a, &refused());
    }
    assert_eq!(bench.state(&a), State::Active, "eight samples are too few");
    bench.call(&a, &good());
    bench.call(&a, &refused());
    assert_eq!(bench.state(&a), State::Failed);
    assert_eq!(bench.because(&a), "calls_fail");
}

#[test]
fn between_the_thresholds_calls_are_shed_in_proportion() {
    let (mut bench, a) = (Bench::new(), carrier());
    for position in 0..80 {
        let end = if position % 8 >= 5 { refused() } else { good() };
        bench.call(&a, &end);
    }
    assert_eq!(bench.state(&a), State::Degraded);
    let now = bench.now();
    assert!((bench.board.class(&a, now).taken_share - 0.5).abs() < 0.01);
    let taken = (0..10_000).filter(|draw| bench.hint(&a, *draw) == Hint::Take).count();
    assert!((4_800..5_200).contains(&taken), "{taken} of 10,000");
    bench.wait(10_000);
    assert_eq!(bench.state(&a), State::Active);
    assert_eq!(bench.because(&a), "recovered");
}

#[test]
fn weak_failures_count_half() {
    let (mut bench, a) = (Bench::new(), carrier());
    let weak = outcome(Health::Weak, "sip_403");
    for position in 0..100 {
        let end = if position % 10 < 6 { weak.clone() } else { good() };
        bench.call(&a, &end);
    }
    let now = bench.now();
    assert_eq!(bench.state(&a), State::Degraded);
    assert!(
        (bench.board.class(&a, now).taken_share - 0.8).abs() < 0.01,
        "30 % failed"
    );
}

#[test]
fn legs_without_reply_shed_calls_early_and_one_sure_failure_opens_the_breaker() {
    let (mut bench, a) = (Bench::new(), carrier());
    let mut legs = Vec::new();
    while bench.elapsed < Duration::from_millis(3_100) {
        legs.push(bench.start_leg(&a));
        bench.wait(100);
    }
    assert_eq!(bench.state(&a), State::Degraded);
    assert_eq!(bench.because(&a), "legs_without_reply");
    let taken = (0..1_000).filter(|draw| bench.hint(&a, *draw) == Hint::Take).count();
    assert!((60..140).contains(&taken), "{taken} of 1,000 go on asking");
    bench.wait(900);
    bench.end(&a, legs[0], &silent());
    assert_eq!(bench.state(&a), State::Failed, "four seconds after the first call");
}

#[test]
fn a_slow_carrier_that_lives_is_not_taken_for_a_silent_one() {
    let (mut bench, a) = (Bench::new(), carrier());
    let mut legs = std::collections::VecDeque::new();
    for _ in 0..300 {
        legs.push_back((bench.elapsed, bench.start_leg(&a)));
        bench.wait(100);
        while let Some((started, leg)) = legs.front().copied()
            && bench.elapsed >= started + Duration::from_millis(3_500)
        {
            bench.hear(&a, leg, Progress::Ringing);
            legs.pop_front();
        }
        if bench.elapsed > Duration::from_secs(4) {
            assert_eq!(bench.state(&a), State::Active, "at {:?}", bench.elapsed);
        }
        assert_ne!(bench.state(&a), State::Failed);
    }
}

#[test]
fn half_open_takes_a_trickle_of_calls_and_three_good_ones_close_it() {
    let (mut bench, a) = (Bench::new(), carrier());
    bench.calls(&a, &refused(), 5);
    assert_eq!(bench.hint(&a, 1), Hint::PassOn(State::Failed));
    bench.wait(5_000);
    assert_eq!(bench.state(&a), State::HalfOpen);
    for trial in 0..3 {
        assert_eq!(bench.state(&a), State::HalfOpen, "trial {trial}");
        assert_eq!(bench.hint(&a, trial), Hint::Trial);
        assert_eq!(
            bench.hint(&a, trial),
            Hint::PassOn(State::HalfOpen),
            "one in five seconds"
        );
        let leg = bench.start_leg(&a);
        bench.hear(&a, leg, Progress::Ringing);
        bench.wait(5_000);
    }
    assert_eq!(bench.state(&a), State::Active);
    assert_eq!(bench.because(&a), "trials_succeeded");
}

#[test]
fn the_back_off_doubles_to_a_minute_and_flapping_goes_on_with_it() {
    let (mut bench, a) = (Bench::new(), carrier());
    bench.calls(&a, &refused(), 5);
    for seconds in [5, 10, 20, 40, 60, 60] {
        bench.wait(seconds * 1_000 - 1);
        assert_eq!(bench.state(&a), State::Failed, "{seconds} s");
        bench.wait(1);
        assert_eq!(bench.hint(&a, 0), Hint::Trial, "{seconds} s");
        bench.call(&a, &refused());
    }
    bench.wait(60_000);
    for _ in 0..3 {
        assert_eq!(bench.hint(&a, 0), Hint::Trial);
        bench.call(&a, &good());
        bench.wait(5_000);
    }
    assert_eq!(bench.state(&a), State::Active);
    bench.calls(&a, &refused(), 5);
    bench.wait(59_999);
    assert_eq!(bench.state(&a), State::Failed, "it flaps");
}

/// The longest back-off, a call each 100 ms, PDD of 500 ms: the carrier was well again from the moment on at which it was left
/// alone.
#[test]
fn a_carrier_is_back_within_a_minute_and_five_seconds() {
    let (mut bench, a) = (Bench::new(), carrier());
    bench.calls(&a, &refused(), 5);
    for seconds in [5, 10, 20, 40] {
        bench.wait(seconds * 1_000);
        assert_eq!(bench.hint(&a, 0), Hint::Trial, "{seconds} s");
        bench.call(&a, &refused());
    }
    let failed_at = bench.elapsed;
    let mut out = Vec::new();
    while bench.state(&a) != State::Active {
        bench.wait(100);
        if bench.hint(&a, 0) == Hint::Trial {
            out.push((bench.start_leg(&a), bench.elapsed + Duration::from_millis(500)));
        }
        while out.first().is_some_and(|(_, rings_at)| bench.elapsed >= *rings_at) {
            let (leg, _) = out.remove(0);
            bench.hear(&a, leg, Progress::Ringing);
        }
        assert!(bench.elapsed - failed_at < Duration::from_secs(120));
    }
    let took = bench.elapsed - failed_at;
    assert!(
        took > Duration::from_secs(60) && took <= Duration::from_secs(65),
        "{took:?}"
    );
}

#[test]
fn a_carrier_that_flaps_changes_at_most_once_per_back_off() {
    let (mut bench, a) = (Bench::new(), carrier());
    for tick in 0..6_000_u64 {
        let is_up = (tick / 50) % 2 == 0;
        if bench.hint(&a, tick) != Hint::PassOn(State::Failed) {
            let end = if is_up { good() } else { refused() };
            bench.call(&a, &end);
        }
        bench.wait(100);
    }
    let opened = bench.board.take_changes();
    let opened = opened.iter().filter(|(_, change)| change.to == State::Failed).count();
    assert!(
        (1..=25).contains(&opened),
        "opened {opened} times in 600 s of 60 outages"
    );
}

#[test]
fn failures_of_calls_from_before_it_opened_say_nothing_new() {
    let (mut bench, a) = (Bench::new(), carrier());
    let old: Vec<_> = (0..20).map(|_| bench.start_leg(&a)).collect();
    bench.calls(&a, &refused(), 5);
    bench.wait(5_000);
    assert_eq!(bench.state(&a), State::HalfOpen);
    for leg in old {
        bench.end(&a, leg, &silent());
    }
    assert_eq!(bench.state(&a), State::HalfOpen);
}

#[test]
fn calls_that_the_least_bad_carrier_carries_close_its_breaker_after_the_back_off() {
    let (mut bench, a) = (Bench::new(), carrier());
    bench.calls(&a, &refused(), 5);
    bench.calls(&a, &good(), 3);
    assert_eq!(bench.state(&a), State::Failed, "one change in a back-off");
    bench.wait(5_000);
    bench.calls(&a, &good(), 1);
    assert_eq!(bench.state(&a), State::Active);
}

#[test]
fn our_own_limit_throttles_and_never_trips() {
    let (mut bench, a) = (Bench::new(), carrier());
    for _ in 0..500 {
        bench.call(&a, &outcome(Health::OurLimit, "limit"));
        bench.wait(20);
        assert!(matches!(bench.state(&a), State::Throttled));
    }
    let now = bench.now();
    let class = bench.board.class(&a, now);
    assert!(class.taken_share >= 0.05, "{}", class.taken_share);
    bench.wait(25_000);
    assert_eq!(bench.state(&a), State::Active);
}

#[test]
fn a_carrier_that_asks_for_a_pause_gets_it() {
    let (mut bench, a) = (Bench::new(), carrier());
    bench.call(&a, &outcome(Health::CoolDown, "retry_after"));
    assert_eq!(bench.state(&a), State::Throttled);
    assert_eq!(bench.hint(&a, 0), Hint::PassOn(State::Throttled));
    bench.wait(5_000);
    assert_eq!((bench.state(&a), bench.hint(&a, 0)), (State::Active, Hint::Take));
}

#[test]
fn ten_of_ten_different_wrong_numbers_are_a_configuration_error() {
    let (mut bench, a) = (Bench::new(), carrier());
    let wrong = |number: u32| LegOutcome {
        is_wrong_number: true,
        wire_number: number.to_string(),
        ..good()
    };
    for number in 0..9 {
        bench.call(&a, &wrong(number));
    }
    bench.call(&a, &wrong(0));
    assert_eq!(bench.state(&a), State::Active, "a number once more says nothing new");
    bench.call(&a, &wrong(9));
    assert_eq!(bench.state(&a), State::ConfigError);
    bench.wait(3_600_000);
    assert_eq!(bench.state(&a), State::ConfigError, "no waiting heals it");
    let test_call = bench.start_leg(&a);
    bench.hear(&a, test_call, Progress::Ringing);
    assert_eq!(bench.state(&a), State::Active);
    for number in 0..10 {
        bench.call(&a, &wrong(number));
    }
    let now = bench.now();
    bench.board.reset(&a, "ann", "prefix corrected", now);
    assert_eq!((bench.state(&a), bench.because(&a)), (State::Active, "reset"));
}

#[test]
fn refused_credentials_are_a_configuration_error() {
    let (mut bench, a) = (Bench::new(), carrier());
    bench.calls(&a, &outcome(Health::ConfigFault, "sip_code"), 3);
    assert_eq!(
        (bench.state(&a), bench.because(&a)),
        (State::ConfigError, "config_faults")
    );
}

#[test]
fn a_caller_who_hangs_up_says_nothing() {
    let (mut bench, a) = (Bench::new(), carrier());
    let gone = LegOutcome {
        came_through: false,
        is_heard: false,
        ..good()
    };
    bench.calls(&a, &refused(), 4);
    bench.calls(&a, &gone, 20);
    assert_eq!(bench.state(&a), State::Active);
    bench.call(&a, &refused());
    assert_eq!(bench.state(&a), State::Failed, "the row was not broken");
}
