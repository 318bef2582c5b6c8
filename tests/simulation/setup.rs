//! A call with a random plan, policies and limits.

use std::sync::Arc;
use std::time::Duration;

use crankback::call::{CallSpec, Now, TimeLimit};
use crankback::carrier::{CarrierId, Technology, Timers};
use crankback::routing::{Candidate, Plan, Stage};
use crankback::verdict::{CarrierPolicies, CarrierPolicy, FailoverAfter183, Overrides};

use crate::draws::Draws;

const CARRIERS: [&str; 4] = ["A", "B", "C", "D"];
const OVERRIDES: [&[&str]; 4] = [
    &["404=next", "486=next"],
    &["503=stop", "5xx=one_more"],
    &["480=one_more/weak", "6xx=next"],
    &["4xx=next", "phrase:no route=next", "USER_BUSY=next"],
];

/// Policies that calls draw from.
pub struct Policies(Vec<Arc<CarrierPolicies>>);

impl Policies {
    /// Some that differ from the defaults, and the defaults.
    pub fn new() -> Self {
        let mut draws = Draws::new(1);
        let mut all = vec![Arc::default(); 8];
        for _ in 0..48 {
            let policies = CARRIERS.map(|carrier| (CarrierId::from(carrier), policy(&mut draws)));
            all.push(Arc::new(policies.into_iter().collect()));
        }
        Self(all)
    }
}

fn policy(draws: &mut Draws) -> CarrierPolicy {
    let overrides = if draws.percent(40) {
        draws.one_of(&OVERRIDES)
    } else {
        &[]
    };
    CarrierPolicy {
        fakes_progress: draws.percent(20),
        repair_allowed: draws.percent(30),
        failover_after_183: draws.one_of(&FailoverAfter183::ALL),
        overrides: Overrides::from_assignments(overrides.iter().copied()).expect("overrides of the simulation"),
        preset: None,
    }
}

/// A random call that starts now.
pub fn call(draws: &mut Draws, policies: &Policies, now: Now) -> CallSpec {
    let carriers = if draws.percent(2) {
        0
    } else {
        1 + draws.below(4) as usize
    };
    let technology = draws.one_of(&[Technology::Pjsip, Technology::Pjsip, Technology::Sip, Technology::Iax2]);
    let stages = CARRIERS[..carriers].iter().map(|carrier| Stage {
        legs: vec![Candidate {
            carrier: CarrierId::from(*carrier),
            technology,
            dial_string: String::new(),
            wire_number: String::new(),
            timers: Timers {
                guard: Duration::from_millis(500 + draws.below(6_000)),
                progress: Duration::from_millis(2_000 + draws.below(12_000)),
                ring: draws
                    .percent(40)
                    .then(|| Duration::from_millis(1_000 + draws.below(12_000))),
            },
            because: String::new(),
        }],
        ring_for: None,
    });
    let plan = Plan {
        stages: stages.collect(),
        rejected: Vec::new(),
    };
    // For most calls beyond their end.
    let longest_setup = if draws.percent(40) { 12_000 } else { 600_000 };
    let hunt = Duration::from_millis(draws.below(60_000));
    let limit = TimeLimit {
        hunt_until: now.monotonic + hunt,
        ring_until: draws.percent(50).then(|| now.monotonic + hunt + Duration::from_secs(1)),
        minimum_attempt: Duration::from_secs(6),
        setup_until: now.monotonic + Duration::from_millis(draws.below(longest_setup)),
    };
    CallSpec {
        plan,
        policies: Arc::clone(&policies.0[draws.below(policies.0.len() as u64) as usize]),
        limit,
        maximum_attempts: draws.below(6) as u32,
        ring_at_once: draws.percent(20),
        changes_offers: draws.percent(60),
        repeat_after: Duration::from_millis(100 + draws.below(1_900)),
    }
}
