//! What probes do to a carrier's state, and how calls outrank them.

use super::*;

#[test]
fn probes_that_are_good_do_not_keep_the_breaker_closed() {
    let (mut bench, a) = (Bench::new(), carrier());
    for _ in 0..5 {
        bench.report(&a, Witness::OwnProbe, Report::Alive, 1);
        bench.report(&a, Witness::Qualify, Report::Alive, 1);
        bench.call(&a, &refused());
    }
    assert_eq!(bench.state(&a), State::Failed);
}

#[test]
fn probes_that_fail_do_not_take_a_carrier_out_while_calls_come_through() {
    let (mut bench, a) = (Bench::new(), carrier());
    bench.report(&a, Witness::OwnProbe, Report::Unavailable, 2);
    assert_eq!(
        (bench.state(&a), bench.because(&a)),
        (State::Standby, "probe_unavailable")
    );
    assert_eq!(bench.hint(&a, 0), Hint::PassOn(State::Standby));
    bench.call(&a, &good());
    assert_eq!((bench.state(&a), bench.because(&a)), (State::Active, "call_succeeded"));
    for _ in 0..10 {
        bench.report(&a, Witness::OwnProbe, Report::Unavailable, 1);
        bench.call(&a, &good());
        bench.wait(10_000);
        assert_eq!(bench.state(&a), State::Active);
    }
    bench.wait(30_000);
    assert_eq!(bench.state(&a), State::Standby, "no call spoke for it lately");
}

#[test]
fn a_strong_failure_takes_the_good_calls_word_away() {
    let (mut bench, a) = (Bench::new(), carrier());
    bench.call(&a, &good());
    bench.report(&a, Witness::Qualify, Report::Unavailable, 2);
    assert_eq!(bench.state(&a), State::Active);
    bench.call(&a, &refused());
    assert_eq!(
        (bench.state(&a), bench.because(&a)),
        (State::Standby, "asterisk_cannot_reach")
    );
    bench.report(&a, Witness::Qualify, Report::Alive, 2);
    assert_eq!((bench.state(&a), bench.because(&a)), (State::Active, "recovered"));
}

#[test]
fn own_probes_without_an_answer_never_change_a_state() {
    let (mut bench, a) = (Bench::new(), carrier());
    for _ in 0..1_000 {
        bench.report(&a, Witness::OwnProbe, Report::Unanswered, 1);
        bench.wait(1_000);
        assert_eq!(bench.state(&a), State::Active);
    }
}

#[test]
fn no_trial_goes_out_while_probes_of_a_carrier_that_answers_them_fail() {
    let (mut bench, a) = (Bench::new(), carrier());
    bench.report(&a, Witness::OwnProbe, Report::Alive, 2);
    bench.report(&a, Witness::OwnProbe, Report::Unanswered, 2);
    bench.calls(&a, &refused(), 5);
    for _ in 0..60 {
        bench.wait(10_000);
        bench.report(&a, Witness::OwnProbe, Report::Unanswered, 1);
        assert_eq!(bench.hint(&a, 0), Hint::PassOn(State::Failed));
    }
    bench.report(&a, Witness::OwnProbe, Report::Alive, 1);
    assert_eq!(
        bench.hint(&a, 0),
        Hint::PassOn(State::Failed),
        "one good probe is not enough"
    );
    bench.report(&a, Witness::OwnProbe, Report::Alive, 1);
    assert_eq!(
        bench.hint(&a, 0),
        Hint::Trial,
        "the first call after the second good probe"
    );
}

#[test]
fn a_report_from_before_a_reset_does_not_undo_it() {
    let (mut bench, a) = (Bench::new(), carrier());
    let asked_at = bench.now().monotonic;
    bench.wait(500);
    let now = bench.now();
    bench.board.reset(&a, "ann", "carrier was moved", now);
    bench.wait(500);
    let now = bench.now();
    for _ in 0..5 {
        bench
            .board
            .report(&a, Witness::Qualify, Report::Unavailable, asked_at, now);
    }
    assert_eq!(bench.state(&a), State::Active);
    bench.report(&a, Witness::Qualify, Report::Unavailable, 2);
    assert_eq!(bench.state(&a), State::Standby);
}

#[test]
fn a_probe_in_flight_does_not_undo_the_operators_word() {
    let (mut bench, a) = (Bench::new(), carrier());
    let now = bench.now();
    let disabled = OperatorSetting {
        word: OperatorWord::Disabled,
        by: "ann".to_owned(),
        why: "invoice".to_owned(),
        since_ms: now.wall_ms,
        until_ms: None,
    };
    bench.board.set_operator(&a, disabled.clone(), now);
    bench.report(&a, Witness::OwnProbe, Report::Alive, 5);
    assert_eq!(bench.hint(&a, 0), Hint::Never(OperatorWord::Disabled));
    let report = bench.board.carrier_report(&a, now).expect("it was heard of");
    assert_eq!(report.operator, disabled);
}
