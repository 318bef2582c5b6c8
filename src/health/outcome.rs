//! What the end of a leg says of its carrier.

use std::time::Duration;

use crate::verdict::{EndedBy, Evidence, Health, Progress, Rulebook, Verdict};

/// The end of one leg, as health sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegOutcome {
    /// What the verdict says of the carrier's health.
    pub health: Health,
    /// The rule of the verdict; a stable word.
    pub rule: String,
    /// The carrier did its work: it rang, sent media, answered, or refused with an answer about the number.
    pub came_through: bool,
    /// The carrier sent something, whatever it was.
    pub is_heard: bool,
    /// The number was refused as unknown or incomplete (404, 484; Q.850 1, 28 where no SIP code is known).
    pub is_wrong_number: bool,
    /// The number that went out.
    pub wire_number: String,
    /// How long the carrier is left alone where its health learns that it asks for a pause.
    pub pause: Duration,
}

impl LegOutcome {
    /// Reads it from what ended the leg and what that was judged to mean.
    pub fn of(evidence: &Evidence, verdict: &Verdict, rules: &Rulebook, wire_number: &str) -> Self {
        let reply = evidence.final_reply();
        let was_reached = evidence.progress >= Progress::Ringing;
        let was_refused =
            evidence.ended_by == EndedBy::Carrier && !evidence.refused && (reply.is_some() || evidence.q850.is_some());
        let is_wrong_number = match reply {
            Some(reply) => matches!(reply.code, 404 | 484),
            None => matches!(evidence.q850, Some(1 | 28)),
        };
        Self {
            health: verdict.health,
            rule: verdict.rule.to_string(),
            came_through: verdict.health == Health::None && (was_reached || was_refused),
            is_heard: evidence.sip.is_some() || evidence.progress > Progress::None,
            is_wrong_number: is_wrong_number && was_refused && !was_reached,
            wire_number: wire_number.to_owned(),
            pause: rules.cool_down.for_answer(evidence.retry_after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::Technology;
    use crate::verdict::{AbandonReason, CarrierPolicy, Circumstances, SipReply, Source, judge};

    /// A leg that ended with a SIP code, or with a cause where the code is 0.
    fn outcome(code: u16, q850: u8, progress: Progress, ended_by: EndedBy) -> LegOutcome {
        let evidence = Evidence {
            sip: (code > 0).then(|| SipReply {
                code,
                phrase: String::new(),
            }),
            q850: Some(q850),
            source: Source::Received,
            progress,
            ended_by,
            refused: false,
            elapsed: Duration::from_millis(5),
            technology: Technology::Pjsip,
            retry_after: None,
        };
        let rules = Rulebook::built_in();
        let circumstances = Circumstances {
            policy: &CarrierPolicy::default(),
            rules,
            at_our_limit: false,
        };
        LegOutcome::of(&evidence, &judge(&evidence, &circumstances), rules, "12")
    }

    #[test]
    fn answers_about_the_number_show_that_the_carrier_works() {
        let by_carrier = |code, q850, progress| {
            let outcome = outcome(code, q850, progress, EndedBy::Carrier);
            (outcome.came_through, outcome.is_wrong_number)
        };
        assert_eq!(by_carrier(486, 17, Progress::Trying), (true, false));
        assert_eq!(by_carrier(404, 1, Progress::Trying), (true, true));
        assert_eq!(by_carrier(484, 28, Progress::None), (true, true));
        assert_eq!(by_carrier(0, 1, Progress::None), (true, true));
        assert_eq!(by_carrier(404, 1, Progress::Ringing), (true, false));
        assert_eq!(by_carrier(200, 16, Progress::Answered), (true, false));
        assert_eq!(by_carrier(503, 34, Progress::Trying), (false, false));
    }

    #[test]
    fn a_caller_who_left_before_anything_came_shows_nothing() {
        let gone = |code, progress| outcome(code, 0, progress, EndedBy::Us(AbandonReason::CallerGone));
        assert_eq!(
            (gone(0, Progress::None).came_through, gone(0, Progress::None).is_heard),
            (false, false)
        );
        let trying = gone(100, Progress::Trying);
        assert_eq!((trying.came_through, trying.is_heard), (false, true));
        assert!(gone(180, Progress::Ringing).came_through);
        assert!(!outcome(0, 0, Progress::None, EndedBy::Us(AbandonReason::NoResponse)).is_heard);
    }
}
