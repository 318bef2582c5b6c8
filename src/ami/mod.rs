//! AMI: the few things that Asterisk's manager interface tells and ARI does not: whether its registrations stand, and
//! what its dialplan says.
//!
//! What it is for: a carrier that Asterisk registers with and that has dropped the registration refuses calls; knowing that
//! before a call is worth one small question every few seconds.
//!
//! What it owns: the manager's wire text, one logged-in connection at a time, what the channel drivers' words for a
//! registration's state mean.
//!
//! What it must not know: carriers, health, calls. Events are switched off at login: nothing here listens.
//!
//! | file | one idea |
//! |---|---|
//! | `message.rs` | blocks of `Key: value` lines |
//! | `session.rs` | one logged-in connection: a question, then its answer |
//! | `registrations.rs` | the registrations of all channel drivers, in one form |
//! | `dialplan.rs` | the dialplan as it is loaded |
//! | `watch.rs` | asks again and again, over a connection that is made anew when it breaks |
//! | `error.rs` | what can go wrong |

mod dialplan;
mod error;
mod message;
mod registrations;
mod session;
mod watch;

pub use dialplan::LoadedLine;
pub use error::Error;
pub use registrations::{Registration, Standing};
pub use session::{Login, Session};
pub use watch::{Seen, watch};
