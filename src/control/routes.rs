//! Routes: which carriers back up which.

use serde::{Deserialize, Serialize};

use crate::carrier::{CarrierId, NumberFormat};
use crate::config::Settings;
use crate::routing::{EntryProof, NumberMatch, Route, Schedule};
use crate::snapshot::Snapshot;
use crate::store::NewRoute;

use super::carriers::{check_campaign, describe, find};
use super::error::Error;
use super::message::Effect;

/// The priority of a route that is added without one; the entry carrier itself comes before all.
pub const DEFAULT_PRIORITY: i32 = 2;

/// What the columns hold.
const CAMPAIGN_LIMIT: usize = 20;
const MATCH_LIMIT: usize = 64;
const PREFIX_LIMIT: usize = 32;
const SCHEDULE_LIMIT: usize = 255;

/// A carrier that is to become the backup of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteAdd {
    /// The carrier whose calls get the backup; `None`: those of all carriers.
    #[serde(default)]
    pub entry: Option<String>,
    /// The backup.
    pub carrier: String,
    /// Lower is tried first.
    #[serde(default = "default_priority")]
    pub priority: i32,
    /// For calls of this campaign only.
    #[serde(default)]
    pub campaign: Option<String>,
    /// For these numbers only.
    #[serde(default)]
    pub numbers: Numbers,
    /// When the route holds, for example `mon-fri 08:00-20:00 Europe/Berlin`; `None`: always.
    #[serde(default)]
    pub schedule: Option<String>,
    /// Characters dropped from the front of the canonical number; `None`: as the carrier has it.
    #[serde(default)]
    pub strip: Option<u32>,
    /// Put before what is left; `None`: as the carrier has it.
    #[serde(default)]
    pub add_prefix: Option<String>,
}

/// Which canonical numbers (phone code + number, without dial prefix) a route is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// Every number.
    #[default]
    Any,
    /// Those that start so.
    Prefix(String),
    /// Those that match an Asterisk pattern.
    Pattern(String),
}

/// Answers [`Query::Routes`](super::Query::Routes).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutesView {
    /// Those that were understood.
    pub routes: Vec<RouteView>,
    /// What was not.
    pub problems: Vec<String>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteView {
    /// Its id.
    pub id: i64,
    /// The carrier whose calls it is for; `None`: any.
    pub entry: Option<String>,
    /// The campaign; `None`: any.
    pub campaign: Option<String>,
    /// The numbers, in words.
    pub numbers: String,
    /// The carrier that it leads to.
    pub carrier: String,
    /// Lower is tried first.
    pub priority: i32,
    /// Share among equal priorities.
    pub weight: u32,
    /// When it holds; `None`: always.
    pub schedule: Option<String>,
    /// In words; `None`: the carrier's own.
    pub format: Option<String>,
    /// Switched on.
    pub enabled: bool,
}

/// Answers [`Command::RouteAdd`](super::Command::RouteAdd).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteAddedView {
    /// The route.
    pub route: RouteView,
    /// The number that the backup would be sent, for each pattern of each entry carrier.
    pub examples: Vec<ExampleView>,
    /// What is to be thought of before the backup is relied on.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Patterns whose calls do not go on to the backup, and why.
    pub unproven: Vec<String>,
    /// From when on it holds.
    pub effect: Effect,
}

/// What one pattern's numbers become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExampleView {
    /// The entry carrier.
    pub entry: String,
    /// Its pattern.
    pub pattern: String,
    /// A number that a campaign might dial.
    pub dialled: String,
    /// What the backup would be sent.
    pub wire_number: String,
}

/// Answers [`Command::RouteRemove`](super::Command::RouteRemove).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRemovedView {
    /// The id that it had.
    pub removed: i64,
    /// From when on that holds.
    pub effect: Effect,
}

pub(super) fn list(snapshot: &Snapshot) -> RoutesView {
    RoutesView {
        routes: snapshot.routes().iter().map(RouteView::new).collect(),
        problems: snapshot.route_problems.iter().map(ToString::to_string).collect(),
    }
}

/// A route that may be added, with the proof of what it does.
#[derive(Debug)]
pub(super) struct Checked {
    route: Route,
    proofs: Vec<EntryProof>,
    warnings: Vec<String>,
}

/// Checks everything but whether there is such a route: the store knows that best when it writes.
pub(super) fn check(snapshot: &Snapshot, settings: &Settings, wanted: &RouteAdd) -> Result<Checked, Error> {
    let route = route(wanted)?;
    find(snapshot, settings, &wanted.carrier)?;
    if let Some(entry) = &wanted.entry {
        find(snapshot, settings, entry)?;
    }
    check_campaign(&snapshot.campaigns, wanted.campaign.as_deref())?;
    let proofs = prove(snapshot, &route)?;
    let entries = proofs.iter().map(|proof| &proof.entry);
    let shared = entries.flat_map(|entry| snapshot.doubts_about_pair(entry, &route.carrier));
    let warnings = shared.chain(snapshot.doubts_about(&route.carrier)).collect();
    Ok(Checked {
        route,
        proofs,
        warnings,
    })
}

/// What the route does to the calls of each of its entry carriers.
fn prove(snapshot: &Snapshot, route: &Route) -> Result<Vec<EntryProof>, Error> {
    let entries = snapshot.entries_of(route);
    if entries.is_empty() {
        return Err(Error::NoEntry);
    }
    let proofs = entries.into_iter().map(|entry| {
        let proof = snapshot.table.prove_route(&entry, route);
        proof.map_err(|rejection| Error::Unproven {
            entry,
            carrier: route.carrier.clone(),
            rejection,
        })
    });
    proofs.collect()
}

/// The route that is asked for; its id is chosen when it is written.
fn route(wanted: &RouteAdd) -> Result<Route, Error> {
    let number_match = match &wanted.numbers {
        Numbers::Any => NumberMatch::Any,
        Numbers::Prefix(prefix) => NumberMatch::parse("prefix", prefix)?,
        Numbers::Pattern(pattern) => NumberMatch::parse("pattern", pattern)?,
    };
    let schedule: Option<Schedule> = wanted.schedule.as_deref().map(str::parse).transpose()?;
    if let Some(text) = wanted.add_prefix.as_ref().filter(|text| !is_dialable(text)) {
        return Err(Error::AddPrefix { text: text.clone() });
    }
    fits(
        "the campaign",
        wanted.campaign.as_deref().unwrap_or_default(),
        CAMPAIGN_LIMIT,
    )?;
    fits("the prefix or pattern", &number_match.text(), MATCH_LIMIT)?;
    fits(
        "the prefix to add",
        wanted.add_prefix.as_deref().unwrap_or_default(),
        PREFIX_LIMIT,
    )?;
    let schedule_text = schedule.as_ref().map(ToString::to_string);
    fits(
        "the schedule",
        schedule_text.as_deref().unwrap_or_default(),
        SCHEDULE_LIMIT,
    )?;
    let number_format = (wanted.strip.is_some() || wanted.add_prefix.is_some()).then(|| NumberFormat {
        strip: wanted.strip.map_or(0, |strip| strip as usize),
        prefix: wanted.add_prefix.clone().unwrap_or_default(),
    });
    Ok(Route {
        id: 0,
        entry: wanted.entry.as_deref().map(CarrierId::from),
        campaign: wanted.campaign.as_deref().map(Into::into),
        number_match,
        carrier: CarrierId::from(wanted.carrier.as_str()),
        priority: wanted.priority,
        weight: 1,
        schedule: schedule.map(Box::new),
        number_format: number_format.map(Box::new),
        enabled: true,
    })
}

/// Whether a telephone could dial it.
pub(super) fn is_dialable(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || "+*#".contains(c))
}

fn fits(what: &'static str, text: &str, limit: usize) -> Result<(), Error> {
    if text.chars().count() <= limit {
        Ok(())
    } else {
        Err(Error::TooLong { what, limit })
    }
}

impl Checked {
    /// The row to write.
    pub(super) fn row(&self, wanted: &RouteAdd) -> NewRoute {
        let route = &self.route;
        NewRoute {
            entry_carrier_id: wanted.entry.as_deref().map(Into::into),
            campaign_id: route.campaign.clone(),
            match_type: route.number_match.kind().into(),
            match_text: route.number_match.text().into(),
            carrier_id: wanted.carrier.as_str().into(),
            priority: route.priority,
            weight: route.weight,
            cost: None,
            schedule: route.schedule.as_ref().map(|schedule| schedule.to_string().into()),
            strip_prefix: wanted.strip,
            add_prefix: wanted.add_prefix.as_deref().map(Into::into),
            enabled: route.enabled,
        }
    }

    /// What to say when it was written.
    pub(super) fn added(self, id: i64, effect: Effect) -> RouteAddedView {
        let route = Route { id, ..self.route };
        let examples = self.proofs.iter().flat_map(|of_entry| {
            of_entry.proofs.iter().map(|proof| ExampleView {
                entry: of_entry.entry.to_string(),
                pattern: proof.pattern.clone(),
                dialled: proof.dialled.clone(),
                wire_number: proof.wire.clone(),
            })
        });
        let unproven = self.proofs.iter().flat_map(|of_entry| {
            let carrier = &route.carrier;
            of_entry
                .unproven
                .iter()
                .map(move |error| format!("{}: {error}; such calls do not go on to {carrier}", of_entry.entry))
        });
        RouteAddedView {
            warnings: self.warnings,
            examples: examples.collect(),
            unproven: unproven.collect(),
            route: RouteView::new(&route),
            effect,
        }
    }
}

impl RouteView {
    fn new(route: &Route) -> Self {
        Self {
            id: route.id,
            entry: route.entry.as_ref().map(ToString::to_string),
            campaign: route.campaign.as_ref().map(ToString::to_string),
            numbers: route.number_match.to_string(),
            carrier: route.carrier.to_string(),
            priority: route.priority,
            weight: route.weight,
            schedule: route.schedule.as_ref().map(ToString::to_string),
            format: route.number_format.as_deref().map(describe),
            enabled: route.enabled,
        }
    }
}

const fn default_priority() -> i32 {
    DEFAULT_PRIORITY
}
