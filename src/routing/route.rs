//! A route: one backup carrier for the calls of an entry carrier.

use std::fmt;
use std::sync::Arc;

use crate::asterisk_conf::{Pattern, PatternError};
use crate::carrier::{CarrierId, NumberFormat};

use super::number_key::NumberKey;
use super::prefix::Prefix;
use super::schedule::Schedule;

/// One row of the operator's routes. There may be a hundred thousand: what few of them have is boxed, what many have in common
/// is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The route's id; among equal priorities the lower one comes first.
    pub id: i64,
    /// The carrier whose dialplan line sent the call; `None`: any.
    pub entry: Option<CarrierId>,
    /// The campaign that the route is for; `None`: all calls, also those without a campaign.
    pub campaign: Option<Arc<str>>,
    /// The numbers that the route is for.
    pub number_match: NumberMatch,
    /// The carrier that is tried.
    pub carrier: CarrierId,
    /// Lower first.
    pub priority: i32,
    /// Share among routes of the same priority. Kept with the route; the order does not use it.
    pub weight: u32,
    /// When the route holds; `None`: always.
    pub schedule: Option<Box<Schedule>>,
    /// How the carrier wants the canonical number; `None`: as the carrier itself says.
    pub number_format: Option<Box<NumberFormat>>,
    /// Whether the route counts.
    pub enabled: bool,
}

/// Which canonical numbers (phone code + number, without dial prefix) a route is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberMatch {
    /// Every number.
    Any,
    /// Numbers that start with these characters.
    Prefix(Prefix),
    /// Numbers that match an Asterisk pattern.
    Pattern(Box<Pattern>),
}

/// Why a route's match cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumberMatchError {
    /// Regular expressions are not supported.
    #[error("match type regex is not supported: use prefix, or an Asterisk pattern such as _1NXXNXXXXXX")]
    Regex,
    /// No such match type.
    #[error("unknown match type {kind:?}: use any, prefix or pattern")]
    Kind {
        /// The match type as written.
        kind: String,
    },
    /// `any` with a text to match.
    #[error("match type any takes no text, found {text:?}: use prefix or pattern")]
    TextWithAny {
        /// The text.
        text: String,
    },
    /// A prefix that no number starts with.
    #[error("{text:?} is no prefix of a number: write digits, and + * # where they are dialled")]
    Prefix {
        /// The prefix as written.
        text: String,
    },
    /// No Asterisk pattern.
    #[error("{text:?} is no pattern: {error}")]
    Pattern {
        /// The pattern as written.
        text: String,
        /// What is wrong with it.
        #[source]
        error: PatternError,
    },
}

impl NumberMatchError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Regex => "match_regex",
            Self::Kind { .. } => "match_kind",
            Self::TextWithAny { .. } => "match_text_with_any",
            Self::Prefix { .. } => "match_prefix",
            Self::Pattern { error, .. } => error.code(),
        }
    }
}

impl NumberMatch {
    /// Reads `match_type` and `match` of a route; the word and text of [`NumberMatch::kind`] and [`NumberMatch::text`] give
    /// an equal match back.
    ///
    /// # Errors
    ///
    /// When the type is unknown or not supported, or the text does not fit it.
    pub fn parse(kind: &str, text: &str) -> Result<Self, NumberMatchError> {
        let text = text.trim();
        match kind {
            "any" if text.is_empty() => Ok(Self::Any),
            "any" => Err(NumberMatchError::TextWithAny { text: text.to_owned() }),
            "prefix" => {
                let dialable = |character: char| character.is_ascii_digit() || "+*#".contains(character);
                if text.is_empty() || !text.chars().all(dialable) {
                    return Err(NumberMatchError::Prefix { text: text.to_owned() });
                }
                Ok(Self::Prefix(text.into()))
            }
            "pattern" => text
                .parse()
                .map(|pattern| Self::Pattern(Box::new(pattern)))
                .map_err(|error| NumberMatchError::Pattern {
                    text: text.to_owned(),
                    error,
                }),
            "regex" => Err(NumberMatchError::Regex),
            _ => Err(NumberMatchError::Kind { kind: kind.to_owned() }),
        }
    }

    /// The match type: `any`, `prefix` or `pattern`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Prefix(_) => "prefix",
            Self::Pattern(_) => "pattern",
        }
    }

    /// The text that goes with the match type; empty for `any`.
    pub fn text(&self) -> String {
        match self {
            Self::Any => String::new(),
            Self::Prefix(prefix) => prefix.to_string(),
            Self::Pattern(pattern) => pattern.to_string(),
        }
    }

    /// Whether a canonical number matches.
    pub fn matches(&self, number: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Prefix(prefix) => prefix.starts(number),
            Self::Pattern(pattern) => pattern.matches(number),
        }
    }

    /// The key of what every number of this match starts with.
    pub(super) fn key(&self) -> NumberKey {
        match self {
            Self::Any => NumberKey::of(""),
            Self::Prefix(prefix) => prefix.key(),
            Self::Pattern(pattern) => NumberKey::of(pattern.literal_prefix()),
        }
    }
}

impl fmt::Display for NumberMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any number"),
            Self::Prefix(prefix) => write!(f, "prefix {prefix}"),
            Self::Pattern(pattern) => write!(f, "pattern {pattern}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_from_its_words() {
        for (kind, text) in [
            ("any", ""),
            ("prefix", "+44"),
            ("pattern", "_1NXXNXXXXXX"),
            ("pattern", "911"),
        ] {
            let number_match = NumberMatch::parse(kind, text).unwrap();
            assert_eq!((number_match.kind(), number_match.text().as_str()), (kind, text));
        }
    }

    #[test]
    fn numbers_match_by_kind() {
        let matches = |kind, text, number| NumberMatch::parse(kind, text).unwrap().matches(number);
        assert!(matches("any", "", "12125550100"));
        assert!(matches("prefix", "1212", "12125550100") && !matches("prefix", "1213", "12125550100"));
        assert!(matches("pattern", "_1NXX.", "12125550100") && !matches("pattern", "_1NXX", "12125550100"));
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        let code = |kind, text| NumberMatch::parse(kind, text).unwrap_err().code();
        assert_eq!(code("regex", "^1"), "match_regex");
        assert_eq!(code("glob", "1*"), "match_kind");
        assert_eq!(code("any", "1"), "match_text_with_any");
        assert_eq!(code("prefix", ""), "match_prefix");
        assert_eq!(code("prefix", "1NXX"), "match_prefix");
        assert_eq!(code("pattern", "_1["), "pattern_unclosed_set");
    }
}
