//! The daemon: wires the rooms together, in order, and takes them down again.

mod carriers;
mod engine_choice;
mod fast_agi;
mod figures;
mod gauges;
mod handle;
mod health;
mod lost;
mod notices;
mod operator_words;
mod operators;
mod probes;
mod qualify;
mod records;
mod registrations;
mod reload;
mod survivors;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::ari;
use crate::config::{ConfigError, Listen, Settings};
use crate::control::Handlers;
use crate::engine::stasis::{Dispatcher, Shared};
use crate::engine::{Calls, Door, EngineCounters, LiveView, RunnerShared, now};
use crate::metrics::{self, Metrics};
use crate::notify::{self, Notifier};
use crate::spool::{Spool, SpoolError};
use crate::store::{IfMissing, Store, StoreError};
use crate::vicidial::contract::VicidialContract;
use crate::vicidial::recent_channels::RecentChannels;

use engine_choice::Teller;
use fast_agi::FastAgi;
use figures::CarrierFigures;
use gauges::Gauges;
use handle::Handle;
use lost::Lost;
use operator_words::Words;
use probes::Witnesses;
use records::Records;
use reload::{LiveCallSettings, LiveSettings, Reload};
use survivors::Survivors;
use tables::{Reader, Tables};

/// Without systemd's watchdog nobody listens; the dispatcher turns all the same.
const IDLE_WATCHDOG: Duration = Duration::from_secs(1);
/// How long legs through carriers with a limit wait until the channels that an earlier process left are in the books. Usually it
/// takes a second and a quarter.
const BOOKS_LIMIT: Duration = Duration::from_secs(5);
/// How long a daemon that goes down waits for the receivers of its last notices: two retries.
const NOTICES_LIMIT: Duration = Duration::from_secs(5);
/// How long a daemon that goes down waits for unanswered calls.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// Why the daemon could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Attempts cannot be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The ARI settings are not usable.
    #[error("[ari] in the configuration: {0}")]
    AriSettings(#[from] ari::ConfigError),
    /// Asterisk refused us or cannot be asked.
    #[error("Asterisk at {endpoint}: {source}")]
    Ari {
        /// The base address.
        endpoint: ari::Endpoint,
        /// What the request met.
        source: ari::Error,
    },
    /// The process could not listen for signals.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
}

impl Error {
    /// A stable name for metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => "store",
            Self::Spool(error) => error.code(),
            Self::AriSettings(_) => "ari_settings",
            Self::Ari { .. } => "ari",
            Self::Signals(_) => "signals",
        }
    }
}

/// Runs until SIGTERM or SIGINT, or until another process takes the application over.
///
/// `reread` reads the configuration again when an operator asks for it.
///
/// An Asterisk that is not there yet is waited for; a password that it refuses ends the start.
///
/// # Errors
/// [`Error`] says what is missing; nothing has been taken from Asterisk then.
pub async fn run(
    settings: Settings,
    reread: impl Fn() -> Result<Settings, ConfigError> + Send + Sync + 'static,
) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let hangup = signal(SignalKind::hangup()).map_err(Error::Signals)?;
    let started_ms = now().wall_ms;
    let settings = Arc::new(settings);
    let store = Store::open(&settings.store.url, IfMissing::Create).await?;
    let recent_channels = RecentChannels::beside_vicidial(&settings.store.url, settings.server.ip).await?;
    let recent_channel_counters = recent_channels.as_ref().map(|channels| Arc::clone(channels.counters()));
    let live_settings: LiveSettings = Arc::new(ArcSwap::new(Arc::clone(&settings)));
    let door = Door::open_before_the_books(BOOKS_LIMIT);
    let health_record = health::Record {
        store: store.clone(),
        server_ip: settings.server.ip.to_string(),
    };
    let health = health_record.open(&settings.health).await;
    let (reader, live_tables) =
        Reader::load(store.clone(), Arc::clone(&live_settings), door.clone(), health.clone()).await?;

    let config = settings.ari.connection()?;
    match ari::probe(&config).await {
        Ok(_) => {}
        Err(source @ ari::Error::Unauthorized { .. }) => {
            return Err(Error::Ari {
                endpoint: settings.ari.endpoint.clone(),
                source,
            });
        }
        Err(error) => warn!(endpoint = %settings.ari.endpoint, %error, "Asterisk does not answer yet; waiting for it"),
    }
    let cancel_ari = CancellationToken::new();
    let connect = |config| {
        ari::connect(config, cancel_ari.clone()).map_err(|source| Error::Ari {
            endpoint: settings.ari.endpoint.clone(),
            source,
        })
    };
    let (client, notices, state) = connect(config.clone())?;
    let (qualify_client, qualify_notices, _) = connect(settings.ari.connection_as(&settings.ari.qualify_app())?)?;

    let tables = Tables::keep_fresh(reader, client.clone());
    let call_settings = LiveCallSettings::new(&settings.call);
    let reload = Arc::new(Reload {
        reread: Box::new(reread),
        settings: Arc::clone(&live_settings),
        call: call_settings.clone(),
        tables: tables.clone(),
    });
    tokio::spawn(Arc::clone(&reload).on_hangup(hangup));
    let (spool, waiting, moving) = Spool::open(&settings.attempts.spool, store.clone())?;
    let live = LiveView::open();
    let counters = Arc::new(EngineCounters::default());
    let leaving = CancellationToken::new();
    let agi_counters = fast_agi::Counters::default();
    let metrics = Metrics::new();
    let no_more_metrics = CancellationToken::new();
    if let Listen::At(address) = settings.metrics.listen {
        let gauges = Gauges {
            metrics: metrics.clone(),
            live: live.clone(),
            door: door.clone(),
            health: health.clone(),
            waiting: waiting.clone(),
            tables: tables.clone(),
            ari_state: state.clone(),
            recent_channels: recent_channel_counters.clone(),
        };
        let cancel = no_more_metrics.clone();
        tokio::spawn(metrics::keep_open(address, metrics.clone(), gauges.refresh(), cancel));
    }
    let told_tables = tables.clone();
    let notifier = Notifier::open(
        &settings.notify,
        notify::Limits::default(),
        settings.server.ip.to_string(),
    );
    // A copy: a reference would keep all that was read first for as long as the daemon runs.
    let rows = tables.published().snapshot.carrier_settings.clone();
    let words = Words::keep(&rows, store.clone(), health.clone(), notifier.clone()).await;
    let figures = CarrierFigures::open();
    tokio::spawn(health::tell_changes(health.clone(), metrics.clone(), notifier.clone()));
    let witnesses = Witnesses {
        qualify: (qualify_client, qualify_notices),
        tables: tables.clone(),
        desk: health.clone(),
        metrics: metrics.clone(),
        figures: figures.clone(),
    };
    witnesses.watch(&settings);
    let health_is_over = CancellationToken::new();
    let health_kept = tokio::spawn(health_record.keep(health.clone(), health_is_over.clone()));
    let handle = Handle {
        started_ms,
        application: settings.ari.app.clone(),
        ari: client.clone(),
        ari_config: config,
        test_call: tokio::sync::Mutex::default(),
        ari_state: state.clone(),
        tables,
        words,
        notifier: notifier.clone(),
        figures: figures.clone(),
        reload,
        live: live.clone(),
        door: door.clone(),
        health: health.clone(),
        engine: Arc::clone(&counters),
        waiting: waiting.clone(),
        agi_counters: agi_counters.clone(),
        recent_channels: recent_channel_counters,
        leaving: leaving.clone(),
    };
    let no_more_operators = CancellationToken::new();
    let operators = tokio::spawn(operators::keep_open(
        settings.control.socket.clone(),
        Arc::new(Handlers::of_daemon(
            Arc::clone(&settings),
            store.clone(),
            Arc::new(handle),
        )),
        no_more_operators.clone(),
    ));

    let first_serial = u32::try_from(now().wall_ms.rem_euclid(1_000_000)).unwrap_or_default();
    let compared = watch::Sender::new(0);
    let leftovers_are_moved = moving.leftovers_are_moved();
    let (taken, taken_legs) = mpsc::unbounded_channel();
    let calls = Calls {
        routes: live_tables.routes,
        policies: live_tables.policies,
        contract: Arc::new(
            VicidialContract::new(
                settings.server.number,
                first_serial,
                call_settings.rules,
                live_tables.timeouts,
            )
            .with_recent_channels(recent_channels),
        ),
        runner: RunnerShared {
            door: door.clone(),
            health,
            metrics,
            counters,
            records: Arc::new(Records::new(spool.clone(), settings.server.ip.to_string(), figures)),
            taken: taken.clone(),
            leaving: leaving.clone(),
        },
        live: live.clone(),
        policy: call_settings.policy,
    };
    let fast_agi = FastAgi::open(&settings, calls.clone(), taken_legs, agi_counters)?;
    let lost = Lost {
        store,
        server_ip: settings.server.ip.to_string(),
        live: live.clone(),
        survivors: Survivors {
            ari: client.clone(),
            sidecar: fast_agi.sidecar(),
            door,
            taken,
            live,
            spool,
            leaving: leaving.clone(),
            gone: Arc::default(),
        },
        waiting,
        compared: compared.subscribe(),
        started_ms,
    };
    let goes = leaving.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = goes.cancelled() => {}
            () = lost.close_each_time(leftovers_are_moved) => {}
        }
    });
    let (has_answered, dialplan_is_told) = watch::channel(false);
    let teller = Teller {
        ari: client.clone(),
        ari_state: state.clone(),
        settings: live_settings,
        tables: told_tables,
        is_listening: fast_agi.is_listening(),
        has_answered,
        leaving: leaving.clone(),
    };
    tokio::spawn(teller.run());
    let watchdog = sd_notify::watchdog_enabled();
    let interval = watchdog.map_or(IDLE_WATCHDOG, |limit| limit / 4);
    let mut dispatcher = tokio::spawn(Dispatcher::run(
        client,
        Shared { calls, compared },
        notices,
        interval,
        move || {
            if watchdog.is_some() {
                notify(&[sd_notify::NotifyState::Watchdog]);
            }
        },
    ));
    tokio::spawn(announce(dialplan_is_told));

    let stopped_by = tokio::select! {
        _ = terminate.recv() => Some("SIGTERM"),
        _ = interrupt.recv() => Some("SIGINT"),
        _ = &mut dispatcher => None,
    };
    notify(&[sd_notify::NotifyState::Stopping]);
    match stopped_by {
        Some(signal) => {
            info!(signal, "stopping: waiting for calls that are not answered yet");
            leaving.cancel();
            if tokio::time::timeout(DRAIN_LIMIT, &mut dispatcher).await.is_err() {
                warn!("calls are left; answered ones go on without us and end by the dialplan");
                dispatcher.abort();
            }
        }
        None => info!("another process serves the application; leaving"),
    }
    leaving.cancel();
    fast_agi.drain(DRAIN_LIMIT).await;
    // Whoever took the application over waits for the socket.
    no_more_operators.cancel();
    no_more_metrics.cancel();
    if operators.await.is_err() {
        error!("the task that serves operators had failed");
    }
    cancel_ari.cancel();
    health_is_over.cancel();
    if tokio::time::timeout(Duration::from_secs(5), health_kept).await.is_err() {
        warn!("what is known of the carriers could not be written down in time");
    }
    notifier.finish(NOTICES_LIMIT).await;
    // It ends with the last call.
    if tokio::time::timeout(Duration::from_secs(5), moving.finished())
        .await
        .is_err()
    {
        warn!("attempts are left in the spool: the next daemon moves them to the store");
    }
    Ok(())
}

/// Tells systemd that the daemon is ready when Asterisk sends it calls for the first time.
async fn announce(mut dialplan_is_told: watch::Receiver<bool>) {
    if dialplan_is_told.wait_for(|is_told| *is_told).await.is_ok() {
        info!("ready");
        notify(&[sd_notify::NotifyState::Ready]);
    }
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd cannot be notified");
    }
}
