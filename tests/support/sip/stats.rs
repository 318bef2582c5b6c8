//! What a carrier counts.

/// Counters since the carrier started, and three gauges. Retransmissions never count twice unless a field says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Distinct INVITEs that ask for a new call, silent ones too; neither retransmissions nor retries with credentials.
    pub invites: u64,
    /// INVITEs that came again (same branch and CSeq), in or out of a dialog.
    pub invite_retransmissions: u64,
    /// Challenges (401 or 407) sent.
    pub challenges: u64,
    /// INVITEs repeated with credentials after a challenge: same Call-ID, higher CSeq, no To tag.
    pub auth_retries: u64,
    /// INVITEs within a running call.
    pub reinvites: u64,
    /// CANCELs that met a known INVITE.
    pub cancels: u64,
    /// Final responses that were acknowledged, challenges included.
    pub acks: u64,
    /// Final responses sent again, by timer G or because the script asks for copies.
    pub final_retransmissions: u64,
    /// Calls answered with 200.
    pub answered: u64,
    /// Calls ended with a final code of 300 or more, 487 after CANCEL included, challenges not.
    pub refused: u64,
    /// BYEs received.
    pub byes_received: u64,
    /// Calls hung up by the carrier.
    pub byes_sent: u64,
    /// OPTIONS as they arrived, retransmissions included.
    pub options: u64,
    /// Of these, those over TCP.
    pub options_over_tcp: u64,
    /// REGISTERs as they arrived, retransmissions included.
    pub registers: u64,
    /// REGISTERs that brought the login that the carrier wants, retransmissions included.
    pub registers_with_login: u64,
    /// OPTIONS and REGISTERs that came over TCP or TLS.
    pub outside_by_stream: u64,
    /// Requests answered with 481 because no call matched.
    pub unmatched: u64,
    /// Packets that were not SIP.
    pub malformed: u64,
    /// RTP packets received.
    pub rtp_received: u64,
    /// RTP packets sent.
    pub rtp_sent: u64,
    /// Gauge: INVITEs without a final response.
    pub pending: u64,
    /// Gauge: answered calls not yet hung up.
    pub active: u64,
    /// Gauge: calls that the carrier still remembers, finished ones for a while too, to recognise retransmissions.
    pub remembered: u64,
}
