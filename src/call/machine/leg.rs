//! One leg as the machine sees it, and what goes on record of it.

use crate::call::{Attempt, Command, LegId, Now, Timer};
use crate::routing::Candidate;
use crate::verdict::{AbandonReason, EndedBy, Evidence, Progress, SipReply, Source, Verdict};

/// Q.850 cause 16.
const NORMAL_CLEARING: u8 = 16;

/// One leg of the call.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) id: LegId,
    pub(super) candidate: Candidate,
    pub(super) started: Now,
    pub(super) progress: Progress,
    pub(super) last_reply: Option<SipReply>,
    pub(super) first_progress: Option<Now>,
    pub(super) answered: Option<Now>,
    pub(super) room: Room,
}

/// Whether the carrier had room for more when a leg went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// More legs might have gone out.
    Left,
    /// It took the last place.
    Taken,
}

impl Leg {
    pub(super) fn heard(&mut self, progress: Progress, reply: Option<SipReply>) {
        self.progress = self.progress.max(progress);
        self.last_reply = reply.or_else(|| self.last_reply.take());
    }

    /// It rings or sends media, perhaps for the first time.
    pub(super) fn rings(&mut self, now: Now, commands: &mut Vec<Command>) {
        if self.first_progress.is_none() {
            self.first_progress = Some(now);
            if let Some(ring) = self.candidate.timers.ring {
                commands.push(Command::ArmTimer(Timer::Ring(self.id), now.monotonic + ring));
            }
        }
    }

    pub(super) fn has_rung_too_long(&self, now: Now) -> bool {
        let rings_for = self
            .first_progress
            .map(|first| now.monotonic.saturating_duration_since(first.monotonic));
        let limit = self.candidate.timers.ring;
        rings_for
            .zip(limit)
            .is_some_and(|(rings_for, limit)| rings_for >= limit)
    }

    pub(super) fn given_up(&self, reason: AbandonReason, now: Now) -> Evidence {
        self.evidence(EndedBy::Us(reason), None, now)
    }

    /// The dialer redirected the answered leg away: for the caller that is a normal end.
    pub(super) fn taken(&self, now: Now) -> Evidence {
        self.evidence(EndedBy::Carrier, Some(NORMAL_CLEARING), now)
    }

    pub(super) fn evidence(&self, ended_by: EndedBy, q850: Option<u8>, now: Now) -> Evidence {
        Evidence {
            sip: self.last_reply.clone(),
            q850,
            source: Source::Unknown,
            progress: self.progress,
            ended_by,
            refused: false,
            elapsed: now.monotonic.saturating_duration_since(self.started.monotonic),
            technology: self.candidate.technology,
            retry_after: None,
        }
    }

    /// The leg as it stands, not over.
    pub(super) fn attempt(&self) -> Attempt {
        self.record(None, None, None)
    }

    /// The leg as it ended, and what that meant.
    pub(super) fn ended(&self, evidence: &Evidence, verdict: Verdict, now: Now) -> Attempt {
        self.record(Some(now), Some(evidence), Some(verdict))
    }

    fn record(&self, ended: Option<Now>, evidence: Option<&Evidence>, verdict: Option<Verdict>) -> Attempt {
        let since_start = |then: Now| then.wall_ms - self.started.wall_ms;
        Attempt {
            n: self.id.0,
            carrier: self.candidate.carrier.clone(),
            wire_number: self.candidate.wire_number.clone(),
            started_ms: self.started.wall_ms,
            progress: self.progress,
            pdd_ms: self.first_progress.map(since_start),
            answered_after_ms: self.answered.map(since_start),
            ended_ms: ended.map(|now| now.wall_ms),
            reply: verdict
                .as_ref()
                .and_then(|verdict| verdict.dialer.tech.clone())
                .or_else(|| self.last_reply.clone()),
            q850: evidence.and_then(|evidence| evidence.q850),
            evidence: evidence.cloned(),
            verdict,
        }
    }
}
