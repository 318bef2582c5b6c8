//! The handlers: one request in, one reply out; every command on record.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use tracing::{debug, info, warn};

use crate::carrier::CarrierId;
use crate::config::Settings;
use crate::engine::now;
use crate::engine::stasis::TestEnd;
use crate::health::{Class, HealthView, OperatorSetting};
use crate::snapshot::{self, Snapshot, operator_words};
use crate::store::{AuditRow, CarrierSettingsRow, ChangedBy, RouteAdded, Store};
use crate::vicidial::admin::{self, Written};

use super::actor::Actor;
use super::attempts::AttemptsView;
use super::calls::{CallView, CallsView};
use super::carrier_add::{self, AddOutcome, CarrierAdd, CarrierAddError, CarrierAddView};
use super::carrier_settings::CarrierSetView;
use super::carrier_test::{CarrierTest, CarrierTestView};
use super::carriers::CarrierNow;
use super::error::{Error, Refusal};
use super::message::{Answer, Command, Effect, Query, Reloaded, Reply, Request};
use super::operator_word::{self, CarrierOperate, CarrierOperateView};
use super::port::{Daemon, RefreshError};
use super::routes::{RouteAdd, RouteAddedView, RouteRemovedView};
use super::{carrier_settings, carrier_test, carriers, explain, routes};

/// The outcome of a command that was carried out, on record.
const DONE: &str = "done";
/// Whose name a route has on record before it has an id.
const NEW_ROUTE: &str = "new route";

/// Performs queries and commands, on a running daemon or on the store alone.
#[derive(Clone)]
pub struct Handlers {
    settings: Arc<Settings>,
    store: Store,
    daemon: Option<Arc<dyn Daemon>>,
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers")
            .field("store", self.store.url())
            .field("daemon", &self.daemon.is_some())
            .finish_non_exhaustive()
    }
}

impl Handlers {
    /// Handlers of a running daemon.
    pub fn of_daemon(settings: Arc<Settings>, store: Store, daemon: Arc<dyn Daemon>) -> Self {
        let daemon = Some(daemon);
        Self {
            settings,
            store,
            daemon,
        }
    }

    /// Handlers without a daemon: what only a daemon knows is refused.
    pub const fn of_store(settings: Arc<Settings>, store: Store) -> Self {
        let daemon = None;
        Self {
            settings,
            store,
            daemon,
        }
    }

    /// Performs one request.
    pub async fn handle(&self, actor: &Actor, request: Request) -> Reply {
        let result = match request {
            Request::Query(query) => self.query(actor, query).await,
            Request::Command(command) => self.command(actor, command).await,
        };
        match result {
            Ok(answer) => Reply::Answer(Box::new(answer)),
            Err(error) => Reply::Refusal(Refusal::from(&error)),
        }
    }

    /// Looks at something.
    ///
    /// # Errors
    /// What is asked about does not exist, cannot be read, or only a daemon knows.
    pub async fn query(&self, actor: &Actor, query: Query) -> Result<Answer, Error> {
        debug!(%actor, ?query, "query");
        Ok(match query {
            Query::Status => Answer::Status(self.daemon()?.status().await),
            Query::Carriers => {
                let (snapshot, live) = (self.snapshot().await?, self.live_carriers().await);
                Answer::Carriers(carriers::list(&snapshot, live.as_ref(), now().wall_ms))
            }
            Query::Carrier { id } => {
                let (snapshot, live) = (self.snapshot().await?, self.live_carriers().await);
                Answer::Carrier(carriers::show(
                    &snapshot,
                    &self.settings,
                    live.as_ref(),
                    now().wall_ms,
                    &id,
                )?)
            }
            Query::CarrierAdd(wanted) => {
                let planned = self.plan_carrier(&wanted).await?;
                Answer::CarrierAdd(planned.view(AddOutcome::Shown))
            }
            Query::Routes => Answer::Routes(routes::list(&*self.snapshot().await?)),
            Query::Explain(asked) => {
                let snapshot = self.snapshot().await?;
                let (health, now_ms) = (self.health(&snapshot), now().wall_ms);
                Answer::Explain(explain::explain(&snapshot, health, &self.settings, asked, now_ms)?)
            }
            Query::Calls => Answer::Calls(self.calls().await?),
            Query::Attempts(wanted) => Answer::Attempts(AttemptsView {
                attempts: self.store.find_attempts(wanted.into()).await?,
            }),
        })
    }

    /// Changes something, and puts on record who did it or tried to.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub async fn command(&self, actor: &Actor, command: Command) -> Result<Answer, Error> {
        let record = Record::new(actor, &command);
        let target = record.target.clone();
        let result = match command {
            Command::RouteAdd(wanted) => self.add_route(record.clone(), wanted).await.map(Answer::RouteAdd),
            Command::RouteRemove { id } => self.remove_route(record.clone(), id).await.map(Answer::RouteRemove),
            Command::CarrierAdd(wanted) => {
                let added = self.add_carrier(actor, record.clone(), &wanted).await;
                added.map(Answer::CarrierAdd)
            }
            Command::CarrierTest(wanted) => {
                let tested = self.test_carrier(actor, record.clone(), &wanted).await;
                tested.map(Answer::CarrierTest)
            }
            Command::CarrierSet { id, settings } => {
                let set = self.set_carrier(record.clone(), id, &settings).await;
                set.map(Answer::CarrierSet)
            }
            Command::CarrierOperate(wanted) => {
                let said = self.operate_carrier(actor, record.clone(), wanted).await;
                said.map(Answer::CarrierOperate)
            }
            Command::Reload => self.reload(record.clone()).await.map(Answer::Reload),
        };
        match &result {
            Ok(_) => info!(%actor, command = record.command, target, "done"),
            Err(error) => {
                info!(%actor, command = record.command, target, code = error.code(), %error, "refused");
                self.put_refusal_on_record(record, error).await;
            }
        }
        result
    }

    /// What a running daemon knows of its carriers.
    async fn live_carriers(&self) -> Option<HashMap<CarrierId, CarrierNow>> {
        match &self.daemon {
            Some(daemon) => Some(daemon.carriers().await),
            None => None,
        }
    }

    /// How fit carriers are; without a daemon only the words of operators are known.
    fn health(&self, snapshot: &Snapshot) -> HealthView {
        let of_words = || {
            let now_ms = now().wall_ms;
            let words = snapshot.operator_settings().into_iter();
            let class = |word: OperatorSetting| Class {
                operator: word.in_force(now_ms),
                ..Class::default()
            };
            words.map(|(carrier, word)| (carrier, class(word))).collect()
        };
        self.daemon.as_ref().map_or_else(of_words, |daemon| daemon.health())
    }

    async fn calls(&self) -> Result<CallsView, Error> {
        let calls = self.daemon()?.calls().await;
        let now_ms = now().wall_ms;
        let mut calls: Vec<CallView> = calls.iter().map(|call| CallView::new(call, now_ms)).collect();
        calls.sort_by(|left, right| (right.age_ms, &left.call_id).cmp(&(left.age_ms, &right.call_id)));
        Ok(CallsView { calls })
    }

    async fn add_route(&self, record: Record, wanted: RouteAdd) -> Result<RouteAddedView, Error> {
        let checked = routes::check(&self.read_store().await?, &self.settings, &wanted)?;
        let audit = move |id| record.clone().about(format!("route {id}")).row(DONE);
        match self.store.add_route(checked.row(&wanted), audit).await? {
            RouteAdded::New(id) => Ok(checked.added(id, self.take_effect().await)),
            RouteAdded::Same(id) => Err(Error::DuplicateRoute(id)),
        }
    }

    async fn remove_route(&self, record: Record, id: i64) -> Result<RouteRemovedView, Error> {
        if !self.store.remove_route(id, record.row(DONE)).await? {
            return Err(Error::UnknownRoute(id));
        }
        let effect = self.take_effect().await;
        Ok(RouteRemovedView { removed: id, effect })
    }

    async fn plan_carrier(&self, wanted: &CarrierAdd) -> Result<carrier_add::Planned, Error> {
        let tables = self.store.routing_tables().await?;
        Ok(carrier_add::plan(tables, &self.settings, wanted)?)
    }

    /// The settings go first: with the row alone, a route of an earlier carrier of this id would lead to it at once.
    async fn add_carrier(&self, actor: &Actor, record: Record, wanted: &CarrierAdd) -> Result<CarrierAddView, Error> {
        let planned = self.plan_carrier(wanted).await?;
        let settings = planned.settings.clone();
        if planned.is_new() {
            let write = move |row: &mut CarrierSettingsRow| carrier_add::apply(&settings, row);
            self.store
                .change_carrier_settings(&wanted.id, write, record.row(DONE))
                .await?;
        }
        let by = ChangedBy {
            user: actor.as_str().to_owned(),
            ip_address: self.settings.server.ip.to_string(),
            what: "carrier add".to_owned(),
        };
        let written = admin::insert_carrier(&self.store, planned.row.clone(), by).await;
        let outcome = match written.map_err(CarrierAddError::from)? {
            Written::Changed => AddOutcome::Written(self.take_effect().await),
            Written::AlreadySo => AddOutcome::AlreadyThere,
        };
        Ok(planned.view(outcome))
    }

    async fn test_carrier(
        &self,
        actor: &Actor,
        record: Record,
        wanted: &CarrierTest,
    ) -> Result<CarrierTestView, Error> {
        let daemon = self.daemon()?;
        let snapshot = daemon.snapshot();
        let id = CarrierId::from(wanted.id.as_str());
        let carrier = carriers::find(&snapshot, &self.settings, &wanted.id)?;
        let call = carrier_test::call(carrier, wanted)?;
        let tested = daemon.place_test_call(call.clone()).await?;
        let mut became_active = None;
        if tested.end == TestEnd::Answered {
            let tested_ms = now().wall_ms;
            let digest = snapshot.digests.get(&id).cloned();
            let write = move |row: &mut CarrierSettingsRow| {
                row.tested_ms = Some(tested_ms);
                row.tested_digest.clone_from(&digest);
                if row.status.as_deref() == Some(snapshot::STAGED) {
                    row.status = Some(snapshot::ACTIVE.to_owned());
                }
            };
            self.store
                .change_carrier_settings(&wanted.id, write, record.row(DONE))
                .await?;
            daemon.carrier_works(&id, actor.as_str()).await;
            let effect = self.take_effect().await;
            became_active = carrier.is_staged.then_some(effect);
        } else {
            self.store.insert_audit(record.row(DONE)).await?;
        }
        Ok(CarrierTestView::new(call, tested, became_active))
    }

    async fn set_carrier(&self, record: Record, id: String, settings: &[String]) -> Result<CarrierSetView, Error> {
        let change = carrier_settings::Change::parse(settings)?;
        let before = self.read_store().await?;
        carriers::find(&before, &self.settings, &id)?;
        change.check(&before.carrier_settings, &id)?;
        let write = move |row: &mut CarrierSettingsRow| change.apply(row);
        self.store.change_carrier_settings(&id, write, record.row(DONE)).await?;
        let effect = self.take_effect().await;
        let settings = carrier_settings::shown(&self.read_store().await?.carrier_settings, &id.as_str().into());
        Ok(CarrierSetView { id, settings, effect })
    }

    /// An operator in need of this command must not depend on anything but the row that it writes: what calls are routed by
    /// says which carriers there are.
    async fn operate_carrier(
        &self,
        actor: &Actor,
        record: Record,
        wanted: CarrierOperate,
    ) -> Result<CarrierOperateView, Error> {
        let began = Instant::now();
        let operator = wanted.setting(actor, record.at_ms)?;
        let carrier = CarrierId::from(wanted.id.as_str());
        let mut snapshot = self.snapshot().await?;
        if !operator_word::knows(&snapshot, &carrier) {
            // It may be new.
            snapshot = Arc::new(self.read_store().await?);
        }
        if !operator_word::knows(&snapshot, &carrier) {
            carriers::find(&snapshot, &self.settings, &wanted.id)?;
        }
        let mut words = operator_words(&self.store.carrier_settings().await?);
        words.insert(carrier.clone(), operator.clone());
        let setting = operator.clone();
        let write = move |row: &mut CarrierSettingsRow| operator_word::write(&setting, row);
        self.store
            .change_carrier_settings(&wanted.id, write, record.row(DONE))
            .await?;
        let effect = match &self.daemon {
            None => Effect::AtStart,
            Some(daemon) => effect_of(daemon.take_operator_words().await),
        };
        Ok(CarrierOperateView {
            left_without: operator_word::left_without(&snapshot, &carrier, &words, operator.since_ms),
            id: wanted.id,
            operator,
            effect,
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    async fn reload(&self, record: Record) -> Result<Reloaded, Error> {
        let daemon = self.daemon()?;
        daemon.refresh().await?;
        self.store.insert_audit(record.row(DONE)).await?;
        let snapshot = daemon.snapshot();
        let of_carriers = snapshot.carrier_problems.iter().map(ToString::to_string);
        let of_routes = snapshot.route_problems.iter().map(ToString::to_string);
        Ok(Reloaded {
            carriers: snapshot.carriers.len(),
            routes: snapshot.routes().len(),
            problems: of_carriers.chain(of_routes).collect(),
        })
    }

    /// Makes the daemon use what was just written. The change stands whatever comes of it.
    async fn take_effect(&self) -> Effect {
        match &self.daemon {
            None => Effect::AtStart,
            Some(daemon) => effect_of(daemon.refresh().await),
        }
    }

    async fn put_refusal_on_record(&self, record: Record, error: &Error) {
        // A store that just failed would only make the caller wait again.
        if matches!(error, Error::Store(_)) {
            return;
        }
        if let Err(store_error) = self.store.insert_audit(record.row(error.code())).await {
            warn!(error = %store_error, "a refused command could not be put on record");
        }
    }

    fn daemon(&self) -> Result<&dyn Daemon, Error> {
        self.daemon.as_deref().ok_or(Error::DaemonNotRunning)
    }

    /// What calls are routed by; without a daemon, what they would be.
    async fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        match &self.daemon {
            Some(daemon) => Ok(daemon.snapshot()),
            None => Ok(Arc::new(self.read_store().await?)),
        }
    }

    async fn read_store(&self) -> Result<Snapshot, Error> {
        Ok(snapshot::read(&self.store, &self.settings).await?)
    }
}

/// From when on a change holds that the daemon was made to read.
fn effect_of(read: Result<(), RefreshError>) -> Effect {
    match read {
        Ok(()) => Effect::Now,
        Err(error) => {
            warn!(%error, "written, but the daemon could not read it yet");
            Effect::Delayed
        }
    }
}

/// What goes on record about a command, but for its outcome.
#[derive(Clone, Debug)]
struct Record {
    at_ms: i64,
    actor: String,
    command: &'static str,
    target: String,
    detail: String,
}

impl Record {
    fn new(actor: &Actor, command: &Command) -> Self {
        let target = match command {
            Command::RouteAdd(_) => NEW_ROUTE.to_owned(),
            Command::RouteRemove { id } => format!("route {id}"),
            Command::CarrierSet { id, .. }
            | Command::CarrierOperate(CarrierOperate { id, .. })
            | Command::CarrierAdd(CarrierAdd { id, .. })
            | Command::CarrierTest(CarrierTest { id, .. }) => {
                format!("carrier {id}")
            }
            Command::Reload => "tables".to_owned(),
        };
        Self {
            at_ms: now().wall_ms,
            actor: actor.as_str().to_owned(),
            command: command.name(),
            target,
            detail: command.on_record(),
        }
    }

    fn about(self, target: String) -> Self {
        Self { target, ..self }
    }

    fn row(self, outcome: &str) -> AuditRow {
        AuditRow {
            at_ms: self.at_ms,
            actor: self.actor,
            command: self.command.to_owned(),
            target: self.target,
            detail: self.detail,
            outcome: outcome.to_owned(),
        }
    }
}
