//! What an operator lets a carrier's answers mean instead of the tables.

use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::nearest::nearest;

use super::action::{Action, Health};
use super::cause_names;
use super::selector::Selector;

/// What an answer is to mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What the call does next.
    pub action: Action,
    /// What the carrier's health learns; `None`: what it would have learnt anyway.
    pub health: Option<Health>,
    /// Whether the answer is about the number itself; `None`: as in the tables.
    pub definitive: Option<bool>,
}

/// One override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Which answers.
    pub selector: Selector,
    /// What they mean.
    pub setting: Setting,
}

/// The overrides of one carrier, checked and in the order in which they are asked. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(Arc<[Override]>);

/// An override cannot be used. Nothing of the text it stands in is in force then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OverrideError {
    /// Neither TOML nor JSON.
    #[error("the overrides are neither TOML (503 = \"stop\") nor JSON ({{\"503\": \"stop\"}}): {message}")]
    Syntax {
        /// What the parser says, with line and column.
        message: String,
    },
    /// A command line's override without `=`.
    #[error("override {text:?}: write ANSWER=ACTION or ANSWER=ACTION/HEALTH, for example 503=stop")]
    Assignment {
        /// What was written.
        text: String,
    },
    /// The answer is not one that can be overridden.
    #[error(
        "override {word:?}: no such answer{}; known are SIP codes 300 to 699, classes 3xx to 6xx, Q.850 causes 1 to 127 or \
         their names (USER_BUSY), and phrase:WORDS with at least one letter or digit",
        suggestion(*.meant)
    )]
    UnknownAnswer {
        /// What was written.
        word: String,
        /// The name that was probably meant.
        meant: Option<&'static str>,
    },
    /// The action is not known.
    #[error("override {answer}: no action {word:?}{}; known are {known}", suggestion(*.meant), known = list(&Action::ALL.map(Action::as_str)))]
    UnknownAction {
        /// The answer it stands with.
        answer: String,
        /// What was written.
        word: String,
        /// What was probably meant.
        meant: Option<&'static str>,
    },
    /// The health sample is not known.
    #[error("override {answer}: no health {word:?}{}; known are {known}", suggestion(*.meant), known = list(&Health::ALL.map(Health::as_str)))]
    UnknownHealth {
        /// The answer it stands with.
        answer: String,
        /// What was written.
        word: String,
        /// What was probably meant.
        meant: Option<&'static str>,
    },
    /// A key of an override is not known.
    #[error("override {answer}: no key {word:?}{}; known are {known}", suggestion(*.meant), known = list(&KEYS))]
    UnknownKey {
        /// The answer it stands with.
        answer: String,
        /// What was written.
        word: String,
        /// What was probably meant.
        meant: Option<&'static str>,
    },
    /// A value has the wrong shape.
    #[error(
        "override {answer}: write an action (\"stop\") or a table with action, health and definitive (true or false)"
    )]
    Shape {
        /// The answer it stands with.
        answer: String,
    },
    /// The same answer twice, perhaps once by number and once by name.
    #[error("override {answer}: it stands there twice, as {first:?} and {second:?}")]
    Twice {
        /// The answer.
        answer: String,
        /// How it was written first.
        first: String,
        /// How it was written again.
        second: String,
    },
    /// No such preset.
    #[error("no preset {word:?}{}; known are {known}", .meant.as_deref().map(|meant| suggestion(Some(meant))).unwrap_or_default())]
    UnknownPreset {
        /// What was written.
        word: String,
        /// What was probably meant.
        meant: Option<String>,
        /// The presets there are.
        known: String,
    },
}

impl OverrideError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "override_syntax",
            Self::Assignment { .. } => "override_assignment",
            Self::UnknownAnswer { .. } => "override_unknown_answer",
            Self::UnknownAction { .. } => "override_unknown_action",
            Self::UnknownHealth { .. } => "override_unknown_health",
            Self::UnknownKey { .. } => "override_unknown_key",
            Self::Shape { .. } => "override_shape",
            Self::Twice { .. } => "override_twice",
            Self::UnknownPreset { .. } => "override_unknown_preset",
        }
    }
}

fn suggestion(meant: Option<&str>) -> String {
    meant
        .map(|meant| format!(" (did you mean {meant}?)"))
        .unwrap_or_default()
}

fn list(words: &[&str]) -> String {
    words.join(", ")
}

const KEYS: [&str; 3] = ["action", "health", "definitive"];

impl Overrides {
    /// Reads overrides from a TOML document (`503 = "stop"`) or a JSON object (`{"503": "stop"}`). A value is an action, an
    /// action and a health sample (`"one_more/weak"`), or a table of `action`, `health` and `definitive`.
    ///
    /// # Errors
    /// The first mistake, with the word that is wrong and those that are known.
    pub fn parse(text: &str) -> Result<Self, OverrideError> {
        let read: Result<Entries, String> = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| error.to_string())
        } else {
            toml::from_str(text).map_err(|error| error.to_string())
        };
        Self::from_entries(read.map_err(|message| OverrideError::Syntax {
            message: message.trim_end().to_owned(),
        })?)
    }

    /// Reads overrides as a command line has them: `503=stop`, `603=one_more/weak`.
    ///
    /// # Errors
    /// As of [`Overrides::parse`].
    pub fn from_assignments<'a>(assignments: impl IntoIterator<Item = &'a str>) -> Result<Self, OverrideError> {
        let entries = assignments.into_iter().map(|text| {
            let (answer, setting) = text
                .rsplit_once('=')
                .ok_or_else(|| OverrideError::Assignment { text: text.to_owned() })?;
            Ok((answer.trim().to_owned(), Value::String(setting.to_owned())))
        });
        Self::from_entries(Entries(entries.collect::<Result<_, OverrideError>>()?))
    }

    pub(super) fn from_entries(entries: Entries) -> Result<Self, OverrideError> {
        let mut read: Vec<(String, Override)> = Vec::new();
        for (written, value) in entries.0 {
            let selector = Selector::parse(&written).ok_or_else(|| unknown_answer(&written))?;
            if let Some((first, _)) = read.iter().find(|(_, other)| other.selector == selector) {
                return Err(OverrideError::Twice {
                    answer: selector.to_string(),
                    first: first.clone(),
                    second: written,
                });
            }
            let setting = setting(&written, &value)?;
            read.push((written, Override { selector, setting }));
        }
        let mut overrides: Vec<Override> = read.into_iter().map(|(_, it)| it).collect();
        overrides.sort_by_key(|it| it.selector.rank());
        Ok(Self(overrides.into()))
    }

    /// Those for which there is an override, in the order in which they are asked.
    pub fn iter(&self) -> impl Iterator<Item = &Override> {
        self.0.iter()
    }

    /// Whether nothing is overridden.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn unknown_answer(word: &str) -> OverrideError {
    OverrideError::UnknownAnswer {
        word: word.to_owned(),
        meant: nearest(&word.to_ascii_uppercase(), cause_names::names()),
    }
}

fn setting(answer: &str, value: &Value) -> Result<Setting, OverrideError> {
    let shape = || OverrideError::Shape {
        answer: answer.to_owned(),
    };
    if let Value::String(words) = value {
        let (action_word, health_word) = words
            .split_once('/')
            .map_or((words.as_str(), None), |(action, health)| (action, Some(health)));
        return Ok(Setting {
            action: action(answer, action_word)?,
            health: health_word.map(|word| health(answer, word)).transpose()?,
            definitive: None,
        });
    }
    let table = value.as_object().ok_or_else(shape)?;
    if let Some(word) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(OverrideError::UnknownKey {
            answer: answer.to_owned(),
            word: word.clone(),
            meant: nearest(word, KEYS),
        });
    }
    let word = |key: &str| {
        let value = table.get(key);
        value.map(|value| value.as_str().ok_or_else(shape)).transpose()
    };
    let definitive = table.get("definitive");
    Ok(Setting {
        action: action(answer, word("action")?.ok_or_else(shape)?)?,
        health: word("health")?.map(|word| health(answer, word)).transpose()?,
        definitive: definitive.map(|value| value.as_bool().ok_or_else(shape)).transpose()?,
    })
}

fn action(answer: &str, word: &str) -> Result<Action, OverrideError> {
    let word = word.trim();
    Action::ALL
        .into_iter()
        .find(|action| action.as_str() == word)
        .ok_or_else(|| OverrideError::UnknownAction {
            answer: answer.to_owned(),
            word: word.to_owned(),
            meant: nearest(word, Action::ALL.map(Action::as_str)),
        })
}

fn health(answer: &str, word: &str) -> Result<Health, OverrideError> {
    let word = word.trim();
    Health::ALL
        .into_iter()
        .find(|health| health.as_str() == word)
        .ok_or_else(|| OverrideError::UnknownHealth {
            answer: answer.to_owned(),
            word: word.to_owned(),
            meant: nearest(word, Health::ALL.map(Health::as_str)),
        })
}

/// A map as it was written: in its order, with every key that stands there twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Entries;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("answers and what they mean")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(overrides: &Overrides) -> Vec<(String, Action, Option<Health>)> {
        overrides
            .iter()
            .map(|it| (it.selector.to_string(), it.setting.action, it.setting.health))
            .collect()
    }

    #[test]
    fn toml_json_and_the_command_line_say_the_same() {
        let toml = Overrides::parse(
            "503 = \"stop\"\n\"5xx\" = \"next\"\nUSER_BUSY = \"one_more/weak\"\n\
             \"phrase:not sold\" = { action = \"next\", health = \"config_fault\" }\n",
        )
        .expect("TOML");
        let json = Overrides::parse(
            r#" {"5xx": "next", "17": {"action": "one_more", "health": "weak"},
                "phrase:not sold": "next/config_fault", "503": "stop"}"#,
        )
        .expect("JSON");
        let assigned = Overrides::from_assignments([
            "5xx=next",
            "busy = one_more/weak",
            "phrase:not sold=next/config_fault",
            "503=stop",
        ])
        .expect("assignments");
        let expected = [
            ("phrase:not sold", Action::Next, Some(Health::ConfigFault)),
            ("503", Action::Stop, None),
            ("USER_BUSY", Action::OneMore, Some(Health::Weak)),
            ("5xx", Action::Next, None),
        ]
        .map(|(selector, action, health)| (selector.to_owned(), action, health));
        for overrides in [toml, json, assigned] {
            assert_eq!(shown(&overrides), expected);
        }
        assert!(Overrides::parse("").expect("nothing").is_empty());
    }

    #[test]
    fn a_mistake_is_named_with_what_is_known() {
        for (text, code, parts) in [
            (
                "503 = \"stpo\"",
                "override_unknown_action",
                &["503", "\"stpo\"", "did you mean stop?", "next, one_more"] as &[&str],
            ),
            (
                "503 = \"stop/weka\"",
                "override_unknown_health",
                &["\"weka\"", "did you mean weak?", "our_limit"],
            ),
            (
                "NORMAL_CIRCIUT_CONGESTION = \"next\"",
                "override_unknown_answer",
                &["did you mean NORMAL_CIRCUIT_CONGESTION?", "300 to 699"],
            ),
            ("200 = \"next\"", "override_unknown_answer", &["\"200\""]),
            ("\"phrase:*\" = \"next\"", "override_unknown_answer", &["phrase:*"]),
            (
                "503 = { acton = \"next\" }",
                "override_unknown_key",
                &["\"acton\"", "did you mean action?"],
            ),
            ("503 = { health = \"weak\" }", "override_shape", &["503"]),
            ("503 = 7", "override_shape", &["503"]),
            (
                "503 = { action = \"next\", definitive = \"no\" }",
                "override_shape",
                &[],
            ),
            (
                "17 = \"next\"\nUSER_BUSY = \"stop\"",
                "override_twice",
                &["USER_BUSY", "\"17\""],
            ),
            ("{\"503\": \"next\", \"503\": \"stop\"}", "override_twice", &["503"]),
            ("503 = ", "override_syntax", &["TOML", "line 1"]),
            ("{\"503\": }", "override_syntax", &["JSON", "line 1"]),
        ] {
            let error = Overrides::parse(text).expect_err(text);
            assert_eq!(error.code(), code, "{text}: {error}");
            for part in parts {
                assert!(error.to_string().contains(part), "{text}: {error}");
            }
        }
        let error = Overrides::from_assignments(["503"]).expect_err("no =");
        assert_eq!(error.code(), "override_assignment");
    }

    #[test]
    fn a_longer_phrase_is_asked_before_a_shorter_one() {
        let overrides = Overrides::from_assignments(["phrase:sold=next", "phrase:not sold here=stop"]).expect("two");
        let first = overrides.iter().next().map(|it| it.selector.to_string());
        assert_eq!(first.as_deref(), Some("phrase:not sold here"));
    }
}
