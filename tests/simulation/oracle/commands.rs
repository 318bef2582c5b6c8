//! Every command by itself: may it be given at all?

use super::*;

impl Oracle {
    /// Every command by itself: may it be given at all?
    pub(super) fn take(
        &mut self,
        input: Option<&Input>,
        commands: &[Command],
        now: Now,
        tally: &mut Tally,
    ) -> Result<Batch, String> {
        let mut batch = Batch::default();
        let mut opened = None;
        for command in commands {
            match command {
                Command::Admit {
                    leg: id,
                    carrier,
                    is_last_choice,
                } => {
                    self.may_propose(*id, carrier, now)?;
                    self.proposed += usize::from(self.repairing.is_none());
                    let nobody_is_left =
                        self.proposed == self.plan.len() || self.plan[..self.proposed - 1].contains(carrier);
                    demand(
                        *is_last_choice == (self.repairing.is_some() || nobody_is_left),
                        "a carrier passes a call on only to another",
                    )?;
                    (self.at_the_door, self.pausing) = (Some(*id), None);
                    batch.proposes = true;
                }
                Command::StartLeg(spec) => {
                    let admitted = match input {
                        Some(Input::Admitted(id) | Input::AdmittedAtLimit(id)) => Some(*id),
                        _ => None,
                    };
                    demand(admitted == Some(spec.leg), "no leg but the one that was let out")?;
                    demand(self.at_the_door.take() == admitted, "no leg that was not asked for")?;
                    demand(opened == admitted, "a leg is on record before it goes out")?;
                    demand(!self.caller_gone, "no leg for a caller that has left")?;
                    demand(self.legs.len() < self.allowed, "no more attempts than allowed")?;
                    demand(
                        spec.repair.is_some() == self.repairing.take().is_some(),
                        "what is repaired is sent otherwise, and nothing else is",
                    )?;
                    let at_our_limit = matches!(input, Some(Input::AdmittedAtLimit(_)));
                    self.start(spec.leg, &spec.carrier, at_our_limit)?;
                    batch.starts = Some(spec.leg);
                }
                Command::Record(attempt) => match &attempt.end {
                    None => opened = Some(LegId(attempt.n)),
                    Some(end) => batch.settles = Some(self.settle(attempt, &end.verdict, tally)?),
                },
                Command::Connect(id) => {
                    let is_its_answer = matches!(input, Some(Input::Leg(leg, LegEvent::Answered(_))) if leg == id);
                    demand(is_its_answer, "no leg is connected but at its answer")?;
                    demand(self.live() == Some(*id), "no settled leg is connected")?;
                    let answered = self.legs.values().filter(|leg| leg.answered).count();
                    demand(answered == 1, "one leg is answered, and no more")?;
                    batch.connects = Some(*id);
                }
                Command::AbandonLeg(id, reason) => {
                    let leg = self.legs.get(id).ok_or("no unknown leg is given up")?;
                    demand(leg.settled, "a leg has its end on record before it is given up")?;
                    demand(!leg.taken, "a leg that the dialer took is never touched")?;
                    batch.abandons.push((*id, *reason));
                }
                Command::AskLeg(id) => {
                    let is_silent = self.live() == Some(*id) && self.legs[id].progress == Progress::None;
                    demand(is_silent, "only a silent leg is asked")?;
                    batch.asks = Some(*id);
                }
                Command::Finish(result) => {
                    self.word()?;
                    batch.finishes = true;
                    self.is_the_right_word(result, tally)?;
                }
                Command::HandBack => {
                    self.word()?;
                    batch.finishes = true;
                    let nothing_dialled = self.legs.is_empty() && !self.refused_for_a_limit;
                    demand(
                        nothing_dialled,
                        "plain Dial() only where nothing was dialled or refused for a limit",
                    )?;
                    tally.count(Rule::HandedBack);
                }
                Command::ArmTimer(Timer::Again(id), at) => {
                    demand(
                        self.repairing.is_some() && self.live().is_none(),
                        "only what is repaired waits",
                    )?;
                    demand(*at == now.monotonic + self.repeat_after, "it waits for its time")?;
                    self.pausing = Some(*id);
                }
                Command::ArmTimer(Timer::Ring(id), at) => {
                    let rings = self.live() == Some(*id) && self.legs[id].progress >= Progress::Ringing;
                    demand(rings, "a ring limit is for a leg that rings")?;
                    batch.rings_until = Some((*id, *at));
                }
                Command::Indicate(_) | Command::ArmTimer(..) => {}
            }
        }
        Ok(batch)
    }

    fn may_propose(&self, id: LegId, carrier: &CarrierId, now: Now) -> Checked {
        demand(!self.caller_gone, "no attempt after the caller has gone")?;
        demand(
            !self.legs.values().any(|leg| leg.answered),
            "no attempt after an answer",
        )?;
        demand(self.words == 0, "no attempt after the last word")?;
        demand(
            self.live().is_none(),
            "one leg at a time, and each is settled before the next",
        )?;
        let expected = self.repairing.as_ref().or_else(|| self.plan.get(self.proposed));
        demand(
            expected == Some(carrier),
            "carriers in the order of the plan, each once but for a repair, or after it passed the call on",
        )?;
        demand(!self.legs.contains_key(&id), "every attempt is a new leg")?;
        demand(self.legs.len() < self.allowed, "no more attempts than allowed")?;
        demand(
            self.proposed == 0 || self.in_time(now),
            "no attempt but the first with less than the minimum left or after the set-up time",
        )
    }

    fn start(&mut self, id: LegId, carrier: &CarrierId, at_our_limit: bool) -> Checked {
        let leg = Leg {
            carrier: carrier.clone(),
            at_our_limit,
            has_ring_timer: false,
            progress: Progress::None,
            answered: false,
            taken: false,
            settled: false,
        };
        demand(self.legs.insert(id, leg).is_none(), "every attempt is a new leg")
    }

    fn settle(&mut self, attempt: &Attempt, verdict: &Verdict, tally: &mut Tally) -> Result<(LegId, Verdict), String> {
        let id = LegId(attempt.n);
        let leg = self
            .legs
            .get_mut(&id)
            .ok_or("no end on record of a leg that was not started")?;
        demand(!leg.settled, "one decision and one end on record for each leg")?;
        leg.settled = true;
        if verdict.action == Action::RepairAndRetry {
            demand(!self.repaired.contains(&leg.carrier), "a carrier is repaired once")?;
            self.repaired.push(leg.carrier.clone());
            self.repairing = Some(leg.carrier.clone());
        }
        let stands = self
            .last_word
            .as_ref()
            .is_some_and(|(finding, _)| *finding == Finding::Definitive && verdict.finding == Finding::Nothing);
        tally.count_if(stands, Rule::DefinitiveStands);
        if !stands {
            self.last_word = Some((verdict.finding, verdict.dialer.clone()));
        }
        Ok((id, verdict.clone()))
    }

    fn word(&mut self) -> Checked {
        demand(!self.caller_gone, "no last word for a caller that has left")?;
        self.words += 1;
        demand(self.words == 1, "one last word")?;
        demand(self.live().is_none(), "every leg is settled before the last word")
    }

    fn is_the_right_word(&self, result: &DialerResult, tally: &mut Tally) -> Checked {
        match &self.last_word {
            Some((_, word)) => demand(
                result == word,
                "the last attempt's result, busy and dead numbers not hidden",
            ),
            None => {
                tally.count(Rule::NoCircuit);
                demand(self.refused_for_a_limit, "no result without an attempt or a limit")?;
                demand(result.dialstatus == DialStatus::Congestion, "no circuit is congestion")
            }
        }
    }
}
