//! From evidence to verdict: rules that stand above the tables, then the SIP code, then the Q.850 cause.

use std::time::Duration;

use super::dialect::DialerResult;
use super::evidence::{AbandonReason, EndedBy, Evidence, Progress, Source};
use super::table;

/// What the call does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Try the next carrier.
    Next,
    /// Try one more carrier, whatever comes of it.
    OneMore,
    /// No further attempt.
    Stop,
    /// Repair the request and try the same carrier once more.
    RepairAndRetry,
}

impl Action {
    /// One word, the same in the store and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::OneMore => "one_more",
            Self::Stop => "stop",
            Self::RepairAndRetry => "repair_and_retry",
        }
    }
}

/// What the carrier's health learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nothing: the carrier did its work.
    None,
    /// A weak sign of sickness.
    Weak,
    /// A strong sign of sickness.
    Strong,
    /// We are at our own limit with this carrier.
    OurLimit,
    /// Our configuration for this carrier is at fault.
    ConfigFault,
    /// The carrier asks for a pause.
    CoolDown,
}

/// How one carrier differs from the defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarrierPolicy {
    /// The carrier sends 180 or 183 before it knows anything, so a failure after it still goes to the next carrier.
    pub fakes_progress: bool,
}

/// What the end of an attempt means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the call does next.
    pub action: Action,
    /// What the carrier's health learns.
    pub health: Health,
    /// What the dialer is told, were this the last attempt.
    pub dialer: DialerResult,
    /// For people.
    pub why: &'static str,
    /// The rule that decided; stable.
    pub rule: &'static str,
}

/// Judges one ended attempt.
pub fn judge(evidence: &Evidence, policy: CarrierPolicy) -> Verdict {
    let (action, health, why, rule) = decide(evidence, policy);
    Verdict {
        action,
        health,
        dialer: DialerResult::of(evidence),
        why,
        rule,
    }
}

/// Nobody picks up a telephone in less time than this.
const FASTEST_ANSWER: Duration = Duration::from_secs(1);

type Decision = (Action, Health, &'static str, &'static str);

fn decide(evidence: &Evidence, policy: CarrierPolicy) -> Decision {
    match evidence.ended_by {
        EndedBy::Caller | EndedBy::Us(AbandonReason::CallerGone) => {
            return (Action::Stop, Health::None, "caller hung up", "caller_gone");
        }
        EndedBy::Us(AbandonReason::OutOfTime) => {
            return (Action::Stop, Health::None, "no time left", "out_of_time");
        }
        EndedBy::Us(AbandonReason::LateAnswer) => {
            return (
                Action::Stop,
                Health::Weak,
                "answered after it was given up",
                "late_answer",
            );
        }
        EndedBy::Us(AbandonReason::NoResponse) => {
            return (
                Action::Next,
                Health::Strong,
                "no response from the carrier",
                "no_response",
            );
        }
        EndedBy::Us(AbandonReason::NoProgress) => {
            return (
                Action::Next,
                Health::Weak,
                "no progress from the carrier",
                "no_progress",
            );
        }
        EndedBy::Carrier | EndedBy::Unseen => {}
    }
    if evidence.progress == Progress::Answered {
        return (Action::Stop, Health::None, "answered", "answered");
    }
    if evidence.progress >= Progress::Ringing && !policy.fakes_progress {
        return (
            Action::Stop,
            Health::None,
            "the called party was reached",
            "after_ringing",
        );
    }
    // The leg may have been answered, and Asterisk then hangs it up: the called party must not be rung again.
    if evidence.ended_by == EndedBy::Unseen && evidence.elapsed >= FASTEST_ANSWER {
        return (Action::Stop, Health::None, "nobody saw how it ended", "unseen_end");
    }
    if evidence.refused {
        return (
            Action::Next,
            Health::Strong,
            "Asterisk cannot reach the carrier",
            "refused",
        );
    }
    if let Some(reply) = evidence.final_reply()
        && let Some(row) = table::find(table::SIP, reply.code)
    {
        return (row.action, row.health, row.why, "sip_code");
    }
    match evidence.q850.and_then(|cause| table::find(table::Q850, cause)) {
        Some(row) if evidence.source == Source::Local && row.action == Action::OneMore => {
            (Action::Next, row.health, row.why, "q850_cause")
        }
        Some(row) => (row.action, row.health, row.why, "q850_cause"),
        None => (Action::Next, Health::Weak, "ended without a cause", "no_cause"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::Technology;
    use crate::verdict::evidence::SipReply;

    fn evidence(code: Option<u16>, q850: u8, progress: Progress) -> Evidence {
        Evidence {
            sip: code.map(|code| SipReply {
                code,
                phrase: String::new(),
            }),
            q850: Some(q850),
            source: if code.is_some() {
                Source::Received
            } else {
                Source::Local
            },
            progress,
            ended_by: EndedBy::Carrier,
            refused: false,
            elapsed: Duration::from_millis(5),
            technology: Technology::Pjsip,
            retry_after: None,
        }
    }

    fn action(evidence: &Evidence) -> Action {
        judge(evidence, CarrierPolicy::default()).action
    }

    #[test]
    fn the_carriers_fault_moves_on_and_the_called_partys_stops() {
        for (code, cause, expected) in [
            (503, 34, Action::Next),
            (500, 38, Action::Next),
            (408, 18, Action::Next),
            (403, 21, Action::OneMore),
            (404, 1, Action::Stop),
            (486, 17, Action::Stop),
            (603, 21, Action::Stop),
        ] {
            assert_eq!(
                action(&evidence(Some(code), cause, Progress::Trying)),
                expected,
                "{code}"
            );
        }
    }

    #[test]
    fn the_sip_code_outranks_a_cause_that_the_carrier_wrote_into_its_reason_header() {
        assert_eq!(action(&evidence(Some(503), 17, Progress::None)), Action::Next);
        assert_eq!(action(&evidence(Some(486), 34, Progress::None)), Action::Stop);
    }

    #[test]
    fn after_ringing_nothing_moves_on_unless_the_carrier_fakes_it() {
        let rang = evidence(Some(503), 34, Progress::Ringing);
        assert_eq!(action(&rang), Action::Stop);
        assert_eq!(
            judge(&rang, CarrierPolicy { fakes_progress: true }).action,
            Action::Next
        );
    }

    #[test]
    fn a_local_failure_moves_on() {
        let refused_connection = evidence(None, 34, Progress::None);
        assert_eq!(action(&refused_connection), Action::Next);
        let no_contact = Evidence {
            refused: true,
            q850: None,
            ..refused_connection
        };
        assert_eq!(action(&no_contact), Action::Next);
        let timer_b = evidence(None, 18, Progress::None);
        assert_eq!(judge(&timer_b, CarrierPolicy::default()).health, Health::Strong);
    }

    #[test]
    fn a_leg_whose_end_nobody_saw_moves_on_only_if_it_cannot_have_been_answered() {
        for (progress, elapsed_ms, refused, expected) in [
            (Progress::None, 1_300, false, Action::Stop),
            (Progress::None, 1_300, true, Action::Stop),
            (Progress::None, 300, false, Action::Next),
            (Progress::None, 300, true, Action::Next),
            (Progress::Ringing, 300, false, Action::Stop),
        ] {
            let unseen = Evidence {
                ended_by: EndedBy::Unseen,
                elapsed: Duration::from_millis(elapsed_ms),
                q850: None,
                refused,
                ..evidence(None, 0, progress)
            };
            assert_eq!(action(&unseen), expected, "{progress:?} after {elapsed_ms} ms");
        }
    }

    #[test]
    fn silence_moves_on_and_counts_against_the_carrier() {
        let silent = Evidence {
            ended_by: EndedBy::Us(AbandonReason::NoResponse),
            ..evidence(None, 0, Progress::None)
        };
        let verdict = judge(&silent, CarrierPolicy::default());
        assert_eq!((verdict.action, verdict.health), (Action::Next, Health::Strong));
    }
}
