//! What `Dial()` would have told the dialer: DIALSTATUS and HANGUPCAUSE, in the dialect of the channel driver.
//!
//! `chan_pjsip` ends a failed leg by hangup, so `Dial()` derives DIALSTATUS from the Q.850 cause alone (`handle_cause` of
//! app_dial, Asterisk 16 to 22). `chan_sip` sends BUSY and CONGESTION frames for some codes, and they win over the cause.

use std::fmt;

use crate::carrier::Technology;

use super::evidence::{EndedBy, Evidence, Progress, SipReply};

/// The values of DIALSTATUS that a dialer can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DialStatus {
    /// Answered.
    Answer,
    /// The called party is busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// The caller hung up first.
    Cancel,
    /// The carrier has no circuit.
    Congestion,
    /// The carrier or the number cannot be reached.
    ChanUnavail,
}

impl DialStatus {
    /// The word as `Dial()` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "ANSWER",
            Self::Busy => "BUSY",
            Self::NoAnswer => "NOANSWER",
            Self::Cancel => "CANCEL",
            Self::Congestion => "CONGESTION",
            Self::ChanUnavail => "CHANUNAVAIL",
        }
    }

    const fn of_cause(cause: u8) -> Self {
        match cause {
            17 => Self::Busy,
            34 => Self::Congestion,
            16 | 19 => Self::NoAnswer,
            _ => Self::ChanUnavail,
        }
    }
}

impl fmt::Display for DialStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the dialer is told of an attempt, were it the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialerResult {
    /// DIALSTATUS.
    pub dialstatus: DialStatus,
    /// HANGUPCAUSE (Q.850); `None` where `Dial()` leaves it at 0.
    pub cause: Option<u8>,
    /// The technology cause that VICIdial's `h` reports, for example `SIP 503 Service Unavailable`.
    pub tech: Option<SipReply>,
}

impl DialerResult {
    /// An answered call.
    pub const fn answered(cause: Option<u8>, tech: Option<SipReply>) -> Self {
        Self {
            dialstatus: DialStatus::Answer,
            cause,
            tech,
        }
    }

    /// What `Dial()` would have said of an attempt that ended like this.
    pub fn of(evidence: &Evidence) -> Self {
        let tech = evidence.sip.clone();
        let cause = evidence.q850.filter(|&cause| cause != 0);
        if evidence.progress == Progress::Answered {
            return Self::answered(cause, tech);
        }
        match evidence.ended_by {
            EndedBy::Caller => {
                return Self {
                    dialstatus: DialStatus::Cancel,
                    cause: None,
                    tech,
                };
            }
            // The ring limit of Dial(): NOANSWER, and HANGUPCAUSE stays 0.
            EndedBy::Us(_) => {
                return Self {
                    dialstatus: DialStatus::NoAnswer,
                    cause: None,
                    tech,
                };
            }
            EndedBy::Carrier | EndedBy::Unseen => {}
        }
        if evidence.refused {
            // chan_pjsip sets "no route to destination", chan_sip and chan_iax2 "subscriber absent" (Asterisk 16 and 22).
            let cause = match evidence.technology {
                Technology::Pjsip => 3,
                Technology::Sip | Technology::Iax2 => 20,
            };
            return Self {
                dialstatus: DialStatus::ChanUnavail,
                cause: Some(cause),
                tech,
            };
        }
        let dialstatus = evidence
            .final_reply()
            .filter(|_| evidence.technology == Technology::Sip)
            .and_then(|reply| chan_sip_frame(reply.code))
            .or_else(|| cause.map(DialStatus::of_cause))
            .unwrap_or(DialStatus::NoAnswer);
        Self {
            dialstatus,
            cause,
            tech,
        }
    }
}

/// The control frame that chan_sip (16.28) sends to `Dial()` for a final response, as the DIALSTATUS it leads to.
const fn chan_sip_frame(code: u16) -> Option<DialStatus> {
    match code {
        480 | 486 | 600 | 603 => Some(DialStatus::Busy),
        401 | 407 | 410 | 482 | 500 | 502..=599 => Some(DialStatus::Congestion),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verdict::evidence::{AbandonReason, Source};

    fn ended(technology: Technology, code: u16, cause: u8) -> Evidence {
        Evidence {
            sip: Some(SipReply {
                code,
                phrase: String::new(),
            }),
            q850: Some(cause),
            source: Source::Received,
            progress: Progress::Trying,
            ended_by: EndedBy::Carrier,
            refused: false,
            elapsed: Duration::ZERO,
            technology,
            retry_after: None,
        }
    }

    #[test]
    fn speaks_both_dialects() {
        use DialStatus::{Busy, ChanUnavail, Congestion, NoAnswer};
        for (code, cause, pjsip, sip) in [
            (401, 21, ChanUnavail, Congestion),
            (403, 21, ChanUnavail, ChanUnavail),
            (404, 1, ChanUnavail, ChanUnavail),
            (410, 22, ChanUnavail, Congestion),
            (480, 19, NoAnswer, Busy),
            (483, 19, NoAnswer, NoAnswer),
            (486, 17, Busy, Busy),
            (500, 38, ChanUnavail, Congestion),
            (501, 29, ChanUnavail, ChanUnavail),
            (503, 34, Congestion, Congestion),
            (504, 102, ChanUnavail, Congestion),
            (603, 21, ChanUnavail, Busy),
        ] {
            assert_eq!(
                DialerResult::of(&ended(Technology::Pjsip, code, cause)).dialstatus,
                pjsip,
                "PJSIP {code}"
            );
            assert_eq!(
                DialerResult::of(&ended(Technology::Sip, code, cause)).dialstatus,
                sip,
                "chan_sip {code}"
            );
        }
    }

    #[test]
    fn a_leg_that_was_never_created_is_unavailable_with_the_drivers_own_cause() {
        for (technology, cause) in [(Technology::Pjsip, 3), (Technology::Sip, 20), (Technology::Iax2, 20)] {
            let evidence = Evidence {
                refused: true,
                sip: None,
                q850: None,
                ..ended(technology, 500, 0)
            };
            let result = DialerResult::of(&evidence);
            assert_eq!(
                (result.dialstatus, result.cause),
                (DialStatus::ChanUnavail, Some(cause))
            );
        }
    }

    #[test]
    fn an_answered_leg_was_answered_whoever_ends_it() {
        for ended_by in [EndedBy::Carrier, EndedBy::Caller] {
            let evidence = Evidence {
                progress: Progress::Answered,
                ended_by,
                ..ended(Technology::Pjsip, 200, 16)
            };
            assert_eq!(
                DialerResult::of(&evidence).dialstatus,
                DialStatus::Answer,
                "{ended_by:?}"
            );
        }
    }

    #[test]
    fn our_own_time_limit_looks_like_the_ring_limit_of_dial() {
        let evidence = Evidence {
            ended_by: EndedBy::Us(AbandonReason::OutOfTime),
            sip: SipReply::parse("SIP 180 Ringing"),
            ..ended(Technology::Pjsip, 180, 16)
        };
        let result = DialerResult::of(&evidence);
        assert_eq!((result.dialstatus, result.cause), (DialStatus::NoAnswer, None));
        assert_eq!(
            result.tech.map(|tech| tech.to_string()).as_deref(),
            Some("SIP 180 Ringing")
        );
    }
}
