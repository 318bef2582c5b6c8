//! The FastAGI engine: Asterisk's own `Dial()`, supervised.
//!
//! The dialplan hands the caller over by `AGI()`; each attempt is one `EXEC Dial` with the dialer's own options, so that
//! early media, variables, times and `h` are Asterisk's, and a call outlives this process. What a response was is read from
//! the caller's HANGUPCAUSE hash after each attempt.
//!
//! `Dial()` shows nothing while it runs. A side-car beside it, an ARI application that owns no channel, looks at each leg that
//! is out for a moment and then subscribes to its caller: it sees legs ring and answer, asks a silent leg for signs of life,
//! and ends a leg that is given up. Without ARI calls go on without these, and are counted.
//!
//! How the runner's intents map: `connect` is done already when it comes, `indicate` is `Dial()`'s own business, a leg that is
//! out of time is ended by the timeout that `Dial()` was given. Legs follow one another: the next one waits until `Dial()`
//! has come back. So a leg that answers after it was given up is the call, and is kept.
//!
//! [`service`] turns sessions into calls; [`session`] is the driver of one call; [`dial`] is one attempt on the wire and what
//! it came to; [`answered`] lets a dialer take an answered leg in; [`ending`] is what the dialplan is told at the end;
//! [`sidecar`] is the ARI side, [`customers`] holds the places of legs that the dialer has taken.

mod answered;
mod customers;
mod dial;
mod ending;
mod entry;
mod service;
mod session;
mod sidecar;

pub use service::Service;
pub use sidecar::{Counters, FoundLeg, Glance, LegEnd, Seen, Sidecar, Sign, Watch};
