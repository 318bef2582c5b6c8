//! Loopback ports that two instances never share, in one process or in several.
//!
//! Ports come in slots of 1000, below the range from which the kernel takes ephemeral ports. A slot is held in two ways:
//! a lock on `<target>/lab/ports/slot-N` says who may use the directories named after it, and a listener on the slot's
//! first port keeps processes away that use another target directory. The kernel releases both when the process ends,
//! however it ends.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use tokio::net::TcpSocket;

use super::error::{IoContext, LabError};
use super::host;

const FIRST_PORT: u16 = 20_000;
const SLOT_SIZE: u16 = 1_000;
const SLOTS: u16 = 12;
/// How long to wait for somebody else's slot when all are taken.
const PATIENCE: Duration = Duration::from_secs(120);
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// One slot of ports, ours until this value is dropped.
#[derive(Debug)]
pub struct PortLease {
    first: u16,
    _lock: Flock<File>,
    _guard: TcpListener,
}

/// The ports that one Asterisk instance uses, all on 127.0.0.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsteriskPorts {
    /// PJSIP over UDP.
    pub sip_udp: u16,
    /// PJSIP over TCP.
    pub sip_tcp: u16,
    /// PJSIP over TLS.
    pub sip_tls: u16,
    /// `chan_sip` over UDP and TCP; only Asterisk 16 listens there.
    pub chan_sip: u16,
    /// `chan_sip` over TLS.
    pub chan_sip_tls: u16,
    /// IAX2.
    pub iax2: u16,
    /// ARI and its websocket.
    pub http: u16,
    /// The manager interface.
    pub ami: u16,
    /// Where a FastAGI server of the program under test may listen.
    pub agi: u16,
    /// Where the program under test may show its metrics.
    pub metrics: u16,
    /// RTP and RTCP.
    pub rtp: RangeInclusive<u16>,
}

impl PortLease {
    /// Takes a free slot; waits, at most two minutes, while every slot is taken.
    pub async fn take() -> Result<Self, LabError> {
        let started = Instant::now();
        loop {
            for slot in 0..SLOTS {
                if let Some(lease) = Self::try_slot(slot)? {
                    return Ok(lease);
                }
            }
            if started.elapsed() > PATIENCE {
                return Err(LabError::Timeout {
                    what: format!("free slot among the lab's {SLOTS}"),
                    after: PATIENCE,
                });
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }

    fn try_slot(slot: u16) -> Result<Option<Self>, LabError> {
        let first = FIRST_PORT + slot * SLOT_SIZE;
        let directory = host::lab_directory().join("ports");
        fs::create_dir_all(&directory).context(|| format!("making {}", directory.display()))?;
        let path = directory.join(format!("slot-{first}"));
        // Not truncated on opening: the line inside tells who holds the slot.
        let file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .context(|| format!("opening {}", path.display()))?;
        let Ok(mut lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
            return Ok(None);
        };
        let Ok(guard) = TcpListener::bind((Ipv4Addr::LOCALHOST, first)) else {
            return Ok(None);
        };
        if !(first + 1..first + SLOT_SIZE).all(is_free) {
            return Ok(None);
        }
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "held by process {}", std::process::id()))
            .context(|| format!("writing {}", path.display()))?;
        Ok(Some(Self {
            first,
            _lock: lock,
            _guard: guard,
        }))
    }

    /// Takes the slot of this [`name`](Self::name), if it is one and nobody has it.
    pub fn of_name(name: &str) -> Option<Self> {
        let first: u16 = name.strip_prefix("slot-")?.parse().ok()?;
        let slot = first.checked_sub(FIRST_PORT)? / SLOT_SIZE;
        (slot < SLOTS).then(|| Self::try_slot(slot).ok().flatten()).flatten()
    }

    /// The name of what belongs to this slot, for example a directory: `slot-20000`.
    pub fn name(&self) -> String {
        format!("slot-{}", self.first)
    }

    /// The slot's ports, given out.
    pub fn asterisk_ports(&self) -> AsteriskPorts {
        AsteriskPorts {
            sip_udp: self.first + 1,
            sip_tcp: self.first + 1,
            chan_sip: self.first + 2,
            http: self.first + 3,
            ami: self.first + 4,
            agi: self.first + 5,
            sip_tls: self.first + 6,
            iax2: self.first + 8,
            metrics: self.first + 9,
            chan_sip_tls: self.first + 7,
            rtp: self.first + 100..=self.first + SLOT_SIZE - 1,
        }
    }
}

fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}

/// A TCP port that refuses connections: bound, so that nobody else can take it, and never listened to.
#[derive(Debug)]
pub struct ClosedTcpPort {
    address: SocketAddr,
    _socket: TcpSocket,
}

impl ClosedTcpPort {
    /// Takes a port from the kernel's ephemeral range.
    pub fn take() -> Result<Self, LabError> {
        let bound = || {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            Ok(Self {
                address: socket.local_addr()?,
                _socket: socket,
            })
        };
        bound().context(|| "binding a port to keep closed".to_owned())
    }

    /// Where connections are refused.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
