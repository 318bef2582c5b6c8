//! The order of attempts, what stops it, and what the dialer is told in the end.

use super::*;
use crate::health::{LeftOut, OperatorWord};
use crate::routing::Rejection;

#[test]
fn a_carrier_fault_goes_to_the_backup_and_the_answer_wins() {
    let mut story = Story::of(&["A", "B"]);
    story.leg(1, LegEvent::Ended(sip(503, 34)));
    assert_eq!(story.carriers_tried(), ["A", "B"]);
    story.leg(2, LegEvent::Answered(None));
    assert!(story.said.contains(&Command::Connect(LegId(2))));
    story.leg(2, LegEvent::Connected).leg(2, LegEvent::Ended(sip(200, 16)));
    assert_eq!(story.results(), [(DialStatus::Answer, Some(16))]);
    assert!(story.call.is_over());
}

#[test]
fn both_faulty_gives_the_last_result() {
    let mut story = Story::of(&["A", "B"]);
    story
        .leg(1, LegEvent::Ended(sip(500, 38)))
        .leg(2, LegEvent::Ended(sip(503, 34)));
    assert_eq!(story.results(), [(DialStatus::Congestion, Some(34))]);
}

#[test]
fn a_later_carriers_fault_does_not_hide_what_was_said_about_the_number() {
    let moves_on = CarrierPolicy {
        overrides: Overrides::from_assignments(["404=next"]).expect("is one"),
        ..CarrierPolicy::default()
    };
    let policies = Arc::new([(CarrierId::from("A"), moves_on)].into_iter().collect());
    let mut story = Story::of_policies(&["A", "B"], Duration::from_secs(25), None, policies);
    story.leg(1, LegEvent::Ended(sip(404, 1)));
    assert_eq!(
        story.carriers_tried(),
        ["A", "B"],
        "the operator's word for this carrier"
    );
    story.leg(2, LegEvent::Ended(sip(503, 34)));
    assert_eq!(story.results(), [(DialStatus::ChanUnavail, Some(1))]);
}

#[test]
fn a_carrier_that_fakes_its_progress_is_left_all_the_same() {
    let fakes = CarrierPolicy {
        fakes_progress: true,
        ..CarrierPolicy::default()
    };
    let policies = Arc::new([(CarrierId::from("A"), fakes)].into_iter().collect());
    let mut story = Story::of_policies(&["A", "B", "C"], Duration::from_secs(25), None, policies);
    story
        .leg(1, LegEvent::Ringing(None))
        .leg(1, LegEvent::Ended(sip(503, 34)))
        .leg(2, LegEvent::Ringing(None))
        .leg(2, LegEvent::Ended(sip(503, 34)));
    assert_eq!(story.carriers_tried(), ["A", "B"]);
}

#[test]
fn the_called_partys_no_is_final() {
    for (code, cause, status) in [(486, 17, DialStatus::Busy), (404, 1, DialStatus::ChanUnavail)] {
        let mut story = Story::of(&["A", "B"]);
        story.leg(1, LegEvent::Ended(sip(code, cause)));
        assert_eq!(story.carriers_tried(), ["A"]);
        assert_eq!(story.results(), [(status, Some(cause))]);
    }
}

#[test]
fn a_carrier_at_its_limit_is_passed_over_at_once_and_plain_dial_never_goes_above_it() {
    let mut story = Story::of(&["A", "B"]);
    let (call, commands) = story.again(&["A", "B"]);
    story.call = call;
    story.said = commands;
    story.tell(Input::Refused(LegId(1), AdmissionRefusal::ChannelLimit));
    assert_eq!(story.carriers_tried(), ["B"]);

    let (call, commands) = story.again(&["A"]);
    story.call = call;
    story.said = commands;
    story.tell(Input::Refused(LegId(1), AdmissionRefusal::CallsPerSecondLimit));
    assert_eq!(story.results(), [(DialStatus::Congestion, Some(34))]);

    let (call, commands) = story.again(&["A"]);
    story.call = call;
    story.said = commands;
    story.tell(Input::Refused(LegId(1), AdmissionRefusal::ShuttingDown));
    assert_eq!(story.said.last(), Some(&Command::HandBack));
}

#[test]
fn a_carrier_that_passes_the_call_on_comes_again_behind_the_others() {
    let mut story = Story::of(&["A", "B"]);
    let asked = |commands: &[Command]| match commands.last() {
        Some(Command::Admit {
            carrier,
            is_last_choice,
            ..
        }) => (carrier.to_string(), *is_last_choice),
        other => panic!("nobody is asked: {other:?}"),
    };
    let (mut call, commands) = story.again(&["A", "B"]);
    assert_eq!(asked(&commands), ("A".to_owned(), false));
    let commands = call.handle(Input::Refused(LegId(1), AdmissionRefusal::PassedOn), story.now);
    assert_eq!(asked(&commands), ("B".to_owned(), false));
    let commands = call.handle(Input::Refused(LegId(2), AdmissionRefusal::PassedOn), story.now);
    assert_eq!(asked(&commands), ("A".to_owned(), true), "somebody takes the call");
    let commands = call.handle(Input::Refused(LegId(3), AdmissionRefusal::TakenOut), story.now);
    assert_eq!(asked(&commands), ("B".to_owned(), true));
    story.call = call;
    story.said = commands;
    story.tell(Input::Refused(LegId(4), AdmissionRefusal::ChannelLimit));
    assert_eq!(story.results(), [(DialStatus::Congestion, Some(34))]);
}

#[test]
fn a_call_whose_only_carrier_the_operator_took_out_is_not_dialled_at_all() {
    let story = Story::of(&["A"]);
    let mut spec = spec(vec![], story.now, Duration::from_secs(25), None, Arc::default());
    let reason = LeftOut::ByOperator {
        word: OperatorWord::Disabled,
    };
    spec.plan.rejected.push(("A".into(), Rejection::Unfit { reason }));
    let (_, commands) = Call::new(spec, story.now);
    assert!(matches!(commands.as_slice(), [Command::Finish(_)]), "{commands:?}");
}

#[test]
fn one_more_means_one_more() {
    let mut story = Story::of(&["A", "B", "C"]);
    story
        .leg(1, LegEvent::Ended(sip(403, 21)))
        .leg(2, LegEvent::Ended(sip(503, 34)));
    assert_eq!(story.carriers_tried(), ["A", "B"]);
}

#[test]
fn a_silent_carrier_is_left_after_its_guard() {
    let mut story = Story::of(&["A", "B"]);
    story.wait(GUARD).tell(Input::TimerFired(Timer::Guard(LegId(1))));
    assert_eq!(story.said.last(), Some(&Command::AskLeg(LegId(1))));
    assert_eq!(story.carriers_tried(), ["A"], "not before it has been asked");
    story.leg(1, LegEvent::Silent);
    assert_eq!(story.carriers_tried(), ["A", "B"]);
    assert_eq!(story.abandoned(), [(1, AbandonReason::NoResponse)]);
    story.leg(1, LegEvent::Ended(sip(503, 34)));
    assert_eq!(
        story.carriers_tried(),
        ["A", "B"],
        "the settled leg's end only cleans up"
    );
}

#[test]
fn a_carrier_that_said_trying_has_until_its_progress_limit() {
    let mut story = Story::of(&["A", "B"]);
    story
        .wait(GUARD)
        .tell(Input::TimerFired(Timer::Guard(LegId(1))))
        .leg(1, LegEvent::Trying(None));
    assert_eq!(story.carriers_tried(), ["A"]);
    story
        .wait(Duration::from_secs(8))
        .tell(Input::TimerFired(Timer::Progress(LegId(1))));
    assert_eq!(story.abandoned(), [(1, AbandonReason::NoProgress)]);
    assert_eq!(story.carriers_tried(), ["A", "B"]);
}

#[test]
fn the_last_candidate_gets_all_the_time_that_is_left() {
    let mut story = Story::of(&["A"]);
    story
        .wait(GUARD)
        .tell(Input::TimerFired(Timer::Guard(LegId(1))))
        .leg(1, LegEvent::Silent);
    story
        .wait(Duration::from_secs(60))
        .tell(Input::TimerFired(Timer::Progress(LegId(1))));
    assert!(story.abandoned().is_empty());
    story.leg(1, LegEvent::Answered(None)).leg(1, LegEvent::Connected);
    assert!(!story.call.is_over());
}

#[test]
fn no_attempt_starts_too_late() {
    let mut story = Story::with(&["A", "B"], Duration::from_secs(10), None);
    story
        .wait(Duration::from_millis(4_001))
        .leg(1, LegEvent::Ended(sip(503, 34)));
    assert_eq!(story.carriers_tried(), ["A"]);
    assert_eq!(story.results(), [(DialStatus::Congestion, Some(34))]);
}

#[test]
fn the_dialers_limit_ends_the_ringing_as_dial_would() {
    let mut story = Story::with(&["A"], Duration::from_secs(25), Some(Duration::from_secs(26)));
    story.leg(1, LegEvent::Ringing(SipReply::parse("SIP 180 Ringing")));
    story
        .wait(Duration::from_secs(26))
        .tell(Input::TimerFired(Timer::Limit));
    assert_eq!(story.results(), [(DialStatus::NoAnswer, None)]);
    assert_eq!(story.abandoned(), [(1, AbandonReason::OutOfTime)]);
}

#[test]
fn after_ringing_the_call_stops() {
    let mut story = Story::of(&["A", "B"]);
    story
        .leg(1, LegEvent::Ringing(None))
        .leg(1, LegEvent::Ended(sip(503, 34)));
    assert_eq!(story.carriers_tried(), ["A"]);
    assert_eq!(story.results(), [(DialStatus::Congestion, Some(34))]);
}

#[test]
fn a_caller_that_hangs_up_ends_everything() {
    let mut story = Story::of(&["A", "B"]);
    story.tell(Input::CallerGone).leg(1, LegEvent::Ended(sip(487, 127)));
    assert_eq!(story.carriers_tried(), ["A"]);
    assert_eq!(story.abandoned(), [(1, AbandonReason::CallerGone)]);
    assert!(story.results().is_empty());
    assert_eq!(story.recorded_statuses(), [DialStatus::Cancel]);
}

#[test]
fn a_caller_that_hangs_up_after_the_answer_had_its_call_answered() {
    let mut story = Story::of(&["A"]);
    story
        .leg(1, LegEvent::Answered(None))
        .leg(1, LegEvent::Connected)
        .tell(Input::CallerGone);
    assert_eq!(story.abandoned(), [(1, AbandonReason::CallerGone)]);
    assert_eq!(story.recorded_statuses(), [DialStatus::Answer]);
}

#[test]
fn a_late_answer_is_hung_up() {
    let mut story = Story::of(&["A", "B"]);
    story
        .tell(Input::TimerFired(Timer::Guard(LegId(1))))
        .leg(1, LegEvent::Silent)
        .leg(1, LegEvent::Answered(None));
    assert_eq!(
        story.abandoned(),
        [(1, AbandonReason::NoResponse), (1, AbandonReason::LateAnswer)]
    );
    assert!(!story.said.contains(&Command::Connect(LegId(1))));
}

#[test]
fn a_leg_that_the_dialer_took_is_never_touched() {
    let mut story = Story::of(&["A", "B"]);
    story
        .leg(1, LegEvent::Answered(None))
        .leg(1, LegEvent::Connected)
        .leg(1, LegEvent::Taken);
    assert!(story.abandoned().is_empty());
    assert_eq!(story.results(), [(DialStatus::Answer, Some(16))]);
}

#[test]
fn without_candidates_the_call_goes_back_to_plain_dial() {
    assert_eq!(Story::of(&[]).said, [Command::HandBack]);
}

#[test]
fn a_guard_that_fired_while_the_engine_was_lost_is_made_up_for() {
    let mut story = Story::of(&["A", "B"]);
    story
        .tell(Input::EngineLost)
        .wait(GUARD)
        .tell(Input::TimerFired(Timer::Guard(LegId(1))));
    assert!(!story.said.contains(&Command::AskLeg(LegId(1))));
    story.tell(Input::EngineBack);
    assert_eq!(story.said.last(), Some(&Command::AskLeg(LegId(1))));
}

#[test]
fn every_leg_is_on_record_before_it_goes_out_and_its_end_before_the_next_step() {
    let mut story = Story::of(&["A", "B"]);
    story
        .leg(1, LegEvent::Ended(sip(503, 34)))
        .leg(2, LegEvent::Answered(None))
        .leg(2, LegEvent::Ended(sip(200, 16)));
    let steps: Vec<String> = story
        .said
        .iter()
        .filter_map(|command| match command {
            Command::Record(attempt) => Some(format!(
                "record {} {}",
                attempt.n,
                match (&attempt.verdict, attempt.answered_after_ms) {
                    (Some(_), _) => "ended",
                    (None, Some(_)) => "answered",
                    (None, None) => "open",
                }
            )),
            Command::StartLeg(spec) => Some(format!("start {}", spec.leg)),
            Command::Connect(leg) => Some(format!("connect {leg}")),
            Command::Finish(_) => Some("finish".to_owned()),
            Command::Admit { .. }
            | Command::AskLeg(_)
            | Command::AbandonLeg(..)
            | Command::Indicate(_)
            | Command::ArmTimer(..)
            | Command::HandBack => None,
        })
        .collect();
    assert_eq!(
        steps,
        [
            "record 1 open",
            "start 1",
            "record 1 ended",
            "record 2 open",
            "start 2",
            "record 2 answered",
            "connect 2",
            "record 2 ended",
            "finish"
        ]
    );
}

#[test]
fn a_progress_limit_that_passed_while_the_engine_was_lost_gets_a_second_look() {
    let mut story = Story::of(&["A", "B"]);
    let progress = Timer::Progress(LegId(1));
    story
        .leg(1, LegEvent::Trying(None))
        .tell(Input::EngineLost)
        .wait(Duration::from_secs(12))
        .tell(Input::TimerFired(progress));
    assert_eq!(story.carriers_tried(), ["A"], "it may be ringing by now");
    story.tell(Input::EngineBack);
    let Some(Command::ArmTimer(armed, _)) = story.said.last() else {
        panic!("no timer: {:?}", story.said.last())
    };
    assert_eq!(*armed, progress);
    story.tell(Input::TimerFired(progress));
    assert_eq!(story.carriers_tried(), ["A", "B"]);
}
