//! A small Asterisk for the tests of `ari`: HTTP by hand, websockets handed to the test.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crankback::ari::{Config, Credentials, Endpoint, Event, Notice, State};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

pub const USER: &str = "crankback";
pub const PASSWORD: &str = "correct horse battery";
/// `crankback:correct horse battery`, as the `Authorization` header carries it.
pub const BASIC: &str = "Y3JhbmtiYWNrOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==";
/// No test waits longer than this for anything.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A request, as it came over the wire.
#[derive(Clone, Debug)]
pub struct Seen {
    /// For example `GET /ari/asterisk/info?only=system%2Cstatus`.
    pub line: String,
    pub authorization: String,
    pub body: String,
}

/// What the fake does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    Json(u16, String),
    /// Accept the websocket and hand it to the test.
    Websocket,
    /// Accept the websocket and close the connection at once.
    WebsocketThenClose,
    /// Read the request and never answer.
    Nothing,
    /// Read the request and close the connection.
    Close,
}

/// The answer of an Asterisk of the given version to `GET /asterisk/info`.
pub fn info(version: &str) -> Reply {
    Reply::Json(
        200,
        format!(
            r#"{{"system":{{"version":"{version}","entity_id":"02:fc:00:00:00:01"}},"status":{{"startup_time":"2026-11-21T00:00:00.000+0000"}}}}"#
        ),
    )
}

/// A healthy Asterisk 22.
pub fn healthy(request: &Seen) -> Reply {
    if request.line.starts_with("GET /ari/asterisk/info") {
        info("22.10.1")
    } else if request.line.starts_with("GET /ari/events") {
        Reply::Websocket
    } else {
        Reply::Json(200, "{}".to_owned())
    }
}

pub struct FakeAsterisk {
    pub address: SocketAddr,
    /// Every websocket that was opened, in order.
    pub websockets: mpsc::UnboundedReceiver<WebSocketStream<TcpStream>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    _connections: JoinSet<()>,
}

impl FakeAsterisk {
    /// Listens on a free port and answers by `script`. Dropping it closes the port and every connection it still holds.
    pub async fn start(script: fn(&Seen) -> Reply) -> Self {
        Self::start_on("127.0.0.1:0".parse().expect("an address"), script).await
    }

    pub async fn start_on(address: SocketAddr, script: fn(&Seen) -> Reply) -> Self {
        let listener = TcpListener::bind(address).await.expect("the fake's port is free");
        let address = listener.local_addr().expect("a bound address");
        let (opened, websockets) = mpsc::unbounded_channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let recorder = Arc::clone(&seen);
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut serving = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("the fake accepts");
                serving.spawn(serve(stream, script, Arc::clone(&recorder), opened.clone()));
            }
        });
        Self {
            address,
            websockets,
            seen,
            _connections: connections,
        }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no test panicked while recording").clone()
    }

    pub async fn websocket(&mut self) -> WebSocketStream<TcpStream> {
        tokio::time::timeout(PATIENCE, self.websockets.recv())
            .await
            .expect("a websocket in time")
            .expect("the fake runs")
    }
}

async fn serve(
    mut stream: TcpStream,
    script: fn(&Seen) -> Reply,
    recorder: Arc<Mutex<Vec<Seen>>>,
    opened: mpsc::UnboundedSender<WebSocketStream<TcpStream>>,
) {
    while let Some((request, key)) = read_request(&mut stream).await {
        recorder
            .lock()
            .expect("no test panicked while recording")
            .push(request.clone());
        match script(&request) {
            Reply::Json(status, body) => {
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
                if stream.write_all((head + &body).as_bytes()).await.is_err() {
                    return;
                }
            }
            reply @ (Reply::Websocket | Reply::WebsocketThenClose) => {
                let accept = derive_accept_key(key.as_bytes());
                let head = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
                );
                if stream.write_all(head.as_bytes()).await.is_err() || matches!(reply, Reply::WebsocketThenClose) {
                    return;
                }
                let _ = opened.send(WebSocketStream::from_raw_socket(stream, Role::Server, None).await);
                return;
            }
            Reply::Nothing => std::future::pending().await,
            Reply::Close => return,
        }
    }
}

/// One request and its `Sec-WebSocket-Key`; `None` at the end of the connection. It never reads past the request.
async fn read_request(stream: &mut TcpStream) -> Option<(Seen, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("an ASCII request head");
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let line = head
        .lines()
        .next()
        .expect("a request line")
        .trim_end_matches(" HTTP/1.1")
        .to_owned();
    let body = String::from_utf8(body).expect("a UTF-8 body");
    Some((
        Seen {
            line,
            authorization: header("authorization"),
            body,
        },
        header("sec-websocket-key"),
    ))
}

/// A configuration for the fake (or anything else) at `address`.
pub fn config(address: SocketAddr) -> Config {
    config_as(address, USER, PASSWORD)
}

pub fn config_as(address: SocketAddr, user: &str, password: &str) -> Config {
    let endpoint = Endpoint::parse(&format!("http://{address}")).expect("a good address");
    let credentials = Credentials::new(user, SecretString::from(password)).expect("a good user");
    Config::new(endpoint, credentials, "crankback").expect("a good application name")
}

pub async fn next(notices: &mut mpsc::Receiver<Notice>) -> Option<Notice> {
    tokio::time::timeout(PATIENCE, notices.recv())
        .await
        .expect("a notice in time")
}

pub async fn connected(notices: &mut mpsc::Receiver<Notice>) -> u64 {
    match next(notices).await {
        Some(Notice::Connected { epoch, .. }) => epoch,
        other => panic!("expected Connected, got {other:?}"),
    }
}

pub async fn lost(notices: &mut mpsc::Receiver<Notice>) -> (u64, &'static str) {
    match next(notices).await {
        Some(Notice::Lost { epoch, reason }) => (epoch, reason.code()),
        other => panic!("expected Lost, got {other:?}"),
    }
}

pub async fn event(notices: &mut mpsc::Receiver<Notice>) -> Event {
    match next(notices).await {
        Some(Notice::Event { event, .. }) => *event,
        other => panic!("expected an event, got {other:?}"),
    }
}

pub async fn until(state: &mut watch::Receiver<State>, wanted: impl FnMut(&State) -> bool) -> State {
    let reached = tokio::time::timeout(PATIENCE, state.wait_for(wanted))
        .await
        .expect("the state in time");
    reached.expect("the supervisor set its last state").clone()
}
