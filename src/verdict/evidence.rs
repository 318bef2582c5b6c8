//! What is known when a leg has ended.

use std::fmt;
use std::time::Duration;

use crate::carrier::Technology;

/// The final SIP response that ended a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipReply {
    /// Status code, 300 to 699; 200 for an answered leg.
    pub code: u16,
    /// Reason phrase as the carrier wrote it.
    pub phrase: String,
}

impl SipReply {
    /// Reads what Asterisk keeps per leg in its HANGUPCAUSE hash: `SIP 503 Service Unavailable`, provisional responses included.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.trim_start_matches('.').strip_prefix("SIP ")?;
        let (code, phrase) = rest.split_once(' ').unwrap_or((rest, ""));
        let code = code.parse().ok().filter(|code| (100..700).contains(code))?;
        Some(Self {
            code,
            phrase: phrase.trim().to_owned(),
        })
    }

    /// Whether the response ends a transaction (200 and above).
    pub const fn is_final(&self) -> bool {
        self.code >= 200
    }

    /// Whether the response turns the request down (300 and above, RFC 3261 section 7.2).
    pub const fn is_refusal(&self) -> bool {
        self.code >= 300
    }
}

impl fmt::Display for SipReply {
    /// `SIP 503 Service Unavailable`: the form that VICIdial's `h` extension reports.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP {} {}", self.code, self.phrase)
    }
}

/// Who made the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A final response came from the carrier.
    Received,
    /// Asterisk made it: no response in time, connection refused, no such endpoint.
    Local,
    /// Not known.
    Unknown,
}

impl Source {
    /// One word, the same in the store and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Local => "local",
            Self::Unknown => "unknown",
        }
    }
}

/// How far a leg had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Nothing came back.
    None,
    /// 100 Trying: the carrier is there.
    Trying,
    /// 180 Ringing.
    Ringing,
    /// 183 Session Progress, or 180 with a session description.
    Media,
    /// 200 OK.
    Answered,
}

impl Progress {
    /// One word, the same in the store and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Trying => "trying",
            Self::Ringing => "ringing",
            Self::Media => "media",
            Self::Answered => "answered",
        }
    }
}

/// Why crankback gave a leg up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbandonReason {
    /// Nothing came back from the carrier within its no-response guard.
    NoResponse,
    /// The carrier took the call but neither rang nor sent media within its progress limit.
    NoProgress,
    /// It rang for as long as its carrier may.
    RingLimit,
    /// The dialer's own limit is reached.
    OutOfTime,
    /// The caller hung up.
    CallerGone,
    /// The leg was answered after it had been given up.
    LateAnswer,
}

impl AbandonReason {
    /// One word, the same in the store and in metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoResponse => "no_response",
            Self::NoProgress => "no_progress",
            Self::RingLimit => "ring_limit",
            Self::OutOfTime => "out_of_time",
            Self::CallerGone => "caller_gone",
            Self::LateAnswer => "late_answer",
        }
    }
}

/// Who ended a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The carrier, or Asterisk on its behalf.
    Carrier,
    /// Crankback gave it up.
    Us(AbandonReason),
    /// The caller hung up.
    Caller,
    /// The dialer redirected the answered leg away: it is a live customer and goes on without us.
    Dialer,
    /// Nobody saw it: it ended while there was no connection to Asterisk.
    Unseen,
}

impl EndedBy {
    /// One word, the same in the store and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Carrier => "carrier",
            Self::Us(_) => "crankback",
            Self::Caller => "caller",
            Self::Dialer => "dialer",
            Self::Unseen => "unseen",
        }
    }
}

/// What an ended attempt shows of itself; a verdict rests on it and on its [`Circumstances`](super::Circumstances).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The last SIP response, provisional ones included (a leg given up while ringing ends with `180 Ringing`).
    pub sip: Option<SipReply>,
    /// Asterisk's hangup cause (Q.850), where it gave one.
    pub q850: Option<u8>,
    /// Who made the failure.
    pub source: Source,
    /// How far the leg had come.
    pub progress: Progress,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// Asterisk would not even create the leg: unknown endpoint, no contact, contact unreachable.
    pub refused: bool,
    /// From the start of the leg to its end.
    pub elapsed: Duration,
    /// The channel driver.
    pub technology: Technology,
    /// The carrier's Retry-After. Asterisk shows no header of a failure response, so it is empty today.
    pub retry_after: Option<Duration>,
}

impl Evidence {
    /// The final response, whether the carrier sent it or Asterisk made it.
    pub fn final_reply(&self) -> Option<&SipReply> {
        self.sip.as_ref().filter(|reply| reply.is_final())
    }

    /// The final response, if the carrier sent it.
    pub fn received_reply(&self) -> Option<&SipReply> {
        self.final_reply().filter(|_| !self.failed_locally())
    }

    /// Whether the caller ended it.
    pub const fn ended_by_caller(&self) -> bool {
        matches!(self.ended_by, EndedBy::Caller | EndedBy::Us(AbandonReason::CallerGone))
    }

    /// Whether it is certain that Asterisk made the failure. `chan_iax2` shows no responses, so nothing is certain there: a cause
    /// without a response may well be the carrier's.
    pub fn failed_locally(&self) -> bool {
        self.source == Source::Local && self.technology != Technology::Iax2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_asterisk_keeps_of_a_response() {
        let reply = SipReply::parse("..SIP 503 Service Unavailable").expect("a response");
        assert_eq!((reply.code, reply.phrase.as_str()), (503, "Service Unavailable"));
        assert_eq!(reply.to_string(), "SIP 503 Service Unavailable");
        assert!(!SipReply::parse("SIP 180 Ringing").expect("a response").is_final());
        assert_eq!(
            SipReply::parse("SIP 503").map(|reply| reply.phrase),
            Some(String::new())
        );
        for nothing in ["", "..", "-", "IAX2 REJECT(3)", "SIP abc def", "SIP 99 x", "SIP 700 x"] {
            assert_eq!(SipReply::parse(nothing), None, "{nothing:?}");
        }
    }
}
