//! A stand-in for a running daemon.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use crankback::carrier::CarrierId;
use crankback::config::Settings;
use crankback::control::{AriStatus, CallCounts, CarrierNow, Daemon, RefreshError, StatusView, TablesStatus};
use crankback::engine::stasis::{TestCall, TestCallError, TestEnd, TestedCall};
use crankback::engine::{CallIdentity, LiveCall, LiveState, now};
use crankback::health::HealthView;
use crankback::snapshot::Snapshot;
use crankback::store::{Store, StoreError};
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

/// Remembers what it was asked and answers what the test chose.
pub(super) struct FakeDaemon {
    store: Store,
    settings: Arc<Settings>,
    snapshot: Mutex<Arc<Snapshot>>,
    pub(super) calls: Mutex<Vec<Arc<LiveCall>>>,
    pub(super) carriers: Mutex<HashMap<CarrierId, CarrierNow>>,
    pub(super) refreshes: AtomicUsize,
    pub(super) refresh_fails: AtomicBool,
    /// Times that it was made to read the words of operators.
    pub(super) words_taken: AtomicUsize,
    pub(super) connected: AtomicBool,
    /// How the next test call ends; none was placed where it is `None`.
    pub(super) test_call_end: Mutex<Option<TestEnd>>,
    /// The test calls that were asked for.
    pub(super) test_calls: Mutex<Vec<TestCall>>,
    /// The carriers that somebody has seen work.
    pub(super) working: Mutex<Vec<CarrierId>>,
    /// Refreshes wait here; closed to hold them up.
    pub(super) gate: Semaphore,
}

impl FakeDaemon {
    pub(super) async fn start(store: Store, settings: Arc<Settings>) -> Arc<Self> {
        let snapshot = read(&store, &settings).await.expect("the tables are read");
        Arc::new(Self {
            store,
            settings,
            snapshot: Mutex::new(snapshot),
            calls: Mutex::default(),
            carriers: Mutex::default(),
            refreshes: AtomicUsize::new(0),
            refresh_fails: AtomicBool::new(false),
            words_taken: AtomicUsize::new(0),
            connected: AtomicBool::new(true),
            test_call_end: Mutex::default(),
            test_calls: Mutex::default(),
            working: Mutex::default(),
            gate: Semaphore::new(1),
        })
    }
}

async fn read(store: &Store, settings: &Settings) -> Result<Arc<Snapshot>, StoreError> {
    let tables = store.routing_tables().await?;
    Ok(Arc::new(Snapshot::new(tables, settings)))
}

impl Daemon for FakeDaemon {
    fn status(&self) -> BoxFuture<'_, StatusView> {
        let connected = self.connected.load(SeqCst);
        let now_ms = now().wall_ms;
        let view = StatusView {
            version: "0.0.1".into(),
            pid: 4711,
            started_ms: now_ms - 3_600_000,
            now_ms,
            draining: false,
            ari: AriStatus {
                application: "crankback".into(),
                state: if connected { "connected" } else { "connecting" }.into(),
                since_ms: Some(now_ms - 60_000),
                epoch: connected.then_some(3),
                asterisk: connected.then(|| "22.10.1".into()),
                failures: (!connected).then_some(7),
                last_error: None,
            },
            calls: CallCounts {
                trying: 1,
                ringing: 2,
                connected: 3,
            },
            legs_out: [("PRIMARY".to_owned(), 6)].into(),
            tables: TablesStatus {
                carriers: 3,
                routes: 1,
                problems: 0,
                read_ms: now_ms - 90_000,
                checked_ms: now_ms - 1_000,
                stale_since_ms: None,
                stale_because: None,
                held_back: Vec::new(),
            },
            attempts_waiting: 5,
            counters: [("ari_overruns".to_owned(), 0)].into(),
        };
        Box::pin(async { view })
    }

    fn calls(&self) -> BoxFuture<'_, Vec<Arc<LiveCall>>> {
        let calls = self.calls.lock().unwrap().clone();
        Box::pin(async { calls })
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock().unwrap())
    }

    fn health(&self) -> HealthView {
        HealthView::default()
    }

    fn refresh(&self) -> BoxFuture<'_, Result<(), RefreshError>> {
        Box::pin(async {
            let _pass = self.gate.acquire().await.expect("the gate is there");
            self.refreshes.fetch_add(1, SeqCst);
            if self.refresh_fails.load(SeqCst) {
                let url = self.store.url().clone();
                return Err(StoreError::Locked { url }.into());
            }
            let snapshot = read(&self.store, &self.settings).await?;
            *self.snapshot.lock().unwrap() = snapshot;
            Ok(())
        })
    }

    fn carriers(&self) -> BoxFuture<'_, HashMap<CarrierId, CarrierNow>> {
        let carriers = self.carriers.lock().unwrap().clone();
        Box::pin(async { carriers })
    }

    fn place_test_call(&self, call: TestCall) -> BoxFuture<'_, Result<TestedCall, TestCallError>> {
        self.test_calls.lock().unwrap().push(call);
        let end = self.test_call_end.lock().unwrap().take();
        Box::pin(async {
            Ok(TestedCall {
                rungs: Vec::new(),
                pdd: None,
                end: end.ok_or(TestCallError::Busy)?,
            })
        })
    }

    fn carrier_works<'a>(&'a self, carrier: &'a CarrierId, _by: &'a str) -> BoxFuture<'a, ()> {
        self.working.lock().unwrap().push(carrier.clone());
        Box::pin(async {})
    }

    fn take_operator_words(&self) -> BoxFuture<'_, Result<(), RefreshError>> {
        self.words_taken.fetch_add(1, SeqCst);
        let locked = self.refresh_fails.load(SeqCst);
        let url = self.store.url().clone();
        Box::pin(async move {
            if locked {
                Err(StoreError::Locked { url }.into())
            } else {
                Ok(())
            }
        })
    }
}

/// A call that came `age_ms` ago.
pub(super) fn call(id: &str, carrier: Option<&str>, attempt: u32, state: LiveState, age_ms: i64) -> Arc<LiveCall> {
    Arc::new(LiveCall {
        identity: Arc::new(CallIdentity {
            call_id: id.into(),
            caller_channel: format!("Local/913125550100@default-{id};2"),
            call_code: format!("V{id}"),
            dialled: "913125550100".into(),
            entry: CarrierId::from("PRIMARY"),
            campaign: Some("TEST".into()),
        }),
        began_ms: now().wall_ms - age_ms,
        carrier: carrier.map(CarrierId::from),
        attempt,
        state,
    })
}
