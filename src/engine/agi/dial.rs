//! One attempt: `Dial()` on the caller's channel, and what it came to.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::agi::{self, Session};
use crate::carrier::Technology;
use crate::verdict::{AbandonReason, EndedBy, Evidence, Progress, SipReply, Source};

/// What `Dial()` leaves on the caller, asked for at once: every command costs Asterisk more than what it does. A tab stands
/// between the parts, for it stands in no channel's name; the response comes last, in which anything may stand. It is not there
/// where several legs or none had a response.
const LEFT_BY_DIAL: &str = "${DIALSTATUS}\t${HANGUPCAUSE}\t${RINGTIME_MS}\t${PROGRESSTIME_MS}\t${HANGUPCAUSE_KEYS()}\t\
                            ${HANGUPCAUSE(${HANGUPCAUSE_KEYS()},tech)}";

/// What the caller's hash of causes holds before an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Causes {
    /// Nothing.
    None,
    /// Those of earlier legs, perhaps.
    OfBefore,
}

/// What `Dial()` came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// DIALSTATUS.
    pub(super) status: String,
    /// HANGUPCAUSE.
    pub(super) cause: u8,
    /// The leg rang.
    pub(super) rang: bool,
    /// The leg sent media before its answer.
    pub(super) had_media: bool,
    /// Names of the channels from which a response came.
    pub(super) channels: Vec<String>,
    /// The last response.
    pub(super) reply: Option<SipReply>,
    /// Asterisk has told that the caller hung up.
    pub(super) hung_up: bool,
}

/// The arguments of `Dial()`.
pub(super) fn dial_arguments(dial_string: &str, timeout: Option<Duration>, options: &str) -> String {
    let timeout = timeout.map_or(String::new(), |timeout| timeout.as_secs_f64().to_string());
    // i: a carrier's redirection (302) is not followed.
    format!("{dial_string},{timeout},i{options}")
}

/// Rounded up, and never nothing: `Dial()` takes 0 for no limit.
pub(super) fn whole_seconds(time: Duration) -> Duration {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    Duration::from_secs(seconds.max(1))
}

/// Dials as soon as `ready` is, and waits for the end, of the talk too.
pub(super) async fn dial<S>(
    session: &mut Session<S>,
    arguments: &str,
    causes: Causes,
    ready: impl Future,
) -> Result<Outcome, agi::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (cleared, _ready) = tokio::join!(clear(session, causes), ready);
    cleared?;
    session.execute_patiently("Dial", arguments).await?;
    let mut outcome = Outcome::read(&session.evaluate(LEFT_BY_DIAL).await?);
    // A leg that Dial() forwarded has a channel of its own beside the first one; what counts is the last.
    if let [_, .., channel] = outcome.channels.as_slice() {
        let expression = format!("${{HANGUPCAUSE({channel},tech)}}");
        outcome.reply = SipReply::parse(&session.evaluate(&expression).await?);
    }
    outcome.hung_up = session.is_hung_up();
    Ok(outcome)
}

/// Empties the hash of causes: it then shows the next attempt alone, to us and to the dialer's own h. Where Asterisk has no such
/// application it says so in its log and goes on.
async fn clear<S>(session: &mut Session<S>, causes: Causes) -> Result<(), agi::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match causes {
        Causes::None => Ok(()),
        Causes::OfBefore => session.execute("HangupCauseClear", "").await.map(drop),
    }
}

impl Outcome {
    fn read(text: &str) -> Self {
        let mut parts = text.splitn(6, '\t');
        let mut next = || parts.next().unwrap_or_default();
        Self {
            status: next().to_owned(),
            cause: next().parse().unwrap_or_default(),
            rang: !next().is_empty(),
            had_media: !next().is_empty(),
            channels: next()
                .split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            reply: SipReply::parse(next()),
            hung_up: false,
        }
    }

    pub(super) fn is_answered(&self) -> bool {
        self.status == "ANSWER"
    }

    /// The caller hung up before an answer. `Dial()` then says so, or had ended for another reason in the same instant.
    pub(super) fn caller_left(&self) -> bool {
        !self.is_answered() && (self.hung_up || self.status == "CANCEL")
    }

    /// How far the leg came.
    pub(super) fn progress(&self) -> Progress {
        match &self.reply {
            _ if self.is_answered() => Progress::Answered,
            _ if self.had_media => Progress::Media,
            _ if self.rang => Progress::Ringing,
            Some(_) => Progress::Trying,
            None => Progress::None,
        }
    }

    /// The attempt as a verdict needs it.
    pub(super) fn evidence(&self, attempt: &Attempted) -> Evidence {
        let elapsed = attempt.started.elapsed();
        let is_out_of_time = self.status == "NOANSWER" && attempt.timeout.is_some_and(|timeout| elapsed >= timeout);
        let received = self.reply.as_ref().is_some_and(SipReply::is_final);
        Evidence {
            sip: self.reply.clone(),
            // Dial() leaves the cause of the attempt before where its own time ran out.
            q850: (self.cause != 0 && !is_out_of_time).then_some(self.cause),
            source: if received { Source::Received } else { Source::Local },
            progress: self.progress(),
            ended_by: match is_out_of_time {
                true => EndedBy::Us(AbandonReason::OutOfTime),
                false if self.hung_up => EndedBy::Caller,
                false => EndedBy::Carrier,
            },
            refused: self.status == "CHANUNAVAIL"
                && self.channels.is_empty()
                && !attempt.leg_was_seen
                && matches!(self.cause, 0 | 3 | 20),
            elapsed,
            technology: attempt.technology,
            retry_after: None,
        }
    }
}

/// What is known of an attempt beside its outcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempted {
    pub(super) technology: Technology,
    pub(super) started: Instant,
    /// What `Dial()` was given.
    pub(super) timeout: Option<Duration>,
    /// The side-car saw a channel of it.
    pub(super) leg_was_seen: bool,
}

impl Attempted {
    /// An attempt that was never made because the one before was answered after all.
    pub(super) fn overtaken(&self) -> Evidence {
        Evidence {
            sip: None,
            q850: None,
            source: Source::Unknown,
            progress: Progress::None,
            ended_by: EndedBy::Us(AbandonReason::LateAnswer),
            refused: false,
            elapsed: self.started.elapsed(),
            technology: self.technology,
            retry_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Action, CarrierPolicy, Circumstances, DialStatus, Rulebook, Verdict};

    fn judge(evidence: &Evidence) -> Verdict {
        let circumstances = Circumstances {
            policy: &CarrierPolicy::default(),
            rules: Rulebook::built_in(),
            at_our_limit: false,
        };
        crate::verdict::judge(evidence, &circumstances)
    }

    fn attempted(seen: bool, timeout: Option<Duration>) -> Attempted {
        Attempted {
            technology: Technology::Pjsip,
            started: Instant::now(),
            timeout,
            leg_was_seen: seen,
        }
    }

    /// What `Dial()` left, with bars for tabs, and the response.
    fn outcome(text: &str, reply: &str) -> Outcome {
        Outcome::read(&format!("{}\t{reply}", text.replace('|', "\t")))
    }

    #[test]
    fn dials_as_the_dialer_would() {
        let arguments = |timeout: Option<u64>| dial_arguments("PJSIP/1@a", timeout.map(Duration::from_millis), "To");
        assert_eq!(arguments(None), "PJSIP/1@a,,iTo");
        assert_eq!(arguments(Some(26_000)), "PJSIP/1@a,26,iTo");
        assert_eq!(arguments(Some(2_500)), "PJSIP/1@a,2.5,iTo");
        for (milliseconds, seconds) in [(0, 1), (999, 1), (7_000, 7), (7_001, 8)] {
            assert_eq!(
                whole_seconds(Duration::from_millis(milliseconds)),
                Duration::from_secs(seconds)
            );
        }
    }

    #[test]
    fn reads_what_dial_leaves() {
        let failed = outcome("CONGESTION|34|||PJSIP/a-00000001", "SIP 503 No\tline | today");
        assert_eq!((failed.status.as_str(), failed.cause), ("CONGESTION", 34));
        assert_eq!(failed.reply, SipReply::parse("SIP 503 No\tline | today"));
        assert_eq!(failed.channels, ["PJSIP/a-00000001"]);
        assert!(!failed.rang && !failed.had_media);
        let rang = Outcome::read("NOANSWER\t0\t120\t90\tPJSIP/a|b-1,Local/1@x-2;1\t");
        assert!(rang.rang && rang.had_media);
        assert_eq!(rang.channels, ["PJSIP/a|b-1", "Local/1@x-2;1"]);
        assert_eq!(Outcome::read(""), Outcome::default());
    }

    #[test]
    fn an_attempt_is_judged_as_dial_saw_it() {
        for (text, reply, seen, action, status) in [
            (
                "CONGESTION|34|||a",
                "SIP 503 x",
                true,
                Action::Next,
                DialStatus::Congestion,
            ),
            ("BUSY|17|||a", "SIP 486 x", true, Action::Stop, DialStatus::Busy),
            (
                "CHANUNAVAIL|1|||a",
                "SIP 404 x",
                true,
                Action::Stop,
                DialStatus::ChanUnavail,
            ),
            ("CHANUNAVAIL|3|||", "", false, Action::Next, DialStatus::ChanUnavail),
            ("CONGESTION|34|||", "", true, Action::Next, DialStatus::Congestion),
            (
                "CONGESTION|34|200||a",
                "SIP 503 x",
                true,
                Action::Stop,
                DialStatus::Congestion,
            ),
            ("ANSWER|16|200||a", "SIP 200 OK", true, Action::Stop, DialStatus::Answer),
        ] {
            let evidence = outcome(text, reply).evidence(&attempted(seen, None));
            let verdict = judge(&evidence);
            assert_eq!((verdict.action, verdict.dialer.dialstatus), (action, status), "{text}");
        }
    }

    #[test]
    fn only_a_leg_that_never_was_is_refused() {
        let refused = |text: &str, seen| outcome(text, "").evidence(&attempted(seen, None)).refused;
        assert!(refused("CHANUNAVAIL|3|||", false));
        assert!(refused("CHANUNAVAIL|20|||", false));
        assert!(!refused("CHANUNAVAIL|3|||", true));
        assert!(!refused("CHANUNAVAIL|18|||", false), "timer B");
        assert!(!refused("CHANUNAVAIL|3|||a", false));
    }

    #[test]
    fn a_timeout_of_dial_has_no_cause_of_its_own() {
        let stale = outcome("NOANSWER|34|200||a", "SIP 180 Ringing");
        let evidence = stale.evidence(&attempted(true, Some(Duration::ZERO)));
        let verdict = judge(&evidence);
        assert_eq!(&*verdict.rule, "out_of_time");
        assert_eq!(
            (verdict.dialer.dialstatus, verdict.dialer.cause),
            (DialStatus::NoAnswer, None)
        );
    }

    #[test]
    fn a_caller_that_left_is_told_from_one_that_talked() {
        assert!(outcome("CANCEL|0|||a", "").caller_left());
        let hung_up = |status: &str| Outcome {
            hung_up: true,
            ..outcome(status, "")
        };
        assert!(hung_up("CONGESTION|34").caller_left());
        assert!(!hung_up("ANSWER|16").caller_left());
    }
}
