//! One row of a table, and when it applies.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Action, Health};
use super::evidence::{Evidence, Source};
use super::phrase::{Phrase, PhrasePattern};

/// One row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Stable name.
    pub id: Arc<str>,
    /// Codes, causes or phrases, as they stand in the file.
    pub answers: String,
    /// What narrows the row.
    pub when: Conditions,
    /// The standard's own words; empty for phrases.
    pub name: String,
    /// What the call does next.
    pub action: Action,
    /// What it does where the request cannot be repaired; the same as `action` for all other rows.
    pub without_repair: Action,
    /// What the carrier's health learns.
    pub health: Health,
    /// The answer is about the number itself.
    pub definitive: bool,
    /// For people.
    pub why: Arc<str>,
    /// Why the row can never apply today: it rests on something that Asterisk does not show.
    pub unreachable: Option<String>,
    pub(super) matcher: Matcher,
}

impl Row {
    /// Whether the row is about this code or cause.
    pub(super) fn holds(&self, number: u16) -> bool {
        match &self.matcher {
            Matcher::Numbers(ranges) => ranges.iter().any(|range| range.contains(&number)),
            Matcher::Phrases(_) => false,
        }
    }

    /// Whether the row is about reason phrases.
    pub(super) const fn is_phrase_rule(&self) -> bool {
        matches!(self.matcher, Matcher::Phrases(_))
    }

    /// Whether the row is about this reason phrase.
    pub(super) fn holds_phrase(&self, phrase: &Phrase) -> bool {
        match &self.matcher {
            Matcher::Numbers(_) => false,
            Matcher::Phrases(patterns) => patterns.iter().any(|pattern| pattern.matches(phrase)),
        }
    }
}

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Matcher {
    /// SIP codes or Q.850 causes.
    Numbers(Vec<RangeInclusive<u16>>),
    /// Reason phrases.
    Phrases(Vec<PhrasePattern>),
}

/// What must hold beside the answer; every condition that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// Who made the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<MadeBy>,
    /// Whether 180 or 183 was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rang: Option<bool>,
    /// The attempt ended sooner than so many milliseconds after its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
    /// The attempt ended so many milliseconds after its start or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// Whether we were at our own limit with the carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_our_limit: Option<bool>,
    /// Whether the answer has a Retry-After.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<bool>,
    /// What a header of the answer would have to say; never met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
}

/// Who made a failure, as the rules need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MadeBy {
    /// Asterisk.
    Local,
    /// The carrier.
    Received,
}

/// What conditions are held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) evidence: &'a Evidence,
    /// The reason phrase of the carrier's final answer.
    pub(super) phrase: Option<&'a Phrase>,
    /// 180 or 183 was seen, and the carrier does not fake it.
    pub(super) rang: bool,
    pub(super) at_our_limit: bool,
}

impl Conditions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether they rest on headers, of which Asterisk shows none in a failure response.
    pub(super) const fn need_headers(&self) -> bool {
        self.retry_after.is_some() || self.header.is_some()
    }

    pub(super) fn met(&self, seen: Seen<'_>) -> bool {
        let evidence = seen.evidence;
        let milliseconds = Duration::from_millis;
        self.source.is_none_or(|source| match source {
            MadeBy::Local => evidence.failed_locally(),
            MadeBy::Received => evidence.source == Source::Received,
        }) && self.rang.is_none_or(|rang| rang == seen.rang)
            && self
                .within_ms
                .is_none_or(|limit| evidence.elapsed < milliseconds(limit))
            && self
                .after_ms
                .is_none_or(|limit| evidence.elapsed >= milliseconds(limit))
            && self.at_our_limit.is_none_or(|at_limit| at_limit == seen.at_our_limit)
            && self
                .retry_after
                .is_none_or(|there| there == evidence.retry_after.is_some())
            && self.header.is_none()
    }
}

impl fmt::Display for Conditions {
    /// In words, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = Vec::new();
        words.extend(self.source.map(|source| match source {
            MadeBy::Local => "made by Asterisk".to_owned(),
            MadeBy::Received => "received".to_owned(),
        }));
        words.extend(
            self.rang
                .map(|rang| if rang { "after 180 or 183" } else { "no 180 or 183" }.to_owned()),
        );
        words.extend(self.within_ms.map(|limit| format!("within {limit} ms")));
        words.extend(self.after_ms.map(|limit| format!("after {limit} ms")));
        words.extend(
            self.at_our_limit
                .map(|at| if at { "at our limit" } else { "below our limit" }.to_owned()),
        );
        words.extend(
            self.retry_after
                .map(|there| if there { "with" } else { "without" }.to_owned() + " Retry-After"),
        );
        words.extend(self.header.clone());
        f.write_str(&words.join(", "))
    }
}
