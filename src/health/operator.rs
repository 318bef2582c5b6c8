//! The operator's word: a field of its own that automation reads and never writes.

use serde::{Deserialize, Serialize};

/// What an operator wants of a carrier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorWord {
    /// Evidence decides.
    #[default]
    Enabled,
    /// No call, whatever the evidence.
    Disabled,
    /// No new call; the calls that are up end by themselves.
    Draining,
    /// Where this carrier is among a call's candidates, it is the only one, whatever the evidence.
    Only,
}

impl OperatorWord {
    /// All words.
    pub const ALL: [Self; 4] = [Self::Enabled, Self::Disabled, Self::Draining, Self::Only];

    /// One word, the same in the store, in metrics and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Draining => "draining",
            Self::Only => "only",
        }
    }

    /// The word as it stands in the store; `None` for one that is not known.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// Whether new calls may go out.
    pub const fn takes_calls(self) -> bool {
        match self {
            Self::Enabled | Self::Only => true,
            Self::Disabled | Self::Draining => false,
        }
    }
}

/// An operator's word with who, why and until when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorSetting {
    /// The word.
    pub word: OperatorWord,
    /// Who said it.
    pub by: String,
    /// Why.
    pub why: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Until when, milliseconds since 1970; from then on the carrier is enabled. `None`: until somebody says otherwise.
    pub until_ms: Option<i64>,
}

impl OperatorSetting {
    /// What holds at a wall time. The expiry is an hour of the day that a person chose, so it follows the wall clock.
    pub fn in_force(&self, wall_ms: i64) -> OperatorWord {
        match self.until_ms {
            Some(until_ms) if until_ms <= wall_ms => OperatorWord::Enabled,
            Some(_) | None => self.word,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_an_expiry_holds_until_then() {
        let setting = OperatorSetting {
            word: OperatorWord::Disabled,
            until_ms: Some(1_000),
            ..OperatorSetting::default()
        };
        assert_eq!(setting.in_force(999), OperatorWord::Disabled);
        assert_eq!(setting.in_force(1_000), OperatorWord::Enabled);
    }
}
