//! The route table: immutable, built from values, asked once for each call.

use std::collections::HashMap;

use super::dial_prefixes::DialPrefixes;
use super::fitness::Fitness;
use super::index::RouteIndex;
use super::number::{ReadEntry, matching_entry};
use super::plan::{CallRequest, Plan};
use super::planner::Planner;
use super::route::Route;
use crate::carrier::{AfterDial, CallLimits, Carrier, CarrierId};

/// The most attempts that a call gets where nothing else is set: the entry carrier and two backups.
pub const DEFAULT_ATTEMPT_LIMIT: usize = 3;

/// Everything that plans are made from.
#[derive(Debug)]
pub struct RouteTable {
    pub(super) carriers: HashMap<CarrierId, PlannedCarrier>,
    /// Sorted by priority, then id; the indexes hold positions in here.
    routes: Vec<Route>,
    of_entry: HashMap<CarrierId, RouteIndex>,
    of_any_entry: RouteIndex,
    pub(super) dial_prefixes: DialPrefixes,
    pub(super) attempt_limit: usize,
}

/// A carrier with its dial entries read.
#[derive(Debug)]
pub(super) struct PlannedCarrier {
    pub(super) carrier: Carrier,
    pub(super) entries: Vec<ReadEntry>,
}

impl RouteTable {
    /// Builds the table. `dial_prefixes` holds the `dial_prefix` of each campaign as it stands in VICIdial; `X` and nothing
    /// mean that the campaign has none.
    pub fn build(carriers: Vec<Carrier>, mut routes: Vec<Route>, dial_prefixes: HashMap<String, String>) -> Self {
        routes.sort_unstable_by_key(|route| (route.priority, route.id));
        let mut of_entry: HashMap<CarrierId, RouteIndex> = HashMap::new();
        let mut of_any_entry = RouteIndex::default();
        for (position, route) in (0..).zip(&routes).filter(|(_, route)| route.enabled) {
            let index = match &route.entry {
                Some(entry) => of_entry.entry(entry.clone()).or_default(),
                None => &mut of_any_entry,
            };
            index.insert(position, &route.number_match);
        }
        of_any_entry.finish();
        of_entry.values_mut().for_each(RouteIndex::finish);
        let carriers = carriers.into_iter().map(|carrier| {
            let entries = carrier.entries.iter().filter_map(ReadEntry::read).collect();
            (carrier.id.clone(), PlannedCarrier { carrier, entries })
        });
        Self {
            carriers: carriers.collect(),
            routes,
            of_entry,
            of_any_entry,
            dial_prefixes: DialPrefixes::new(dial_prefixes),
            attempt_limit: DEFAULT_ATTEMPT_LIMIT,
        }
    }

    /// Sets the most attempts that a call gets, the entry carrier's among them; never less than one.
    #[must_use]
    pub fn with_attempt_limit(self, attempts: usize) -> Self {
        Self {
            attempt_limit: attempts.max(1),
            ..self
        }
    }

    /// Every route, enabled or not: by priority, then id.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// A carrier of the table.
    pub fn carrier(&self, id: &CarrierId) -> Option<&Carrier> {
        self.carriers.get(id).map(|planned| &planned.carrier)
    }

    /// What calls that enter through this carrier may take, where that is not what holds for all calls.
    pub fn call_limits(&self, entry: &CarrierId) -> CallLimits {
        self.carrier(entry)
            .map(|carrier| carrier.call_limits)
            .unwrap_or_default()
    }

    /// What the entry that dialled this extension does when `Dial()` comes back without an answer.
    pub fn after_dial(&self, entry: &CarrierId, dialled: &str) -> AfterDial {
        let entries = self
            .carriers
            .get(entry)
            .map(|planned| planned.entries.as_slice())
            .unwrap_or_default();
        matching_entry(entries, dialled).map_or(AfterDial::GoesOn, |entry| entry.after)
    }

    /// The plan of a call: the entry carrier with the dial string as given, then the carriers of the matching routes.
    ///
    /// Carriers that are not fit stand behind the others or are left out. Looks only at routes that may match the number, and
    /// stops where enough fit carriers are found.
    pub fn plan(&self, request: &CallRequest, fitness: &Fitness) -> Plan {
        let mut planner = Planner::new(self, request, fitness);
        if planner.is_native() {
            return planner.finish();
        }
        let number = planner.number();
        let mut positions: Vec<u32> = match self.of_entry.get(&request.entry) {
            Some(index) => index
                .candidates(number)
                .chain(self.of_any_entry.candidates(number))
                .collect(),
            None => self.of_any_entry.candidates(number).collect(),
        };
        positions.sort_unstable();
        for route in positions
            .into_iter()
            .filter_map(|position| self.routes.get(position as usize))
        {
            if planner.is_full_before(route.priority) {
                break;
            }
            if planner.number_matches(route) {
                planner.consider(route);
            }
        }
        planner.finish()
    }

    /// The same plan with a reason for every other route of the entry carrier, however many there are; for people.
    pub fn explain(&self, request: &CallRequest, fitness: &Fitness) -> Plan {
        let mut planner = Planner::new(self, request, fitness);
        if planner.is_native() {
            return planner.finish();
        }
        let is_of_entry = |route: &&Route| route.entry.as_ref().is_none_or(|entry| *entry == request.entry);
        for route in self.routes.iter().filter(is_of_entry) {
            planner.consider(route);
        }
        planner.finish()
    }
}

#[cfg(test)]
mod tests;
