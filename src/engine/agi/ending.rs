//! What the dialplan is told when a call is over.

use crate::engine::CallerEntry;
use crate::verdict::{DialStatus, DialerResult};

/// What the last `Dial()` left on the caller, and what it means.
#[derive(Clone, Debug)]
pub(super) struct Left {
    /// DIALSTATUS.
    pub(super) status: String,
    /// HANGUPCAUSE. `Dial()` leaves that of the attempt before where its own time ran out.
    pub(super) cause: u8,
    /// What the evidence of the attempt says to the dialer.
    pub(super) means: DialerResult,
}

/// Q.850 cause 16; a call that ended without a cause has it by the time that `h` runs.
const NORMAL_CLEARING: u8 = 16;

/// The variables that are set at the end. `Dial()` has left the result of its last attempt; only another one is told, and of an
/// answered call nothing, unless the entry goes on after it: each command costs Asterisk more than what it does.
pub(super) fn last_words(
    result: &DialerResult,
    left: Option<&Left>,
    caller: &CallerEntry,
) -> Vec<(&'static str, String)> {
    if left.is_some_and(|left| left.status == DialStatus::Answer.as_str()) {
        let goes_on = caller.has_option('g').then(|| ("CB_DONE", "return".to_owned()));
        return goes_on.into_iter().collect();
    }
    let mut variables = Vec::new();
    if !left.is_some_and(|left| is_there(result, left)) {
        variables.push(("CB_DIALSTATUS", result.dialstatus.as_str().to_owned()));
        let there = left.map_or(0, |left| left.cause);
        let wanted = match result.cause {
            Some(cause) => cause,
            None if there == 0 => 0,
            None => NORMAL_CLEARING,
        };
        if wanted != there {
            variables.push(("CB_CAUSE", wanted.to_string()));
        }
    }
    variables.push(("CB_DONE", "1".to_owned()));
    variables
}

/// Whether the channel says already what the dialer is to be told.
fn is_there(result: &DialerResult, left: &Left) -> bool {
    left.means == *result && (result.cause.is_some() || matches!(left.cause, 0 | NORMAL_CLEARING))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::CarrierId;

    fn caller(options: &str) -> CallerEntry {
        CallerEntry {
            channel_id: "1.1".into(),
            channel_name: String::new(),
            caller_name: String::new(),
            caller_number: String::new(),
            is_up: false,
            created_ms: 0,
            answered_ms: None,
            carrier: CarrierId::from("A"),
            dialled: String::new(),
            dial_string: String::new(),
            limit: None,
            campaign: None,
            options: options.into(),
        }
    }

    fn result(dialstatus: DialStatus, cause: Option<u8>) -> DialerResult {
        DialerResult {
            dialstatus,
            cause,
            tech: None,
        }
    }

    /// What is told when `result` is wanted, `Dial()` has left `status` and `cause`, and its evidence says `means`.
    fn told(wanted: DialerResult, status: &str, cause: u8, means: DialerResult) -> String {
        let left = Left {
            status: status.to_owned(),
            cause,
            means,
        };
        let words = last_words(&wanted, Some(&left), &caller("To"));
        let words: Vec<String> = words.iter().map(|(name, value)| format!("{name}={value}")).collect();
        words.join(" ")
    }

    #[test]
    fn what_dial_has_left_is_not_told_again() {
        let congestion = || result(DialStatus::Congestion, Some(34));
        assert_eq!(told(congestion(), "CONGESTION", 34, congestion()), "CB_DONE=1");
        let refused = || result(DialStatus::ChanUnavail, Some(3));
        assert_eq!(told(refused(), "CHANUNAVAIL", 20, refused()), "CB_DONE=1");
        let timeout = || result(DialStatus::NoAnswer, None);
        assert_eq!(told(timeout(), "NOANSWER", 0, timeout()), "CB_DONE=1");
    }

    #[test]
    fn another_result_is_told() {
        let busy = result(DialStatus::Busy, Some(17));
        let congestion = result(DialStatus::Congestion, Some(34));
        assert_eq!(
            told(busy, "CONGESTION", 34, congestion),
            "CB_DIALSTATUS=BUSY CB_CAUSE=17 CB_DONE=1"
        );
    }

    #[test]
    fn a_cause_of_an_earlier_attempt_does_not_stay() {
        let timeout = || result(DialStatus::NoAnswer, None);
        assert_eq!(
            told(timeout(), "NOANSWER", 34, timeout()),
            "CB_DIALSTATUS=NOANSWER CB_CAUSE=16 CB_DONE=1"
        );
    }

    #[test]
    fn an_answered_call_was_answered_whatever_was_thought_of_it() {
        let timeout = result(DialStatus::NoAnswer, None);
        let answered = result(DialStatus::Answer, Some(16));
        assert_eq!(told(timeout.clone(), "ANSWER", 16, answered.clone()), "");
        let left = Left {
            status: "ANSWER".to_owned(),
            cause: 16,
            means: answered,
        };
        let words = last_words(&timeout, Some(&left), &caller("Tog"));
        assert_eq!(words, [("CB_DONE", "return".to_owned())]);
    }
}
