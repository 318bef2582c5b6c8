//! The server: every connection is a task of its own, with limits on what it may send and how long it may take.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::control::{Actor, Handlers, Refusal, Reply, Request};

use super::file::ControlSocket;
use super::line::{LineError, read_line};
use super::user;

/// After a failed accept (no file descriptor is left, for example), how long before the next.
const BREATHER: Duration = Duration::from_millis(100);

/// What clients may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time; further ones are told so and closed.
    pub connections: usize,
    /// Length of a request.
    pub request_bytes: usize,
    /// From the connection, or the last reply, to the end of the next request.
    pub idle: Duration,
    /// From the request to the reply, beside what a request takes by its nature.
    pub work: Duration,
    /// How long a client may take to read its reply.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 32,
            request_bytes: 16 * 1024,
            idle: Duration::from_secs(30),
            work: Duration::from_secs(8),
            write: Duration::from_secs(5),
        }
    }
}

/// Serves clients until `stop` is cancelled; then every connection is closed and the socket file is gone.
pub async fn serve(socket: ControlSocket, handlers: Arc<Handlers>, limits: Limits, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(_ended) = connections.join_next() => {}
            accepted = socket.accept() => match accepted {
                Ok(stream) if connections.len() >= limits.connections => {
                    warn!(connections = connections.len(), "too many connections to the control socket: one is turned away");
                    turn_away(&stream, limits);
                }
                Ok(stream) => {
                    connections.spawn(talk(stream, Arc::clone(&handlers), limits));
                }
                Err(error) => {
                    warn!(%error, "a connection to the control socket could not be accepted");
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
    }
}

/// Says why and closes. Nothing waits: a new connection always has room for one line.
fn turn_away(stream: &UnixStream, limits: Limits) {
    let message = format!(
        "the daemon serves {} connections already: try again",
        limits.connections
    );
    let _nobody_listens = stream.try_write(&line_of(&refusal("too_many_connections", message)));
}

/// The life of one connection.
async fn talk(stream: UnixStream, handlers: Arc<Handlers>, limits: Limits) {
    let actor = match user::peer(&stream).await {
        Ok(actor) => actor,
        Err(error) => {
            warn!(%error, "the user at the control socket is not known");
            return;
        }
    };
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let request = tokio::time::timeout(limits.idle, read_line(&mut reader, limits.request_bytes)).await;
        let (reply, goes_on) = match request {
            Ok(Ok(Some(line))) => (perform(&handlers, &actor, &line, limits).await, true),
            Ok(Ok(None)) => return,
            Ok(Err(error @ LineError::TooLong { .. })) => (refusal("request_too_long", error.to_string()), false),
            Ok(Err(error @ (LineError::Cut | LineError::Io(_)))) => {
                debug!(%actor, %error, "a connection to the control socket broke");
                return;
            }
            Err(_elapsed) => {
                debug!(%actor, "a connection to the control socket was idle for too long");
                return;
            }
        };
        match tokio::time::timeout(limits.write, writer.write_all(&line_of(&reply))).await {
            Ok(Ok(())) if goes_on => {}
            Ok(_) => return,
            Err(_elapsed) => {
                warn!(%actor, "a client of the control socket does not read its reply");
                return;
            }
        }
    }
}

async fn perform(handlers: &Arc<Handlers>, actor: &Actor, line: &[u8], limits: Limits) -> Reply {
    let request: Request = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => {
            return refusal(
                "malformed_request",
                format!("not a request: {error}; is the daemon of another version than its client?"),
            );
        }
    };
    let work_limit = limits.work + request.takes();
    // A task of its own: a command that was begun is carried out to its end, whatever becomes of the connection.
    let (handlers, actor) = (Arc::clone(handlers), actor.clone());
    let work = tokio::spawn(async move { handlers.handle(&actor, request).await });
    match tokio::time::timeout(work_limit, work).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => refusal("internal", format!("the daemon could not answer: {error}")),
        Err(_elapsed) => refusal(
            "timeout",
            format!(
                "not done within {} s; it may still be carried out: look before you try again",
                work_limit.as_secs()
            ),
        ),
    }
}

fn refusal(code: &'static str, message: String) -> Reply {
    Reply::Refusal(Refusal::new(code, message))
}

fn line_of(reply: &Reply) -> Vec<u8> {
    // Our own plain structs always serialise.
    let mut line = serde_json::to_vec(reply).unwrap_or_default();
    line.push(b'\n');
    line
}
