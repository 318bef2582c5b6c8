//! What health has to say while a plan is made: which candidates are tried, in which order.

use crate::health::{Contender, HealthView, Hint, Place, draw_of, order};

use super::plan::{Candidate, Rejection};

/// The carriers' health at the moment of one call, and the call's own draw among equals. The default: all carriers are well.
#[derive(Clone, Debug, Default)]
pub struct Fitness {
    view: HealthView,
    draw: u64,
}

/// A carrier that a route leads to, before health has been asked.
#[derive(Debug)]
pub(super) struct Considered {
    pub(super) candidate: Candidate,
    pub(super) priority: i32,
    pub(super) weight: u32,
}

impl Fitness {
    /// The fitness of carriers for a call: the same call always draws the same.
    pub fn of_call(view: HealthView, call_id: &str) -> Self {
        Self {
            view,
            draw: draw_of(call_id),
        }
    }

    /// Whether the carrier would be tried before those that are not well.
    pub(super) fn is_fit(&self, candidate: &Candidate) -> bool {
        match self.view.class(&candidate.carrier).hint(&candidate.carrier, self.draw) {
            Hint::Take | Hint::Trial => true,
            Hint::PassOn(_) | Hint::Never(_) => false,
        }
    }

    /// Whether every carrier that a call could use has to be looked at: the operator wants only one, wherever it stands.
    pub(super) fn looks_at_all(&self) -> bool {
        self.view.wants_only_one()
    }

    /// Puts candidates in order and says why others are left out.
    pub(super) fn order(&self, considered: Vec<Considered>) -> (Vec<Candidate>, Vec<(Candidate, Rejection)>) {
        let contenders: Vec<Contender> = considered
            .iter()
            .map(|considered| Contender {
                carrier: considered.candidate.carrier.clone(),
                priority: considered.priority,
                weight: considered.weight,
            })
            .collect();
        let order = order(&contenders, &self.view, self.draw);
        let mut considered: Vec<Option<Considered>> = considered.into_iter().map(Some).collect();
        let mut take = |position: usize| considered.get_mut(position)?.take();
        let tried = order.tried.into_iter().filter_map(|(position, place)| {
            let mut candidate = take(position)?.candidate;
            if let Some(note) = note(place) {
                candidate.because = format!("{}, {note}", candidate.because);
            }
            Some(candidate)
        });
        let tried = tried.collect();
        let left_out = order.left_out.into_iter();
        let left_out =
            left_out.filter_map(|(position, reason)| Some((take(position)?.candidate, Rejection::Unfit { reason })));
        (tried, left_out.collect())
    }
}

/// What is to be said of a place that priority alone does not explain.
const fn note(place: Place) -> Option<&'static str> {
    match place {
        Place::Fit => None,
        Place::Trial => Some("a trial whether it is back"),
        Place::Only => Some("the only one by the operator's word"),
        Place::IfNothingBetter => Some("if nothing better is left"),
        Place::LeastBad => Some("the least bad of those that are down"),
    }
}
