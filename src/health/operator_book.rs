//! The words of all operators, and what of them holds: a word is said, taken back, or over by itself.

use std::collections::{BTreeSet, HashMap};

use crate::carrier::CarrierId;

use super::operator::{OperatorSetting, OperatorWord};

/// The words of operators, by carrier. Carriers that nobody spoke of are not in it.
pub type OperatorWords = HashMap<CarrierId, OperatorSetting>;

/// What holds for a carrier is not what held before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorChange {
    /// The carrier.
    pub carrier: CarrierId,
    /// What held.
    pub from: OperatorWord,
    /// What holds.
    pub to: OperatorWord,
    /// The word behind it: the one that was said, or the one that is over.
    pub setting: OperatorSetting,
    /// Nobody said anything: the time that the word was given for is over.
    pub is_over: bool,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

/// Keeps the words and tells what changes. Times are wall times, as the expiry of a word is.
#[derive(Clone, Debug, Default)]
pub struct OperatorBook {
    words: OperatorWords,
    in_force: HashMap<CarrierId, OperatorWord>,
}

impl OperatorBook {
    /// A book with the words that are on record; they were told when they were said.
    pub fn new(words: OperatorWords, now_ms: i64) -> Self {
        let mut book = Self {
            words,
            in_force: HashMap::new(),
        };
        book.advance(now_ms);
        book
    }

    /// The words.
    pub const fn words(&self) -> &OperatorWords {
        &self.words
    }

    /// Takes the words as they are on record now; gives what changed.
    pub fn take(&mut self, words: OperatorWords, now_ms: i64) -> Vec<OperatorChange> {
        let mut changes = self.advance(now_ms);
        let before = std::mem::replace(&mut self.words, words);
        let carriers: BTreeSet<&CarrierId> = before.keys().chain(self.words.keys()).collect();
        for carrier in carriers {
            let setting = self.words.get(carrier);
            if setting == before.get(carrier) {
                continue;
            }
            let setting = setting.cloned().unwrap_or_default();
            let to = setting.in_force(now_ms);
            let from = self.in_force.insert(carrier.clone(), to).unwrap_or_default();
            changes.push(OperatorChange {
                carrier: carrier.clone(),
                from,
                to,
                setting,
                is_over: false,
                at_ms: now_ms,
            });
        }
        changes
    }

    /// Lets time pass; gives the words that are over by it.
    pub fn advance(&mut self, now_ms: i64) -> Vec<OperatorChange> {
        let mut changes = Vec::new();
        for (carrier, setting) in &self.words {
            let to = setting.in_force(now_ms);
            let from = self.in_force.insert(carrier.clone(), to).unwrap_or(to);
            if from != to {
                changes.push(OperatorChange {
                    carrier: carrier.clone(),
                    from,
                    to,
                    setting: setting.clone(),
                    is_over: true,
                    at_ms: now_ms,
                });
            }
        }
        changes.sort_by(|left, right| left.carrier.cmp(&right.carrier));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(word: OperatorWord, since_ms: i64, until_ms: Option<i64>) -> OperatorSetting {
        OperatorSetting {
            word,
            by: "alice".into(),
            why: "maintenance".into(),
            since_ms,
            until_ms,
        }
    }

    fn words(words: &[(&str, OperatorSetting)]) -> OperatorWords {
        let words = words.iter().cloned();
        words.map(|(carrier, setting)| (carrier.into(), setting)).collect()
    }

    fn told(changes: &[OperatorChange]) -> Vec<(&str, OperatorWord, OperatorWord, bool)> {
        let changes = changes.iter();
        changes
            .map(|change| (change.carrier.as_str(), change.from, change.to, change.is_over))
            .collect()
    }

    #[test]
    fn what_is_said_is_told_once_and_its_end_once() {
        use OperatorWord::{Disabled, Enabled};
        let mut book = OperatorBook::new(OperatorWords::default(), 0);
        let disabled = words(&[("A", said(Disabled, 10, Some(1_000)))]);
        assert_eq!(
            told(&book.take(disabled.clone(), 10)),
            [("A", Enabled, Disabled, false)]
        );
        assert_eq!(told(&book.take(disabled.clone(), 11)), []);
        assert_eq!(told(&book.advance(999)), []);
        assert_eq!(told(&book.advance(1_000)), [("A", Disabled, Enabled, true)]);
        assert_eq!(told(&book.take(disabled, 1_001)), []);
    }

    #[test]
    fn a_word_that_is_said_again_is_told_again_and_one_that_is_gone_is_taken_back() {
        use OperatorWord::{Disabled, Enabled, Only};
        let mut book = OperatorBook::new(words(&[("A", said(Disabled, 10, None))]), 20);
        let longer = words(&[("A", said(Disabled, 30, Some(5_000))), ("B", said(Only, 30, None))]);
        assert_eq!(
            told(&book.take(longer, 30)),
            [("A", Disabled, Disabled, false), ("B", Enabled, Only, false)]
        );
        assert_eq!(
            told(&book.take(OperatorWords::default(), 40)),
            [("A", Disabled, Enabled, false), ("B", Only, Enabled, false)]
        );
    }

    #[test]
    fn a_word_that_ended_while_nobody_looked_ends_before_the_next_one_begins() {
        use OperatorWord::{Disabled, Enabled, Only};
        let mut book = OperatorBook::new(words(&[("A", said(Disabled, 10, Some(100)))]), 20);
        let next = words(&[("A", said(Only, 200, None))]);
        assert_eq!(
            told(&book.take(next, 200)),
            [("A", Disabled, Enabled, true), ("A", Enabled, Only, false)]
        );
        let mut restarted = OperatorBook::new(words(&[("A", said(Disabled, 10, Some(100)))]), 150);
        assert_eq!(told(&restarted.advance(160)), []);
    }
}
