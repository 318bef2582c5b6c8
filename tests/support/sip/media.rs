//! The media side of one call: codec, addresses, and whether RTP flows.

use std::net::SocketAddr;
use std::sync::Arc;

use super::rtp::{RtpCounters, RtpSession};
use super::script::Media;
use super::sdp::{self, AudioLine};
use super::server::House;
use super::sound::Sound;
use super::timers::CallNumber;

/// Opened with the first SDP that the carrier sends; the address stays the same for the whole call.
#[derive(Debug)]
pub(super) struct CallMedia {
    call: CallNumber,
    codec: u8,
    address: SocketAddr,
    remote: Option<SocketAddr>,
    rtp: Option<RtpSession>,
    plays: Option<Sound>,
}

impl CallMedia {
    /// Opens the carrier's side for an offer; an empty body is an INVITE without offer. `only` is the one codec it speaks.
    ///
    /// # Errors
    /// The SIP code to refuse the call with: 488 when no codec fits, 500 when no port could be bound.
    pub(super) fn open(
        call: CallNumber,
        offer: &str,
        only: Option<u8>,
        wants_rtp: bool,
        house: &House,
    ) -> Result<Self, u16> {
        const NOT_ACCEPTABLE: u16 = 488;
        const SERVER_ERROR: u16 = 500;
        let (codec, remote) = if offer.is_empty() {
            (only.unwrap_or(sdp::PCMU), None)
        } else {
            let line = AudioLine::parse(offer).ok_or(NOT_ACCEPTABLE)?;
            (only.or_else(|| line.codec()).ok_or(NOT_ACCEPTABLE)?, Some(line.address))
        };
        let rtp = wants_rtp
            .then(|| RtpSession::start(house.address.ip(), codec, Arc::clone(&house.board)))
            .transpose()
            .map_err(|_| SERVER_ERROR)?;
        let address = rtp.as_ref().map_or(house.silent_media, |session| session.address);
        Ok(Self {
            call,
            codec,
            address,
            remote,
            rtp,
            plays: None,
        })
    }

    /// The SDP to send.
    pub(super) fn describe(&self) -> String {
        sdp::describe(self.address, self.codec, self.call)
    }

    pub(super) fn counters(&self) -> Option<Arc<RtpCounters>> {
        self.rtp.as_ref().map(|session| Arc::clone(&session.counters))
    }

    /// Starts sending if this kind of media sends.
    pub(super) fn play(&mut self, media: Media) {
        if let Media::Rtp(sound) = media {
            self.plays = Some(sound);
        }
        self.apply();
    }

    /// Follows the other side to the address in its newer SDP (ACK or re-INVITE).
    pub(super) fn follow(&mut self, body: &str) {
        if let Some(line) = AudioLine::parse(body) {
            self.remote = Some(line.address);
            self.apply();
        }
    }

    fn apply(&self) {
        if let (Some(sound), Some(session), Some(remote)) = (self.plays, &self.rtp, self.remote) {
            session.send_to(remote, sound);
        }
    }
}
