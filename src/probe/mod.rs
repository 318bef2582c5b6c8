//! Probes: SIP OPTIONS of our own to carriers, over UDP, TCP and TLS.
//!
//! It owns its sockets and one task a target, finds the servers of a domain by DNS SRV, and sends what it finds as evidence.
//! It must not know what follows from it: that is for health, which takes [`ProbeEvidence::report`] as one witness among
//! others. Asterisk's own qualify is another witness and not part of this room.
//!
//! A probe leaves from a port of its own, not from Asterisk's: it fits carriers that authorise by IP address. Towards others,
//! no answer means little.
//!
//! | file | one idea |
//! |---|---|
//! | `target.rs` | what is probed, how often |
//! | `resolve.rs` | from a domain to its servers |
//! | `message.rs` | the request, and which response is ours |
//! | `exchange.rs`, `tls.rs` | one server asked; whom TLS trusts |
//! | `replies.rs` | which replies show that a carrier is alive |
//! | `evidence.rs` | what was found |
//! | `prober.rs` | one task a target |
//! | `draws.rs` | jitter, weights and tokens from a seed |

mod draws;
mod evidence;
mod exchange;
mod message;
mod prober;
mod replies;
mod resolve;
mod target;
mod tls;

pub use evidence::{Outcome, ProbeEvidence};
pub use prober::{ProbeTools, Probes, probe};
pub use replies::{AliveReplies, AliveRepliesError};
pub use resolve::{Resolve, ResolveError, Service, SystemResolver};
pub use target::{ProbeTarget, TargetError};
pub use tls::{TlsError, client_config};
