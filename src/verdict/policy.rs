//! What stands around an attempt: the carrier's ways, and what the daemon knew.

use std::collections::HashMap;
use std::sync::Arc;

use crate::carrier::CarrierId;

use super::overrides::Overrides;
use super::rulebook::{Preset, Rulebook};

/// How one carrier differs from the defaults. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierPolicy {
    /// The carrier sends 180 or 183 before it knows anything, so a failure after it still goes to the next carrier.
    pub fakes_progress: bool,
    /// Whether a failure after 183 may go to the next carrier.
    pub failover_after_183: FailoverAfter183,
    /// What the operator lets this carrier's answers mean.
    pub overrides: Overrides,
    /// What answers of its provider are known to mean.
    pub preset: Option<Arc<Preset>>,
    /// A refused request may be repaired (other codecs, no extension) and tried again at this carrier. Without it such answers
    /// go to the next carrier. False for the second attempt at the same carrier.
    pub repair_allowed: bool,
}

/// The policies of carriers that differ from the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierPolicies {
    differing: HashMap<CarrierId, CarrierPolicy>,
    default: CarrierPolicy,
}

impl CarrierPolicies {
    /// The policy of a carrier.
    pub fn of(&self, carrier: &CarrierId) -> &CarrierPolicy {
        self.differing.get(carrier).unwrap_or(&self.default)
    }

    /// The same, but no carrier's failure after 180 or 183 goes to the next one.
    #[must_use]
    pub fn without_failover_after_progress(&self) -> Self {
        let mut policies = self.clone();
        for policy in policies.differing.values_mut() {
            policy.fakes_progress = false;
            policy.failover_after_183 = FailoverAfter183::Never;
        }
        policies
    }
}

impl FromIterator<(CarrierId, CarrierPolicy)> for CarrierPolicies {
    fn from_iter<T: IntoIterator<Item = (CarrierId, CarrierPolicy)>>(policies: T) -> Self {
        Self {
            differing: policies.into_iter().collect(),
            default: CarrierPolicy::default(),
        }
    }
}

/// Whether a failure after 183 with media may go to the next carrier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailoverAfter183 {
    /// No: the caller may have heard something.
    #[default]
    Never,
    /// Yes, for 500, 502, 503 and 504 within 3 seconds. A 180 with a session description looks the same as a 183.
    IfServerFailure,
}

impl FailoverAfter183 {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Never, Self::IfServerFailure];

    /// The choice of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == word)
    }

    /// The word for configuration and command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::IfServerFailure => "if_5xx",
        }
    }
}

/// What a verdict rests on beside the evidence.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// How the carrier differs.
    pub policy: &'a CarrierPolicy,
    /// The tables.
    pub rules: &'a Rulebook,
    /// We were at our agreed channels or calls per second with this carrier when the attempt went out: its refusal is our own
    /// limit, not its sickness.
    pub at_our_limit: bool,
}
