//! A refused request is repaired and tried once more at the same carrier.

use super::*;
use crate::verdict::Action;

#[test]
fn a_codec_refusal_is_tried_again_with_other_codecs_before_the_backup() {
    for code in [415, 488, 606] {
        let mut story = Story::of(&["A", "B"]);
        story.leg(1, LegEvent::Ended(sip(code, 58)));
        assert_eq!(story.legs(), [("A", None), ("A", Some(Repair::OtherCodecs))]);
        story.leg(2, LegEvent::Answered(None)).leg(2, LegEvent::Connected);
        assert!(story.call.is_connected());
    }
}

#[test]
fn a_carrier_is_repaired_once_and_that_is_an_attempt_like_any_other() {
    let mut story = Story::of(&["A", "B", "C", "D"]);
    for leg in 1..=3 {
        story.leg(leg, LegEvent::Ended(sip(488, 58)));
    }
    let expected = [("A", None), ("A", Some(Repair::OtherCodecs)), ("B", None)];
    assert_eq!(story.legs(), expected, "three attempts are allowed");
    assert_eq!(story.results(), [(DialStatus::ChanUnavail, Some(58))]);
}

#[test]
fn a_repair_that_is_not_let_out_takes_no_attempt() {
    let mut story = Story::of(&["A", "B", "C"]);
    let refused = Input::Leg(LegId(1), LegEvent::Ended(sip(488, 58)));
    let commands = story.call.handle(refused, story.now);
    let repair = Command::Admit {
        leg: LegId(2),
        carrier: CarrierId::from("A"),
        is_last_choice: true,
    };
    assert_eq!(commands.last(), Some(&repair));
    story.tell(Input::Refused(LegId(2), AdmissionRefusal::ChannelLimit));
    story.leg(3, LegEvent::Ended(sip(503, 34)));
    assert_eq!(story.legs(), [("A", None), ("B", None), ("C", None)]);
}

#[test]
fn the_last_attempt_is_not_repaired() {
    let mut story = Story::of(&["A", "B", "C"]);
    for leg in 1..=2 {
        story.leg(leg, LegEvent::Ended(sip(503, 34)));
    }
    story.leg(3, LegEvent::Ended(sip(488, 58)));
    assert_eq!(story.legs(), [("A", None), ("B", None), ("C", None)]);
}

#[test]
fn the_record_says_what_was_done() {
    let mut story = Story::of(&["A"]);
    story
        .leg(1, LegEvent::Ended(sip(488, 58)))
        .leg(2, LegEvent::Ended(sip(488, 58)));
    let actions: Vec<Action> = story
        .said
        .iter()
        .filter_map(|command| {
            if let Command::Record(attempt) = command {
                attempt.end.as_ref().map(|end| end.verdict.action)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(actions, [Action::RepairAndRetry, Action::Next]);
}

#[test]
fn nobody_is_rung_twice_for_a_codec() {
    let mut story = Story::of(&["A", "B"]);
    story
        .leg(1, LegEvent::Ringing(None))
        .leg(1, LegEvent::Ended(sip(488, 58)));
    assert_eq!(story.legs(), [("A", None)]);
    assert_eq!(story.results(), [(DialStatus::ChanUnavail, Some(58))]);
}

#[test]
fn what_cannot_be_repaired_goes_to_the_backup() {
    for code in [420, 422] {
        let mut story = Story::of(&["A", "B"]);
        story.leg(1, LegEvent::Ended(sip(code, 127)));
        assert_eq!(story.legs(), [("A", None), ("B", None)]);
    }
    let mut story = Story::of(&["A", "B"]);
    let iax2 = Evidence {
        sip: None,
        technology: Technology::Iax2,
        ..sip(488, 58)
    };
    story.leg(1, LegEvent::Ended(iax2));
    assert_eq!(story.legs(), [("A", None), ("B", None)]);
}

#[test]
fn requests_that_crossed_wait_before_they_go_out_again() {
    let mut story = Story::of(&["A", "B"]);
    story.leg(1, LegEvent::Ended(sip(491, 127)));
    assert_eq!(story.legs(), [("A", None)], "not at once");
    assert_eq!(story.armed(Timer::Again(LegId(1))), Some(REPEAT_AFTER));
    story.wait(REPEAT_AFTER).tell(Input::TimerFired(Timer::Again(LegId(1))));
    assert_eq!(story.legs(), [("A", None), ("A", Some(Repair::Again))]);
    story.leg(2, LegEvent::Ended(sip(491, 127)));
    assert_eq!(story.legs().last(), Some(&("B", None)), "once is enough");
}

#[test]
fn a_caller_that_hangs_up_in_the_pause_ends_the_call() {
    let mut story = Story::of(&["A", "B"]);
    story
        .leg(1, LegEvent::Ended(sip(491, 127)))
        .tell(Input::CallerGone)
        .wait(REPEAT_AFTER)
        .tell(Input::TimerFired(Timer::Again(LegId(1))));
    assert_eq!(story.legs(), [("A", None)]);
    assert!(story.call.is_over());
    assert!(story.results().is_empty() && story.abandoned().is_empty());
}

#[test]
fn the_dialers_limit_ends_the_pause_with_what_was_heard() {
    let mut story = Story::with(&["A"], Duration::from_secs(25), Some(Duration::from_secs(26)));
    story
        .leg(1, LegEvent::Ended(sip(491, 127)))
        .tell(Input::TimerFired(Timer::Limit));
    assert_eq!(story.results(), [(DialStatus::ChanUnavail, Some(127))]);
}

#[test]
fn nothing_is_repaired_too_late() {
    let mut story = Story::with(&["A"], Duration::from_secs(10), None);
    story
        .wait(Duration::from_millis(4_001))
        .leg(1, LegEvent::Ended(sip(488, 58)));
    assert_eq!(story.legs(), [("A", None)]);
}

#[test]
fn an_operator_may_have_any_refusal_tried_again() {
    let policy = CarrierPolicy {
        overrides: Overrides::from_assignments(["400=repair_and_retry"]).expect("is one"),
        ..CarrierPolicy::default()
    };
    let policies = Arc::new([(CarrierId::from("A"), policy)].into_iter().collect());
    let mut story = Story::of_policies(&["A", "B"], Duration::from_secs(25), None, policies);
    story
        .leg(1, LegEvent::Ended(sip(400, 127)))
        .wait(REPEAT_AFTER)
        .tell(Input::TimerFired(Timer::Again(LegId(1))));
    assert_eq!(story.legs(), [("A", None), ("A", Some(Repair::Again))]);
}

#[test]
fn where_the_engine_cannot_change_the_offer_the_backup_is_asked() {
    let mut story = Story::of(&["A"]);
    let candidates = vec![candidate("A"), candidate("B")];
    let spec = CallSpec {
        changes_offers: false,
        ..spec(candidates, story.now, Duration::from_secs(25), None, Arc::default())
    };
    let (call, commands) = Call::new(spec, story.now);
    story.call = call;
    story.said.clear();
    story.take(commands);
    story.leg(1, LegEvent::Ended(sip(488, 58)));
    assert_eq!(story.legs(), [("A", None), ("B", None)]);
}
