//! Verdict: what the end of an attempt means.
//!
//! From the evidence of one attempt it says whether another carrier is tried, what the carrier's health learns from it and
//! what the dialer would be told if the call ended here. Owns the tables of SIP codes and Q.850 causes and the DIALSTATUS
//! dialects of the channel drivers. It must not know calls, plans, channels or the clock.

mod dialect;
mod evidence;
mod judge;
mod table;

pub use dialect::{DialStatus, DialerResult};
pub use evidence::{AbandonReason, EndedBy, Evidence, Progress, SipReply, Source};
pub use judge::{Action, CarrierPolicy, Health, Verdict, judge};
