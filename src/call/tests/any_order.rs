//! Random walks: no order of inputs breaks the rules, sensible or not.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn any_event() -> impl Strategy<Value = LegEvent> {
    prop_oneof![
        Just(LegEvent::Started),
        Just(LegEvent::Silent),
        Just(LegEvent::Trying(None)),
        Just(LegEvent::Ringing(None)),
        Just(LegEvent::Media(None)),
        Just(LegEvent::Answered(None)),
        Just(LegEvent::Connected),
        Just(LegEvent::Taken),
        prop::sample::select(vec![(503, 34), (486, 17), (403, 21), (480, 19), (488, 58), (491, 127)])
            .prop_map(|(code, cause)| LegEvent::Ended(sip(code, cause))),
    ]
}

fn any_input() -> impl Strategy<Value = Input> {
    let leg = (1_u32..5).prop_map(LegId);
    prop_oneof![
        8 => (leg.clone(), any_event()).prop_map(|(leg, event)| Input::Leg(leg, event)),
        1 => Just(Input::CallerGone),
        2 => leg.clone().prop_map(|leg| Input::TimerFired(Timer::Guard(leg))),
        1 => leg.clone().prop_map(|leg| Input::TimerFired(Timer::Progress(leg))),
        1 => leg.clone().prop_map(|leg| Input::TimerFired(Timer::Again(leg))),
        1 => leg.prop_map(|leg| Input::TimerFired(Timer::Ring(leg))),
        1 => Just(Input::TimerFired(Timer::Limit)),
        1 => Just(Input::EngineLost),
        1 => Just(Input::EngineBack),
    ]
}

/// How often each leg was put on record as ended.
fn ends(story: &Story) -> BTreeMap<u32, usize> {
    let mut ends: BTreeMap<u32, usize> = BTreeMap::new();
    for command in &story.said {
        if let Command::Record(attempt) = command {
            *ends.entry(attempt.n).or_default() += usize::from(attempt.verdict.is_some());
        }
    }
    ends
}

/// Legs that went out because a carrier refused the request before: they are no attempts of their own.
fn repairs(story: &Story) -> usize {
    let is_repair = |it: &&Command| matches!(it, Command::StartLeg(spec) if spec.repair.is_some());
    story.said.iter().filter(is_repair).count()
}

fn connected(story: &Story) -> usize {
    let connects = story.said.iter().filter(|it| matches!(it, Command::Connect(_)));
    connects.count()
}

fn last_words(story: &Story) -> usize {
    let words = story.said.iter();
    words
        .filter(|it| matches!(it, Command::Finish(_) | Command::HandBack))
        .count()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_breaks_the_rules(inputs in prop::collection::vec(any_input(), 0..40)) {
        let mut story = Story::of(&["A", "B", "C", "D"]);
        let mut caller_gone = false;
        for input in inputs {
            let tried_before = story.carriers_tried().len();
            caller_gone |= input == Input::CallerGone;
            let connected_before = connected(&story) > 0;
            let (over_before, said_before) = (story.call.is_over(), story.said.len());
            story.wait(Duration::from_millis(100)).tell(input);
            let tried = story.carriers_tried().len();
            prop_assert!(tried == tried_before || (!caller_gone && !connected_before), "no attempt after the end");
            let only_tidies = story.said[said_before..].iter().all(|it| matches!(it, Command::AbandonLeg(..)));
            prop_assert!(!over_before || only_tidies, "after the end nothing but tidying up");
            prop_assert!(!over_before || story.call.is_over(), "the end is the end");
            prop_assert!(ends(&story).values().all(|ends| *ends <= 1), "each leg is settled once");
        }
        let (repairs, attempts) = (repairs(&story), story.carriers_tried().len());
        prop_assert!(attempts - repairs <= 3, "three attempts");
        prop_assert!(repairs <= attempts - repairs, "a refused request is repaired once at most");
        prop_assert!(last_words(&story) <= 1, "one last word");
        prop_assert!(connected(&story) <= 1, "one answered leg");
        prop_assert!(story.call.is_over() || last_words(&story) == 0, "a result ends the call");
    }

    #[test]
    fn whatever_came_before_a_caller_that_leaves_ends_the_call(inputs in prop::collection::vec(any_input(), 0..40)) {
        let mut story = Story::of(&["A", "B", "C", "D"]);
        for input in inputs {
            story.wait(Duration::from_millis(100)).tell(input);
        }
        story.tell(Input::CallerGone);
        prop_assert!(story.call.is_over());
        prop_assert_eq!(ends(&story).len(), story.carriers_tried().len(), "every leg is on record");
        prop_assert!(ends(&story).values().all(|ends| *ends == 1), "with its end");
    }

    #[test]
    fn legs_that_fail_come_to_a_last_word(
        ends in prop::collection::vec((prop::bool::ANY, prop::sample::select(vec![503_u16, 486, 403, 480, 500, 603])), 4..8),
    ) {
        let mut story = Story::of(&["A", "B", "C", "D"]);
        for (leg, (rings, code)) in (1..).zip(ends) {
            if rings {
                story.leg(leg, LegEvent::Ringing(None));
            }
            story.leg(leg, LegEvent::Ended(sip(code, 34)));
        }
        prop_assert!(story.call.is_over());
        prop_assert_eq!(last_words(&story), 1);
    }
}
