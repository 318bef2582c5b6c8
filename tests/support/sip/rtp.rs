//! The media of one call: a packet every 20 ms, and a count of what arrives.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::board::Board;
use super::sound::{SAMPLES_PER_PACKET, Sound, TONE_LOW};

const PACKET_INTERVAL: Duration = Duration::from_millis(20);
const HEADER_BYTES: usize = 12;

/// Packets of one call.
#[derive(Debug, Default)]
pub(super) struct RtpCounters {
    received: AtomicU64,
    sounds: AtomicU64,
    sent: AtomicU64,
}

impl RtpCounters {
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Packets received that are not mere silence.
    pub(super) fn sounds(&self) -> u64 {
        self.sounds.load(Ordering::Relaxed)
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Where to send, and what.
type Target = (SocketAddr, Sound);

/// A bound RTP port and the task behind it; both end when it is dropped.
#[derive(Debug)]
pub(super) struct RtpSession {
    pub(super) address: SocketAddr,
    pub(super) counters: Arc<RtpCounters>,
    target: watch::Sender<Option<Target>>,
    _task: JoinSet<()>,
}

impl RtpSession {
    /// Binds a free port and counts what arrives; sends nothing yet.
    pub(super) fn start(ip: IpAddr, codec: u8, board: Arc<Board>) -> std::io::Result<Self> {
        let socket = std::net::UdpSocket::bind((ip, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let socket = UdpSocket::from_std(socket)?;
        let counters = Arc::new(RtpCounters::default());
        let (target, watched_target) = watch::channel(None);
        let mut task = JoinSet::new();
        task.spawn(run(socket, codec, watched_target, Arc::clone(&counters), board));
        Ok(Self {
            address,
            counters,
            target,
            _task: task,
        })
    }

    /// Sends there from now on.
    pub(super) fn send_to(&self, target: SocketAddr, sound: Sound) {
        self.target.send_replace(Some((target, sound)));
    }
}

async fn run(
    socket: UdpSocket,
    codec: u8,
    target: watch::Receiver<Option<Target>>,
    counters: Arc<RtpCounters>,
    board: Arc<Board>,
) {
    let mut ticks = interval(PACKET_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut incoming = [0u8; 2048];
    let mut packet = SoundPacket::new(
        codec,
        u32::from(socket.local_addr().map_or(1, |address| address.port())),
    );
    loop {
        tokio::select! {
            result = socket.recv_from(&mut incoming) => {
                if let Ok((length @ HEADER_BYTES.., _)) = result {
                    counters.received.fetch_add(1, Ordering::Relaxed);
                    if incoming[HEADER_BYTES..length].contains(&TONE_LOW) {
                        counters.sounds.fetch_add(1, Ordering::Relaxed);
                    }
                    board.count(|stats| stats.rtp_received += 1);
                }
            }
            _ = ticks.tick() => {
                let target = *target.borrow();
                if let Some((target, sound)) = target
                    && socket.send_to(packet.next_bytes(sound), target).await.is_ok()
                {
                    counters.sent.fetch_add(1, Ordering::Relaxed);
                    board.count(|stats| stats.rtp_sent += 1);
                }
            }
        }
    }
}

/// An RTP packet (RFC 3550 section 5.1) that is sent over and over with its header and its sound moved on.
struct SoundPacket {
    bytes: Vec<u8>,
    number: usize,
    sequence: u16,
    timestamp: u32,
}

impl SoundPacket {
    fn new(codec: u8, source: u32) -> Self {
        const VERSION_2: u8 = 0x80;
        let mut bytes = vec![VERSION_2, codec, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(&source.to_be_bytes());
        bytes.resize(HEADER_BYTES + SAMPLES_PER_PACKET, 0);
        Self {
            bytes,
            number: 0,
            sequence: 0,
            timestamp: 0,
        }
    }

    fn next_bytes(&mut self, sound: Sound) -> &[u8] {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES_PER_PACKET as u32);
        self.bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        self.bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        self.bytes[HEADER_BYTES..].copy_from_slice(sound.packet(self.number));
        self.number += 1;
        &self.bytes
    }
}
