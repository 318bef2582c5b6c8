//! SIP packets as the kernel saw them on loopback: `tcpdump` writes, this reads.
//!
//! The time of a packet is the kernel's, so neither the load generator nor this program can blur it.

use std::collections::HashMap;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::error::{IoContext, LabError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What the last packet of a capture says.
const END: &[u8] = b"end of the capture";
/// The kernel hands packets over by the block, a block at least once a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `tcpdump`.
pub struct Capture {
    process: Child,
    file: PathBuf,
    /// Sends the packet behind which there is nothing to wait for.
    last: UdpSocket,
}

/// One SIP packet.
#[derive(Clone, Debug)]
pub struct Packet {
    /// When the kernel saw it, since 1970.
    pub at: Duration,
    /// Whence.
    pub from_port: u16,
    /// Where to.
    pub to_port: u16,
    /// `INVITE`, or the status code of a response to one.
    pub what: What,
    /// The last eleven digits of the called user: they tell a call apart on all its legs.
    pub number: String,
}

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An INVITE.
    Invite,
    /// A response to one.
    Response(u16),
}

impl Capture {
    /// Begins to write what goes to or comes from these ports.
    pub fn start(file: &Path, ports: &[u16]) -> Result<Self, LabError> {
        let last = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context(|| "bind the end of the capture".to_owned())?;
        let end = last
            .local_addr()
            .context(|| "bind the end of the capture".to_owned())?
            .port();
        let ports = ports.iter().chain([&end]);
        let ports: Vec<String> = ports.map(|port| format!("port {port}")).collect();
        let mut process = Command::new("tcpdump")
            .args(["-i", "lo", "-n", "-s", "0", "-B", "32768", "-U", "-Z", "root"])
            .args(["--time-stamp-precision=nano", "-w"])
            .arg(file)
            .arg(format!("udp and ({})", ports.join(" or ")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context(|| "start tcpdump".to_owned())?;
        // It says that it listens, and only then does it.
        let said = process.stderr.take().map(std::io::BufReader::new);
        let mut line = String::new();
        if let Some(mut said) = said {
            while !line.contains("listening on") {
                line.clear();
                let read = std::io::BufRead::read_line(&mut said, &mut line).context(|| "tcpdump".to_owned())?;
                if read == 0 {
                    return Err(LabError::Missing("tcpdump ended before it listened".to_owned()));
                }
            }
            std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        }
        Ok(Self {
            process,
            file: file.to_owned(),
            last,
        })
    }

    /// Ends the capture and reads it, packets in order: `tcpdump` drops what the kernel has not handed over when it is told to end.
    pub fn finish(mut self) -> Result<Vec<Packet>, LabError> {
        self.wait_for_the_end()?;
        let pid = i32::try_from(self.process.id()).map_err(|error| LabError::Missing(error.to_string()))?;
        kill(Pid::from_raw(pid), Signal::SIGINT)
            .map_err(|error| LabError::Missing(format!("SIGINT to tcpdump: {error}")))?;
        self.process.wait().context(|| "wait for tcpdump".to_owned())?;
        let bytes = std::fs::read(&self.file).context(|| format!("read {}", self.file.display()))?;
        read(&bytes).ok_or_else(|| LabError::Missing(format!("{} is no capture", self.file.display())))
    }

    /// Sends a packet and waits until it is in the file, and with it all that came before.
    fn wait_for_the_end(&self) -> Result<(), LabError> {
        let what = || format!("end {}", self.file.display());
        let address = self.last.local_addr().context(what)?;
        self.last.send_to(END, address).context(what)?;
        let mut file = std::fs::File::open(&self.file).context(what)?;
        let mut tail = Vec::new();
        let began = Instant::now();
        loop {
            let read_before = tail.len().min(END.len());
            tail.drain(..tail.len() - read_before);
            file.read_to_end(&mut tail).context(what)?;
            if tail.windows(END.len()).any(|bytes| bytes == END) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                let what = format!("end in {}", self.file.display());
                return Err(LabError::Timeout { what, after: PATIENCE });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ended_before = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// The format is that of pcap-savefile(5), with nanoseconds, as this machine writes it.
fn read(bytes: &[u8]) -> Option<Vec<Packet>> {
    const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if word(0)? != MAGIC_NANOSECONDS {
        return None;
    }
    let mut packets = Vec::new();
    let mut at = 24;
    while let (Some(seconds), Some(nanoseconds), Some(length)) = (word(at), word(at + 4), word(at + 8)) {
        let frame = bytes.get(at + 16..at + 16 + length as usize)?;
        packets.extend(packet(Duration::new(seconds.into(), nanoseconds), frame));
        at += 16 + length as usize;
    }
    Some(packets)
}

/// Ethernet, IPv4, UDP, SIP.
fn packet(at: Duration, frame: &[u8]) -> Option<Packet> {
    let ip = frame.get(14..)?;
    let udp = ip.get(usize::from(ip.first()? & 15) * 4..)?;
    let port = |at: usize| Some(u16::from_be_bytes([*udp.get(at)?, *udp.get(at + 1)?]));
    let text = std::str::from_utf8(udp.get(8..)?).ok()?;
    let mut lines = text.split("\r\n");
    let first = lines.next()?;
    let header = |name: &str| text.split("\r\n").find_map(|line| line.strip_prefix(name));
    let what = match first.strip_prefix("SIP/2.0 ") {
        Some(status) if header("CSeq: ")?.ends_with("INVITE") => What::Response(status.get(..3)?.parse().ok()?),
        Some(_) => return None,
        None => first.starts_with("INVITE ").then_some(What::Invite)?,
    };
    let called = header("To: ")?.split_once("sip:")?.1.split('@').next()?;
    Some(Packet {
        at,
        from_port: port(0)?,
        to_port: port(2)?,
        what,
        number: called.get(called.len().checked_sub(11)?..)?.to_owned(),
    })
}

/// The moments of one call that are measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    /// The caller's INVITE reached Asterisk.
    pub asked: Option<Duration>,
    /// The first carrier's 503 reached Asterisk.
    pub refused: Option<Duration>,
    /// The INVITE left for the carrier that answers.
    pub next: Option<Duration>,
    /// The caller was told that it rings. An answer at once may overtake that.
    pub ringing: Option<Duration>,
    /// The caller was answered.
    pub is_answered: bool,
    /// INVITEs to any carrier, retransmissions included.
    pub invites: u32,
}

/// Who has which port.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Asterisk.
    pub asterisk: u16,
    /// The caller.
    pub caller: u16,
    /// The carrier that refuses.
    pub refuses: u16,
    /// The carrier that answers.
    pub answers: u16,
}

impl Ports {
    /// All of them but Asterisk's, which is at the other end of every packet.
    pub const fn all(self) -> [u16; 3] {
        [self.caller, self.refuses, self.answers]
    }

    /// The address of one of them.
    pub fn address(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }
}

/// The moments of every call, by number. Of repeated packets the first counts.
pub fn moments(packets: &[Packet], ports: Ports) -> HashMap<String, Moments> {
    let mut calls: HashMap<String, Moments> = HashMap::new();
    for packet in packets {
        let call = calls.entry(packet.number.clone()).or_default();
        match (packet.what, packet.from_port, packet.to_port) {
            (What::Invite, from, _) if from == ports.caller => {
                call.asked.get_or_insert(packet.at);
            }
            (What::Response(503), from, _) if from == ports.refuses => {
                call.refused.get_or_insert(packet.at);
            }
            (What::Invite, _, to) if to == ports.answers => {
                call.invites += 1;
                call.next.get_or_insert(packet.at);
            }
            (What::Invite, _, to) if to == ports.refuses => call.invites += 1,
            (What::Response(180), _, to) if to == ports.caller => {
                call.ringing.get_or_insert(packet.at);
            }
            (What::Response(200), _, to) if to == ports.caller => call.is_answered = true,
            (What::Invite | What::Response(_), _, _) => {}
        }
    }
    calls
}
