//! The machine's rules, each as a short story.

mod any_order;
mod hunting;
mod repairs;
mod resumed;
mod timers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::carrier::{CarrierId, Technology, Timers};
use crate::routing::{Candidate, Plan, Stage};
use crate::verdict::{
    AbandonReason, CarrierPolicies, CarrierPolicy, DialStatus, EndedBy, Evidence, Overrides, Progress, SipReply, Source,
};

const GUARD: Duration = Duration::from_secs(4);
const SETUP: Duration = Duration::from_secs(20);
const REPEAT_AFTER: Duration = Duration::from_millis(700);

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
    candidates: Vec<Candidate>,
    now: Now,
    hunt: Duration,
    ring: Option<Duration>,
    policies: Arc<CarrierPolicies>,
) -> CallSpec {
    let stages = candidates
        .into_iter()
        .map(|candidate| Stage {
            legs: vec![candidate],
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
            setup_until: now.monotonic + SETUP,
            ring_until: ring.map(|ring| now.monotonic + ring),
            minimum_attempt: Duration::from_secs(6),
        },
        maximum_attempts: 3,
        ring_at_once: false,
        changes_offers: true,
        repeat_after: REPEAT_AFTER,
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
        let candidates = carriers.iter().map(|id| candidate(id)).collect();
        Self::of_candidates(candidates, hunt, ring, policies)
    }

    fn of_candidates(
        candidates: Vec<Candidate>,
        hunt: Duration,
        ring: Option<Duration>,
        policies: Arc<CarrierPolicies>,
    ) -> Self {
        let now = Now {
            monotonic: Instant::now(),
            wall_ms: 1_000_000,
        };
        let (call, commands) = Call::new(spec(candidates, now, hunt, ring, policies), now);
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
        let candidates = carriers.iter().map(|id| candidate(id)).collect();
        let spec = spec(candidates, self.now, Duration::from_secs(25), None, Arc::default());
        Call::new(spec, self.now)
    }

    fn take(&mut self, commands: Vec<Command>) {
        for command in commands {
            let admit = if let Command::Admit { leg, .. } = &command {
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

    /// Carrier and repair of every leg that went out.
    fn legs(&self) -> Vec<(&str, Option<Repair>)> {
        let started = self.said.iter().filter_map(|command| {
            if let Command::StartLeg(spec) = command {
                Some((spec.carrier.as_str(), spec.repair))
            } else {
                None
            }
        });
        started.collect()
    }

    /// When the last timer of this kind was to fire, counted from now.
    fn armed(&self, timer: Timer) -> Option<Duration> {
        self.said.iter().rev().find_map(|command| {
            if let Command::ArmTimer(armed, at) = command
                && *armed == timer
            {
                Some(at.saturating_duration_since(self.now.monotonic))
            } else {
                None
            }
        })
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
