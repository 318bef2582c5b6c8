//! A test call through one carrier, and what follows from it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::asterisk_conf::Pattern;
use crate::carrier::{Carrier, NumberTooShort};
use crate::engine::stasis::{Rung, TestCall, TestEnd, TestedCall};
use crate::verdict::name_of_cause;

use super::message::Effect;
use super::routes::is_dialable;

/// How long a test call may ring where nothing is said, in seconds.
pub const DEFAULT_RING_S: u32 = 30;
/// The longest that may be asked for.
const MOST_RING_S: u32 = 120;

/// A test call that is to be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierTest {
    /// The carrier.
    pub id: String,
    /// The number: phone code + number, or as it is dialled where the carrier has a pattern for it.
    pub number: String,
    /// The number that the called party sees.
    #[serde(default)]
    pub caller_id: Option<String>,
    /// How long it may ring, in seconds.
    #[serde(default = "default_ring_s")]
    pub ring_s: u32,
}

const fn default_ring_s() -> u32 {
    DEFAULT_RING_S
}

impl CarrierTest {
    /// How long the answer may be waited for.
    pub(super) const fn takes(&self) -> Duration {
        Duration::from_secs(self.ring_s as u64)
    }
}

/// Answers [`Command::CarrierTest`](super::Command::CarrierTest).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierTestView {
    /// The carrier.
    pub id: String,
    /// What Asterisk dialled.
    pub dial_string: String,
    /// What came back, in order.
    pub rungs: Vec<Rung>,
    /// Somebody, or something, answered.
    pub answered: bool,
    /// How it ended, in words.
    pub outcome: String,
    /// From the start to ringing, media or answer, in milliseconds.
    pub pdd_ms: Option<u64>,
    /// The carrier was staged and is active now; from when on that holds.
    pub became_active: Option<Effect>,
}

/// Why no test call can be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CarrierTestError {
    /// A number that cannot be dialled.
    #[error("{0:?} cannot be dialled: write digits, and + * # where the carrier wants them")]
    Number(String),
    /// The time that it may ring.
    #[error("it may ring for 1 to {MOST_RING_S} seconds")]
    RingTime,
    /// The carrier's format leaves nothing of the number.
    #[error("carrier {id}: {error}")]
    Format {
        /// The carrier.
        id: String,
        /// What is wrong.
        error: NumberTooShort,
    },
}

impl CarrierTestError {
    /// A stable word for this kind of error: on the wire, on record, in metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Number(_) => "test_number",
            Self::RingTime => "test_ring_time",
            Self::Format { error, .. } => error.code(),
        }
    }
}

/// The call that is asked for.
pub(super) fn call(carrier: &Carrier, wanted: &CarrierTest) -> Result<TestCall, CarrierTestError> {
    if !(1..=MOST_RING_S).contains(&wanted.ring_s) {
        return Err(CarrierTestError::RingTime);
    }
    let numbers = [Some(&wanted.number), wanted.caller_id.as_ref()];
    if let Some(number) = numbers.into_iter().flatten().find(|number| !is_dialable(number)) {
        return Err(CarrierTestError::Number(number.clone()));
    }
    let number = wire_number(carrier, &wanted.number).map_err(|error| CarrierTestError::Format {
        id: wanted.id.clone(),
        error,
    })?;
    Ok(TestCall {
        carrier: carrier.id.clone(),
        technology: carrier.technology,
        dial_string: carrier.dial_string(&number),
        wire_number: number,
        caller_id: wanted.caller_id.clone(),
        ring_for: wanted.takes(),
    })
}

/// As the carrier's own line dials the number, where it has one for it; else as routes send it.
fn wire_number(carrier: &Carrier, number: &str) -> Result<String, NumberTooShort> {
    let matches = |pattern: &str| pattern.parse::<Pattern>().is_ok_and(|pattern| pattern.matches(number));
    let own = carrier.entries.iter().find(|entry| matches(&entry.pattern));
    match own.map(|entry| &entry.format).or(carrier.number_format.as_ref()) {
        Some(format) => format.apply(number),
        None => Ok(number.to_owned()),
    }
}

impl CarrierTestView {
    pub(super) fn new(call: TestCall, tested: TestedCall, became_active: Option<Effect>) -> Self {
        Self {
            id: call.carrier.to_string(),
            dial_string: shown(&call.dial_string),
            answered: tested.end == TestEnd::Answered,
            outcome: in_words(&tested.end),
            rungs: tested.rungs,
            pdd_ms: tested.pdd.map(|pdd| u64::try_from(pdd.as_millis()).unwrap_or(u64::MAX)),
            became_active,
        }
    }
}

/// A dial string may spell out a secret: `IAX2/user:secret@host/number`.
fn shown(dial_string: &str) -> String {
    match dial_string.split_once('@') {
        Some((before, after)) => match before.split_once(':') {
            Some((user, _)) if !user.to_ascii_lowercase().ends_with("/sip") => format!("{user}:***@{after}"),
            Some(_) | None => dial_string.to_owned(),
        },
        None => dial_string.to_owned(),
    }
}

fn in_words(end: &TestEnd) -> String {
    match end {
        TestEnd::Answered => "answered".to_owned(),
        TestEnd::NotAnswered => "nobody answered in time".to_owned(),
        TestEnd::NotPlaced { reason } => {
            format!("Asterisk did not place it: it has no such endpoint, or its own probes do not reach it ({reason})")
        }
        TestEnd::Failed { sip: Some(reply), .. } => format!("SIP {} {}", reply.code, reply.phrase),
        TestEnd::Failed {
            sip: None,
            q850: Some(cause),
        } => {
            format!(
                "no SIP answer; cause {cause} {}",
                name_of_cause(*cause).unwrap_or_default()
            )
        }
        TestEnd::Failed { sip: None, q850: None } => "ended without a reason".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::{AfterDial, DialEntry, NumberFormat, Technology};

    fn test(number: &str) -> CarrierTest {
        CarrierTest {
            id: "A".into(),
            number: number.into(),
            caller_id: None,
            ring_s: 5,
        }
    }

    #[test]
    fn a_number_goes_out_as_calls_send_it() {
        let mut carrier = Carrier::new("A".into(), Technology::Pjsip, "a");
        let dialled = |carrier: &Carrier, number| call(carrier, &test(number)).map(|call| call.dial_string);
        assert_eq!(dialled(&carrier, "13125550100"), Ok("PJSIP/13125550100@a".into()));
        carrier.number_format = Some(NumberFormat {
            strip: 1,
            prefix: "+1".into(),
        });
        assert_eq!(dialled(&carrier, "13125550100"), Ok("PJSIP/+13125550100@a".into()));
        carrier.entries.push(DialEntry {
            pattern: "_81NXXNXXXXXX".into(),
            format: NumberFormat {
                strip: 1,
                prefix: "00".into(),
            },
            options: String::new(),
            after: AfterDial::HangsUp,
        });
        assert_eq!(dialled(&carrier, "813125550100"), Ok("PJSIP/0013125550100@a".into()));
        assert_eq!(
            dialled(&carrier, "1"),
            Err(CarrierTestError::Format {
                id: "A".into(),
                error: NumberTooShort {
                    strip: 1,
                    number: "1".into()
                },
            })
        );
    }

    #[test]
    fn what_cannot_be_dialled_is_refused() {
        let carrier = Carrier::new("A".into(), Technology::Pjsip, "a");
        for number in ["", "1 2", "1@b", "1,2", "a"] {
            assert_eq!(
                call(&carrier, &test(number)),
                Err(CarrierTestError::Number(number.into()))
            );
        }
        let mut too_long = test("1");
        too_long.ring_s = 121;
        assert_eq!(call(&carrier, &too_long), Err(CarrierTestError::RingTime));
    }

    #[test]
    fn secrets_of_dial_strings_are_not_shown() {
        assert_eq!(shown("IAX2/user:secret@192.0.2.1/12"), "IAX2/user:***@192.0.2.1/12");
        assert_eq!(shown("PJSIP/a/sip:12@192.0.2.1:5061"), "PJSIP/a/sip:12@192.0.2.1:5061");
        assert_eq!(shown("PJSIP/12@a"), "PJSIP/12@a");
    }
}
