//! The handle by which a test starts, steers and questions a fake carrier.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::board::{Board, Reply};
use super::certificate::Certificate;
use super::digest::Login;
use super::record::CallRecord;
use super::registration::register;
use super::script::Script;
use super::server::{House, Input, Server};
use super::stats::Stats;
use super::timers::{SipTimers, TimerQueue};
use super::transport::Sockets;

/// A SIP carrier on 127.0.0.1, UDP and TCP (or TLS in its place) on the same port. Dropping it closes its sockets and ends its calls without BYE.
///
/// Without any script it answers every call with RTP and waits for the caller to hang up.
#[derive(Debug)]
pub struct FakeCarrier {
    name: String,
    address: SocketAddr,
    board: Arc<Board>,
    inputs: mpsc::UnboundedSender<Input>,
    tasks: JoinSet<()>,
    _silent_media: UdpSocket,
}

impl FakeCarrier {
    /// Starts a carrier on a free port. The name stands in its Contact and as digest realm: letters, digits, `-`.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(name: &str) -> io::Result<Self> {
        Self::start_at(name, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts a carrier at an address, for instance where one was stopped; port 0 is any free port.
    ///
    /// # Errors
    /// When the address cannot be bound for both UDP and TCP.
    pub async fn start_at(name: &str, wanted: SocketAddr) -> io::Result<Self> {
        Self::start_on(name, wanted, None).await
    }

    /// Starts a carrier on a free port that speaks TLS where the others speak TCP.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start_with_tls(name: &str, certificate: &Certificate) -> io::Result<Self> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::start_on(name, anywhere, Some(certificate.acceptor())).await
    }

    async fn start_on(name: &str, wanted: SocketAddr, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let sockets = Sockets::bind(wanted).await?;
        let address = sockets.address;
        let silent_media = UdpSocket::bind((address.ip(), 0))?;
        let board = Arc::new(Board::default());
        let (inputs, received_inputs) = mpsc::unbounded_channel();
        let house = House {
            name: name.to_owned(),
            address,
            board: Arc::clone(&board),
            queue: TimerQueue::default(),
            silent_media: silent_media.local_addr()?,
        };
        let mut tasks = JoinSet::new();
        sockets.serve(tls, &mut tasks, &inputs);
        tasks.spawn(Server::new(house).run(received_inputs));
        Ok(Self {
            name: name.to_owned(),
            address,
            board,
            inputs,
            tasks,
            _silent_media: silent_media,
        })
    }

    /// Stops at once, without BYE, and returns when the port is free again.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// An address on 127.0.0.1 where nothing listens, neither UDP nor TCP.
    ///
    /// # Errors
    /// When no port can be bound to find one.
    pub async fn closed_port() -> io::Result<SocketAddr> {
        let sockets = Sockets::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        Ok(sockets.address)
    }

    /// The name it was started with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens, UDP and TCP.
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What it does with numbers that have no script of their own.
    pub fn set_default(&self, script: Script) {
        self.board.settings().plan.set_default(script);
    }

    /// What it does with exactly this number.
    pub fn on_number(&self, number: &str, script: Script) {
        self.board.settings().plan.on_number(number, script);
    }

    /// What it does with exactly this number, one script a call; the last one stays.
    pub fn on_number_in_turn(&self, number: &str, scripts: impl IntoIterator<Item = Script>) {
        self.board.settings().plan.in_turn(number, scripts);
    }

    /// What it does with numbers that start so; the longest prefix wins, an exact number wins over all.
    pub fn on_prefix(&self, prefix: &str, script: Script) {
        self.board.settings().plan.on_prefix(prefix, script);
    }

    /// Whether a number's last digits choose the script ([`Script::from_number`]) where neither number nor prefix does.
    pub fn follow_numbers(&self, follow: bool) {
        self.board.settings().plan.follow_numbers(follow);
    }

    /// Forgets all scripts, the default too.
    pub fn clear_scripts(&self) {
        self.board.settings().plan.clear();
    }

    /// How it takes OPTIONS; 200 from the start.
    pub fn set_options_reply(&self, reply: Reply) {
        self.board.settings().options = reply;
    }

    /// How it takes REGISTER; 200 from the start.
    pub fn set_register_reply(&self, reply: Reply) {
        self.board.settings().register = reply;
    }

    /// Asks every REGISTER for this login, and lets challenged INVITEs (`Script::challenge`) through with nothing else. Without
    /// it nobody has to register, and any password is good for an INVITE.
    pub fn require_login(&self, user: &str, password: &str) {
        self.board.settings().login = Some(Login {
            user: user.to_owned(),
            password: password.to_owned(),
        });
    }

    /// Takes requests from anybody again.
    pub fn require_no_login(&self) {
        self.board.settings().login = None;
    }

    /// Registers itself with somebody else, to be called where it listens; the final code of the answer.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn register_with(&self, server: SocketAddr, user: &str, password: &str) -> io::Result<u16> {
        let (user, password) = (user.to_owned(), password.to_owned());
        register(server, self.address, &Login { user, password }).await
    }

    /// Other timer values than RFC 3261's, to make tests of retransmission short.
    pub fn set_timers(&self, timers: SipTimers) {
        self.board.settings().timers = timers;
    }

    /// Whether finished calls stay in [`FakeCarrier::calls`]; they do from the start. Without, a long run only counts: a
    /// record goes when its call can see no further packet.
    pub fn keep_records(&self, keep: bool) {
        self.board.settings().keep_records = keep;
    }

    /// Drops the records of finished calls.
    pub fn forget_finished(&self) {
        self.board.forget_finished();
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        self.board.stats()
    }

    /// All calls on record, in the order of their INVITEs.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.board.calls()
    }

    /// Whether a call to this number is on record.
    pub fn has_call_to(&self, number: &str) -> bool {
        self.board.has_call_to(number)
    }

    /// Call-IDs of the calls that are answered and not hung up.
    pub fn active_calls(&self) -> Vec<String> {
        self.board.active_call_ids()
    }

    /// Sends BYE in the call with this Call-ID; nothing happens unless it is up.
    pub fn hang_up(&self, call_id: &str) {
        let _ = self.inputs.send(Input::HangUp(call_id.to_owned()));
    }

    /// Sends BYE in every call that is up.
    pub fn hang_up_all(&self) {
        let _ = self.inputs.send(Input::HangUpAll);
    }

    /// Waits until the counters satisfy a condition and returns them.
    ///
    /// # Errors
    /// [`NotSeen`] with the last counters when the time is over.
    pub async fn wait_for(&self, is_seen: impl Fn(&Stats) -> bool, limit: Duration) -> Result<Stats, NotSeen> {
        let mut stats = self.board.watch_stats();
        let seen = tokio::time::timeout(limit, stats.wait_for(|stats| is_seen(stats))).await;
        match seen {
            Ok(Ok(stats)) => Ok(*stats),
            Ok(Err(_)) | Err(_) => Err(NotSeen {
                carrier: self.name.clone(),
                limit,
                stats: self.stats(),
            }),
        }
    }
}

/// What a test waited for did not happen in time.
#[derive(Debug, Clone)]
pub struct NotSeen {
    /// Name of the carrier.
    pub carrier: String,
    /// How long the test waited.
    pub limit: Duration,
    /// What the carrier had counted by then.
    pub stats: Stats,
}

impl fmt::Display for NotSeen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { carrier, limit, stats } = self;
        write!(
            formatter,
            "carrier {carrier} did not see it within {limit:?}; it counted {stats:?}"
        )
    }
}

impl std::error::Error for NotSeen {}
