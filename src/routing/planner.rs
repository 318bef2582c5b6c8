//! Makes the plan of one call, candidate by candidate.

use super::fitness::{Considered, Fitness};
use super::number::{Canonical, NumberError, canonical, wire_number};
use super::plan::{CallRequest, Candidate, Plan, Rejection, Stage};
use super::route::Route;
use super::table::{PlannedCarrier, RouteTable};
use crate::asterisk_conf::{NumberExpression, Target, find_top_level};
use crate::carrier::{Carrier, CarrierId, Technology, Timers};

/// An unproven number as a reason to leave a carrier out.
pub(super) fn unproven(error: &NumberError) -> Rejection {
    Rejection::NumberUnproven {
        reason: error.to_string(),
    }
}

/// Makes one plan.
pub(super) struct Planner<'a> {
    table: &'a RouteTable,
    request: &'a CallRequest,
    fitness: &'a Fitness,
    canonical: Result<Canonical, NumberError>,
    attempt_limit: usize,
    considered: Vec<Considered>,
    /// How many of them are fit.
    fit: usize,
    rejected: Vec<(CarrierId, Rejection)>,
}

impl<'a> Planner<'a> {
    /// Starts with the entry carrier. Whether it is in the table or not, it is planned: being asked never makes a call less
    /// likely to go out.
    pub(super) fn new(table: &'a RouteTable, request: &'a CallRequest, fitness: &'a Fitness) -> Self {
        let entry = table.carriers.get(&request.entry);
        let entries = entry.map(|entry| entry.entries.as_slice()).unwrap_or_default();
        let dial_prefix = table.dial_prefixes.of_call(request.campaign.as_deref());
        let canonical = canonical(&request.dialled, dial_prefix, entries);
        let of_entry = table.call_limits(&request.entry).attempts;
        let attempt_limit = of_entry.and_then(|attempts| usize::try_from(attempts).ok());
        let mut planner = Self {
            table,
            request,
            fitness,
            canonical,
            attempt_limit: attempt_limit.unwrap_or(table.attempt_limit),
            considered: Vec::new(),
            fit: 0,
            rejected: Vec::new(),
        };
        match entry_candidate(request, entry.map(|entry| &entry.carrier)) {
            Ok(candidate) => planner.add(candidate, i32::MIN, 1),
            Err(rejection) => planner.rejected.push((request.entry.clone(), rejection)),
        }
        planner
    }

    /// The canonical number; empty when it is not known.
    pub(super) fn number(&self) -> &str {
        self.canonical.as_ref().map_or("", |canonical| &canonical.number)
    }

    /// Whether nothing can be planned at all, because the entry carrier's own dial string cannot be placed.
    pub(super) fn is_native(&self) -> bool {
        self.considered.is_empty()
    }

    /// The plan: what was considered, as health orders it, up to the attempt limit.
    pub(super) fn finish(self) -> Plan {
        let limit = self.attempt_limit;
        let (mut tried, left_out) = self.fitness.order(self.considered);
        let beyond = tried.split_off(limit.min(tried.len())).into_iter();
        let beyond = beyond.map(|candidate| (candidate, Rejection::AttemptLimit { limit }));
        let mut rejected = self.rejected;
        rejected.extend(
            left_out
                .into_iter()
                .chain(beyond)
                .map(|(candidate, rejection)| (candidate.carrier, rejection)),
        );
        Plan {
            stages: tried.into_iter().map(stage).collect(),
            rejected,
        }
    }

    /// Whether no carrier of this priority could come to its turn any more: enough fit ones stand before it.
    pub(super) fn is_full_before(&self, priority: i32) -> bool {
        let is_later = self.considered.last().is_none_or(|last| last.priority < priority);
        self.fit >= self.attempt_limit && is_later && !self.fitness.looks_at_all()
    }

    fn add(&mut self, candidate: Candidate, priority: i32, weight: u32) {
        self.fit += usize::from(self.fitness.is_fit(&candidate));
        self.considered.push(Considered {
            candidate,
            priority,
            weight,
        });
    }

    /// Whether the route is for the number; with an unknown number every route is asked for its reason.
    pub(super) fn number_matches(&self, route: &Route) -> bool {
        self.canonical
            .as_ref()
            .map_or(true, |canonical| route.number_match.matches(&canonical.number))
    }

    /// Plans the carrier of a route, or notes why not.
    pub(super) fn consider(&mut self, route: &Route) {
        match self.candidate(route) {
            Ok(candidate) => self.add(candidate, route.priority, route.weight),
            Err(rejection) => self.rejected.push((route.carrier.clone(), rejection)),
        }
    }

    fn candidate(&self, route: &Route) -> Result<Candidate, Rejection> {
        if !route.enabled {
            return Err(Rejection::RouteDisabled { route: route.id });
        }
        if let Some(campaign) = &route.campaign
            && self.request.campaign.as_deref() != Some(campaign)
        {
            return Err(Rejection::OtherCampaign {
                route: route.id,
                campaign: campaign.to_string(),
            });
        }
        if let Some(schedule) = &route.schedule
            && !schedule.contains(self.request.at_ms)
        {
            return Err(Rejection::OutsideSchedule {
                route: route.id,
                schedule: schedule.to_string(),
            });
        }
        let canonical = self.canonical.as_ref().map_err(unproven)?;
        if !route.number_match.matches(&canonical.number) {
            return Err(Rejection::NumberNotMatched { route: route.id });
        }
        let mut considered = self.considered.iter().map(|considered| &considered.candidate.carrier);
        if considered.any(|carrier| *carrier == route.carrier) {
            return Err(Rejection::AlreadyPlanned { route: route.id });
        }
        let PlannedCarrier { carrier, entries } = self
            .table
            .carriers
            .get(&route.carrier)
            .ok_or(Rejection::CarrierUnavailable)?;
        if carrier.is_staged {
            return Err(Rejection::Staged);
        }
        let wire_number = wire_number(canonical, route.number_format.as_deref(), carrier, entries)
            .map_err(|error| unproven(&error))?;
        Ok(Candidate {
            carrier: carrier.id.clone(),
            technology: carrier.technology,
            dial_string: carrier.dial_string(&wire_number),
            wire_number,
            timers: carrier.timers,
            because: format!("route {}, priority {}", route.id, route.priority),
        })
    }
}

fn stage(candidate: Candidate) -> Stage {
    Stage {
        legs: vec![candidate],
        ring_for: None,
    }
}

fn entry_candidate(request: &CallRequest, carrier: Option<&Carrier>) -> Result<Candidate, Rejection> {
    let dial_string = &request.dial_string;
    let not_placeable = |reason: String| Rejection::NotPlaceable {
        dial_string: dial_string.clone(),
        reason,
    };
    if find_top_level(dial_string, '&').is_some() {
        return Err(not_placeable("several targets are dialled at once with &".to_owned()));
    }
    let word = dial_string.split('/').next().unwrap_or_default();
    let technology: Technology = word.parse().map_err(|error| not_placeable(format!("{error}")))?;
    let wire_number = match Target::parse(dial_string).map(|target| target.number) {
        Ok(NumberExpression::Fixed(number)) => number,
        // A form of dial string that is not understood is dialled all the same; only the record of it is less exact.
        Ok(NumberExpression::Extension { .. }) | Err(_) => request.dialled.clone(),
    };
    Ok(Candidate {
        carrier: request.entry.clone(),
        technology,
        dial_string: dial_string.clone(),
        wire_number,
        timers: carrier.map_or_else(Timers::default, |carrier| carrier.timers),
        because: "entry carrier".to_owned(),
    })
}
