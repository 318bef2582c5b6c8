//! Everything around one call: carriers, engine, timers and caller. It does what it likes, whenever it likes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use crankback::call::{AdmissionRefusal, Call, Command, Input, LegEvent, LegId, LegSpec, Now, Timer};
use crankback::carrier::Technology;
use crankback::verdict::{EndedBy, Evidence, Progress, SipReply, Source, cause_of_code};

use crate::draws::Draws;
use crate::oracle::Oracle;
use crate::setup::{self, Policies};
use crate::tally::Tally;

/// No call of the simulation has more events than this: one that goes on forever is found here.
const MOST_EVENTS: usize = 2_000;

/// Milliseconds since the call began.
type Ms = u64;

/// One call and what happens to it.
struct World {
    draws: Draws,
    now: Ms,
    /// What is to happen, the earliest first; things of the same millisecond in the order in which they were planned.
    agenda: BTreeMap<u64, Input>,
    order: BinaryHeap<Reverse<(Ms, u64)>>,
    planned: u64,
    legs: BTreeMap<LegId, WorldLeg>,
    /// Until when the engine is lost, and what it is about to learn.
    lost_until: Option<Ms>,
}

/// What the world knows of a leg.
struct WorldLeg {
    technology: Technology,
    started: Ms,
    progress: Progress,
    /// The dialer has it: the engine no longer looks at it.
    taken: bool,
}

/// Plays call `number` to its end. `told` is given every line of the story, unwritten.
pub fn play(
    number: u64,
    origin: Instant,
    policies: &Policies,
    tally: &mut Tally,
    told: &mut dyn FnMut(&dyn Fn() -> String),
) -> Result<(), String> {
    let mut world = World::new(number);
    let begin = at(origin, 0);
    let spec = setup::call(&mut world.draws, policies, begin);
    let mut oracle = Oracle::new(&spec);
    told(&|| format!("{spec:#?}"));
    let (mut call, commands) = Call::new(spec, begin);
    told(&|| format!("     begins: {commands:?}"));
    oracle.began(&commands, begin, tally)?;
    world.carry_out(&commands, origin);
    world.plan_caller();
    world.plan_trouble();

    let mut events = 0;
    while let Some(input) = world.next() {
        events += 1;
        if events > MOST_EVENTS {
            return Err("the call does not come to an end".to_owned());
        }
        let now = at(origin, world.now);
        let commands = call.handle(input.clone(), now);
        told(&|| format!("{:>7} ms {input:?}\n           -> {commands:?}", world.now));
        oracle.heard(&input, &commands, now, tally)?;
        world.carry_out(&commands, origin);
        if call.is_over() != oracle.is_over() {
            return Err(format!("over: {} instead of {}", call.is_over(), oracle.is_over()));
        }
    }
    oracle.ended()
}

fn at(origin: Instant, ms: Ms) -> Now {
    Now {
        monotonic: origin + Duration::from_millis(ms),
        wall_ms: 1_700_000_000_000 + i64::try_from(ms).unwrap_or(i64::MAX),
    }
}

impl World {
    fn new(number: u64) -> Self {
        Self {
            draws: Draws::new(number),
            now: 0,
            agenda: BTreeMap::new(),
            order: BinaryHeap::new(),
            planned: 0,
            legs: BTreeMap::new(),
            lost_until: None,
        }
    }

    fn plan(&mut self, at: Ms, input: Input) {
        self.planned += 1;
        self.agenda.insert(self.planned, input);
        self.order.push(Reverse((at, self.planned)));
    }

    fn in_ms(&mut self, delay: Ms, input: Input) {
        self.plan(self.now + delay, input);
    }

    /// An event of a leg, now and then twice.
    fn leg_event(&mut self, delay: Ms, leg: LegId, event: LegEvent) {
        if self.draws.percent(8) {
            let later = delay + self.draws.below(3_000);
            self.in_ms(later, Input::Leg(leg, event.clone()));
        }
        self.in_ms(delay, Input::Leg(leg, event));
    }

    fn plan_caller(&mut self) {
        if self.draws.percent(30) {
            let patience = self.draws.below(50_000);
            self.in_ms(patience, Input::CallerGone);
            if self.draws.percent(10) {
                self.in_ms(patience + 5, Input::CallerGone);
            }
        }
    }

    fn plan_trouble(&mut self) {
        if self.draws.percent(25) {
            let at = self.draws.below(15_000);
            self.in_ms(at, Input::EngineLost);
        }
    }

    /// What happens next and reaches the call.
    fn next(&mut self) -> Option<Input> {
        loop {
            let Reverse((at, planned)) = self.order.pop()?;
            self.now = self.now.max(at);
            let Some(input) = self.agenda.remove(&planned) else {
                continue;
            };
            match input {
                Input::EngineLost => {
                    let away = 1 + self.draws.below(15_000);
                    self.lost_until = Some(self.now + away);
                    self.in_ms(away, Input::EngineBack);
                    return Some(Input::EngineLost);
                }
                Input::EngineBack => {
                    self.lost_until = None;
                    return Some(Input::EngineBack);
                }
                Input::Leg(leg, event) => {
                    if let Some(event) = self.engine_sees(leg, event) {
                        return Some(Input::Leg(leg, event));
                    }
                }
                Input::CallerGone => match self.lost_until {
                    Some(until) => self.plan(until + 2, Input::CallerGone),
                    None => return Some(Input::CallerGone),
                },
                other
                @ (Input::Admitted(_) | Input::AdmittedAtLimit(_) | Input::Refused(..) | Input::TimerFired(_)) => {
                    return Some(other);
                }
            }
        }
    }

    /// What the engine makes of an event: while it is lost, events wait or are missed, and ends are not seen.
    fn engine_sees(&mut self, id: LegId, event: LegEvent) -> Option<LegEvent> {
        let leg = self.legs.get_mut(&id)?;
        if let Some(until) = self.lost_until {
            let is_missed = match &event {
                LegEvent::Answered(_) | LegEvent::Ended(_) | LegEvent::Taken | LegEvent::Connected => false,
                LegEvent::Started
                | LegEvent::Silent
                | LegEvent::Trying(_)
                | LegEvent::Ringing(_)
                | LegEvent::Media(_) => self.draws.percent(50),
            };
            if !is_missed {
                let event = match event {
                    LegEvent::Ended(mut evidence) if self.draws.percent(90) => {
                        evidence.ended_by = EndedBy::Unseen;
                        LegEvent::Ended(evidence)
                    }
                    event => event,
                };
                self.plan(until + 3, Input::Leg(id, event));
            }
            return None;
        }
        // The dialer's customer: an engine reports no answer of a channel that it has let go.
        if leg.taken && matches!(event, LegEvent::Answered(_)) {
            return None;
        }
        match &event {
            LegEvent::Trying(_) => leg.progress = leg.progress.max(Progress::Trying),
            LegEvent::Ringing(_) => leg.progress = leg.progress.max(Progress::Ringing),
            LegEvent::Media(_) => leg.progress = leg.progress.max(Progress::Media),
            LegEvent::Taken => leg.taken = true,
            LegEvent::Started | LegEvent::Silent | LegEvent::Answered(_) | LegEvent::Connected | LegEvent::Ended(_) => {
            }
        }
        let elapsed = Duration::from_millis(self.now.saturating_sub(leg.started));
        Some(match event {
            LegEvent::Ended(evidence) => LegEvent::Ended(Evidence { elapsed, ..evidence }),
            event => event,
        })
    }

    fn carry_out(&mut self, commands: &[Command], origin: Instant) {
        for command in commands {
            match command {
                Command::Admit {
                    leg, is_last_choice, ..
                } => self.answer_at_the_door(*leg, *is_last_choice),
                Command::StartLeg(spec) => self.start(spec),
                Command::AskLeg(leg) => self.answer_for(*leg),
                Command::AbandonLeg(leg, _) => self.abandon(*leg),
                Command::Connect(leg) => {
                    let delay = self.draws.below(300);
                    self.leg_event(delay, *leg, LegEvent::Connected);
                }
                Command::ArmTimer(timer, when) => {
                    let due = when.saturating_duration_since(origin).as_millis();
                    self.arm(*timer, Ms::try_from(due).unwrap_or(Ms::MAX));
                }
                Command::Indicate(_) | Command::Finish(_) | Command::HandBack | Command::Record(_) => {}
            }
        }
    }

    fn answer_at_the_door(&mut self, leg: LegId, is_last_choice: bool) {
        let answer = match self.draws.below(100) {
            0..70 => Input::Admitted(leg),
            70..82 => Input::AdmittedAtLimit(leg),
            drawn => Input::Refused(
                leg,
                match drawn % 6 {
                    0 => AdmissionRefusal::ShuttingDown,
                    1 => AdmissionRefusal::ChannelLimit,
                    2 => AdmissionRefusal::CallsPerSecondLimit,
                    3 if !is_last_choice => AdmissionRefusal::PassedOn,
                    4 => AdmissionRefusal::TakenOut,
                    _ => AdmissionRefusal::RetryBudget,
                },
            ),
        };
        let delay = if self.draws.percent(10) {
            self.draws.below(9_000)
        } else {
            self.draws.below(3)
        };
        if self.draws.percent(3) {
            self.in_ms(delay + 1, Input::Admitted(leg));
        }
        self.in_ms(delay, answer);
    }

    fn answer_for(&mut self, leg: LegId) {
        let Some(known) = self.legs.get(&leg) else { return };
        let event = if known.progress == Progress::None {
            LegEvent::Silent
        } else {
            LegEvent::Trying(None)
        };
        if self.draws.percent(92) {
            let delay = self.draws.below(50);
            self.leg_event(delay, leg, event);
        }
    }

    /// A timer fires when it is due, or late.
    fn arm(&mut self, timer: Timer, due: Ms) {
        let late = match self.draws.below(20) {
            0 => self.draws.below(8_000),
            _ => self.draws.below(4),
        };
        self.plan(due.max(self.now) + late, Input::TimerFired(timer));
    }

    /// A leg that is given up ends; now and then it is answered before.
    fn abandon(&mut self, leg: LegId) {
        let delay = self.draws.below(400);
        if self.draws.percent(12) {
            self.leg_event(delay / 2, leg, LegEvent::Answered(None));
        }
        self.end(delay, leg, 487, Progress::None);
    }

    /// What the carrier makes of a leg, and the backstop if it makes nothing of it.
    fn start(&mut self, spec: &LegSpec) {
        let leg = spec.leg;
        self.legs.insert(
            leg,
            WorldLeg {
                technology: spec.technology,
                started: self.now,
                progress: Progress::None,
                taken: false,
            },
        );
        let backstop = Ms::try_from(spec.backstop.as_millis()).unwrap_or(Ms::MAX);
        let unseen = self.evidence(leg, None, Progress::None);
        self.in_ms(backstop, Input::Leg(leg, LegEvent::Ended(unseen)));
        let mut at = self.draws.below(40);
        self.leg_event(at, leg, LegEvent::Started);
        if self.draws.percent(7) {
            return; // silence
        }
        if self.draws.percent(4) {
            let mut evidence = self.evidence(leg, None, Progress::None);
            evidence.refused = true;
            self.leg_event(at, leg, LegEvent::Ended(evidence));
            return;
        }
        let mut progress = Progress::None;
        at += self.pause();
        if self.draws.percent(70) {
            progress = Progress::Trying;
            self.leg_event(at, leg, LegEvent::Trying(SipReply::parse("SIP 100 Trying")));
            at += self.pause();
        }
        if self.draws.percent(30) {
            progress = Progress::Ringing;
            self.leg_event(at, leg, LegEvent::Ringing(SipReply::parse("SIP 180 Ringing")));
            at += self.pause();
        }
        if self.draws.percent(22) {
            progress = Progress::Media;
            self.leg_event(at, leg, LegEvent::Media(SipReply::parse("SIP 183 Session Progress")));
            at += self.pause();
        }
        match self.draws.below(100) {
            0..20 => {
                self.leg_event(at, leg, LegEvent::Answered(SipReply::parse("SIP 200 OK")));
                let talk = self.draws.below(60_000);
                if self.draws.percent(25) {
                    let taken_after = self.draws.below(2_000);
                    self.leg_event(at + taken_after, leg, LegEvent::Taken);
                }
                self.end(at + talk, leg, 200, Progress::Answered);
            }
            20..22 => self.leg_event(at, leg, LegEvent::Taken),
            22..26 => {} // nothing more
            _ => {
                let code = match self.draws.below(3) {
                    0 => 300 + self.draws.below(400) as u16,
                    _ => self
                        .draws
                        .one_of(&[403, 404, 408, 480, 486, 488, 500, 502, 503, 503, 503, 504, 603, 604]),
                };
                // Now and then the last event before the end was missed.
                let seen = if self.draws.percent(5) {
                    Progress::Ringing
                } else {
                    progress
                };
                self.end(at, leg, code, seen);
            }
        }
    }

    fn pause(&mut self) -> Ms {
        match self.draws.below(10) {
            0 => self.draws.below(20_000),
            1..4 => self.draws.below(4_000),
            _ => self.draws.below(200),
        }
    }

    fn end(&mut self, delay: Ms, leg: LegId, code: u16, progress: Progress) {
        let evidence = self.evidence(leg, Some(code), progress);
        self.leg_event(delay, leg, LegEvent::Ended(evidence));
    }

    fn evidence(&mut self, leg: LegId, code: Option<u16>, progress: Progress) -> Evidence {
        // What is repaired is tried again at the same carrier: stories of its own (src/call/tests/repairs.rs).
        let code = code.map(|code| if code == 491 { 490 } else { code });
        let phrase = self
            .draws
            .one_of(&["", "", "No Route", "Too Many Calls", "Unallocated number"]);
        let source = match code {
            Some(_) => self.draws.one_of(&[Source::Received, Source::Received, Source::Local]),
            None => Source::Unknown,
        };
        Evidence {
            sip: code.map(|code| SipReply {
                code,
                phrase: phrase.to_owned(),
            }),
            q850: code.and_then(cause_of_code).filter(|_| self.draws.percent(90)),
            source,
            progress,
            ended_by: EndedBy::Carrier,
            refused: false,
            elapsed: Duration::ZERO,
            technology: self.legs.get(&leg).map_or(Technology::Pjsip, |leg| leg.technology),
            retry_after: None,
        }
    }
}
