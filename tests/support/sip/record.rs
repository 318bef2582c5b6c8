//! What a carrier noted of one call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::message::{Message, find_header};
use super::rtp::RtpCounters;
use super::transport::Transport;

/// A point in time on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// For differences.
    pub at: Instant,
    /// For comparison with logs of other programs.
    pub wall: SystemTime,
}

impl Moment {
    /// Now, on both clocks.
    pub fn now() -> Self {
        Self {
            at: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}

/// Which way a packet went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the caller to the carrier; timed when it left the socket.
    Received,
    /// From the carrier to the caller; timed when it was handed to the socket.
    Sent,
}

/// One SIP packet of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When.
    pub moment: Moment,
    /// Which way.
    pub direction: Direction,
    /// Request line or status line.
    pub first_line: String,
    /// Method of the request, or of the request that the response answers.
    pub method: String,
    /// Status code of a response.
    pub code: Option<u16>,
}

impl Packet {
    pub(super) fn new(message: &Message, direction: Direction, moment: Moment) -> Self {
        Self {
            moment,
            direction,
            first_line: message.start.to_string(),
            method: message.method().to_owned(),
            code: message.code(),
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// This final code was sent; 401 or 407 when the caller did not come back with credentials.
    Refused(u16),
    /// The caller sent CANCEL and got 487.
    Cancelled,
    /// The call was answered and the caller sent BYE.
    HungUpByCaller,
    /// The call was answered and the carrier sent BYE.
    HungUpByCarrier,
    /// The call was answered, but the 200 was never acknowledged.
    NeverAcknowledged,
    /// The carrier kept silent until the caller had to give up.
    Silence,
}

/// One call: its first INVITE and all that belongs to it.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// Call-ID.
    pub call_id: String,
    /// Dialled number: user part of the Request-URI.
    pub number: String,
    /// User part of From.
    pub caller_number: String,
    /// Display name of From, without quotes and escapes.
    pub caller_name: String,
    /// Transport the INVITE came over.
    pub transport: Transport,
    /// Where the INVITE came from.
    pub peer: SocketAddr,
    /// Headers of the INVITE as received; after a challenge those of the INVITE with credentials.
    pub headers: Vec<(String, String)>,
    /// Body of the INVITE, usually the SDP offer.
    pub body: String,
    /// All SIP packets of the call in order, retransmissions included.
    pub packets: Vec<Packet>,
    /// How it ended; `None` while it is pending or up.
    pub outcome: Option<Outcome>,
    /// When the 200 to the INVITE was first sent.
    pub answered: Option<Moment>,
    /// When the call ended: final response, or BYE in either direction.
    pub ended: Option<Moment>,
    pub(super) rtp: Option<Arc<RtpCounters>>,
}

impl CallRecord {
    /// First header of that name in the INVITE; compact forms count.
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// When the first request of that method came.
    pub fn received(&self, method: &str) -> Option<Moment> {
        self.packets
            .iter()
            .find(|packet| packet.direction == Direction::Received && packet.code.is_none() && packet.method == method)
            .map(|packet| packet.moment)
    }

    /// When a response with that code to the INVITE was first sent.
    pub fn responded(&self, code: u16) -> Option<Moment> {
        self.responses(code).next().map(|packet| packet.moment)
    }

    /// All responses with that code to INVITEs, retransmissions included.
    pub fn responses(&self, code: u16) -> impl Iterator<Item = &Packet> {
        self.packets.iter().filter(move |packet| {
            packet.direction == Direction::Sent && packet.code == Some(code) && packet.method == "INVITE"
        })
    }

    /// Whether a CANCEL came.
    pub fn was_cancelled(&self) -> bool {
        self.received("CANCEL").is_some()
    }

    /// Whether the call is answered and not hung up.
    pub const fn is_active(&self) -> bool {
        self.answered.is_some() && self.ended.is_none()
    }

    /// From the answer to the hangup; `None` unless both happened.
    pub fn talk_time(&self) -> Option<Duration> {
        Some(self.ended?.at.duration_since(self.answered?.at))
    }

    /// RTP packets received for this call until now.
    pub fn rtp_received(&self) -> u64 {
        self.rtp.as_ref().map_or(0, |counters| counters.received())
    }

    /// RTP packets sent for this call until now.
    pub fn rtp_sent(&self) -> u64 {
        self.rtp.as_ref().map_or(0, |counters| counters.sent())
    }
}
