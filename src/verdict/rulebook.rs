//! The tables as one value, read from `rules.toml`.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::Deserialize;

use crate::nearest::nearest;

use super::action::{Action, Health};
use super::overrides::{Entries, OverrideError, Overrides};
use super::phrase::PhrasePattern;
use super::row::{Conditions, Matcher, Row, Seen};

/// The compiled-in text.
const BUILT_IN: &str = include_str!("rules.toml");

/// All tables. [`Rulebook::default`] is empty: every failure then ends without a known cause and goes to the next carrier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rulebook {
    /// Reason phrases; asked before the codes.
    pub phrases: Vec<Row>,
    /// Final SIP responses 300 to 699.
    pub sip: Vec<Row>,
    /// Q.850 causes 1 to 127.
    pub q850: Vec<Row>,
    /// How long a carrier that asks for it is left alone.
    pub cool_down: CoolDown,
    presets: BTreeMap<String, Arc<Preset>>,
}

/// What answers of one provider are known to mean otherwise than the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The name under which a carrier chooses it.
    pub name: String,
    /// What it rests on.
    pub about: String,
    /// What is different.
    pub answers: Overrides,
}

/// How long a carrier that answered 503 is left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoolDown {
    /// Without a visible Retry-After, milliseconds.
    pub usual_ms: u64,
    /// The shortest pause that a Retry-After is granted, milliseconds.
    pub shortest_ms: u64,
    /// The longest, milliseconds.
    pub longest_ms: u64,
}

impl CoolDown {
    /// The pause after an answer with this Retry-After.
    pub fn for_answer(self, retry_after: Option<Duration>) -> Duration {
        let (shortest, longest) = (
            Duration::from_millis(self.shortest_ms),
            Duration::from_millis(self.longest_ms),
        );
        match retry_after {
            Some(asked) => asked.min(longest).max(shortest),
            None => Duration::from_millis(self.usual_ms),
        }
    }
}

/// A rules file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulebookError {
    /// Not the TOML that is expected.
    #[error("rules: {0}")]
    Syntax(#[from] toml::de::Error),
    /// A row does not hold together.
    #[error("rules, row {id}: {what}")]
    Row {
        /// The row.
        id: String,
        /// What is wrong.
        what: String,
    },
    /// A code or cause that no row answers in every case.
    #[error("rules: nothing answers {table} {number} in every case")]
    Gap {
        /// `SIP` or `Q.850`.
        table: &'static str,
        /// The code or cause.
        number: u16,
    },
    /// A preset cannot be used.
    #[error("rules, preset {name}: {source}")]
    Preset {
        /// The preset.
        name: String,
        /// What is wrong.
        source: OverrideError,
    },
}

impl RulebookError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "rules_syntax",
            Self::Row { .. } => "rules_row",
            Self::Gap { .. } => "rules_gap",
            Self::Preset { .. } => "rules_preset",
        }
    }
}

impl Rulebook {
    /// The tables that are compiled in.
    pub fn built_in() -> &'static Self {
        // A test proves that the text can be read and leaves no gap; the empty book stands in for a panic that cannot happen.
        static BOOK: LazyLock<Rulebook> = LazyLock::new(|| Rulebook::parse(BUILT_IN).unwrap_or_default());
        &BOOK
    }

    /// Reads a rules file and checks that it is complete.
    ///
    /// # Errors
    /// The first mistake: syntax, a row that contradicts itself or stands there twice, a code or cause without an answer.
    pub fn parse(text: &str) -> Result<Self, RulebookError> {
        let document: Document = toml::from_str(text)?;
        let rows = |rows: Vec<RowDocument>| rows.into_iter().map(RowDocument::check).collect::<Result<Vec<_>, _>>();
        let mut presets = BTreeMap::new();
        for (name, preset) in document.presets {
            let answers = Overrides::from_entries(preset.answers).map_err(|source| RulebookError::Preset {
                name: name.clone(),
                source,
            })?;
            let about = preset.about;
            presets.insert(name.clone(), Arc::new(Preset { name, about, answers }));
        }
        let book = Self {
            phrases: rows(document.phrases)?,
            sip: rows(document.sip)?,
            q850: rows(document.q850)?,
            cool_down: document.cool_down,
            presets,
        };
        book.check()?;
        Ok(book)
    }

    fn check(&self) -> Result<(), RulebookError> {
        let mut ids = HashSet::new();
        for row in self.phrases.iter().chain(&self.sip).chain(&self.q850) {
            if !ids.insert(&row.id) {
                return Err(row_error(&row.id, "its id stands there twice"));
            }
        }
        for (table, rows, numbers) in [("SIP", &self.sip, 300..=699), ("Q.850", &self.q850, 1..=127)] {
            for number in numbers {
                if !rows.iter().any(|row| row.when.is_empty() && row.holds(number)) {
                    return Err(RulebookError::Gap { table, number });
                }
            }
        }
        Ok(())
    }

    /// The row that decides by the tables alone: a phrase before the code, the SIP code before the Q.850 cause.
    pub(super) fn row_for(&self, seen: Seen<'_>) -> Option<&Row> {
        let evidence = seen.evidence;
        let met = |row: &&Row| row.when.met(seen);
        let by_phrase = seen
            .phrase
            .and_then(|phrase| self.phrases.iter().filter(met).find(|row| row.holds_phrase(phrase)));
        let by_code = || {
            let code = evidence.final_reply()?.code;
            self.sip.iter().filter(met).find(|row| row.holds(code))
        };
        let by_cause = || {
            let cause = evidence.q850?;
            self.q850.iter().filter(met).find(|row| row.holds(cause.into()))
        };
        by_phrase.or_else(by_code).or_else(by_cause)
    }

    /// The standard's own words for a final SIP response.
    pub fn name_of_code(&self, code: u16) -> Option<&str> {
        let row = self.sip.iter().find(|row| row.holds(code))?;
        Some(&row.name)
    }

    /// The preset of this name.
    ///
    /// # Errors
    /// There is none; the error lists those that are known.
    pub fn preset(&self, name: &str) -> Result<Arc<Preset>, OverrideError> {
        self.presets
            .get(name)
            .cloned()
            .ok_or_else(|| OverrideError::UnknownPreset {
                word: name.to_owned(),
                meant: nearest(name, self.presets.keys().map(String::as_str)).map(str::to_owned),
                known: self.presets.keys().cloned().collect::<Vec<_>>().join(", "),
            })
    }

    /// All presets, by name.
    pub fn presets(&self) -> impl Iterator<Item = &Preset> {
        self.presets.values().map(Arc::as_ref)
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    phrases: Vec<RowDocument>,
    sip: Vec<RowDocument>,
    q850: Vec<RowDocument>,
    cool_down: CoolDown,
    presets: BTreeMap<String, PresetDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresetDocument {
    about: String,
    answers: Entries,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowDocument {
    id: String,
    #[serde(alias = "causes")]
    codes: Option<String>,
    patterns: Option<Vec<String>>,
    #[serde(default)]
    when: Conditions,
    #[serde(default)]
    name: String,
    action: Action,
    without_repair: Option<Action>,
    health: Health,
    #[serde(default)]
    definitive: bool,
    why: String,
    unreachable: Option<String>,
}

impl RowDocument {
    fn check(self) -> Result<Row, RulebookError> {
        let wrong = |what: &str| row_error(&self.id, what);
        if self.when.need_headers() != self.unreachable.is_some() {
            return Err(wrong("a row that needs a header, and only such a row, is unreachable"));
        }
        let repairs = self.action == Action::RepairAndRetry;
        if repairs != self.without_repair.is_some() || self.without_repair == Some(Action::RepairAndRetry) {
            return Err(wrong(
                "repair_and_retry, and nothing else, needs a without_repair that repairs nothing",
            ));
        }
        let (answers, matcher) = match (&self.codes, &self.patterns) {
            (Some(codes), None) => {
                let ranges = ranges(codes).ok_or_else(|| wrong("its codes are no numbers and ranges"))?;
                (codes.clone(), Matcher::Numbers(ranges))
            }
            (None, Some(patterns)) => {
                let read: Option<Vec<_>> = patterns.iter().map(|text| PhrasePattern::parse(text)).collect();
                let read = read.ok_or_else(|| wrong("a pattern has no letter or digit"))?;
                (patterns.join(", "), Matcher::Phrases(read))
            }
            (Some(_), Some(_)) | (None, None) => return Err(wrong("it needs either codes or patterns")),
        };
        Ok(Row {
            id: self.id.into(),
            answers,
            when: self.when,
            name: self.name,
            action: self.action,
            without_repair: self.without_repair.unwrap_or(self.action),
            health: self.health,
            definitive: self.definitive,
            why: self.why.into(),
            unreachable: self.unreachable,
            matcher,
        })
    }
}

fn row_error(id: &str, what: &str) -> RulebookError {
    RulebookError::Row {
        id: id.to_owned(),
        what: what.to_owned(),
    }
}

/// `8-13, 15, 21`.
fn ranges(text: &str) -> Option<Vec<RangeInclusive<u16>>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let range = first.trim().parse().ok()?..=last.trim().parse().ok()?;
        (!range.is_empty()).then_some(range)
    };
    text.split(',').map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_rules_can_be_read_and_answer_everything() {
        let book = Rulebook::parse(BUILT_IN).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(*Rulebook::built_in(), book);
        assert!(book.presets().count() >= 4);
        assert!(book.preset("telnyx").is_ok());
    }

    #[test]
    fn a_file_that_does_not_hold_together_is_refused_with_the_row() {
        for (from, to, code, part) in [
            (
                "id = \"sip_503\",",
                "id = \"sip_500\",",
                "rules_row",
                "row sip_500: its id stands there twice",
            ),
            ("codes = \"300-399\"", "codes = \"300-398\"", "rules_gap", "SIP 399"),
            ("causes = \"112-127\"", "causes = \"112-126\"", "rules_gap", "Q.850 127"),
            ("codes = \"300-399\"", "codes = \"399-300\"", "rules_row", "row sip_3xx"),
            (
                "action = \"repair_and_retry\", without_repair = \"next\"",
                "action = \"repair_and_retry\"",
                "rules_row",
                "sip_415",
            ),
            (
                "patterns = [\"dnc\"",
                "patterns = [\"*\"",
                "rules_row",
                "phrase_do_not_call",
            ),
            (
                ", unreachable = \"Asterisk shows no Retry-After\"",
                "",
                "rules_row",
                "sip_429_retry_after",
            ),
            (
                "action = \"stop\"",
                "action = \"halt\"",
                "rules_syntax",
                "unknown variant `halt`",
            ),
            (
                "480 = \"next\"",
                "480 = \"nxet\"",
                "rules_preset",
                "preset telnyx: override 480",
            ),
        ] {
            assert!(BUILT_IN.contains(from), "{from}");
            let error = Rulebook::parse(&BUILT_IN.replacen(from, to, 1)).expect_err(to);
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn a_pause_is_granted_within_bounds() {
        let pause = |asked: Option<u64>| {
            Rulebook::built_in()
                .cool_down
                .for_answer(asked.map(Duration::from_secs))
                .as_millis()
        };
        assert_eq!(
            [pause(None), pause(Some(0)), pause(Some(7)), pause(Some(300))],
            [5_000, 1_000, 7_000, 30_000]
        );
    }
}
