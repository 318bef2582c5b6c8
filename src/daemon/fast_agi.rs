//! The FastAGI server and its side-car, while the daemon runs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::agi;
use crate::ari;
use crate::config::Settings;
use crate::engine::agi::{self as engine, Service, Sidecar};
use crate::engine::{Calls, TakenLeg};

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
    is_listening: watch::Receiver<bool>,
    sidecar: Sidecar,
}

impl FastAgi {
    /// Starts to listen, now or as soon as the port is free.
    pub(super) fn open(
        settings: &Settings,
        calls: Calls,
        taken: mpsc::UnboundedReceiver<TakenLeg>,
        counters: Counters,
    ) -> Result<Self, Error> {
        let mut config = settings.ari.connection_as(&settings.ari.watching_app())?;
        config.events = &Sidecar::EVENTS;
        let cancel_ari = CancellationToken::new();
        let (client, notices, _) = ari::connect(config, cancel_ari.clone()).map_err(|source| Error::Ari {
            endpoint: settings.ari.endpoint.clone(),
            source,
        })?;
        let sidecar = Sidecar::start(client, notices, counters.watch);
        tokio::spawn(sidecar.clone().keep_places(taken));
        let server = agi::Server {
            maximum_sessions: usize::try_from(settings.agi.max_sessions).unwrap_or(usize::MAX),
            limits: agi::Limits::default(),
            counters: counters.server,
            sessions: TaskTracker::new(),
        };
        let address = settings.agi.listen;
        let first = bind(address);
        let (tell, is_listening) = watch::channel(first.is_ok());
        let sessions = server.sessions.clone();
        let port = Port { address, first, tell };
        let service = Service {
            calls,
            sidecar: sidecar.clone(),
        };
        tokio::spawn(listen(port, server, service));
        Ok(Self {
            sessions,
            cancel_ari,
            is_listening,
            sidecar,
        })
    }

    /// Whether calls may be sent here.
    pub(super) fn is_listening(&self) -> watch::Receiver<bool> {
        self.is_listening.clone()
    }

    /// What watches legs.
    pub(super) fn sidecar(&self) -> Sidecar {
        self.sidecar.clone()
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

/// Where to listen.
struct Port {
    address: SocketAddr,
    /// What the first try came to.
    first: io::Result<TcpListener>,
    tell: watch::Sender<bool>,
}

impl Port {
    /// The port as soon as it is ours.
    async fn opened(self) -> TcpListener {
        let Self { address, first, tell } = self;
        if let Err(error) = &first {
            warn!(%address, %error, "no FastAGI yet, trying again: calls go to Stasis");
        }
        let mut tried = first;
        loop {
            match tried {
                Ok(listener) => {
                    info!(%address, "listening for FastAGI");
                    tell.send_replace(true);
                    return listener;
                }
                Err(_) => tokio::time::sleep(BIND_AGAIN_AFTER).await,
            }
            tried = bind(address);
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn listen(port: Port, server: agi::Server, service: Service) {
    let leaving = service.calls.runner.leaving.clone();
    let listener = tokio::select! {
        () = leaving.cancelled() => return,
        listener = port.opened() => listener,
    };
    agi::serve(listener, server, leaving, move |prelude, session| {
        service.clone().call(prelude, session)
    })
    .await;
}
