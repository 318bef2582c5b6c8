//! Fake carriers: a SIP user agent server over UDP, TCP and TLS that plays a carrier towards a real Asterisk.
//!
//! It is for integration tests, the lab and the bench: they start a [`FakeCarrier`], tell it what to do with which
//! number ([`Script`], [`Script::from_number`]) and afterwards ask what it saw ([`Stats`], [`CallRecord`]).
//!
//! It owns its sockets, its calls and its books. It must not know Asterisk, VICIdial or anything of the crate under test:
//! only SIP (RFC 3261), a little SDP and RTP, std, tokio and rustls.
//!
//! | file | one idea |
//! |---|---|
//! | `carrier.rs` | the handle a test holds |
//! | `script.rs`, `number_plan.rs` | what a carrier does with a call, and which script a number gets |
//! | `stats.rs`, `record.rs`, `board.rs` | what the carrier counted, what it noted of each call, where both are kept |
//! | `server.rs` | the one task that owns all calls: finds the call a packet belongs to |
//! | `call.rs`, `dialog.rs` | one call: its INVITE transaction, and its life after the answer |
//! | `digest.rs` | challenges, answers, and whether an answer knows the password |
//! | `registration.rs` | the carrier registers with somebody else |
//! | `timers.rs` | RFC 3261 timer values and the queue of what is due |
//! | `message.rs`, `header.rs`, `reply.rs` | SIP text: messages, header values, responses to a request |
//! | `transport.rs`, `framing.rs` | sockets, and where a message ends on a stream |
//! | `certificate.rs` | what a carrier shows over TLS |
//! | `telephone.rs` | the other side: a telephone that calls in, and what its user hears |
//! | `media.rs`, `sdp.rs`, `rtp.rs`, `sound.rs` | the media of a call |

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary that includes this module uses its own part of it"
)]

mod board;
mod call;
mod carrier;
mod certificate;
mod dialog;
mod digest;
mod framing;
mod header;
mod media;
mod message;
mod number_plan;
mod record;
mod registration;
mod reply;
mod rtp;
mod script;
mod sdp;
mod server;
mod sound;
mod stats;
mod telephone;
mod timers;
mod transport;

pub use board::Reply;
pub use carrier::{FakeCarrier, NotSeen};
pub use certificate::Certificate;
pub use framing::Framer;
pub use message::{Message, ParseError, StartLine};
pub use record::{CallRecord, Direction, Moment, Outcome, Packet};
pub use script::{Answer, CancelReaction, Final, Media, Refusal, Script, Step};
pub use sound::Sound;
pub use stats::Stats;
pub use telephone::{State as TelephoneState, Telephone};
pub use timers::SipTimers;
pub use transport::Transport;
