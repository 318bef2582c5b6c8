//! One leg as the machine sees it, and what goes on record of it.

use crate::call::{Attempt, AttemptEnd, Command, LegId, Now, Timer};
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

    /// The dialer redirected the answered leg away: for the caller that is a normal end. The answer itself may not have been
    /// seen.
    pub(super) fn taken(&mut self, now: Now) -> Evidence {
        self.progress = Progress::Answered;
        self.answered.get_or_insert(now);
        self.evidence(EndedBy::Dialer, Some(NORMAL_CLEARING), now)
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

    /// The record of a leg that is out.
    pub(super) fn attempt(&self) -> Attempt {
        let since_start = |then: Now| then.wall_ms - self.started.wall_ms;
        Attempt {
            n: self.id.0,
            carrier: self.candidate.carrier.clone(),
            technology: self.candidate.technology,
            wire_number: self.candidate.wire_number.clone(),
            started_ms: self.started.wall_ms,
            progress: self.progress,
            pdd_ms: self.first_progress.map(since_start),
            answered_after_ms: self.answered.map(since_start),
            reply: self.last_reply.clone(),
            end: None,
        }
    }

    /// The record of a leg that has ended.
    pub(super) fn ended_attempt(&self, evidence: &Evidence, verdict: Verdict, now: Now) -> Attempt {
        let out = self.attempt();
        Attempt {
            reply: verdict.dialer.tech.clone().or(out.reply),
            end: Some(AttemptEnd {
                at_ms: now.wall_ms,
                evidence: evidence.clone(),
                verdict,
            }),
            ..out
        }
    }
}
