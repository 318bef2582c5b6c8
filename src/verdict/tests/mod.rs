//! The rules of the room: what is tried with what an attempt may show.

mod above;
mod authority;
mod everything;
mod last_word;
mod tables;

use std::time::Duration;

use super::*;
use crate::carrier::Technology;

/// A received answer of a PJSIP carrier that neither rang nor sent media.
fn answer(code: u16) -> Evidence {
    Evidence {
        sip: Some(SipReply {
            code,
            phrase: String::new(),
        }),
        q850: cause_of_code(code),
        source: Source::Received,
        progress: Progress::Trying,
        ended_by: EndedBy::Carrier,
        refused: false,
        elapsed: Duration::from_millis(5),
        technology: Technology::Pjsip,
        retry_after: None,
    }
}

fn phrased(code: u16, phrase: &str) -> Evidence {
    Evidence {
        sip: Some(SipReply {
            code,
            phrase: phrase.to_owned(),
        }),
        ..answer(code)
    }
}

/// A failure without a response, made by `source`.
fn cause(cause: u8, source: Source) -> Evidence {
    Evidence {
        sip: None,
        q850: Some(cause),
        source,
        progress: Progress::None,
        ..answer(500)
    }
}

fn at(progress: Progress, evidence: Evidence) -> Evidence {
    Evidence { progress, ..evidence }
}

fn judged(evidence: &Evidence, policy: &CarrierPolicy) -> Verdict {
    judge(
        evidence,
        &Circumstances {
            policy,
            rules: Rulebook::built_in(),
            at_our_limit: false,
        },
    )
}

fn plainly(evidence: &Evidence) -> Verdict {
    judged(evidence, &CarrierPolicy::default())
}

fn overriding(assignments: &[&str]) -> CarrierPolicy {
    CarrierPolicy {
        overrides: Overrides::from_assignments(assignments.iter().copied()).expect("overrides"),
        ..CarrierPolicy::default()
    }
}

fn with_preset(name: &str) -> CarrierPolicy {
    CarrierPolicy {
        preset: Some(Rulebook::built_in().preset(name).expect("a preset")),
        ..CarrierPolicy::default()
    }
}
