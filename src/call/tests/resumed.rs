//! Calls that another process began.

use super::*;

/// A call of A and B whose leg through A was placed by another process.
fn resumed(stage: ResumedStage, progress: Progress) -> Story {
    let mut story = Story::of(&[]);
    story.said.clear();
    let now = story.now;
    let candidates = vec![candidate("A"), candidate("B")];
    let spec = spec(candidates, now, Duration::from_secs(25), None, Arc::default());
    let leg = ResumedLeg {
        id: LegId(1),
        candidate: candidate("A"),
        started: now,
        progress,
        reply: None,
        stage,
    };
    let (call, commands) = Call::resume(spec, leg, now);
    story.call = call;
    story.take(commands);
    story
}

#[test]
fn a_leg_of_another_process_that_fails_goes_on_to_the_backup_under_the_next_number() {
    let mut story = resumed(ResumedStage::OnItsWay, Progress::None);
    story.leg(1, LegEvent::Ended(sip(503, 34)));
    assert_eq!(story.carriers_tried(), ["B"]);
    story.leg(2, LegEvent::Answered(None));
    assert!(story.said.contains(&Command::Connect(LegId(2))));
}

#[test]
fn a_leg_of_another_process_that_rang_stops_as_ever() {
    let mut story = resumed(ResumedStage::OnItsWay, Progress::Ringing);
    story.leg(1, LegEvent::Ended(sip(503, 34)));
    assert!(story.carriers_tried().is_empty());
    assert_eq!(story.results(), [(DialStatus::Congestion, Some(34))]);
}

#[test]
fn an_answered_leg_of_another_process_is_connected_once() {
    let mut story = resumed(ResumedStage::Answered, Progress::Answered);
    assert_eq!(story.said, [Command::Connect(LegId(1))]);
    story.leg(1, LegEvent::Connected).leg(1, LegEvent::Ended(sip(200, 16)));
    assert_eq!(story.results(), [(DialStatus::Answer, Some(16))]);
    let mut story = resumed(ResumedStage::Connected, Progress::Answered);
    assert!(story.said.is_empty() && story.call.is_connected());
    story.tell(Input::CallerGone);
    assert_eq!(story.abandoned(), [(1, AbandonReason::CallerGone)]);
}
