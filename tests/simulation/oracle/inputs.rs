//! Every input with all that it led to: was that what the rules demand?

use super::*;

impl Oracle {
    /// The one decision about the leg that is out, or none.
    pub(super) fn live_leg(
        &mut self,
        id: LegId,
        event: &LegEvent,
        batch: &Batch,
        could: bool,
        now: Now,
        tally: &mut Tally,
    ) -> Checked {
        let answered = self.legs[&id].answered;
        match event {
            LegEvent::Started
            | LegEvent::Connected
            | LegEvent::Trying(_)
            | LegEvent::Ringing(_)
            | LegEvent::Media(_) => {
                demand(
                    batch.settles.is_none() && !batch.proposes,
                    "signs of life decide nothing",
                )?;
                let rings = !answered && matches!(event, LegEvent::Ringing(_) | LegEvent::Media(_));
                let leg = self.legs.get_mut(&id).expect("live legs are known");
                let is_first = rings && !leg.has_ring_timer;
                leg.has_ring_timer |= rings;
                let until = self.ring.get(&leg.carrier).filter(|_| is_first);
                let until = until.map(|ring| (id, now.monotonic + *ring));
                demand(batch.rings_until == until, "the ring limit runs from the first ringing")
            }
            LegEvent::Silent => {
                let silent = self.legs[&id].progress == Progress::None;
                let left = batch.abandons.contains(&(id, AbandonReason::NoResponse));
                demand(
                    left == (silent && could),
                    "a silent leg is left when there is another carrier, and only then",
                )?;
                demand(left == batch.proposes, "the guard only moves on")?;
                tally.count_if(left, Rule::GuardMovesOn);
                tally.count_if(silent && !could, Rule::LastCandidateKeepsItsTime);
                Ok(())
            }
            LegEvent::Answered(_) => demand(
                batch.settles.is_none() && batch.abandons.is_empty() && !batch.finishes,
                "an answer goes to the caller",
            ),
            LegEvent::Taken => demand(batch.finishes && batch.abandons.is_empty(), "a taken leg ends the call"),
            LegEvent::Ended(_) if answered => {
                tally.count_if(self.proposed < self.plan.len(), Rule::AnsweredOnce);
                demand(batch.finishes && !batch.proposes, "an answered call has had its answer")
            }
            LegEvent::Ended(evidence) => self.failed(id, evidence, batch, could, now, tally),
        }
    }

    /// A leg ended without an answer.
    fn failed(
        &mut self,
        id: LegId,
        evidence: &Evidence,
        batch: &Batch,
        could: bool,
        now: Now,
        tally: &mut Tally,
    ) -> Checked {
        let (settled, verdict) = batch.settles.as_ref().ok_or("an end is decided about")?;
        demand(*settled == id, "the decision is about the leg that ended")?;
        let progress = self.legs[&id].progress;
        if progress == Progress::Answered {
            return demand(
                batch.finishes && !batch.proposes,
                "a leg that was answered unseen is an answer",
            );
        }
        let policy = self.policy(id);
        let after_media = progress == Progress::Media && is_early_server_failure(evidence, policy);
        let reached = progress >= Progress::Ringing;
        let unseen = evidence.ended_by == EndedBy::Unseen && evidence.elapsed >= Duration::from_secs(1);
        tally.count_if(
            reached && could && self.is_repairable(evidence),
            Rule::NoRepairAfterRinging,
        );
        if reached && !policy.fakes_progress && !after_media {
            tally.count_if(could, Rule::RangStops);
            return demand(batch.finishes && !batch.proposes, "after ringing no further attempt");
        }
        if unseen {
            tally.count_if(could, Rule::UnseenEndStops);
            return demand(
                batch.finishes && !batch.proposes,
                "no further attempt after an end that nobody saw",
            );
        }
        let repairable = self.is_repairable(evidence) && self.tables_say_repair(id, evidence);
        let carrier = &self.legs[&id].carrier;
        // Recorded by now, if it was repaired: so it is asked of the others.
        let repaired_now = verdict.action == Action::RepairAndRetry;
        let is_first = repaired_now || !self.repaired.contains(carrier);
        let has_attempt = self.legs.len() < self.allowed;
        tally.count_if(repairable && !is_first && has_attempt, Rule::RepairedOnceIsEnough);
        tally.count_if(repairable && is_first && !has_attempt, Rule::NoAttemptForARepair);
        let may_repair = repairable && is_first && !reached && has_attempt && self.in_time(now);
        demand(
            repaired_now == may_repair,
            "what can be repaired is, once, and nothing else",
        )?;
        if repaired_now {
            let waits = self.pausing == Some(id);
            tally.count_if(batch.proposes, Rule::RepairedAtOnce);
            return demand(
                batch.proposes != waits && !batch.finishes,
                "a repaired request goes out at once or after its pause",
            );
        }
        tally.count_if(
            batch.proposes && reached && policy.fakes_progress,
            Rule::FakedProgressMovesOn,
        );
        tally.count_if(
            batch.proposes && after_media && !policy.fakes_progress,
            Rule::EarlyFailureAfterMediaMovesOn,
        );
        let moves_on = match verdict.action {
            Action::Stop => false,
            Action::Next | Action::OneMore | Action::RepairAndRetry => true,
        };
        tally.count_if(!moves_on && could, Rule::VerdictStops);
        if moves_on {
            self.count_what_is_left(tally, now);
        }
        demand(
            batch.proposes == (moves_on && could),
            "a verdict that moves on does, while anything is left",
        )?;
        demand(batch.finishes != batch.proposes, "the next carrier or the last word")?;
        tally.count_if(batch.proposes, Rule::MovesOn);
        if verdict.action == Action::OneMore {
            tally.count_if(batch.proposes, Rule::OneMore);
            self.one_more_was_said = true;
            self.allowed = self.allowed.min(self.legs.len() + 1);
        }
        Ok(())
    }

    fn count_what_is_left(&self, tally: &mut Tally, now: Now) {
        let carriers = self.proposed < self.plan.len();
        let attempts = self.legs.len() < self.allowed;
        let time = self.in_time(now);
        let only_set_up = now.monotonic >= self.limit.setup_until && self.left(now) >= self.limit.minimum_attempt;
        tally.count_if(carriers && attempts && only_set_up, Rule::SetUpTimeExhausted);
        tally.count_if(carriers && !attempts && time, Rule::AttemptsExhausted);
        tally.count_if(
            carriers && !attempts && time && self.one_more_was_said,
            Rule::OneMoreWasTheLast,
        );
        tally.count_if(carriers && attempts && !time, Rule::TimeExhausted);
    }

    /// A leg that is settled, or was never known.
    pub(super) fn settled_leg(&self, id: LegId, event: &LegEvent, commands: &[Command], tally: &mut Tally) -> Checked {
        let is_answer = matches!(event, LegEvent::Answered(_));
        if is_answer && self.legs.get(&id).is_some_and(|leg| leg.taken) {
            tally.count(Rule::TakenLegAnswers);
            return demand(commands.is_empty(), "a live customer is never touched");
        }
        tally.count(if is_answer {
            Rule::LateAnswer
        } else {
            Rule::SettledLegSpeaks
        });
        if is_answer {
            let hung_up = [Command::AbandonLeg(id, AbandonReason::LateAnswer)];
            return demand(commands == hung_up, "a late answer is hung up and nothing else");
        }
        demand(commands.is_empty(), "a settled leg's events change nothing")
    }

    pub(super) fn caller_went(was_over: bool, live: Option<LegId>, commands: &[Command]) -> Checked {
        match (was_over, live) {
            (true, _) | (false, None) => {
                demand(commands.is_empty(), "nothing is left to do for a caller that has left")
            }
            (false, Some(id)) => match commands {
                [
                    Command::Record(attempt),
                    Command::AbandonLeg(leg, AbandonReason::CallerGone),
                ] => demand(attempt.n == id.0 && *leg == id, "the leg goes with its caller"),
                _ => Err("the leg goes with its caller".to_owned()),
            },
        }
    }

    pub(super) fn refused(was_asked: bool, batch: &Batch, could: bool, tally: &mut Tally) -> Checked {
        if !was_asked {
            return Ok(());
        }
        tally.count_if(batch.proposes, Rule::RefusedAtTheDoor);
        demand(
            batch.proposes == could,
            "a refusal at the door goes on while anything is left",
        )?;
        demand(batch.finishes != batch.proposes, "the next carrier or the last word")
    }

    /// The moment of a request that waited has come.
    pub(super) fn pause_is_over(&mut self, batch: &Batch, now: Now, tally: &mut Tally) -> Checked {
        self.pausing = None;
        let in_time = self.in_time(now);
        tally.count(if in_time {
            Rule::RepairedAfterAPause
        } else {
            Rule::PauseOutlastsTheTime
        });
        demand(
            batch.proposes == in_time && batch.finishes != in_time,
            "after its pause a request goes out, while there is time",
        )
    }

    pub(super) fn timer(
        &self,
        timer: Timer,
        live: Option<LegId>,
        batch: &Batch,
        could: bool,
        tally: &mut Tally,
    ) -> Checked {
        let waits_for = |id: LegId, below: Progress| live == Some(id) && self.legs[&id].progress < below;
        match timer {
            Timer::Again(_) => demand(batch.is_nothing(), "a pause that is over for good means nothing"),
            Timer::Ring(id) => {
                let rings = live == Some(id) && !self.legs[&id].answered;
                tally.count_if(rings && self.engine_lost, Rule::EngineLostHoldsRingLimit);
                let ends = rings && !self.engine_lost;
                tally.count_if(ends && could, Rule::RingLimitEnds);
                let given_up = ends.then_some((id, AbandonReason::RingLimit));
                demand(
                    batch.finishes == ends && !batch.proposes && batch.abandons == Vec::from_iter(given_up),
                    "what has rung for long enough ends the call",
                )
            }
            Timer::Guard(id) => {
                let silent = waits_for(id, Progress::Trying);
                tally.count_if(silent && self.engine_lost, Rule::EngineLostHoldsTimers);
                tally.count_if(batch.asks.is_some(), Rule::GuardAsks);
                demand(!batch.proposes && batch.settles.is_none(), "a guard only asks")?;
                demand(
                    batch.asks == Some(id).filter(|_| silent && !self.engine_lost),
                    "a guard asks",
                )
            }
            Timer::Progress(id) => {
                let quiet = live == Some(id) || batch.settles.as_ref().is_some_and(|(settled, _)| *settled == id);
                let quiet = quiet && self.legs[&id].progress < Progress::Ringing;
                tally.count_if(quiet && self.engine_lost, Rule::EngineLostHoldsTimers);
                tally.count_if(batch.proposes, Rule::ProgressMovesOn);
                let moves_on = quiet && could && !self.engine_lost;
                demand(
                    batch.proposes == moves_on,
                    "a leg without progress is left while anything is left",
                )?;
                demand(
                    batch.abandons.contains(&(id, AbandonReason::NoProgress)) == moves_on,
                    "a leg that is left is given up",
                )
            }
            Timer::Limit => {
                let unanswered = live.filter(|id| !self.legs[id].answered);
                tally.count_if(unanswered.is_some(), Rule::LimitEnds);
                demand(
                    batch.finishes == unanswered.is_some(),
                    "the limit ends what is not answered",
                )?;
                let given_up = unanswered.map(|id| (id, AbandonReason::OutOfTime));
                demand(
                    batch.abandons == Vec::from_iter(given_up),
                    "what the limit ends is given up",
                )
            }
        }
    }
}

/// What `FailoverAfter183::IfServerFailure` lets move on: 500, 502, 503 and 504 within three seconds.
fn is_early_server_failure(evidence: &Evidence, policy: &CarrierPolicy) -> bool {
    policy.failover_after_183 == FailoverAfter183::IfServerFailure
        && evidence.ended_by == EndedBy::Carrier
        && evidence.elapsed < Duration::from_secs(3)
        && evidence
            .received_reply()
            .is_some_and(|reply| matches!(reply.code, 500 | 502 | 503 | 504))
}
