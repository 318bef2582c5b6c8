//! The rules that stand above every table, override and preset.

use std::time::Duration;

use super::action::{Action, Health};
use super::evidence::{AbandonReason, EndedBy, Evidence, Progress};
use super::policy::{CarrierPolicy, FailoverAfter183};

/// One rule above the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable name.
    pub id: &'static str,
    /// What the call does next.
    pub action: Action,
    /// What the carrier's health learns.
    pub health: Health,
    /// For people.
    pub why: &'static str,
}

const fn rule(id: &'static str, action: Action, health: Health, why: &'static str) -> Rule {
    Rule {
        id,
        action,
        health,
        why,
    }
}

use Action::{Next, Stop};

const CALLER_GONE: Rule = rule("caller_gone", Stop, Health::None, "caller hung up");
const LATE_ANSWER: Rule = rule("late_answer", Stop, Health::Weak, "answered after it was given up");
const ANSWERED: Rule = rule("answered", Stop, Health::None, "answered");
const OUT_OF_TIME: Rule = rule("out_of_time", Stop, Health::None, "no time left");
const AFTER_RINGING: Rule = rule("after_ringing", Stop, Health::None, "the called party was reached");
const AFTER_MEDIA: Rule = rule(
    "after_media",
    Stop,
    Health::None,
    "the caller may have heard the called party",
);
const RING_LIMIT: Rule = rule("ring_limit", Stop, Health::None, "rang as long as the carrier may");
const NO_RESPONSE: Rule = rule("no_response", Next, Health::Strong, "no response from the carrier");
const NO_PROGRESS: Rule = rule("no_progress", Next, Health::Weak, "no progress from the carrier");
const UNSEEN_END: Rule = rule("unseen_end", Stop, Health::None, "nobody saw how it ended");
const REFUSED: Rule = rule("refused", Next, Health::Strong, "Asterisk cannot reach the carrier");

/// All of them, in the order in which they are asked.
pub const RULES: [Rule; 11] = [
    CALLER_GONE,
    LATE_ANSWER,
    ANSWERED,
    OUT_OF_TIME,
    RING_LIMIT,
    AFTER_RINGING,
    AFTER_MEDIA,
    NO_RESPONSE,
    NO_PROGRESS,
    UNSEEN_END,
    REFUSED,
];

/// Nobody picks up a telephone in less time than this.
const FASTEST_ANSWER: Duration = Duration::from_secs(1);

/// A server's failure sooner than this after the start may move on after 183, where the carrier's policy says so.
const EARLY_FAILURE: Duration = Duration::from_secs(3);

/// The rule that decides above the tables, if one does.
pub(super) fn decide(evidence: &Evidence, policy: &CarrierPolicy) -> Option<Rule> {
    match evidence.ended_by {
        EndedBy::Caller | EndedBy::Us(AbandonReason::CallerGone) => return Some(CALLER_GONE),
        EndedBy::Us(AbandonReason::LateAnswer) => return Some(LATE_ANSWER),
        EndedBy::Us(
            AbandonReason::OutOfTime | AbandonReason::RingLimit | AbandonReason::NoResponse | AbandonReason::NoProgress,
        )
        | EndedBy::Carrier
        | EndedBy::Dialer
        | EndedBy::Unseen => {}
    }
    if evidence.progress == Progress::Answered {
        return Some(ANSWERED);
    }
    if evidence.ended_by == EndedBy::Us(AbandonReason::OutOfTime) {
        return Some(OUT_OF_TIME);
    }
    if evidence.ended_by == EndedBy::Us(AbandonReason::RingLimit) {
        return Some(RING_LIMIT);
    }
    if rang(evidence, policy) {
        match evidence.progress {
            Progress::Media if may_move_on_after_media(evidence, policy) => {}
            Progress::Media => return Some(AFTER_MEDIA),
            Progress::Ringing | Progress::None | Progress::Trying | Progress::Answered => return Some(AFTER_RINGING),
        }
    }
    match evidence.ended_by {
        EndedBy::Us(AbandonReason::NoResponse) => return Some(NO_RESPONSE),
        EndedBy::Us(AbandonReason::NoProgress) => return Some(NO_PROGRESS),
        // The leg may have been answered, and Asterisk then hangs it up: the called party must not be rung again.
        EndedBy::Unseen if evidence.elapsed >= FASTEST_ANSWER => return Some(UNSEEN_END),
        EndedBy::Caller
        | EndedBy::Us(
            AbandonReason::CallerGone | AbandonReason::LateAnswer | AbandonReason::OutOfTime | AbandonReason::RingLimit,
        )
        | EndedBy::Carrier
        | EndedBy::Dialer
        | EndedBy::Unseen => {}
    }
    evidence.refused.then_some(REFUSED)
}

/// Whether the called party was reached: 180 or 183 was seen, and the carrier does not fake it.
pub(super) fn rang(evidence: &Evidence, policy: &CarrierPolicy) -> bool {
    evidence.progress >= Progress::Ringing && !policy.fakes_progress
}

fn may_move_on_after_media(evidence: &Evidence, policy: &CarrierPolicy) -> bool {
    policy.failover_after_183 == FailoverAfter183::IfServerFailure
        && evidence.ended_by == EndedBy::Carrier
        && evidence.elapsed < EARLY_FAILURE
        && evidence
            .received_reply()
            .is_some_and(|reply| matches!(reply.code, 500 | 502..=504))
}
