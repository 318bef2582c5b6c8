//! A random walk that no order of events may break.

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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_order_of_events_breaks_the_rules(inputs in prop::collection::vec(any_input(), 0..40)) {
        let mut story = Story::of(&["A", "B", "C", "D"]);
        let mut caller_gone = false;
        for input in inputs {
            let tried_before = story.carriers_tried().len();
            caller_gone |= input == Input::CallerGone;
            let connected_before = story.said.iter().any(|command| matches!(command, Command::Connect(_)));
            story.wait(Duration::from_millis(100)).tell(input);
            let tried = story.carriers_tried().len();
            prop_assert!(tried == tried_before || (!caller_gone && !connected_before), "no attempt after the end");
        }
        let first = |leg: &&(&str, Option<Repair>)| leg.1.is_none();
        prop_assert!(story.legs().iter().filter(first).count() <= 3);
        let mut repaired: Vec<&str> = story.legs().iter().filter(|leg| !first(leg)).map(|leg| leg.0).collect();
        repaired.dedup();
        prop_assert!(story.legs().len() <= 3 + repaired.len(), "one repair a carrier");
        prop_assert!(story.results().len() <= 1, "one last word");
        prop_assert!(story.said.iter().filter(|command| matches!(command, Command::Connect(_))).count() <= 1);
        prop_assert!(story.call.is_over() || story.results().is_empty(), "a result ends the call");
    }
}
