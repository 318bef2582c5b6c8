//! Verdict: what the end of an attempt means.
//!
//! From the evidence of one attempt it says whether another carrier is tried, what the carrier's health learns from it and
//! what the dialer would be told if the call ended here. Owns the tables of SIP codes, Q.850 causes and reason phrases
//! (`rules.toml`, the only copy), the rules that stand above them, what an operator may override for a carrier, and the
//! DIALSTATUS dialects of the channel drivers. It must not know calls, plans, channels, the store or the clock.
//!
//! Authority, highest first: the rules above every table ([`above`]), the carrier's [`Overrides`], the [`Preset`] of its
//! provider, the default tables of the [`Rulebook`]. [`judge()`] decides, [`explain`] also says what each level thinks.

pub mod above;
mod action;
mod cause_names;
mod dialect;
mod evidence;
mod judge;
mod last_word;
mod overrides;
mod phrase;
mod policy;
mod row;
mod rulebook;
mod selector;
#[cfg(test)]
mod tests;

pub use action::{Action, Finding, Health};
pub use cause_names::{cause_named, name_of_cause};
pub use dialect::{DialStatus, DialerResult, cause_of_code};
pub use evidence::{AbandonReason, EndedBy, Evidence, Progress, SipReply, Source};
pub use judge::{Authority, Explanation, Opinion, Verdict, explain, judge};
pub use last_word::LastWord;
pub use overrides::{Override, OverrideError, Overrides, Setting};
pub use policy::{CarrierPolicies, CarrierPolicy, Circumstances, FailoverAfter183};
pub use row::{Conditions, Row};
pub use rulebook::{CoolDown, Preset, Rulebook, RulebookError};
pub use selector::Selector;
