//! What holds whatever happens.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Event {
    Wait(u64),
    Start,
    Hear(usize, Progress),
    End(usize, Health),
    Report(Witness, Report),
    MayTake(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let progress = prop_oneof![
        Just(Progress::Trying),
        Just(Progress::Ringing),
        Just(Progress::Answered)
    ];
    let health = prop_oneof![
        3 => Just(Health::None),
        3 => Just(Health::Strong),
        1 => Just(Health::Weak),
        1 => Just(Health::OurLimit),
        1 => Just(Health::ConfigFault),
        1 => Just(Health::CoolDown),
    ];
    let witness = prop_oneof![
        Just(Witness::OwnProbe),
        Just(Witness::Qualify),
        Just(Witness::Registration)
    ];
    let report = prop_oneof![Just(Report::Alive), Just(Report::Unavailable), Just(Report::Unanswered)];
    prop_oneof![
        (0..20_000_u64).prop_map(Event::Wait),
        Just(Event::Start),
        (0..8_usize, progress).prop_map(|(leg, progress)| Event::Hear(leg, progress)),
        (0..8_usize, health).prop_map(|(leg, health)| Event::End(leg, health)),
        (witness, report).prop_map(|(witness, report)| Event::Report(witness, report)),
        any::<u64>().prop_map(Event::MayTake),
    ]
}

fn play(bench: &mut Bench, out: &mut Vec<LegKey>, event: Event) {
    let a = carrier();
    match event {
        Event::Wait(milliseconds) => bench.wait(milliseconds),
        Event::Start => out.push(bench.start_leg(&a)),
        Event::Hear(leg, progress) => {
            if let Some(leg) = out.get(leg) {
                bench.hear(&a, *leg, progress);
            }
        }
        Event::End(leg, health) => {
            if leg < out.len() {
                let leg = out.remove(leg);
                bench.end(&a, leg, &outcome(health, "rule"));
            }
        }
        Event::Report(witness, report) => bench.report(&a, witness, report, 1),
        Event::MayTake(draw) => {
            bench.hint(&a, draw);
        }
    }
}

proptest! {
    #[test]
    fn automation_never_writes_the_operators_word(events in vec(event(), 1..200)) {
        let (mut bench, a, mut out) = (Bench::new(), carrier(), Vec::new());
        let disabled = OperatorSetting { word: OperatorWord::Disabled, by: "ann".to_owned(), ..OperatorSetting::default() };
        let now = bench.now();
        bench.board.set_operator(&a, disabled.clone(), now);
        for event in events {
            play(&mut bench, &mut out, event);
            prop_assert_eq!(bench.hint(&a, 0), Hint::Never(OperatorWord::Disabled));
            let now = bench.now();
            prop_assert_eq!(&bench.board.carrier_report(&a, now).unwrap().operator, &disabled);
        }
    }

    #[test]
    fn changes_chain_and_the_timeline_is_bounded(events in vec(event(), 1..300)) {
        let (mut bench, a, mut out) = (Bench::new(), carrier(), Vec::new());
        let mut state = State::Active;
        for event in events {
            play(&mut bench, &mut out, event);
            bench.state(&a);
            for (_, change) in bench.board.take_changes() {
                prop_assert_eq!(change.from, state);
                prop_assert_ne!(change.from, change.to);
                state = change.to;
            }
            prop_assert_eq!(bench.state(&a), state);
        }
        let now = bench.now();
        if let Some(report) = bench.board.carrier_report(&a, now) {
            prop_assert!(report.timeline.changes().count() <= HealthSettings::default().timeline_length);
            prop_assert_eq!(report.legs_out, out.len());
            prop_assert!((0.0..=1.0).contains(&report.class.taken_share));
        }
    }

    #[test]
    fn without_calls_a_carrier_comes_back_or_waits_for_trials(events in vec(event(), 1..200)) {
        let (mut bench, a, mut out) = (Bench::new(), carrier(), Vec::new());
        for event in events {
            play(&mut bench, &mut out, event);
        }
        for leg in out {
            let now = bench.now();
            bench.board.leg_forgotten(&a, leg, now);
        }
        for witness in [Witness::OwnProbe, Witness::Qualify, Witness::Registration] {
            bench.report(&a, witness, Report::Alive, 2);
        }
        bench.wait(120_000);
        let state = bench.state(&a);
        prop_assert!(matches!(state, State::Active | State::HalfOpen | State::ConfigError), "{}", state);
        if state == State::HalfOpen {
            prop_assert_eq!(bench.hint(&a, 0), Hint::Trial);
        }
    }

    #[test]
    fn a_snapshot_is_the_same_after_writing_and_reading(events in vec(event(), 1..200)) {
        let (mut bench, mut out) = (Bench::new(), Vec::new());
        for event in events {
            play(&mut bench, &mut out, event);
        }
        let now = bench.now();
        let snapshot = bench.board.snapshot(now);
        let text = serde_json::to_string(&snapshot).unwrap();
        prop_assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot);
    }

    #[test]
    fn never_nobody_unless_the_operator_took_all_out(
        classes in vec((0..7_usize, 0..4_usize, 0.0..=1.0_f64, any::<bool>(), 0..3_i32, 0..3_u32), 1..6),
        draw in any::<u64>(),
    ) {
        let words = [OperatorWord::Enabled, OperatorWord::Disabled, OperatorWord::Draining, OperatorWord::Only];
        let id = |position: usize| CarrierId::from(position.to_string().as_str());
        let view: HealthView = classes.iter().enumerate().map(|(position, (state, word, share, trial, ..))| {
            let class = Class { state: State::ALL[*state], operator: words[*word], taken_share: *share,
                trial_is_due: *trial, ..Class::default() };
            (id(position), class)
        }).collect();
        let contenders: Vec<_> = classes.iter().enumerate().map(|(position, (.., priority, weight))| Contender {
            carrier: id(position), priority: *priority, weight: *weight,
        }).collect();
        let chosen = order(&contenders, &view, draw);
        let anybody = classes.iter().any(|(_, word, ..)| words[*word].takes_calls());
        prop_assert_eq!(chosen.tried.is_empty(), !anybody);
        let mut seen: Vec<_> = chosen.tried.iter().map(|(position, _)| *position)
            .chain(chosen.left_out.iter().map(|(position, _)| *position)).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..classes.len()).collect::<Vec<_>>());
        for (position, _) in &chosen.tried {
            prop_assert!(words[classes[*position].1].takes_calls());
        }
    }
}
