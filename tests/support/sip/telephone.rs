//! A SIP telephone that talks: places one call over UDP, and notes what its user would see and hear.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::board::Board;
use super::header::NameAddr;
use super::message::{Message, StartLine};
use super::record::Moment;
use super::rtp::RtpSession;
use super::sdp::{self, AudioLine};
use super::sound::Sound;

/// First retransmission interval of the INVITE (timer A).
const T1: Duration = Duration::from_millis(500);

/// One response to the INVITE, as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When.
    pub moment: Moment,
    /// The status code.
    pub code: u16,
    /// It came with a session description.
    pub has_sdp: bool,
    /// RTP packets with sound in them that had come by then.
    pub sounds_before: u64,
}

/// A call that a telephone has placed. Dropping it leaves the call as it is, without a word.
#[derive(Debug)]
pub struct Telephone {
    heard: Arc<Mutex<Vec<Heard>>>,
    state: watch::Receiver<State>,
    hang_up: mpsc::UnboundedSender<()>,
    rtp: Arc<RtpSession>,
    _task: JoinSet<()>,
}

/// Where the call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No final response.
    Calling,
    /// Answered.
    Up,
    /// Refused with this code, or over.
    Ended(u16),
}

impl Telephone {
    /// Calls `number` at `server` as the account `user`, showing `name`.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn place(server: SocketAddr, user: &str, name: &str, number: &str) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let rtp = Arc::new(RtpSession::start(address.ip(), sdp::PCMU, Arc::new(Board::default()))?);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (tell, state) = watch::channel(State::Calling);
        let (hang_up, hang_up_asked) = mpsc::unbounded_channel();
        let invite = Message::request("INVITE", &format!("sip:{number}@{server}"))
            .with("Via", via(address, "invite"))
            .with("Max-Forwards", "70")
            .with("From", format!("\"{name}\" <sip:{user}@{address}>;tag=phone"))
            .with("To", format!("<sip:{number}@{server}>"))
            .with("Call-ID", format!("{}@phone", address.port()))
            .with("CSeq", "1 INVITE")
            .with("Contact", format!("<sip:{user}@{address}>"))
            .with("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE")
            .with_sdp(sdp::describe(rtp.address, sdp::PCMU, 1));
        let line = Line {
            socket,
            address,
            server,
            invite,
            heard: Arc::clone(&heard),
            rtp: Arc::clone(&rtp),
            state: tell,
            to: String::new(),
        };
        let mut task = JoinSet::new();
        task.spawn(line.run(hang_up_asked));
        Ok(Self {
            heard,
            state,
            hang_up,
            rtp,
            _task: task,
        })
    }

    /// All responses to the INVITE, in order.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Codes of the responses between 100 and the final one.
    pub fn progress(&self) -> Vec<u16> {
        let codes = self.heard().into_iter().map(|heard| heard.code);
        codes.filter(|code| (101..200).contains(code)).collect()
    }

    /// The first response with this code.
    pub fn first(&self, code: u16) -> Option<Heard> {
        self.heard().into_iter().find(|heard| heard.code == code)
    }

    /// RTP packets with sound in them that have come.
    pub fn sounds(&self) -> u64 {
        self.rtp.counters.sounds()
    }

    /// Waits until the call stands so.
    ///
    /// # Errors
    /// What was waited for, and where the call stands.
    pub async fn wait_for(&self, what: &str, is_so: impl Fn(State) -> bool, limit: Duration) -> Result<State, String> {
        let mut state = self.state.clone();
        let seen = tokio::time::timeout(limit, state.wait_for(|state| is_so(*state))).await;
        match seen {
            Ok(Ok(state)) => Ok(*state),
            Ok(Err(_)) | Err(_) => Err(format!(
                "{what} not within {limit:?}; the telephone stands at {:?} after {:?}",
                *self.state.borrow(),
                self.heard().iter().map(|heard| heard.code).collect::<Vec<_>>()
            )),
        }
    }

    /// CANCEL before the answer, BYE after it.
    pub fn hang_up(&self) {
        let _ = self.hang_up.send(());
    }
}

/// The telephone's side of the wire.
struct Line {
    socket: UdpSocket,
    address: SocketAddr,
    server: SocketAddr,
    invite: Message,
    heard: Arc<Mutex<Vec<Heard>>>,
    rtp: Arc<RtpSession>,
    state: watch::Sender<State>,
    /// To of the dialog, with the server's tag.
    to: String,
}

fn via(address: SocketAddr, branch: &str) -> String {
    format!("SIP/2.0/UDP {address};branch=z9hG4bK-{branch}-{};rport", address.port())
}

impl Line {
    async fn run(mut self, mut hang_up_asked: mpsc::UnboundedReceiver<()>) {
        self.send(&self.invite.clone()).await;
        let mut datagram = vec![0_u8; 65_536];
        let mut interval = T1;
        let mut again_at = Instant::now() + T1;
        loop {
            let is_unheard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
            tokio::select! {
                received = self.socket.recv_from(&mut datagram) => {
                    let Ok((length, _)) = received else { continue };
                    if let Ok(message) = Message::parse(&datagram[..length]) {
                        match message.code() {
                            Some(code) => self.on_response(&message, code).await,
                            None => self.on_request(&message).await,
                        }
                    }
                }
                Some(()) = hang_up_asked.recv() => self.hang_up().await,
                () = tokio::time::sleep_until(again_at), if is_unheard => {
                    self.send(&self.invite.clone()).await;
                    interval *= 2;
                    again_at = Instant::now() + interval;
                }
            }
        }
    }

    async fn on_response(&mut self, response: &Message, code: u16) {
        if response.method() != "INVITE" {
            return;
        }
        let audio = AudioLine::parse(&response.body_text());
        if let Some(audio) = &audio {
            self.rtp.send_to(audio.address, Sound::Tone);
        }
        let is_repeated_final = code >= 200 && *self.state.borrow() != State::Calling;
        if !is_repeated_final {
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(Heard {
                moment: Moment::now(),
                code,
                has_sdp: audio.is_some(),
                sounds_before: self.rtp.counters.sounds(),
            });
        }
        let to = response.header("To").unwrap_or_default();
        if NameAddr::parse(to).tag().is_some() {
            to.clone_into(&mut self.to);
        }
        if code >= 200 {
            let branch = if code < 300 { "ack" } else { "invite" };
            let ack = self.request("ACK", branch, 1);
            self.send(&ack).await;
            let state = if code < 300 { State::Up } else { State::Ended(code) };
            if !is_repeated_final {
                self.state.send_replace(state);
            }
        }
    }

    /// A request within the call: BYE ends it, everything else is accepted.
    async fn on_request(&mut self, request: &Message) {
        let mut response = Message::response(200, "OK");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            for value in request.headers_named(name) {
                response = response.with(name, value);
            }
        }
        match request.method() {
            "ACK" => return,
            "BYE" => {
                self.state.send_replace(State::Ended(200));
            }
            "INVITE" | "UPDATE" => {
                response = response.with("Contact", format!("<sip:phone@{}>", self.address));
                if !request.body.is_empty() {
                    response = response.with_sdp(sdp::describe(self.rtp.address, sdp::PCMU, 1));
                }
            }
            _ => {}
        }
        self.send(&response).await;
    }

    async fn hang_up(&mut self) {
        let state = *self.state.borrow();
        match state {
            State::Calling => {
                let mut cancel = self.request("CANCEL", "invite", 1);
                // Outside of any dialog, as the INVITE was.
                for (name, value) in &mut cancel.headers {
                    if name == "To" {
                        self.invite.header("To").unwrap_or_default().clone_into(value);
                    }
                }
                self.send(&cancel).await;
            }
            State::Up => {
                let bye = self.request("BYE", "bye", 2);
                self.send(&bye).await;
                self.state.send_replace(State::Ended(200));
            }
            State::Ended(_) => {}
        }
    }

    fn request(&self, method: &str, branch: &str, cseq: u32) -> Message {
        let uri = match &self.invite.start {
            StartLine::Request { uri, .. } => uri.as_str(),
            StartLine::Response { .. } => "",
        };
        let header = |name| self.invite.header(name).unwrap_or_default();
        Message::request(method, uri)
            .with("Via", via(self.address, branch))
            .with("Max-Forwards", "70")
            .with("From", header("From"))
            .with("To", self.to.clone())
            .with("Call-ID", header("Call-ID"))
            .with("CSeq", format!("{cseq} {method}"))
    }

    async fn send(&self, message: &Message) {
        let _ = self.socket.send_to(&message.to_bytes(), self.server).await;
    }
}
