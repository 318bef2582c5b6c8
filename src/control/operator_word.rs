//! The operator's word about a carrier: take it out, bring it back, let it run dry, use nothing else.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::carrier::CarrierId;
use crate::health::{OperatorSetting, OperatorWord, OperatorWords};
use crate::routing::{NumberMatch, Route};
use crate::snapshot::Snapshot;
use crate::store::CarrierSettingsRow;

use super::actor::Actor;
use super::message::Effect;

/// The longest time that a word may be given for: who means longer gives no time.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);
/// Characters of a reason that fit the column.
const LONGEST_REASON: usize = 255;

/// What an operator wants of a carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierOperate {
    /// The carrier's id on the *Carriers* screen.
    pub id: String,
    /// The word.
    pub word: OperatorWord,
    /// Why; may be missing only where the carrier is enabled.
    #[serde(default)]
    pub reason: Option<String>,
    /// For how many seconds; from then on the carrier is enabled. `None`: until somebody says otherwise.
    #[serde(default)]
    pub for_s: Option<u64>,
}

/// Answers [`Command::CarrierOperate`](super::Command::CarrierOperate).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierOperateView {
    /// The carrier.
    pub id: String,
    /// The word as it stands now.
    pub operator: OperatorSetting,
    /// From when on it holds.
    pub effect: Effect,
    /// From the arrival of the command until it was on record and the next call went by it, milliseconds.
    pub took_ms: u64,
    /// The carriers whose calls have no carrier left by it.
    pub left_without: Vec<LeftWithout>,
}

/// An entry carrier whose calls have no carrier that the operator lets take calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftWithout {
    /// The entry carrier.
    pub entry: String,
    /// Routes that still carry some of its calls: those of a campaign, or to some numbers.
    pub but_routes: Vec<i64>,
}

/// Why a word cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorWordError {
    /// Who finds the carrier out of use must find out why.
    #[error("carrier {id}: give a reason with --reason: it is shown to whoever finds the carrier {}", word.as_str())]
    NoReason {
        /// The carrier.
        id: String,
        /// The word.
        word: OperatorWord,
    },
    /// The reason does not fit.
    #[error("carrier {id}: the reason has {length} characters; {LONGEST_REASON} fit")]
    LongReason {
        /// The carrier.
        id: String,
        /// Its length in characters.
        length: usize,
    },
    /// No time, or too long a one.
    #[error("carrier {id}: --for takes 1s to 365d; without it the word holds until somebody says otherwise")]
    Lasts {
        /// The carrier.
        id: String,
    },
    /// A carrier that is enabled for some time would be enabled afterwards.
    #[error("carrier {id}: enabling takes no --for: a carrier is enabled until somebody says otherwise")]
    EnabledFor {
        /// The carrier.
        id: String,
    },
}

impl OperatorWordError {
    /// A stable word for this kind of error: on the wire, on record, in metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoReason { .. } => "operator_reason_missing",
            Self::LongReason { .. } => "operator_reason_long",
            Self::Lasts { .. } => "operator_for",
            Self::EnabledFor { .. } => "operator_enabled_for",
        }
    }
}

impl CarrierOperate {
    /// What is to be put down, said by `actor` at `now_ms` (milliseconds since 1970).
    pub(super) fn setting(&self, actor: &Actor, now_ms: i64) -> Result<OperatorSetting, OperatorWordError> {
        let id = || self.id.clone();
        let why = self.reason.as_deref().map(str::trim).unwrap_or_default();
        let length = why.chars().count();
        if why.is_empty() && self.word != OperatorWord::Enabled {
            return Err(OperatorWordError::NoReason {
                id: id(),
                word: self.word,
            });
        }
        if length > LONGEST_REASON {
            return Err(OperatorWordError::LongReason { id: id(), length });
        }
        if self.for_s.is_some() && self.word == OperatorWord::Enabled {
            return Err(OperatorWordError::EnabledFor { id: id() });
        }
        let lasts_ms = match self.for_s {
            None => None,
            Some(seconds) if seconds == 0 || seconds > LONGEST.as_secs() => {
                return Err(OperatorWordError::Lasts { id: id() });
            }
            Some(seconds) => i64::try_from(seconds * 1_000).ok(),
        };
        Ok(OperatorSetting {
            word: self.word,
            by: actor.as_str().to_owned(),
            why: why.to_owned(),
            since_ms: now_ms,
            until_ms: lasts_ms.map(|lasts_ms| now_ms.saturating_add(lasts_ms)),
        })
    }
}

/// Puts a word down in the carrier's row.
pub(super) fn write(setting: &OperatorSetting, row: &mut CarrierSettingsRow) {
    row.operator_state = Some(setting.word.as_str().to_owned());
    row.operator_by = Some(setting.by.clone());
    row.operator_reason = (!setting.why.is_empty()).then(|| setting.why.clone());
    row.operator_since_ms = Some(setting.since_ms);
    row.operator_until_ms = setting.until_ms;
}

/// Whether an operator may speak of a carrier: one that cannot be understood may still serve by its last good row.
pub(super) fn knows(snapshot: &Snapshot, id: &CarrierId) -> bool {
    snapshot.carriers.iter().any(|carrier| carrier.id == *id)
        || snapshot.carrier_problems.iter().any(|problem| problem.carrier == *id)
}

/// The entry carriers whose calls could go to `carrier` and have no carrier left that the words of `words` let take calls.
pub(super) fn left_without(
    snapshot: &Snapshot,
    carrier: &CarrierId,
    words: &OperatorWords,
    now_ms: i64,
) -> Vec<LeftWithout> {
    let takes_calls = |id: &CarrierId| words.get(id).is_none_or(|word| word.in_force(now_ms).takes_calls());
    if takes_calls(carrier) {
        return Vec::new();
    }
    let entries = snapshot.carriers.iter().filter(|entry| !entry.entries.is_empty());
    let left = entries.filter_map(|entry| {
        let routes = || {
            snapshot
                .routes()
                .iter()
                .filter(|route| route.enabled && takes(route, &entry.id))
        };
        let is_concerned = entry.id == *carrier || routes().any(|route| route.carrier == *carrier);
        if !is_concerned || takes_calls(&entry.id) {
            return None;
        }
        let is_served = |route: &&Route| takes_calls(&route.carrier) && is_configured(snapshot, &route.carrier);
        let (for_all, for_some): (Vec<_>, Vec<_>) = routes().filter(is_served).partition(|route| is_for_all(route));
        for_all.is_empty().then(|| LeftWithout {
            entry: entry.id.to_string(),
            but_routes: for_some.iter().map(|route| route.id).collect(),
        })
    });
    left.collect()
}

fn takes(route: &Route, entry: &CarrierId) -> bool {
    route.entry.as_ref().is_none_or(|of| of == entry)
}

fn is_for_all(route: &Route) -> bool {
    route.campaign.is_none() && route.number_match == NumberMatch::Any && route.schedule.is_none()
}

fn is_configured(snapshot: &Snapshot, id: &CarrierId) -> bool {
    snapshot.carriers.iter().any(|carrier| carrier.id == *id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_220_185_000;

    fn wanted(word: OperatorWord, reason: Option<&str>, for_s: Option<u64>) -> CarrierOperate {
        CarrierOperate {
            id: "A".into(),
            word,
            reason: reason.map(str::to_owned),
            for_s,
        }
    }

    fn said(word: OperatorWord, reason: Option<&str>, for_s: Option<u64>) -> Result<OperatorSetting, &'static str> {
        let actor = Actor::user(1000, Some("alice"));
        let setting = wanted(word, reason, for_s).setting(&actor, NOW_MS);
        setting.map_err(|error| error.code())
    }

    #[test]
    fn a_word_is_put_down_with_who_why_and_until_when() {
        let setting = said(OperatorWord::Disabled, Some(" maintenance "), Some(7_200)).expect("is understood");
        assert_eq!(
            setting,
            OperatorSetting {
                word: OperatorWord::Disabled,
                by: "uid:1000 (alice)".into(),
                why: "maintenance".into(),
                since_ms: NOW_MS,
                until_ms: Some(NOW_MS + 7_200_000),
            }
        );
        let enabled = said(OperatorWord::Enabled, None, None).expect("needs no reason");
        assert_eq!((enabled.word, enabled.until_ms), (OperatorWord::Enabled, None));
    }

    #[test]
    fn a_word_without_a_reason_or_with_a_wrong_time_is_refused() {
        for word in [OperatorWord::Disabled, OperatorWord::Draining, OperatorWord::Only] {
            assert_eq!(said(word, None, None), Err("operator_reason_missing"));
            assert_eq!(said(word, Some("  "), None), Err("operator_reason_missing"));
            assert_eq!(said(word, Some("x"), Some(0)), Err("operator_for"));
            assert_eq!(said(word, Some("x"), Some(365 * 86_400 + 1)), Err("operator_for"));
            assert_eq!(said(word, Some("x"), Some(u64::MAX)), Err("operator_for"));
            assert!(said(word, Some("x"), Some(365 * 86_400)).is_ok());
            assert!(said(word, Some(&"\u{fc}".repeat(255)), None).is_ok());
            assert_eq!(said(word, Some(&"x".repeat(256)), None), Err("operator_reason_long"));
        }
        assert_eq!(said(OperatorWord::Enabled, None, Some(1)), Err("operator_enabled_for"));
    }
}
