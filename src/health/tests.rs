//! The board from outside: what carriers do, what comes of it.

mod calls;
mod choosing;
mod probes;
mod properties;
mod restart;

use std::time::{Duration, Instant};

use crate::call::Now;
use crate::carrier::CarrierId;
use crate::verdict::{Health, Progress};

use super::*;

/// A board with a clock that the test turns.
struct Bench {
    board: HealthBoard,
    start: Instant,
    elapsed: Duration,
    legs: u64,
}

/// Wall time at the start of every bench.
const START_MS: i64 = 1_790_000_000_000;

impl Bench {
    fn new() -> Self {
        Self::with(HealthBoard::default())
    }

    fn with(board: HealthBoard) -> Self {
        Self {
            board,
            start: Instant::now(),
            elapsed: Duration::ZERO,
            legs: 0,
        }
    }

    fn now(&self) -> Now {
        let start = Now {
            monotonic: self.start,
            wall_ms: START_MS,
        };
        start.after(self.elapsed)
    }

    fn wait(&mut self, milliseconds: u64) {
        self.elapsed += Duration::from_millis(milliseconds);
    }

    fn state(&mut self, carrier: &CarrierId) -> State {
        let now = self.now();
        self.board.class(carrier, now).state
    }

    fn because(&mut self, carrier: &CarrierId) -> &'static str {
        let now = self.now();
        self.board.class(carrier, now).because.code()
    }

    fn hint(&mut self, carrier: &CarrierId, draw: u64) -> Hint {
        let now = self.now();
        self.board.may_take(carrier, now, draw)
    }

    fn start_leg(&mut self, carrier: &CarrierId) -> LegKey {
        self.legs += 1;
        let (leg, now) = (LegKey(self.legs), self.now());
        self.board.leg_started(carrier, leg, now);
        leg
    }

    fn hear(&mut self, carrier: &CarrierId, leg: LegKey, progress: Progress) {
        let now = self.now();
        self.board.leg_heard(carrier, leg, progress, now);
    }

    fn end(&mut self, carrier: &CarrierId, leg: LegKey, outcome: &LegOutcome) {
        let now = self.now();
        self.board.leg_ended(carrier, leg, outcome, now);
    }

    /// A call that starts and ends at this moment.
    fn call(&mut self, carrier: &CarrierId, outcome: &LegOutcome) {
        let leg = self.start_leg(carrier);
        self.end(carrier, leg, outcome);
    }

    fn calls(&mut self, carrier: &CarrierId, outcome: &LegOutcome, count: usize) {
        for _ in 0..count {
            self.call(carrier, outcome);
        }
    }

    fn report(&mut self, carrier: &CarrierId, witness: Witness, report: Report, times: usize) {
        let now = self.now();
        for _ in 0..times {
            self.board.report(carrier, witness, report, now.monotonic, now);
        }
    }
}

fn carrier() -> CarrierId {
    CarrierId::from("A")
}

fn outcome(health: Health, rule: &str) -> LegOutcome {
    LegOutcome {
        health,
        rule: rule.to_owned(),
        came_through: health == Health::None,
        is_heard: true,
        is_wrong_number: false,
        wire_number: "12125550100".to_owned(),
        pause: Duration::from_secs(5),
    }
}

fn good() -> LegOutcome {
    outcome(Health::None, "busy")
}

fn refused() -> LegOutcome {
    outcome(Health::Strong, "sip_503")
}

fn silent() -> LegOutcome {
    LegOutcome {
        is_heard: false,
        ..outcome(Health::Strong, "no_response")
    }
}
