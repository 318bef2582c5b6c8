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

    /// What `handle_cause` of app_dial makes of a leg's cause (Asterisk 16 to 22).
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

    /// What a trunk without a free circuit gives: no carrier was allowed one more call.
    pub const fn no_circuit() -> Self {
        Self {
            dialstatus: DialStatus::Congestion,
            cause: Some(34),
            tech: None,
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
            EndedBy::Carrier | EndedBy::Dialer | EndedBy::Unseen => {}
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
        let Some(reply) = evidence.final_reply() else {
            return Self {
                dialstatus: cause.map_or(DialStatus::NoAnswer, DialStatus::of_cause),
                cause,
                tech,
            };
        };
        // chan_sip ignores these: the leg hangs until Dial() gives up.
        if evidence.technology == Technology::Sip && matches!(reply.code, 422 | 423) {
            return Self {
                dialstatus: DialStatus::NoAnswer,
                cause: None,
                tech,
            };
        }
        let cause = cause.or_else(|| cause_of_code(reply.code));
        let dialstatus = chan_sip_frame(reply.code)
            .filter(|_| evidence.technology == Technology::Sip)
            .or_else(|| cause.map(DialStatus::of_cause))
            .unwrap_or(DialStatus::NoAnswer);
        Self {
            dialstatus,
            cause,
            tech,
        }
    }
}

/// The Q.850 cause that Asterisk makes of a final response without a `Reason` header; the same table in `chan_pjsip` and
/// `chan_sip` (16 to 22). A 302 is 127 before 20.19 and 22.9.
pub const fn cause_of_code(code: u16) -> Option<u8> {
    Some(match code {
        401 | 403 | 407 | 603 => 21,
        404 | 485 | 604 => 1,
        408 => 18,
        409 => 41,
        410 => 22,
        420 => 3,
        480 | 483 => 19,
        484 => 28,
        486 | 600 => 17,
        488 | 606 => 58,
        500 => 38,
        501 => 29,
        502 => 27,
        504 => 102,
        505 => 127,
        503 | 506..=599 => 34,
        302 => 23,
        300..=699 => 127,
        _ => return None,
    })
}

/// The control frame that chan_sip (16.28) sends to `Dial()` for a final response, as the DIALSTATUS it leads to; all other
/// responses hang the leg up, and the cause decides.
const fn chan_sip_frame(code: u16) -> Option<DialStatus> {
    match code {
        480 | 486 | 600 | 603 => Some(DialStatus::Busy),
        401 | 407 | 410 | 482 | 500 | 502..=504 => Some(DialStatus::Congestion),
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
        for (codes, cause, pjsip, sip) in [
            (
                &[400_u16, 402, 405, 406, 411, 413, 414, 415, 416, 421, 481, 491, 493, 505] as &[_],
                127,
                ChanUnavail,
                ChanUnavail,
            ),
            (&[418, 499, 601, 607, 608, 699], 127, ChanUnavail, ChanUnavail),
            (&[482], 127, ChanUnavail, Congestion),
            (&[302], 23, ChanUnavail, ChanUnavail),
            (&[401, 407], 21, ChanUnavail, Congestion),
            (&[403], 21, ChanUnavail, ChanUnavail),
            (&[404, 485, 604], 1, ChanUnavail, ChanUnavail),
            (&[408], 18, ChanUnavail, ChanUnavail),
            (&[409], 41, ChanUnavail, ChanUnavail),
            (&[410], 22, ChanUnavail, Congestion),
            (&[420], 3, ChanUnavail, ChanUnavail),
            (&[422, 423], 127, ChanUnavail, NoAnswer),
            (&[480], 19, NoAnswer, Busy),
            (&[483], 19, NoAnswer, NoAnswer),
            (&[484], 28, ChanUnavail, ChanUnavail),
            (&[486, 600], 17, Busy, Busy),
            (&[488, 606], 58, ChanUnavail, ChanUnavail),
            (&[500], 38, ChanUnavail, Congestion),
            (&[501], 29, ChanUnavail, ChanUnavail),
            (&[502], 27, ChanUnavail, Congestion),
            (&[503, 513, 555, 580, 599], 34, Congestion, Congestion),
            (&[504], 102, ChanUnavail, Congestion),
            (&[603], 21, ChanUnavail, Busy),
        ] {
            for &code in codes {
                assert_eq!(cause_of_code(code), Some(cause), "{code}");
                for seen in [cause, 0] {
                    let told = |technology| DialerResult::of(&ended(technology, code, seen));
                    assert_eq!(told(Technology::Pjsip).dialstatus, pjsip, "PJSIP {code}");
                    assert_eq!(told(Technology::Pjsip).cause, Some(cause), "PJSIP {code}");
                    assert_eq!(told(Technology::Sip).dialstatus, sip, "chan_sip {code}");
                }
            }
        }
        assert_eq!([cause_of_code(180), cause_of_code(200), cause_of_code(700)], [None; 3]);
    }

    #[test]
    fn a_leg_that_chan_sip_lets_hang_has_no_cause() {
        assert_eq!(DialerResult::of(&ended(Technology::Sip, 423, 127)).cause, None);
    }

    #[test]
    fn a_reason_header_that_replaced_the_cause_decides_as_it_does_for_dial() {
        let told = |technology| DialerResult::of(&ended(technology, 503, 17)).dialstatus;
        assert_eq!(
            (told(Technology::Pjsip), told(Technology::Sip)),
            (DialStatus::Busy, DialStatus::Congestion)
        );
    }

    #[test]
    fn without_a_response_the_cause_alone_decides() {
        for (cause, expected) in [
            (18, DialStatus::ChanUnavail),
            (34, DialStatus::Congestion),
            (16, DialStatus::NoAnswer),
            (0, DialStatus::NoAnswer),
        ] {
            for technology in [Technology::Pjsip, Technology::Sip, Technology::Iax2] {
                let evidence = Evidence {
                    sip: None,
                    ..ended(technology, 500, cause)
                };
                let told = DialerResult::of(&evidence);
                assert_eq!(
                    (told.dialstatus, told.cause),
                    (expected, Some(cause).filter(|&cause| cause != 0))
                );
            }
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
