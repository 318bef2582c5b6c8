//! What happened to a carrier, in words and as JSON.

use serde_json::{Value, json};

use crate::carrier::CarrierId;
use crate::health::{Change, OperatorChange, State};

/// Something that people should learn of.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Evidence put a carrier into another state.
    State(CarrierId, Change),
    /// An operator said something of a carrier, or the time of a word is over.
    Operator(OperatorChange),
    /// An operator tries whether notices arrive; milliseconds since 1970.
    Test(i64),
}

/// A notice on its way: what is the same for all channels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Letter {
    /// Tells notices apart; a retry has the same.
    pub(super) id: String,
    /// One line.
    pub(super) subject: String,
    /// The same with everything that is known, for machines.
    pub(super) json: Value,
}

impl Notice {
    /// Notices with the same key share one pace. What a person does is never held back by what a carrier does.
    pub(super) fn pace_key(&self) -> Option<&CarrierId> {
        match self {
            Self::State(carrier, _) => Some(carrier),
            Self::Operator(_) | Self::Test(_) => None,
        }
    }

    /// The carrier that it is about.
    pub(super) const fn carrier(&self) -> Option<&CarrierId> {
        match self {
            Self::State(carrier, _) | Self::Operator(OperatorChange { carrier, .. }) => Some(carrier),
            Self::Test(_) => None,
        }
    }

    /// Whether a person should look, rather than just know.
    pub(super) const fn is_warning(&self) -> bool {
        match self {
            Self::State(_, change) => match change.to {
                State::Active | State::HalfOpen => false,
                State::Degraded | State::Throttled | State::Standby | State::Failed | State::ConfigError => true,
            },
            Self::Operator(change) => !change.to.takes_calls(),
            Self::Test(_) => false,
        }
    }

    /// One line for people.
    pub(super) fn text(&self) -> String {
        match self {
            Self::State(carrier, change) => format!(
                "carrier {carrier} is {} (was {}): {}",
                change.to, change.from, change.because
            ),
            Self::Operator(change) if change.is_over => format!(
                "carrier {} is {} again: the time for which {} had it {} is over",
                change.carrier,
                change.to.as_str(),
                change.setting.by,
                change.setting.word.as_str()
            ),
            Self::Operator(change) => {
                let mut text = format!(
                    "carrier {} is {} (was {}) by {}",
                    change.carrier,
                    change.to.as_str(),
                    change.from.as_str(),
                    if change.setting.by.is_empty() {
                        "nobody known"
                    } else {
                        &change.setting.by
                    }
                );
                if !change.setting.why.is_empty() {
                    text.push_str(": ");
                    text.push_str(&change.setting.why);
                }
                text
            }
            Self::Test(_) => "test: notices arrive".to_owned(),
        }
    }

    /// The notice as it goes out from the dialer `server_ip`, after `suppressed` others about the same carrier did not.
    pub(super) fn letter(&self, id: String, server_ip: &str, suppressed: u32) -> Letter {
        let mut subject = format!("crankback on {server_ip}: {}", self.text());
        if suppressed > 0 {
            let plural = if suppressed == 1 { "" } else { "s" };
            subject.push_str(&format!(" ({suppressed} change{plural} before this not told)"));
        }
        let (event, at_ms, details) = match self {
            Self::State(_, change) => (
                "carrier_state",
                change.at_ms,
                json!({ "from": change.from, "to": change.to, "because": change.because }),
            ),
            Self::Operator(change) => (
                "operator_word",
                change.at_ms,
                json!({ "from": change.from, "to": change.to, "is_over": change.is_over, "operator": change.setting }),
            ),
            Self::Test(at_ms) => ("test", *at_ms, json!({})),
        };
        let json = json!({
            "id": id,
            "event": event,
            "server_ip": server_ip,
            "carrier": self.carrier().map(CarrierId::as_str),
            "at_ms": at_ms,
            // The name under which chat programs look for the line to show.
            "text": subject,
            "suppressed": suppressed,
            "details": details,
        });
        Letter { id, subject, json }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Because, OperatorSetting, OperatorWord};

    #[test]
    fn a_change_of_state_is_told_with_its_evidence_and_what_was_not_told() {
        let change = Change {
            at_ms: 5,
            from: State::Active,
            to: State::Failed,
            because: Because::LegsWithoutReply { legs: 12 },
        };
        let notice = Notice::State("PRIMARY".into(), change);
        assert!(notice.is_warning());
        let letter = notice.letter("1".into(), "10.0.0.7", 2);
        assert_eq!(
            letter.subject,
            "crankback on 10.0.0.7: carrier PRIMARY is failed (was active): 12 legs are out without a sign of life \
             (2 changes before this not told)"
        );
        assert_eq!(
            letter.json["details"],
            json!({ "from": "active", "to": "failed", "because": { "code": "legs_without_reply", "legs": 12 } })
        );
        assert_eq!(
            (&letter.json["suppressed"], &letter.json["carrier"]),
            (&json!(2), &json!("PRIMARY"))
        );
    }

    #[test]
    fn a_word_is_told_with_who_and_why_and_so_is_its_end() {
        let said = OperatorChange {
            carrier: "PRIMARY".into(),
            from: OperatorWord::Enabled,
            to: OperatorWord::Disabled,
            setting: OperatorSetting {
                word: OperatorWord::Disabled,
                by: "uid:1000 (alice)".into(),
                why: "maintenance".into(),
                since_ms: 5,
                until_ms: Some(9),
            },
            is_over: false,
            at_ms: 5,
        };
        let over = OperatorChange {
            from: OperatorWord::Disabled,
            to: OperatorWord::Enabled,
            is_over: true,
            at_ms: 9,
            ..said.clone()
        };
        assert_eq!(
            [Notice::Operator(said).text(), Notice::Operator(over).text()],
            [
                "carrier PRIMARY is disabled (was enabled) by uid:1000 (alice): maintenance",
                "carrier PRIMARY is enabled again: the time for which uid:1000 (alice) had it disabled is over",
            ]
        );
    }
}
