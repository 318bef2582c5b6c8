//! What a carrier does with one call, as data.
//!
//! ```ignore
//! Script::new().trying().after(Duration::from_millis(50)).ringing().finally(Refusal::code(503))
//! Script::new().trying().progress_with_media().finally(Answer::with_rtp().hang_up_after(Duration::from_secs(2)))
//! ```

use std::time::Duration;

use super::sound::Sound;

/// Steps played one after the other from the INVITE on, and how the carrier takes a CANCEL meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    pub(super) steps: Vec<Step>,
    pub(super) on_cancel: CancelReaction,
    pub(super) final_copies: u32,
}

/// One step of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Do nothing for a while.
    Wait(Duration),
    /// Send a provisional response.
    Provisional {
        /// 100 to 199.
        code: u16,
        /// Whether it carries SDP, and what flows then.
        media: Option<Media>,
    },
    /// Send this challenge (401 or 407) unless the INVITE answers it already; the script starts over for the next INVITE.
    /// Any password is accepted, unless the carrier requires a login: only the nonce is compared.
    Challenge(u16),
    /// Refuse with this code an offer without this codec; the call is carried with it.
    NeedsCodec {
        /// RTP payload type: 0 is PCMU, 8 PCMA.
        payload_type: u8,
        /// What an offer without it gets.
        otherwise: u16,
    },
    /// Refuse with this code an offer that has this codec in it.
    DislikesCodec {
        /// RTP payload type: 9 is G.722.
        payload_type: u8,
        /// What an offer with it gets.
        otherwise: u16,
    },
    /// End the INVITE. A script without this step leaves the call as it is until the caller gives up.
    Final(Final),
}

/// How an INVITE is ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Final {
    /// With a code of 300 or more.
    Refuse(Refusal),
    /// With 200 and SDP.
    Answer(Answer),
}

/// A final response of 300 or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub(super) code: u16,
    pub(super) phrase: Option<String>,
    pub(super) headers: Vec<(String, String)>,
}

/// A 200 and the call that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub(super) media: Media,
    pub(super) hang_up_after: Option<Duration>,
}

/// What flows at the address in the carrier's SDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// The carrier sends PCMU or PCMA every 20 ms and counts what arrives. Speech is right in PCMU alone.
    Rtp(Sound),
    /// Nothing is sent, nothing is counted: for runs with many calls.
    SdpOnly,
}

/// What a CANCEL does to a call without final response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelReaction {
    /// 200 to the CANCEL, 487 to the INVITE.
    Terminate,
    /// 200 to the CANCEL, then 200 to the INVITE all the same: the answer that comes too late.
    AnswerAnyway(Answer),
    /// No answer at all.
    Ignore,
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Script {
    /// No steps yet: the INVITE is not answered, a CANCEL is.
    pub const fn new() -> Self {
        Self {
            steps: Vec::new(),
            on_cancel: CancelReaction::Terminate,
            final_copies: 1,
        }
    }

    /// Neither INVITE nor CANCEL is ever answered.
    pub const fn silence() -> Self {
        Self::new().on_cancel(CancelReaction::Ignore)
    }

    /// 100, then this code at once.
    pub fn refuse(code: u16) -> Self {
        Self::new().trying().finally(Refusal::code(code))
    }

    /// 100, then an answer at once with RTP; the caller hangs up.
    pub fn answer() -> Self {
        Self::new().trying().finally(Answer::with_rtp())
    }

    /// 302 with this Contact URI.
    pub fn redirect(contact_uri: &str) -> Self {
        let refusal = Refusal::code(302).header("Contact", &format!("<{contact_uri}>"));
        Self::new().finally(refusal)
    }

    /// Sends 100 Trying.
    pub fn trying(self) -> Self {
        self.provisional(100, None)
    }

    /// Sends 180 Ringing.
    pub fn ringing(self) -> Self {
        self.provisional(180, None)
    }

    /// Sends 183 Session Progress without SDP.
    pub fn progress(self) -> Self {
        self.provisional(183, None)
    }

    /// Sends 183 Session Progress with SDP, but no RTP.
    pub fn progress_with_sdp(self) -> Self {
        self.provisional(183, Some(Media::SdpOnly))
    }

    /// Sends 183 Session Progress with SDP, and RTP from then on.
    pub fn progress_with_media(self) -> Self {
        self.provisional(183, Some(Media::Rtp(Sound::Tone)))
    }

    /// Sends any provisional response.
    pub fn provisional(self, code: u16, media: Option<Media>) -> Self {
        self.step(Step::Provisional { code, media })
    }

    /// Waits before the next step.
    pub fn after(self, pause: Duration) -> Self {
        self.step(Step::Wait(pause))
    }

    /// Asks for credentials with 401 or 407 before it goes on.
    pub fn challenge(self, code: u16) -> Self {
        self.step(Step::Challenge(code))
    }

    /// Speaks one codec only; an offer without it gets this code.
    pub fn needs_codec(self, payload_type: u8, otherwise: u16) -> Self {
        self.step(Step::NeedsCodec {
            payload_type,
            otherwise,
        })
    }

    /// Takes no offer that has this codec in it; it gets this code.
    pub fn dislikes_codec(self, payload_type: u8, otherwise: u16) -> Self {
        self.step(Step::DislikesCodec {
            payload_type,
            otherwise,
        })
    }

    /// Goes on with the steps of another script.
    pub fn then(mut self, next: Self) -> Self {
        self.steps.extend(next.steps);
        self
    }

    /// Ends the INVITE.
    pub fn finally(self, last: impl Into<Final>) -> Self {
        self.step(Step::Final(last.into()))
    }

    /// How a CANCEL is taken.
    pub const fn on_cancel(mut self, reaction: CancelReaction) -> Self {
        self.on_cancel = reaction;
        self
    }

    /// Sends the final response `times` times, 20 ms apart, whether it is acknowledged or not.
    pub const fn retransmit_final(mut self, times: u32) -> Self {
        self.final_copies = times;
        self
    }

    /// Whether RTP may ever flow.
    pub(super) fn uses_rtp(&self) -> bool {
        let in_steps = self.steps.iter().any(|step| match step {
            Step::Provisional { media, .. } => matches!(media, Some(Media::Rtp(_))),
            Step::Final(Final::Answer(answer)) => matches!(answer.media, Media::Rtp(_)),
            Step::Wait(_)
            | Step::Challenge(_)
            | Step::NeedsCodec { .. }
            | Step::DislikesCodec { .. }
            | Step::Final(Final::Refuse(_)) => false,
        });
        let on_cancel = match self.on_cancel {
            CancelReaction::AnswerAnyway(answer) => matches!(answer.media, Media::Rtp(_)),
            CancelReaction::Terminate | CancelReaction::Ignore => false,
        };
        in_steps || on_cancel
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl Refusal {
    /// This code with its usual phrase.
    pub const fn code(code: u16) -> Self {
        Self {
            code,
            phrase: None,
            headers: Vec::new(),
        }
    }

    /// Another reason phrase.
    pub fn phrase(mut self, phrase: &str) -> Self {
        self.phrase = Some(phrase.to_owned());
        self
    }

    /// A further header, such as `Reason: Q.850;cause=17` or `Retry-After: 30`.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Answer {
    /// Answers and sends RTP.
    pub const fn with_rtp() -> Self {
        Self::with_sound(Sound::Tone)
    }

    /// Answers and sends RTP that sounds like this.
    pub const fn with_sound(sound: Sound) -> Self {
        Self {
            media: Media::Rtp(sound),
            hang_up_after: None,
        }
    }

    /// Answers with SDP, but sends no RTP.
    pub const fn without_rtp() -> Self {
        Self {
            media: Media::SdpOnly,
            hang_up_after: None,
        }
    }

    /// Sends BYE this long after the ACK.
    pub const fn hang_up_after(mut self, talk_time: Duration) -> Self {
        self.hang_up_after = Some(talk_time);
        self
    }
}

impl From<Refusal> for Final {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

impl From<Answer> for Final {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}
