//! Which replies to OPTIONS show that a carrier is alive.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

/// The replies that count as alive; any but 503 where nothing is set: a carrier that takes no OPTIONS says so with 405 or 404
/// and carries calls all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliveReplies {
    /// These, and no others. As text: `2xx,404`.
    Only(Vec<Replies>),
    /// All but these. As text: `!503,!4xx`.
    AllBut(Vec<Replies>),
}

/// Replies of one code, or of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replies(RangeInclusive<u16>);

/// A text does not say which replies count as alive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no list of codes such as \"!503\" (all but these) or \"2xx,404\" (these alone)")]
pub struct AliveRepliesError {
    /// What was written.
    pub text: String,
}

impl AliveRepliesError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        "probe_alive"
    }
}

impl AliveReplies {
    /// Whether a final response with this code shows that the carrier is alive.
    pub fn contains(&self, code: u16) -> bool {
        let is_among = |replies: &[Replies]| replies.iter().any(|Replies(codes)| codes.contains(&code));
        match self {
            Self::Only(replies) => is_among(replies),
            Self::AllBut(replies) => !is_among(replies),
        }
    }
}

impl Default for AliveReplies {
    fn default() -> Self {
        Self::AllBut(vec![Replies(503..=503)])
    }
}

impl Replies {
    /// A code from 200 to 699, or a class such as `4xx`.
    fn parse(text: &str) -> Option<Self> {
        let number = |digits: &str| -> Option<u16> {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| is_number)
        };
        if let Some(class) = text.strip_suffix("xx") {
            let class = number(class).filter(|class| (2..=6).contains(class))?;
            return Some(Self(class * 100..=class * 100 + 99));
        }
        let code = number(text).filter(|code| (200..700).contains(code))?;
        Some(Self(code..=code))
    }
}

impl FromStr for AliveReplies {
    type Err = AliveRepliesError;

    fn from_str(text: &str) -> Result<Self, AliveRepliesError> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let all = |words: &[&str], sign: &str| -> Option<Vec<Replies>> {
            let codes = words.iter().map(|word| Replies::parse(word.strip_prefix(sign)?.trim()));
            codes.collect()
        };
        let read = all(&words, "!")
            .map(Self::AllBut)
            .or_else(|| all(&words, "").map(Self::Only));
        read.ok_or_else(|| AliveRepliesError { text: text.to_owned() })
    }
}

impl fmt::Display for AliveReplies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, replies) = match self {
            Self::Only(replies) => ("", replies),
            Self::AllBut(replies) => ("!", replies),
        };
        for (index, replies) in replies.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{sign}{replies}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(codes) = self;
        if codes.start() == codes.end() {
            write!(f, "{}", codes.start())
        } else {
            write!(f, "{}xx", codes.start() / 100)
        }
    }
}

impl<'de> Deserialize<'de> for AliveReplies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_which_codes_count_and_reads_back_as_written() {
        let alive = |text: &str| {
            let replies: AliveReplies = text.parse().unwrap();
            assert_eq!(replies.to_string(), text.replace(' ', ""));
            [200, 202, 404, 405, 500, 503].map(|code| replies.contains(code))
        };
        assert_eq!(alive("!503"), [true, true, true, true, true, false]);
        assert_eq!(alive("!503, !404"), [true, true, false, true, true, false]);
        assert_eq!(alive("!5xx"), [true, true, true, true, false, false]);
        assert_eq!(alive("2xx,404"), [true, true, true, false, false, false]);
        assert_eq!(alive("200"), [true, false, false, false, false, false]);
        assert_eq!("!503".parse(), Ok(AliveReplies::default()));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [
            "", "!", "all", "199", "700", "1xx", "7xx", "x", "2xx,", "2xx,!404", "!!503", "-200", "+200",
        ] {
            assert_eq!(
                text.parse::<AliveReplies>().map_err(|error| error.text),
                Err(text.to_owned())
            );
        }
    }
}
