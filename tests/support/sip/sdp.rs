//! As much SDP as a G.711 call needs (RFC 4566, RFC 3264).

use std::net::{IpAddr, SocketAddr};

/// RTP payload type of PCMU.
pub(super) const PCMU: u8 = 0;
/// RTP payload type of PCMA.
pub(super) const PCMA: u8 = 8;

/// The audio line of an offer or answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AudioLine {
    /// Where the other side wants its RTP.
    pub(super) address: SocketAddr,
    /// Payload types in order of preference.
    pub(super) payload_types: Vec<u8>,
}

impl AudioLine {
    /// Reads the first audio line; `None` when the body is no SDP with audio.
    pub(super) fn parse(body: &str) -> Option<Self> {
        let mut session_ip: Option<IpAddr> = None;
        let mut media_ip: Option<IpAddr> = None;
        let mut audio: Option<(u16, Vec<u8>)> = None;
        for line in body.lines() {
            if let Some(address) = line.strip_prefix("c=IN IP4 ") {
                let ip = address.split('/').next().and_then(|text| text.trim().parse().ok());
                if audio.is_some() {
                    media_ip = ip
                } else {
                    session_ip = ip
                }
            } else if let Some(media) = line.strip_prefix("m=") {
                if audio.is_some() {
                    break;
                }
                audio = parse_audio(media);
            }
        }
        let (port, payload_types) = audio?;
        Some(Self {
            address: SocketAddr::new(media_ip.or(session_ip)?, port),
            payload_types,
        })
    }

    /// The codec the carrier picks, if it has one of those offered.
    pub(super) fn codec(&self) -> Option<u8> {
        [PCMU, PCMA]
            .into_iter()
            .find(|codec| self.payload_types.contains(codec))
    }
}

fn parse_audio(media: &str) -> Option<(u16, Vec<u8>)> {
    let mut words = media.split_whitespace();
    if words.next() != Some("audio") {
        return None;
    }
    let port = words.next()?.parse().ok()?;
    let payload_types = words.skip(1).filter_map(|word| word.parse().ok()).collect();
    Some((port, payload_types))
}

/// The carrier's session description.
pub(super) fn describe(address: SocketAddr, codec: u8, session: u64) -> String {
    let (ip, port) = (address.ip(), address.port());
    let name = if codec == PCMA { "PCMA" } else { "PCMU" };
    format!(
        "v=0\r\no=- {session} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {codec}\r\na=rtpmap:{codec} {name}/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}
