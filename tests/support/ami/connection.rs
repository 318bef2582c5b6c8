//! The task that owns a manager connection: it writes actions, and gives each answer to whoever waits for it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Split};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::super::error::{IoContext, LabError};
use super::OriginateResponse;
use super::message::{Action, Message};

/// An action to send and what is expected in return.
#[derive(Debug)]
pub(super) struct Request {
    pub action: Action,
    pub expected: Expected,
}

/// What an action is answered with.
#[derive(Debug)]
pub(super) enum Expected {
    /// One response.
    Response(oneshot::Sender<Message>),
    /// A response, then events, the last of which says `EventList: Complete`.
    List {
        rows: Vec<Message>,
        answer: oneshot::Sender<Result<Vec<Message>, Message>>,
    },
    /// A response, then one `OriginateResponse` event.
    Originate {
        accepted: Option<oneshot::Sender<Message>>,
        ended: watch::Sender<Option<OriginateResponse>>,
    },
}

struct Connection {
    lines: Split<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    pending: HashMap<u64, Expected>,
    events: broadcast::Sender<Arc<Message>>,
    fully_booted: watch::Sender<bool>,
}

/// Connects and starts the task, which ends with the connection or when the last sender of requests is dropped.
pub(super) async fn open(
    address: SocketAddr,
    requests: mpsc::Receiver<Request>,
    events: broadcast::Sender<Arc<Message>>,
    fully_booted: watch::Sender<bool>,
) -> Result<(), LabError> {
    let stream = TcpStream::connect(address)
        .await
        .context(|| format!("connecting to AMI at {address}"))?;
    let (reader, writer) = stream.into_split();
    let lines = BufReader::new(reader).split(b'\n');
    let connection = Connection {
        lines,
        writer,
        pending: HashMap::new(),
        events,
        fully_booted,
    };
    tokio::spawn(connection.run(requests));
    Ok(())
}

impl Connection {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut next_id = 1;
        let mut message = Message::default();
        loop {
            tokio::select! {
                request = requests.recv() => {
                    let Some(Request { action, expected }) = request else { return };
                    if self.writer.write_all(action.to_wire(next_id).as_bytes()).await.is_err() {
                        return;
                    }
                    self.pending.insert(next_id, expected);
                    next_id += 1;
                }
                line = self.lines.next_segment() => {
                    let Ok(Some(line)) = line else { return };
                    let line = String::from_utf8_lossy(&line);
                    let line = line.trim_end_matches('\r');
                    if !line.is_empty() {
                        message.add_line(line);
                    } else if !message.is_empty() {
                        self.deliver(std::mem::take(&mut message));
                    }
                }
            }
        }
    }

    fn deliver(&mut self, message: Message) {
        let id = message.get("ActionID").parse().ok();
        if let Some((id, expected)) = id.and_then(|id: u64| self.pending.remove_entry(&id))
            && let Some(unfinished) = answer(expected, &message)
        {
            self.pending.insert(id, unfinished);
        }
        if message.event() == "FullyBooted" {
            self.fully_booted.send_replace(true);
        }
        if !message.event().is_empty() {
            // No subscriber is no error.
            let _ = self.events.send(Arc::new(message));
        }
    }
}

/// Gives a message to whoever waits for it; what is still expected after it. A waiter that has gone is no error.
fn answer(expected: Expected, message: &Message) -> Option<Expected> {
    let is_refusal = message.get("Response") == "Error" && message.event().is_empty();
    match expected {
        Expected::Response(answer) => {
            let _ = answer.send(message.clone());
            None
        }
        Expected::List { answer, .. } if is_refusal => {
            let _ = answer.send(Err(message.clone()));
            None
        }
        Expected::List { rows, answer } if message.get("EventList").eq_ignore_ascii_case("complete") => {
            let _ = answer.send(Ok(rows));
            None
        }
        Expected::List { mut rows, answer } => {
            if !message.event().is_empty() {
                rows.push(message.clone());
            }
            Some(Expected::List { rows, answer })
        }
        Expected::Originate { ended, .. } if message.event() == "OriginateResponse" => {
            ended.send_replace(Some(OriginateResponse::of_event(message)));
            None
        }
        Expected::Originate { mut accepted, ended } => {
            if let Some(accepted) = accepted.take() {
                let _ = accepted.send(message.clone());
            }
            (!is_refusal).then_some(Expected::Originate { accepted, ended })
        }
    }
}
