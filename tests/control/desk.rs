//! An operator's desk: a dialer's directory and store, handlers on them, and the socket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crankback::config::{self, Settings, Source};
use crankback::control::{Actor, Answer, Command, Handlers, Query, Refusal, Reply, Request, RouteAdd};
use crankback::socket::{ControlSocket, Limits, serve};
use crankback::store::Store;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::daemon::FakeDaemon;
use super::dialer::Dialer;

/// Far more than anything here takes.
pub(super) const SOON: Duration = Duration::from_secs(10);

pub(super) struct Desk {
    pub(super) dialer: Dialer,
    pub(super) settings: Arc<Settings>,
    pub(super) store: Store,
}

impl Desk {
    pub(super) async fn new() -> Self {
        let dialer = Dialer::with_carriers("http://127.0.0.1:1").await;
        let settings = config::load(&Source::File(dialer.config_path()), []).expect("the configuration is complete");
        let store = dialer.store().await;
        Self {
            dialer,
            settings: Arc::new(settings),
            store,
        }
    }

    pub(super) fn without_daemon(&self) -> Handlers {
        Handlers::of_store(Arc::clone(&self.settings), self.store.clone())
    }

    pub(super) async fn daemon(&self) -> Arc<FakeDaemon> {
        FakeDaemon::start(self.store.clone(), Arc::clone(&self.settings)).await
    }

    pub(super) fn with_daemon(&self, daemon: &Arc<FakeDaemon>) -> Handlers {
        let daemon = Arc::clone(daemon);
        Handlers::of_daemon(Arc::clone(&self.settings), self.store.clone(), daemon)
    }

    /// Where the command line of this dialer looks for the daemon.
    pub(super) fn socket(&self) -> PathBuf {
        self.dialer.directory.path().join("control.sock")
    }

    pub(super) async fn serve(&self, handlers: Handlers, limits: Limits) -> Server {
        let socket = ControlSocket::claim(&self.socket()).await.expect("the socket is free");
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(socket, Arc::new(handlers), limits, stop.clone()));
        Server { stop, task }
    }

    /// The audit rows, oldest first: command, target, outcome.
    pub(super) async fn audit(&self) -> Vec<(String, String, String)> {
        let rows = self.store.latest_audit(100).await.expect("the audit is read");
        let rows = rows.into_iter().rev();
        rows.map(|row| (row.command, row.target, row.outcome)).collect()
    }
}

pub(super) struct Server {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("the server ends");
    }
}

/// A client that may say anything.
pub(super) struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    pub(super) async fn connect(desk: &Desk) -> Self {
        let stream = UnixStream::connect(desk.socket()).await.expect("somebody listens");
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("is sent");
    }

    pub(super) async fn reply(&mut self) -> Reply {
        let mut line = String::new();
        let read = tokio::time::timeout(SOON, self.stream.read_line(&mut line)).await;
        read.expect("a reply in time").expect("a readable line");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    }

    /// The code of a refusal.
    pub(super) async fn refusal(&mut self) -> String {
        match self.reply().await {
            Reply::Refusal(refusal) => refusal.code,
            Reply::Answer(answer) => panic!("{answer:?}"),
        }
    }

    /// What still comes until the server closes the connection.
    pub(super) async fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(SOON, self.stream.read_to_end(&mut rest)).await;
        // A connection that is closed while something of ours was not read ends with a reset.
        let _end_or_reset = read.expect("the server closes the connection in time");
        rest
    }
}

pub(super) fn alice() -> Actor {
    Actor::user(1000, Some("alice"))
}

/// `carrier` as a backup of `entry`.
pub(super) fn backup(entry: &str, carrier: &str) -> RouteAdd {
    serde_json::from_value(serde_json::json!({ "entry": entry, "carrier": carrier })).expect("is complete")
}

pub(super) async fn query(handlers: &Handlers, query: Query) -> Result<Answer, Refusal> {
    reply(handlers, Request::Query(query)).await
}

pub(super) async fn command(handlers: &Handlers, command: Command) -> Result<Answer, Refusal> {
    reply(handlers, Request::Command(command)).await
}

async fn reply(handlers: &Handlers, request: Request) -> Result<Answer, Refusal> {
    match handlers.handle(&alice(), request).await {
        Reply::Answer(answer) => Ok(*answer),
        Reply::Refusal(refusal) => Err(refusal),
    }
}

/// The view that an answer must hold.
pub(super) fn view<V: TryFrom<Answer, Error = Answer>>(answer: Result<Answer, Refusal>) -> V {
    V::try_from(answer.expect("is answered")).unwrap_or_else(|other| panic!("{other:?}"))
}
