//! The FastAGI server and its side-car, while the daemon runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::agi;
use crate::ari;
use crate::config::Settings;
use crate::engine::Calls;
use crate::engine::agi::{self as engine, Service, Sidecar};

use super::Error;

/// How often the port is asked for while somebody else has it: a daemon that this one replaces gives it up in a moment.
const BIND_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// What the FastAGI engine counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    server: Arc<agi::Counters>,
    watch: Arc<engine::Counters>,
}

impl Counters {
    /// Names for operators, with their values.
    pub(super) fn named(&self) -> [(&'static str, u64); 5] {
        [
            ("agi_sessions", self.server.sessions()),
            ("agi_sessions_malformed", self.server.malformed()),
            ("agi_sessions_panicked", self.server.panicked()),
            ("agi_sessions_refused", self.server.refused()),
            ("agi_calls_unwatched", self.watch.unwatched()),
        ]
    }
}

/// What must be waited for at the end.
#[derive(Debug)]
pub(super) struct FastAgi {
    sessions: TaskTracker,
    cancel_ari: CancellationToken,
}

impl FastAgi {
    /// Starts to listen, and tells the dialplan to come here as soon as the port is ours.
    pub(super) fn open(settings: &Settings, calls: Calls, counters: Counters) -> Result<Self, Error> {
        let config = settings.ari.connection_as(&settings.ari.watching_app())?;
        let server = agi::Server {
            maximum_sessions: usize::try_from(settings.agi.max_sessions).unwrap_or(usize::MAX),
            limits: agi::Limits::default(),
            counters: counters.server,
            sessions: TaskTracker::new(),
        };
        let fast_agi = Self {
            sessions: server.sessions.clone(),
            cancel_ari: CancellationToken::new(),
        };
        let watch = Watch {
            config,
            counters: counters.watch,
            cancel: fast_agi.cancel_ari.clone(),
        };
        tokio::spawn(listen(settings.agi.listen, server, calls, watch));
        Ok(fast_agi)
    }

    /// Waits for calls that are not answered yet; the port is closed already. Answered ones go on without us.
    pub(super) async fn drain(self, limit: Duration) {
        self.sessions.close();
        if tokio::time::timeout(limit, self.sessions.wait()).await.is_err() {
            warn!(
                calls = self.sessions.len(),
                "FastAGI calls are left; they go on in the dialplan"
            );
        }
        self.cancel_ari.cancel();
    }
}

/// What the side-car is made of.
struct Watch {
    config: ari::Config,
    counters: Arc<engine::Counters>,
    cancel: CancellationToken,
}

async fn listen(address: SocketAddr, server: agi::Server, calls: Calls, watch: Watch) {
    let leaving = calls.runner.leaving.clone();
    let listener = tokio::select! {
        () = leaving.cancelled() => return,
        listener = bind(address) => listener,
    };
    info!(%address, "listening for FastAGI");
    let (client, notices, _) = match ari::connect(watch.config, watch.cancel) {
        Ok(connected) => connected,
        Err(error) => return warn!(%error, "no FastAGI engine: calls go to Stasis"),
    };
    let sidecar = Sidecar::start(client, notices, address, watch.counters);
    let service = Service { calls, sidecar };
    agi::serve(listener, server, leaving, move |prelude, session| {
        service.clone().call(prelude, session)
    })
    .await;
}

async fn bind(address: SocketAddr) -> TcpListener {
    let mut was_told = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) if !was_told => {
                warn!(%address, %error, "no FastAGI yet, trying again: calls go to Stasis");
                was_told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(BIND_AGAIN_AFTER).await;
    }
}
