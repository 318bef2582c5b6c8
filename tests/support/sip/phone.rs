//! The other side of a carrier: a telephone that places one call to a server and notes what it hears.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::message::Message;

/// Who calls whom.
#[derive(Debug, Clone)]
pub struct PhoneCall {
    /// User part of From.
    pub user: String,
    /// Display name of From.
    pub name: String,
    /// User part of the Request-URI.
    pub number: String,
}

/// A response to the INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Its code.
    pub code: u16,
    /// When it came.
    pub at: Instant,
}

/// What became of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneState {
    /// No final response.
    Calling,
    /// Answered.
    Up,
    /// Refused with this code, 487 after our own CANCEL included.
    Refused(u16),
    /// Answered, then hung up by the server.
    HungUp,
    /// Answered, then hung up by the phone.
    HungUpByPhone,
}

/// A telephone in a call over UDP. Its RTP port swallows what comes. Dropping it leaves the call without BYE.
#[derive(Debug)]
pub struct Phone {
    heard: Arc<Mutex<Vec<Heard>>>,
    state: watch::Receiver<PhoneState>,
    hang_up: mpsc::UnboundedSender<()>,
    task: JoinHandle<()>,
}

impl Phone {
    /// Sends the INVITE.
    ///
    /// # Errors
    /// When no port can be bound or the INVITE cannot be sent.
    pub async fn call(server: SocketAddr, call: &PhoneCall) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        socket.connect(server).await?;
        let media = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let invite = invite(call, server, socket.local_addr()?, media.local_addr()?);
        socket.send(&invite.to_bytes()).await?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (state, watched) = watch::channel(PhoneState::Calling);
        let (hang_up, orders) = mpsc::unbounded_channel();
        let line = Line {
            socket,
            invite,
            heard: Arc::clone(&heard),
            state,
            dialog: None,
            _media: media,
        };
        Ok(Self {
            heard,
            state: watched,
            hang_up,
            task: tokio::spawn(line.run(orders)),
        })
    }

    /// All responses to the INVITE but 100, in order; a repeated final one counts once.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What became of the call until now.
    pub fn state(&self) -> PhoneState {
        *self.state.borrow()
    }

    /// Waits until the call is in a state; whether it came to that in time.
    pub async fn wait_for(&self, limit: Duration, is_it: impl Fn(PhoneState) -> bool) -> bool {
        let mut state = self.state.clone();
        let seen = state.wait_for(|state| is_it(*state));
        matches!(tokio::time::timeout(limit, seen).await, Ok(Ok(_)))
    }

    /// CANCEL before the answer, BYE after it.
    pub fn hang_up(&self) {
        let _ = self.hang_up.send(());
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The dialog that an answer has made.
#[derive(Debug)]
struct Dialog {
    to: String,
    target: String,
}

/// The task behind a phone.
#[derive(Debug)]
struct Line {
    socket: UdpSocket,
    invite: Message,
    heard: Arc<Mutex<Vec<Heard>>>,
    state: watch::Sender<PhoneState>,
    dialog: Option<Dialog>,
    _media: UdpSocket,
}

impl Line {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<()>) {
        let mut packet = vec![0; 16 * 1_024];
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(()) => self.hang_up().await,
                    None => return,
                },
                received = self.socket.recv(&mut packet) => {
                    let Ok(length) = received else { return };
                    if let Ok(message) = Message::parse(&packet[..length]) {
                        self.on_message(&message).await;
                    }
                }
            }
        }
    }

    async fn on_message(&mut self, message: &Message) {
        match message.code() {
            Some(code) if message.method() == "INVITE" && code > 100 => self.on_response(code, message).await,
            Some(_) => {}
            None if message.method() == "BYE" => {
                self.send(&accept(message)).await;
                self.become_state(PhoneState::HungUp);
            }
            None if message.method() == "ACK" => {}
            None => self.send(&accept(message)).await,
        }
    }

    async fn on_response(&mut self, code: u16, response: &Message) {
        let is_repeated = code >= 200 && *self.state.borrow() != PhoneState::Calling;
        if !is_repeated {
            let heard = Heard {
                code,
                at: Instant::now(),
            };
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
        }
        let to = response.header("To").unwrap_or_default().to_owned();
        if code >= 300 {
            let ack = self.request("ACK", &to, request_uri(&self.invite), branch(&self.invite), 1);
            self.send(&ack).await;
            self.become_state(PhoneState::Refused(code));
        } else if code >= 200 {
            let contact = response.header("Contact").unwrap_or_default();
            let target = contact
                .trim_start_matches('<')
                .split('>')
                .next()
                .unwrap_or_default()
                .to_owned();
            let ack = self.request("ACK", &to, &target, &format!("{}-ack", branch(&self.invite)), 1);
            self.send(&ack).await;
            self.dialog = Some(Dialog { to, target });
            if !is_repeated {
                self.become_state(PhoneState::Up);
            }
        }
    }

    async fn hang_up(&mut self) {
        let state = *self.state.borrow();
        match (state, &self.dialog) {
            (PhoneState::Calling, _) => {
                let to = self.invite.header("To").unwrap_or_default();
                let cancel = self.request("CANCEL", to, request_uri(&self.invite), branch(&self.invite), 1);
                self.send(&cancel).await;
            }
            (PhoneState::Up, Some(dialog)) => {
                let bye = self.request(
                    "BYE",
                    &dialog.to,
                    &dialog.target,
                    &format!("{}-bye", branch(&self.invite)),
                    2,
                );
                self.send(&bye).await;
                self.become_state(PhoneState::HungUpByPhone);
            }
            _ => {}
        }
    }

    fn become_state(&self, state: PhoneState) {
        self.state.send_replace(state);
    }

    /// A request of the call: what the INVITE had, where the call goes on.
    fn request(&self, method: &str, to: &str, uri: &str, branch: &str, cseq: u32) -> Message {
        let local = self
            .socket
            .local_addr()
            .map(|address| address.to_string())
            .unwrap_or_default();
        Message::request(method, uri)
            .with("Via", format!("SIP/2.0/UDP {local};branch={branch};rport"))
            .with("Max-Forwards", "70")
            .with("From", self.invite.header("From").unwrap_or_default())
            .with("To", to)
            .with("Call-ID", self.invite.header("Call-ID").unwrap_or_default())
            .with("CSeq", format!("{cseq} {method}"))
    }

    async fn send(&self, message: &Message) {
        let _ = self.socket.send(&message.to_bytes()).await;
    }
}

fn invite(call: &PhoneCall, server: SocketAddr, local: SocketAddr, media: SocketAddr) -> Message {
    let PhoneCall { user, name, number } = call;
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
        media.port()
    );
    let id = format!("phone-{number}-{}", local.port());
    Message::request("INVITE", &format!("sip:{number}@{server}"))
        .with("Via", format!("SIP/2.0/UDP {local};branch=z9hG4bK-{id}-1;rport"))
        .with("Max-Forwards", "70")
        .with("From", format!("\"{name}\" <sip:{user}@{local}>;tag=phone"))
        .with("To", format!("<sip:{number}@{server}>"))
        .with("Call-ID", id)
        .with("CSeq", "1 INVITE")
        .with("Contact", format!("<sip:{user}@{local}>"))
        .with_sdp(sdp)
}

/// 200 to a request within the call.
fn accept(request: &Message) -> Message {
    ["Via", "From", "To", "Call-ID", "CSeq"]
        .into_iter()
        .fold(Message::response(200, "OK"), |response, name| {
            request
                .headers_named(name)
                .fold(response, |response, value| response.with(name, value))
        })
}

fn request_uri(request: &Message) -> &str {
    match &request.start {
        super::message::StartLine::Request { uri, .. } => uri,
        super::message::StartLine::Response { .. } => "",
    }
}

/// The transaction that an ACK to a refusal and a CANCEL share with their INVITE.
fn branch(request: &Message) -> &str {
    let via = request.header("Via").unwrap_or_default();
    let branch = via.split(';').find_map(|parameter| parameter.strip_prefix("branch="));
    branch.unwrap_or_default()
}
