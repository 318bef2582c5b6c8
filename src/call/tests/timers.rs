//! How long a call may look for a carrier, and a carrier may ring.

use super::*;

#[test]
fn a_call_that_found_no_ringing_in_its_set_up_time_stays_with_the_leg_that_is_out() {
    let mut story = Story::with(&["A", "B", "C"], Duration::from_secs(60), None);
    story
        .wait(Duration::from_secs(12))
        .tell(Input::TimerFired(Timer::Progress(LegId(1))));
    assert_eq!(story.carriers_tried(), ["A", "B"]);
    story
        .wait(Duration::from_secs(8))
        .tell(Input::TimerFired(Timer::Guard(LegId(2))))
        .leg(2, LegEvent::Silent)
        .wait(Duration::from_secs(4))
        .tell(Input::TimerFired(Timer::Progress(LegId(2))));
    assert_eq!(story.carriers_tried(), ["A", "B"], "the time to set up is over");
    assert_eq!(
        story.abandoned(),
        [(1, AbandonReason::NoProgress)],
        "the last leg gets the time that is left"
    );
    story.leg(2, LegEvent::Answered(None)).leg(2, LegEvent::Connected);
    assert!(story.call.is_connected());
}

#[test]
fn a_failure_after_the_set_up_time_is_the_last() {
    let mut story = Story::with(&["A", "B"], Duration::from_secs(60), None);
    story.wait(SETUP).leg(1, LegEvent::Ended(sip(503, 34)));
    assert_eq!(story.carriers_tried(), ["A"]);
    assert_eq!(story.results(), [(DialStatus::Congestion, Some(34))]);
    let mut story = Story::with(&["A", "B"], Duration::from_secs(60), None);
    story
        .wait(SETUP - Duration::from_millis(1))
        .leg(1, LegEvent::Ended(sip(503, 34)));
    assert_eq!(story.carriers_tried(), ["A", "B"]);
}

fn rings_at_most(ring: Duration) -> Story {
    let mut limited = candidate("A");
    limited.timers.ring = Some(ring);
    Story::of_candidates(
        vec![limited, candidate("B")],
        Duration::from_secs(60),
        None,
        Arc::default(),
    )
}

#[test]
fn a_carrier_may_ring_only_so_long_counted_from_its_first_sign() {
    let limit = Duration::from_secs(15);
    let mut story = rings_at_most(limit);
    assert_eq!(story.armed(Timer::Ring(LegId(1))), None);
    story.wait(Duration::from_secs(3)).leg(1, LegEvent::Media(None));
    assert_eq!(story.armed(Timer::Ring(LegId(1))), Some(limit));
    story.wait(Duration::from_secs(5)).leg(1, LegEvent::Ringing(None));
    assert_eq!(
        story.armed(Timer::Ring(LegId(1))),
        Some(Duration::from_secs(10)),
        "armed once"
    );
    story
        .wait(Duration::from_secs(10))
        .tell(Input::TimerFired(Timer::Ring(LegId(1))));
    assert_eq!(story.results(), [(DialStatus::NoAnswer, None)]);
    assert_eq!(story.abandoned(), [(1, AbandonReason::RingLimit)]);
    assert_eq!(story.carriers_tried(), ["A"], "nobody is rung twice");
}

#[test]
fn an_answered_call_has_no_ring_limit() {
    let mut story = rings_at_most(Duration::from_secs(15));
    story
        .leg(1, LegEvent::Ringing(None))
        .leg(1, LegEvent::Answered(None))
        .tell(Input::TimerFired(Timer::Ring(LegId(1))))
        .leg(1, LegEvent::Connected)
        .tell(Input::TimerFired(Timer::Ring(LegId(1))));
    assert!(story.call.is_connected());
    assert!(story.abandoned().is_empty());
}

#[test]
fn without_a_ring_limit_none_is_armed() {
    let mut story = Story::of(&["A"]);
    story.leg(1, LegEvent::Ringing(None));
    assert_eq!(story.armed(Timer::Ring(LegId(1))), None);
}

#[test]
fn a_ring_limit_that_passed_while_the_engine_was_lost_gets_a_second_look() {
    let limit = Duration::from_secs(15);
    let mut story = rings_at_most(limit);
    let ring = Timer::Ring(LegId(1));
    story
        .leg(1, LegEvent::Ringing(None))
        .tell(Input::EngineLost)
        .wait(limit)
        .tell(Input::TimerFired(ring));
    assert!(story.abandoned().is_empty(), "it may be answered by now");
    story.tell(Input::EngineBack);
    assert!(story.armed(ring).is_some_and(|left| left > Duration::ZERO));
    story.tell(Input::TimerFired(ring));
    assert_eq!(story.abandoned(), [(1, AbandonReason::RingLimit)]);
}
