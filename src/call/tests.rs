//! The machine's rules, each as a short story, and a random walk that no order of events may break.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::carrier::{CarrierId, Technology, Timers};
use crate::routing::{Candidate, Plan, Stage};
use crate::verdict::{
    AbandonReason, CarrierPolicies, CarrierPolicy, DialStatus, EndedBy, Evidence, Overrides, Progress, SipReply, Source,
};

const GUARD: Duration = Duration::from_secs(4);

fn candidate(carrier: &str) -> Candidate {
    Candidate {
        carrier: CarrierId::from(carrier),
        technology: Technology::Pjsip,
        dial_string: format!("PJSIP/1@{carrier}"),
        wire_number: "1".into(),
        timers: Timers::default(),
        because: String::new(),
    }
}

fn sip(code: u16, q850: u8) -> Evidence {
    Evidence {
        sip: Some(SipReply {
            code,
            phrase: String::new(),
        }),
        q850: Some(q850),
        source: Source::Received,
        progress: Progress::None,
        ended_by: EndedBy::Carrier,
        refused: false,
        elapsed: Duration::ZERO,
        technology: Technology::Pjsip,
        retry_after: None,
    }
}

fn spec(
    carriers: &[&str],
    now: Now,
    hunt: Duration,
    ring: Option<Duration>,
    policies: Arc<CarrierPolicies>,
) -> CallSpec {
    let stages = carriers
        .iter()
        .map(|id| Stage {
            legs: vec![candidate(id)],
            ring_for: None,
        })
        .collect();
    CallSpec {
        plan: Plan {
            stages,
            rejected: Vec::new(),
        },
        policies,
        limit: TimeLimit {
            hunt_until: now.monotonic + hunt,
            ring_until: ring.map(|ring| now.monotonic + ring),
            minimum_attempt: Duration::from_secs(6),
        },
        maximum_attempts: 3,
        ring_at_once: false,
    }
}

/// A call whose door is always open, with everything that it ever wanted.
struct Story {
    call: Call,
    now: Now,
    said: Vec<Command>,
}

impl Story {
    fn of(carriers: &[&str]) -> Self {
        Self::with(carriers, Duration::from_secs(25), None)
    }

    fn with(carriers: &[&str], hunt: Duration, ring: Option<Duration>) -> Self {
        Self::of_policies(carriers, hunt, ring, Arc::default())
    }

    fn of_policies(carriers: &[&str], hunt: Duration, ring: Option<Duration>, policies: Arc<CarrierPolicies>) -> Self {
        let now = Now {
            monotonic: Instant::now(),
            wall_ms: 1_000_000,
        };
        let (call, commands) = Call::new(spec(carriers, now, hunt, ring, policies), now);
        let mut story = Self {
            call,
            now,
            said: Vec::new(),
        };
        story.take(commands);
        story
    }

    /// A call whose door has not answered yet.
    fn again(&self, carriers: &[&str]) -> (Call, Vec<Command>) {
        let spec = spec(carriers, self.now, Duration::from_secs(25), None, Arc::default());
        Call::new(spec, self.now)
    }

    fn take(&mut self, commands: Vec<Command>) {
        for command in commands {
            let admit = if let Command::Admit(leg, _) = &command {
                Some(*leg)
            } else {
                None
            };
            self.said.push(command);
            if let Some(leg) = admit {
                let commands = self.call.handle(Input::Admitted(leg), self.now);
                self.take(commands);
            }
        }
    }

    fn tell(&mut self, input: Input) -> &mut Self {
        let commands = self.call.handle(input, self.now);
        self.take(commands);
        self
    }

    fn leg(&mut self, leg: u32, event: LegEvent) -> &mut Self {
        self.tell(Input::Leg(LegId(leg), event))
    }

    fn wait(&mut self, time: Duration) -> &mut Self {
        self.now = self.now.after(time);
        self
    }

    fn carriers_tried(&self) -> Vec<&str> {
        let started = self.said.iter().filter_map(|command| {
            if let Command::StartLeg(spec) = command {
                Some(spec.carrier.as_str())
            } else {
                None
            }
        });
        started.collect()
    }

    fn results(&self) -> Vec<(DialStatus, Option<u8>)> {
        let results = self.said.iter().filter_map(|command| {
            if let Command::Finish(result) = command {
                Some((result.dialstatus, result.cause))
            } else {
                None
            }
        });
        results.collect()
    }

    /// What went on record of attempts that ended.
    fn recorded_statuses(&self) -> Vec<DialStatus> {
        let ended = self.said.iter().filter_map(|command| {
            if let Command::Record(attempt) = command {
                attempt.verdict.as_ref()
            } else {
                None
            }
        });
        ended.map(|verdict| verdict.dialer.dialstatus).collect()
    }

    fn abandoned(&self) -> Vec<(u32, AbandonReason)> {
        let abandoned = self.said.iter().filter_map(|command| {
            if let Command::AbandonLeg(leg, reason) = command {
                Some((leg.0, *reason))
            } else {
                None
            }
        });
        abandoned.collect()
    }
}

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
        prop::sample::select(vec![(503, 34), (486, 17), (403, 21), (480, 19)])
            .prop_map(|(code, cause)| LegEvent::Ended(sip(code, cause))),
    ]
}

fn any_input() -> impl Strategy<Value = Input> {
    let leg = (1_u32..5).prop_map(LegId);
    prop_oneof![
        8 => (leg.clone(), any_event()).prop_map(|(leg, event)| Input::Leg(leg, event)),
        1 => Just(Input::CallerGone),
        2 => leg.clone().prop_map(|leg| Input::TimerFired(Timer::Guard(leg))),
        1 => leg.prop_map(|leg| Input::TimerFired(Timer::Progress(leg))),
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
        prop_assert!(story.carriers_tried().len() <= 3);
        prop_assert!(story.results().len() <= 1, "one last word");
        prop_assert!(story.said.iter().filter(|command| matches!(command, Command::Connect(_))).count() <= 1);
        prop_assert!(story.call.is_over() || story.results().is_empty(), "a result ends the call");
    }
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
            Command::Admit(..)
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

/// A call of A and B whose leg through A was placed by another process.
fn resumed(stage: ResumedStage, progress: Progress) -> Story {
    let mut story = Story::of(&[]);
    story.said.clear();
    let now = story.now;
    let stages = ["A", "B"]
        .map(|id| Stage {
            legs: vec![candidate(id)],
            ring_for: None,
        })
        .to_vec();
    let spec = CallSpec {
        plan: Plan {
            stages,
            rejected: Vec::new(),
        },
        policies: Arc::default(),
        limit: TimeLimit {
            hunt_until: now.monotonic + Duration::from_secs(25),
            ring_until: None,
            minimum_attempt: Duration::from_secs(6),
        },
        maximum_attempts: 3,
        ring_at_once: false,
    };
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
