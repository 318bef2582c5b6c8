//! What survives a restart.

use super::*;

/// Takes the board down, lets time pass, brings it back from its written form with a new monotonic clock.
fn restart(mut bench: Bench, away: Duration) -> Bench {
    let now = bench.now();
    let text = serde_json::to_string(&bench.board.snapshot(now)).expect("a snapshot is written");
    let wall_ms = now.after(away).wall_ms;
    let mut next = Bench::new();
    next.elapsed = Duration::from_millis(u64::try_from(wall_ms - START_MS).expect("later"));
    let snapshot = serde_json::from_str(&text).expect("a snapshot is read");
    next.board = HealthBoard::restore(HealthSettings::default(), snapshot, next.now()).expect("the same form");
    next
}

fn failed() -> Bench {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.calls(&carrier(), &refused(), 5);
        bench.wait(20_000);
        assert_eq!(bench.hint(&carrier(), 0), Hint::Trial);
    }
    bench.call(&carrier(), &refused());
    bench
}

#[test]
fn a_dead_primary_does_not_get_the_first_calls() {
    let a = carrier();
    let mut bench = restart(failed(), Duration::from_secs(3));
    let now = bench.now();
    let report = bench.board.carrier_report(&a, now).expect("on record");
    assert_eq!(
        (report.class.state, report.since_ms),
        (State::Failed, now.wall_ms - 3_000)
    );
    assert!(report.timeline.changes().count() >= 2);
    bench.wait(36_999);
    assert_eq!(bench.state(&a), State::Failed, "40 s of back-off go on");
    bench.wait(1);
    assert_eq!(bench.hint(&a, 0), Hint::Trial);
    bench.call(&a, &refused());
    bench.wait(59_999);
    assert_eq!(bench.state(&a), State::Failed, "and double");
}

#[test]
fn a_back_off_that_ended_meanwhile_gives_trials_only() {
    let a = carrier();
    let mut bench = restart(failed(), Duration::from_secs(60));
    assert_eq!(bench.state(&a), State::HalfOpen);
    assert_eq!(
        (bench.hint(&a, 0), bench.hint(&a, 1)),
        (Hint::Trial, Hint::PassOn(State::HalfOpen))
    );
}

#[test]
fn a_stale_record_gives_trials_only() {
    let a = carrier();
    let mut bench = restart(failed(), Duration::from_secs(86_400));
    assert_eq!((bench.state(&a), bench.because(&a)), (State::HalfOpen, "stale_record"));
    let mut standby = Bench::new();
    standby.report(&a, Witness::Qualify, Report::Unavailable, 2);
    assert_eq!(restart(standby, Duration::from_secs(86_400)).state(&a), State::Active);
}

#[test]
fn standby_lasts_until_its_witness_has_spoken() {
    let a = carrier();
    let standby = || {
        let mut bench = Bench::new();
        bench.report(&a, Witness::Qualify, Report::Unavailable, 2);
        restart(bench, Duration::from_secs(2))
    };
    let mut bench = standby();
    bench.report(&a, Witness::OwnProbe, Report::Alive, 2);
    assert_eq!(bench.state(&a), State::Standby);
    bench.report(&a, Witness::Qualify, Report::Alive, 2);
    assert_eq!(bench.state(&a), State::Active);
    let mut bench = standby();
    bench.report(&a, Witness::Qualify, Report::Unavailable, 2);
    bench.wait(3_600_000);
    assert_eq!(bench.state(&a), State::Standby);
    let mut without_word = standby();
    without_word.wait(119_999);
    assert_eq!(without_word.state(&a), State::Standby);
    without_word.wait(1);
    assert_eq!(without_word.state(&a), State::Active);
}

#[test]
fn a_configuration_error_stays_however_old_the_record() {
    let a = carrier();
    let mut bench = Bench::new();
    bench.calls(&a, &outcome(Health::ConfigFault, "sip_code"), 3);
    let mut bench = restart(bench, Duration::from_secs(7 * 86_400));
    assert_eq!(
        (bench.state(&a), bench.because(&a)),
        (State::ConfigError, "config_faults")
    );
}

#[test]
fn a_clock_that_was_set_back_keeps_no_carrier_out_for_longer_than_its_back_off() {
    let a = carrier();
    let mut bench = failed();
    let now = bench.now();
    let snapshot = bench.board.snapshot(now);
    let mut next = Bench::new();
    let an_hour_before = Now {
        wall_ms: now.wall_ms - 3_600_000,
        ..next.now()
    };
    next.board = HealthBoard::restore(HealthSettings::default(), snapshot, an_hour_before).expect("the same form");
    assert_eq!(next.state(&a), State::Failed);
    next.wait(40_000);
    assert_eq!(next.state(&a), State::HalfOpen);
}

#[test]
fn the_record_of_another_version_is_refused() {
    let snapshot = serde_json::from_str(r#"{"form":2,"taken_ms":0,"carriers":[]}"#).expect("a snapshot is read");
    let error = HealthBoard::restore(HealthSettings::default(), snapshot, Bench::new().now()).expect_err("form 2");
    assert_eq!(
        (error.clone(), error.code()),
        (SnapshotError::OtherForm { found: 2 }, "other_form")
    );
}
