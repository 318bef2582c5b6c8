//! The start, in order: what is stored, Asterisk, what watches, who may ask, and callers last.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::ari::{self, Client, Notice};
use crate::config::{Listen, Settings};
use crate::control::Handlers;
use crate::engine::stasis::{Dispatcher, Shared};
use crate::engine::{AttemptLog, Calls, Door, EngineCounters, HealthDesk, LiveView, RunnerShared, now};
use crate::metrics::{self, Metrics};
use crate::notify::{self, Notifier};
use crate::spool::{Spool, Waiting};
use crate::store::{IfMissing, Store};
use crate::vicidial::contract::VicidialContract;
use crate::vicidial::recent_channels::{RecentChannelCounters, RecentChannels};

use super::engine_choice::Teller;
use super::fast_agi::{self, FastAgi};
use super::figures::CarrierFigures;
use super::gauges::Gauges;
use super::handle::Handle;
use super::lost::Lost;
use super::operator_words::Words;
use super::probes::Witnesses;
use super::records::Records;
use super::reload::{LiveCallSettings, LiveSettings, Reload, Reread};
use super::running::Running;
use super::survivors::Survivors;
use super::tables::{Live, Reader, Tables};
use super::{Error, health, operators};

/// Without systemd's watchdog nobody listens; the dispatcher turns all the same.
const IDLE_WATCHDOG: Duration = Duration::from_secs(1);
/// How long legs through carriers with a limit wait until the channels that an earlier process left are in the books. Usually it
/// takes a second and a quarter.
const BOOKS_LIMIT: Duration = Duration::from_secs(5);

/// Starts everything.
pub(super) async fn start(settings: Settings, reread: Reread, hangup: Signal) -> Result<Running, Error> {
    let started_ms = now().wall_ms;
    let (leaving, doors_close, over) = (
        CancellationToken::new(),
        CancellationToken::new(),
        CancellationToken::new(),
    );
    let stored = Stored::read(settings).await?;
    let settings = Arc::clone(&stored.settings);
    let asterisk = Asterisk::reach(&settings, &over).await?;
    let tables = Tables::keep_fresh(stored.reader, asterisk.client.clone());
    let call_settings = LiveCallSettings::new(&settings.call);
    let reload = Arc::new(Reload {
        reread,
        settings: Arc::clone(&stored.live_settings),
        call: call_settings.clone(),
        tables: tables.clone(),
    });
    tokio::spawn(Arc::clone(&reload).on_hangup(hangup));
    let (spool, waiting, moving) = Spool::open(&settings.attempts.spool, stored.store.clone())?;
    let house = House {
        ari: asterisk.client,
        ari_state: asterisk.state,
        tables,
        door: stored.door,
        health: stored.health,
        live: LiveView::open(),
        figures: CarrierFigures::open(),
        metrics: Metrics::new(),
        waiting,
        engine_counters: Arc::default(),
        agi_counters: fast_agi::Counters::default(),
        recent_channel_counters: stored
            .recent_channels
            .as_ref()
            .map(|channels| Arc::clone(channels.counters())),
        leaving: leaving.clone(),
    };
    house.open_metrics(&settings, &doors_close);
    let notifier = Notifier::open(
        &settings.notify,
        notify::Limits::default(),
        settings.server.ip.to_string(),
    );
    // A copy: a reference would keep all that was read first for as long as the daemon runs.
    let rows = house.tables.published().snapshot.carrier_settings.clone();
    let words = Words::keep(&rows, stored.store.clone(), house.health.clone(), notifier.clone()).await;
    house.watch_carriers(&settings, asterisk.qualify, &notifier);
    let health_kept = tokio::spawn(stored.health_record.keep(house.health.clone(), over.clone()));
    let records = Arc::new(Records::new(
        spool.clone(),
        settings.server.ip.to_string(),
        house.figures.clone(),
    ));
    let handle = Handle {
        started_ms,
        application: settings.ari.app.clone(),
        ari: house.ari.clone(),
        ari_config: asterisk.config,
        test_call: tokio::sync::Mutex::default(),
        ari_state: house.ari_state.clone(),
        tables: house.tables.clone(),
        words,
        notifier: notifier.clone(),
        figures: house.figures.clone(),
        reload,
        live: house.live.clone(),
        door: house.door.clone(),
        health: house.health.clone(),
        records: Arc::clone(&records) as Arc<dyn AttemptLog>,
        engine: Arc::clone(&house.engine_counters),
        waiting: house.waiting.clone(),
        agi_counters: house.agi_counters.clone(),
        recent_channels: house.recent_channel_counters.clone(),
        leaving: leaving.clone(),
    };
    let handlers = Handlers::of_daemon(Arc::clone(&settings), stored.store.clone(), Arc::new(handle));
    let operators = tokio::spawn(operators::keep_open(
        settings.control.socket.clone(),
        Arc::new(handlers),
        doors_close.clone(),
    ));

    let (taken, taken_legs) = mpsc::unbounded_channel();
    let contract = VicidialContract::new(
        settings.server.number,
        first_serial(started_ms),
        call_settings.rules,
        stored.live_tables.timeouts,
    );
    let calls = Calls {
        routes: stored.live_tables.routes,
        policies: stored.live_tables.policies,
        contract: Arc::new(contract.with_recent_channels(stored.recent_channels)),
        runner: RunnerShared {
            door: house.door.clone(),
            health: house.health.clone(),
            metrics: house.metrics.clone(),
            counters: Arc::clone(&house.engine_counters),
            records,
            taken: taken.clone(),
            leaving: leaving.clone(),
        },
        live: house.live.clone(),
        policy: call_settings.policy,
    };
    let fast_agi = FastAgi::open(&settings, calls.clone(), taken_legs, house.agi_counters.clone())?;
    let compared = watch::Sender::new(0);
    let lost = Lost {
        store: stored.store,
        server_ip: settings.server.ip.to_string(),
        live: house.live.clone(),
        survivors: Survivors {
            ari: house.ari.clone(),
            sidecar: fast_agi.sidecar(),
            door: house.door.clone(),
            taken,
            live: house.live.clone(),
            spool,
            leaving: leaving.clone(),
            gone: Arc::default(),
        },
        waiting: house.waiting.clone(),
        compared: compared.subscribe(),
        started_ms,
    };
    let leftovers_are_moved = moving.leftovers_are_moved();
    tokio::spawn(
        leaving
            .clone()
            .run_until_cancelled_owned(lost.close_each_time(leftovers_are_moved)),
    );
    house.send_calls(stored.live_settings, &fast_agi);
    let dispatcher = tokio::spawn(serve_callers(house.ari, Shared { calls, compared }, asterisk.notices));
    Ok(Running {
        dispatcher,
        fast_agi,
        operators,
        health_kept,
        notifier,
        moving,
        leaving,
        doors_close,
        over,
    })
}

/// What was there before: settings, and what the store knows.
struct Stored {
    settings: Arc<Settings>,
    live_settings: LiveSettings,
    store: Store,
    recent_channels: Option<RecentChannels>,
    door: Door,
    health_record: health::Record,
    health: HealthDesk,
    reader: Reader,
    live_tables: Live,
}

impl Stored {
    async fn read(settings: Settings) -> Result<Self, Error> {
        let settings = Arc::new(settings);
        let store = Store::open(&settings.store.url, IfMissing::Create).await?;
        let recent_channels = RecentChannels::beside_vicidial(&settings.store.url, settings.server.ip).await?;
        let live_settings: LiveSettings = Arc::new(ArcSwap::new(Arc::clone(&settings)));
        let door = Door::open_before_the_books(BOOKS_LIMIT);
        let health_record = health::Record {
            store: store.clone(),
            server_ip: settings.server.ip.to_string(),
        };
        let health = health_record.open(&settings.health).await;
        let (reader, live_tables) =
            Reader::load(store.clone(), Arc::clone(&live_settings), door.clone(), health.clone()).await?;
        Ok(Self {
            settings,
            live_settings,
            store,
            recent_channels,
            door,
            health_record,
            health,
            reader,
            live_tables,
        })
    }
}

/// The connections to Asterisk.
struct Asterisk {
    config: ari::Config,
    client: Client,
    notices: mpsc::Receiver<Notice>,
    state: watch::Receiver<ari::State>,
    /// A connection of its own for what qualify finds, and what it brings.
    qualify: (Client, mpsc::Receiver<Notice>),
}

impl Asterisk {
    /// An Asterisk that is not there yet is waited for; one that refuses us is an error.
    async fn reach(settings: &Settings, over: &CancellationToken) -> Result<Self, Error> {
        let refused = |source| Error::Ari {
            endpoint: settings.ari.endpoint.clone(),
            source,
        };
        let config = settings.ari.connection()?;
        match ari::probe(&config).await {
            Ok(_) => {}
            Err(source @ ari::Error::Unauthorized { .. }) => return Err(refused(source)),
            Err(error) => {
                warn!(endpoint = %settings.ari.endpoint, %error, "Asterisk does not answer yet; waiting for it")
            }
        }
        let connect = |config| ari::connect(config, over.clone()).map_err(refused);
        let (client, notices, state) = connect(ari::Config {
            events: &Dispatcher::EVENTS,
            ..config.clone()
        })?;
        let (qualify_client, qualify_notices, _) = connect(settings.ari.connection_as(&settings.ari.qualify_app())?)?;
        Ok(Self {
            config,
            client,
            notices,
            state,
            qualify: (qualify_client, qualify_notices),
        })
    }
}

/// What most of the house has to do with.
struct House {
    ari: Client,
    ari_state: watch::Receiver<ari::State>,
    tables: Tables,
    door: Door,
    health: HealthDesk,
    live: LiveView,
    figures: CarrierFigures,
    metrics: Metrics,
    waiting: Waiting,
    engine_counters: Arc<EngineCounters>,
    agi_counters: fast_agi::Counters,
    /// With VICIdial's database.
    recent_channel_counters: Option<Arc<RecentChannelCounters>>,
    leaving: CancellationToken,
}

impl House {
    fn open_metrics(&self, settings: &Settings, doors_close: &CancellationToken) {
        let Listen::At(address) = settings.metrics.listen else {
            return;
        };
        let gauges = Gauges {
            metrics: self.metrics.clone(),
            live: self.live.clone(),
            door: self.door.clone(),
            health: self.health.clone(),
            waiting: self.waiting.clone(),
            tables: self.tables.clone(),
            ari_state: self.ari_state.clone(),
            recent_channels: self.recent_channel_counters.clone(),
        };
        tokio::spawn(metrics::keep_open(
            address,
            self.metrics.clone(),
            gauges.refresh(),
            doors_close.clone(),
        ));
    }

    /// Lets carriers be looked at without calls, and what changes be told.
    fn watch_carriers(&self, settings: &Settings, qualify: (Client, mpsc::Receiver<Notice>), notifier: &Notifier) {
        tokio::spawn(health::tell_changes(
            self.health.clone(),
            self.metrics.clone(),
            notifier.clone(),
        ));
        let witnesses = Witnesses {
            qualify,
            tables: self.tables.clone(),
            desk: self.health.clone(),
            metrics: self.metrics.clone(),
            figures: self.figures.clone(),
        };
        witnesses.watch(settings);
    }

    /// Lets Asterisk know that calls may come, and which engine carries them; systemd hears of it the first time.
    fn send_calls(&self, settings: LiveSettings, fast_agi: &FastAgi) {
        let (has_answered, dialplan_is_told) = watch::channel(false);
        let teller = Teller {
            ari: self.ari.clone(),
            ari_state: self.ari_state.clone(),
            settings,
            tables: self.tables.clone(),
            is_listening: fast_agi.is_listening(),
            has_answered,
            leaving: self.leaving.clone(),
        };
        tokio::spawn(teller.run());
        tokio::spawn(announce(dialplan_is_told));
    }
}

/// Serves callers, and systemd's watchdog from the same task.
async fn serve_callers(client: Client, shared: Shared, notices: mpsc::Receiver<Notice>) {
    let watchdog = sd_notify::watchdog_enabled();
    let interval = watchdog.map_or(IDLE_WATCHDOG, |limit| limit / 4);
    let alive = move || {
        if watchdog.is_some() {
            super::notify(&[sd_notify::NotifyState::Watchdog]);
        }
    };
    Dispatcher::run(client, shared, notices, interval, alive).await;
}

/// Where the numbers of legs begin: not where those of the process before began.
fn first_serial(started_ms: i64) -> u32 {
    u32::try_from(started_ms.rem_euclid(1_000_000)).unwrap_or_default()
}

/// Tells systemd that the daemon is ready when Asterisk sends it calls for the first time.
async fn announce(mut dialplan_is_told: watch::Receiver<bool>) {
    if dialplan_is_told.wait_for(|is_told| *is_told).await.is_ok() {
        info!("ready");
        super::notify(&[sd_notify::NotifyState::Ready]);
    }
}
