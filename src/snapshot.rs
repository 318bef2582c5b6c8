//! A snapshot of everything that routing is made of: rows of the store in, carriers, routes and the route table out.
//!
//! Owns the translation from rows to values, and the list of what could not be translated. It knows no SQL and no clock: the
//! daemon and the command line make the same snapshot of the same rows.

mod carrier_settings;
mod tested;
mod upstream;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::admission::CarrierLimits;
use crate::carrier::{Carrier, CarrierId, NumberFormat, Timers};
use crate::config::{Engine, Settings};
use crate::health::OperatorSetting;
use crate::routing::{NumberMatch, NumberMatchError, Route, RouteTable, Schedule, ScheduleError};
use crate::store::{CarrierSettingsRow, Fingerprint, RouteRow, RoutingTables, Store, StoreError};
use crate::verdict::{CarrierPolicies, Rulebook};
use crate::vicidial::carrier_problem::CarrierProblem;
use crate::vicidial::carriers::{CarrierTable, read_carriers};
use crate::vicidial::edits::{EditState, ServedCarriers};
use crate::vicidial::sip_server::{SipServer, sip_server};

pub(crate) use carrier_settings::overrides;
pub use carrier_settings::{ACTIVE, CarrierProbe, STAGED, SettingError, SettingProblem, operator_words};
pub use tested::Tested;
pub use upstream::{SharedUpstream, Upstreams};

/// Everything that routing is made of, as it stood at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// The carriers of this dialer that could be understood.
    pub carriers: Vec<Carrier>,
    /// What could not be understood about carriers, as their rows stand now.
    pub carrier_problems: Vec<CarrierProblem>,
    /// Every carrier with what became of the last edit of its row. Only a running daemon knows of edits; elsewhere all that is
    /// understood is active.
    pub carrier_states: Vec<(CarrierId, EditState)>,
    /// VICIdial will write this dialer's files and have Asterisk load them: what was edited is not in Asterisk yet.
    pub is_rebuild_due: bool,
    /// Routes that are left out because they could not be understood.
    pub route_problems: Vec<RouteProblem>,
    /// What the operator set about carriers.
    pub carrier_settings: Vec<CarrierSettingsRow>,
    /// What of that cannot be used and is passed over.
    pub setting_problems: Vec<SettingProblem>,
    /// How carriers differ in what their answers mean.
    pub policies: Arc<CarrierPolicies>,
    /// Who places the legs of calls that enter by a carrier's dialplan line; those that are not in it follow the configuration.
    pub entry_engines: BTreeMap<CarrierId, Engine>,
    /// What is set about OPTIONS of our own to carriers; those that are not in it follow the configuration.
    pub probes: BTreeMap<CarrierId, CarrierProbe>,
    /// Where the carriers' SIP servers are, as far as their rows say.
    pub sip_servers: Vec<(CarrierId, SipServer)>,
    /// Which carriers would fail together.
    pub upstreams: Upstreams,
    /// Stands for each carrier's settings as its calls use them, for the record of a test call.
    pub digests: HashMap<CarrierId, String>,
    /// What carriers allow this dialer; those that are not in it have no limits.
    pub limits: HashMap<CarrierId, CarrierLimits>,
    /// The campaigns that VICIdial has; empty without VICIdial.
    pub campaigns: BTreeSet<String>,
    /// How long each campaign lets a call ring; campaigns that say nothing are not in it.
    pub dial_timeouts: Arc<HashMap<String, Duration>>,
    /// The table that calls are routed by.
    pub table: Arc<RouteTable>,
    /// Stands for the rows that this was made of.
    pub fingerprint: Fingerprint,
}

/// A route that cannot be used and is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("route {id}: {error}; remove it with `crankback route remove {id}`")]
pub struct RouteProblem {
    /// The route's id.
    pub id: i64,
    /// What is wrong with it.
    pub error: RouteError,
}

/// Why a route cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// Its match.
    #[error(transparent)]
    NumberMatch(#[from] NumberMatchError),
    /// Its schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

/// Reads the rows and makes the snapshot of them. A hundred thousand routes take tens of milliseconds to put in order: that is
/// done where no call waits.
///
/// # Errors
/// [`StoreError`] when the rows cannot be read.
pub async fn read(store: &Store, settings: &Arc<Settings>) -> Result<Snapshot, StoreError> {
    let tables = store.routing_tables().await?;
    let settings = Arc::clone(settings);
    store.in_its_thread(move || Snapshot::new(tables, &settings)).await
}

impl Snapshot {
    /// The routes that could be understood, in the order in which they are tried.
    pub fn routes(&self) -> &[Route] {
        self.table.routes()
    }

    /// The carriers whose calls a route may take: the one that it names, or every one that calls can come from.
    pub fn entries_of(&self, route: &Route) -> Vec<CarrierId> {
        match &route.entry {
            Some(entry) => vec![entry.clone()],
            None => {
                let sends_calls = |carrier: &&Carrier| !carrier.entries.is_empty() && carrier.id != route.carrier;
                let entries = self.carriers.iter().filter(sends_calls);
                entries.map(|carrier| carrier.id.clone()).collect()
            }
        }
    }

    /// Every carrier with what the operator said of it; enabled where nothing was said or the word is not known.
    pub fn operator_settings(&self) -> Vec<(CarrierId, OperatorSetting)> {
        let carriers = self.carriers.iter();
        carriers
            .map(|carrier| (carrier.id.clone(), self.operator_setting(&carrier.id)))
            .collect()
    }

    /// What the operator said of one carrier.
    pub fn operator_setting(&self, carrier: &CarrierId) -> OperatorSetting {
        let mut rows = self.carrier_settings.iter();
        let row = rows.find(|row| row.carrier_id == carrier.as_str());
        row.and_then(|row| carrier_settings::operator(row).ok())
            .unwrap_or_default()
    }

    /// What is known of the test calls of a carrier.
    pub fn tested(&self, carrier: &CarrierId) -> Tested {
        let mut rows = self.carrier_settings.iter();
        let row = rows.find(|row| row.carrier_id == carrier.as_str());
        let digest = self.digests.get(carrier).map_or("", String::as_str);
        Tested::of(row, digest)
    }

    /// What speaks against relying on one carrier as the backup of another.
    pub fn doubts_about_pair(&self, entry: &CarrierId, backup: &CarrierId) -> Option<String> {
        let shared = self.upstreams.shared(entry, backup)?;
        Some(format!("{entry} and {backup} share {shared}: they will fail together"))
    }

    /// What speaks against relying on a carrier as anybody's backup.
    pub fn doubts_about(&self, backup: &CarrierId) -> Option<String> {
        let is_staged = self
            .carriers
            .iter()
            .any(|carrier| carrier.id == *backup && carrier.is_staged);
        if is_staged {
            let test = format!("crankback carrier test {backup} --number NUMBER");
            return Some(format!(
                "{backup} is staged, no call goes to it: `{test}` makes it active"
            ));
        }
        match self.tested(backup) {
            Tested::Never | Tested::Good { .. } => None,
            Tested::Due { .. } => Some(format!(
                "the settings of {backup} have changed since its last good test call: re-test due"
            )),
        }
    }

    /// Translates the rows for the dialer of `settings`, as they stand.
    pub fn new(tables: RoutingTables, settings: &Settings) -> Self {
        let carriers = Self::carrier_table(&tables, settings);
        let served = ServedCarriers::first(&carriers);
        Self::with_carriers(tables, carriers, &served, settings)
    }

    /// The carriers of the dialer of `settings`, with the timers of the configuration where they have none of their own.
    pub fn carrier_table(tables: &RoutingTables, settings: &Settings) -> CarrierTable {
        let mut table = read_carriers(&tables.carriers, &tables.templates, &settings.server.ip.to_string());
        let default = Timers {
            guard: settings.call.guard,
            progress: settings.call.progress,
            ring: None,
        };
        for carrier in &mut table.carriers {
            let mut own = tables.carrier_settings.iter();
            let row = own.find(|row| row.carrier_id == carrier.id.as_str());
            carrier.timers = carrier_settings::timers(row, default);
            carrier.call_limits = row.map(carrier_settings::call_limits).unwrap_or_default();
            carrier.number_format = row.and_then(carrier_settings::number_format);
            carrier.is_staged = row.is_some_and(carrier_settings::is_staged);
        }
        table
    }

    /// Translates the rows, with the carriers as calls use them.
    pub fn with_carriers(
        mut tables: RoutingTables,
        carriers: CarrierTable,
        served: &ServedCarriers,
        settings: &Settings,
    ) -> Self {
        let is_rebuild_due = is_rebuild_due(&tables, settings);
        let limits = carrier_settings::limits(&tables, settings.server.ip);
        let mut route_problems = Vec::new();
        // There may be a hundred thousand: each takes its row's place in memory, and the rest is given back.
        let rows = std::mem::take(&mut tables.routes).into_iter();
        let routes = rows.filter_map(|row| {
            let id = row.id;
            route(row)
                .map_err(|error| route_problems.push(RouteProblem { id, error }))
                .ok()
        });
        let mut routes: Vec<Route> = routes.collect();
        routes.shrink_to_fit();
        let campaigns = tables
            .campaigns
            .iter()
            .map(|campaign| campaign.campaign_id.clone())
            .collect();
        let dial_timeouts = tables
            .campaigns
            .iter()
            .filter(|campaign| campaign.dial_timeout_s > 0)
            .map(|campaign| {
                (
                    campaign.campaign_id.clone(),
                    Duration::from_secs(campaign.dial_timeout_s.into()),
                )
            })
            .collect();
        let dial_prefixes = tables
            .campaigns
            .into_iter()
            .map(|campaign| (campaign.campaign_id, campaign.dial_prefix));
        let (policies, mut setting_problems) =
            carrier_settings::policies(&tables.carrier_settings, Rulebook::built_in());
        let (entry_engines, engine_problems) = carrier_settings::engines(&tables.carrier_settings);
        let (probes, probe_problems) = carrier_settings::probes(&tables.carrier_settings);
        setting_problems.extend(engine_problems.into_iter().chain(probe_problems));
        let serving = served.carriers();
        let server_of = |carrier: &Carrier| {
            let account = carriers.accounts.get(&carrier.id)?;
            Some((carrier.id.clone(), sip_server(carrier, account)?))
        };
        let sip_servers = serving.iter().filter_map(server_of).collect();
        let digests = serving.iter().filter_map(|carrier| {
            let account = carriers.accounts.get(&carrier.id)?;
            Some((carrier.id.clone(), tested::digest(carrier, account)))
        });
        let digests = digests.collect();
        let upstreams = Upstreams::new(&carriers.accounts, &tables.carrier_settings);
        let table = RouteTable::build(serving.clone(), routes, dial_prefixes.collect())
            .with_attempt_limit(settings.call.max_attempts.into());
        Self {
            carriers: serving,
            carrier_problems: carriers.problems,
            carrier_states: served.states().map(|(id, state)| (id.clone(), state.clone())).collect(),
            is_rebuild_due,
            route_problems,
            carrier_settings: tables.carrier_settings,
            setting_problems,
            policies: Arc::new(policies),
            entry_engines,
            probes,
            sip_servers,
            upstreams,
            digests,
            limits,
            campaigns,
            dial_timeouts: Arc::new(dial_timeouts),
            table: Arc::new(table),
            fingerprint: tables.fingerprint,
        }
    }
}

/// Whether VICIdial will write this dialer's configuration files.
pub fn is_rebuild_due(tables: &RoutingTables, settings: &Settings) -> bool {
    let own = settings.server.ip.to_string();
    let mut servers = tables.servers.iter();
    servers.any(|server| server.server_ip.trim() == own && server.is_rebuild_due)
}

fn route(row: RouteRow) -> Result<Route, RouteError> {
    let columns = row.route;
    let number_format = (columns.strip_prefix.is_some() || columns.add_prefix.is_some()).then(|| NumberFormat {
        strip: columns.strip_prefix.map_or(0, |strip| strip as usize),
        prefix: columns.add_prefix.as_deref().unwrap_or_default().to_owned(),
    });
    let schedule: Option<Schedule> = columns.schedule.as_deref().map(str::parse).transpose()?;
    Ok(Route {
        id: row.id,
        entry: columns.entry_carrier_id.map(CarrierId::from),
        campaign: columns.campaign_id,
        number_match: NumberMatch::parse(&columns.match_type, &columns.match_text)?,
        carrier: columns.carrier_id.into(),
        priority: columns.priority,
        weight: columns.weight,
        schedule: schedule.map(Box::new),
        number_format: number_format.map(Box::new),
        enabled: columns.enabled,
    })
}
