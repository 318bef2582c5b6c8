//! Makes the plan of one call, candidate by candidate.

use super::number::{Canonical, NumberError, canonical, wire_number};
use super::plan::{CallRequest, Candidate, Plan, Rejection, Stage};
use super::route::Route;
use super::table::{PlannedCarrier, RouteTable};
use crate::asterisk_conf::{NumberExpression, Target, find_top_level};
use crate::carrier::{Carrier, Technology, Timers};

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
    canonical: Result<Canonical, NumberError>,
    attempt_limit: usize,
    plan: Plan,
}

impl<'a> Planner<'a> {
    /// Starts with the entry carrier. Whether it is in the table or not, it is planned: being asked never makes a call less
    /// likely to go out.
    pub(super) fn new(table: &'a RouteTable, request: &'a CallRequest) -> Self {
        let entry = table.carriers.get(&request.entry);
        let entries = entry.map(|entry| entry.entries.as_slice()).unwrap_or_default();
        let dial_prefix = table.dial_prefixes.of_call(request.campaign.as_deref());
        let canonical = canonical(&request.dialled, dial_prefix, entries);
        let of_entry = table.call_limits(&request.entry).attempts;
        let attempt_limit = of_entry.and_then(|attempts| usize::try_from(attempts).ok());
        let mut plan = Plan {
            stages: Vec::new(),
            rejected: Vec::new(),
        };
        match entry_candidate(request, entry.map(|entry| &entry.carrier)) {
            Ok(candidate) => plan.stages.push(stage(candidate)),
            Err(rejection) => plan.rejected.push((request.entry.clone(), rejection)),
        }
        Self {
            table,
            request,
            canonical,
            attempt_limit: attempt_limit.unwrap_or(table.attempt_limit),
            plan,
        }
    }

    /// The canonical number; empty when it is not known.
    pub(super) fn number(&self) -> &str {
        self.canonical.as_ref().map_or("", |canonical| &canonical.number)
    }

    /// Whether nothing can be planned at all, because the entry carrier's own dial string cannot be placed.
    pub(super) fn is_native(&self) -> bool {
        self.plan.stages.is_empty()
    }

    pub(super) fn finish(self) -> Plan {
        self.plan
    }

    /// Whether the call has all the attempts that it gets.
    pub(super) fn is_full(&self) -> bool {
        self.plan.stages.len() >= self.attempt_limit
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
            Ok(candidate) => self.plan.stages.push(stage(candidate)),
            Err(rejection) => self.plan.rejected.push((route.carrier.clone(), rejection)),
        }
    }

    fn candidate(&self, route: &Route) -> Result<Candidate, Rejection> {
        if !route.enabled {
            return Err(Rejection::RouteDisabled { route: route.id });
        }
        if let Some(campaign) = &route.campaign
            && self.request.campaign.as_ref() != Some(campaign)
        {
            return Err(Rejection::OtherCampaign {
                route: route.id,
                campaign: campaign.clone(),
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
        let mut planned = self.plan.stages.iter().flat_map(|stage| &stage.legs);
        if planned.any(|leg| leg.carrier == route.carrier) {
            return Err(Rejection::AlreadyPlanned { route: route.id });
        }
        let PlannedCarrier { carrier, entries } = self
            .table
            .carriers
            .get(&route.carrier)
            .ok_or(Rejection::CarrierUnavailable)?;
        let wire_number =
            wire_number(canonical, route.number_format.as_ref(), carrier, entries).map_err(|error| unproven(&error))?;
        if self.is_full() {
            return Err(Rejection::AttemptLimit {
                limit: self.attempt_limit,
            });
        }
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
