//! What an operator sets about a carrier: `KEY=VALUE` in, a changed row out.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::carrier::CarrierId;
use crate::config::Engine;
use crate::nearest::nearest;
use crate::snapshot;
use crate::store::CarrierSettingsRow;
use crate::verdict::{FailoverAfter183, OverrideError, Overrides, Rulebook};

use super::message::Effect;
use super::routes::is_dialable;

/// What is set about a carrier after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierSetView {
    /// The carrier.
    pub id: String,
    /// Everything that is set about it.
    pub settings: Vec<String>,
    /// From when on it holds.
    pub effect: Effect,
}

/// A setting cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// No `=`.
    #[error("{text:?}: write KEY=VALUE, for example guard_ms=3000, or KEY= to take a setting back")]
    Shape {
        /// What was written.
        text: String,
    },
    /// No such key.
    #[error("{word}: unknown setting{}; known are {}", .meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default(), KEYS.join(", "))]
    UnknownKey {
        /// What was written.
        word: String,
        /// What was probably meant.
        meant: Option<&'static str>,
    },
    /// A value that the key cannot have.
    #[error("{key}={value}: must be {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was written.
        value: String,
        /// What it could be.
        expected: &'static str,
    },
    /// An override or a preset.
    #[error(transparent)]
    Verdict(#[from] OverrideError),
}

impl SettingError {
    /// A stable word for this kind of error: on the wire, on record, in metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape { .. } => "setting_shape",
            Self::UnknownKey { .. } => "unknown_setting",
            Self::Value { .. } => "setting_value",
            Self::Verdict(error) => error.code(),
        }
    }
}

const GUARD_MS: &str = "guard_ms";
const PROGRESS_MS: &str = "progress_ms";
const RING_MS: &str = "ring_ms";
const SETUP_MS: &str = "setup_ms";
const MAX_ATTEMPTS: &str = "max_attempts";
const FAKES_PROGRESS: &str = "fakes_progress";
const AFTER_183: &str = "failover_after_183";
const PRESET: &str = "preset";
const MAX_CHANNELS: &str = "max_channels";
const MAX_CPS: &str = "max_cps";
const ENGINE: &str = "engine";
const STATUS: &str = "status";
const STRIP: &str = "strip";
const ADD_PREFIX: &str = "add_prefix";
const UPSTREAM_GROUP: &str = "upstream_group";
const VERDICT: &str = "verdict:";
const KEYS: [&str; 16] = [
    GUARD_MS,
    PROGRESS_MS,
    RING_MS,
    SETUP_MS,
    MAX_ATTEMPTS,
    FAKES_PROGRESS,
    AFTER_183,
    PRESET,
    MAX_CHANNELS,
    MAX_CPS,
    ENGINE,
    STATUS,
    STRIP,
    ADD_PREFIX,
    UPSTREAM_GROUP,
    "verdict:ANSWER",
];

/// The shortest guard: a carrier across an ocean needs a round trip, and UDP may lose the first INVITE.
const SIGNS_OF_LIFE_MS: Range = Range(500..=60_000, "500 to 60000 milliseconds");
/// Nobody picks up a telephone sooner, and none rings for longer than networks let it.
const RING_TIME_MS: Range = Range(1_000..=300_000, "1000 to 300000 milliseconds");
/// More rarely connect and only cost time.
const ATTEMPTS: Range = Range(1..=10, "1 to 10 attempts");

/// No number is longer.
const STRIPPED: Range = Range(0..=20, "0 to 20 characters");
/// What the columns hold.
const PREFIX_LIMIT: usize = 32;
const GROUP_LIMIT: usize = 64;

/// What a number may be, and the same in words.
struct Range(RangeInclusive<u32>, &'static str);

/// One setting; `None` takes it back.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Setting {
    Guard(Option<u32>),
    Progress(Option<u32>),
    Ring(Option<u32>),
    Setup(Option<u32>),
    MaxAttempts(Option<u32>),
    FakesProgress(Option<bool>),
    After183(Option<FailoverAfter183>),
    Preset(Option<String>),
    MaxChannels(Option<u32>),
    MaxCps(Option<u32>),
    Engine(Option<Engine>),
    Status(Option<&'static str>),
    Strip(Option<u32>),
    AddPrefix(Option<String>),
    UpstreamGroup(Option<String>),
    Verdict { answer: String, meaning: Option<String> },
}

/// Settings that are changed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change(Vec<Setting>);

impl Change {
    /// Reads what an operator wrote.
    pub(super) fn parse(settings: &[String]) -> Result<Self, SettingError> {
        let settings: Result<Vec<_>, _> = settings.iter().map(|text| Setting::parse(text)).collect();
        settings.map(Self)
    }

    /// Whether the carrier's verdicts can be used once this is done.
    pub(super) fn check(&self, rows: &[CarrierSettingsRow], carrier: &str) -> Result<(), SettingError> {
        let own = rows.iter().find(|row| row.carrier_id == carrier);
        let mut row = own.cloned().unwrap_or_default();
        self.apply(&mut row);
        snapshot::overrides(&row)?;
        Ok(())
    }

    /// Does it.
    pub(super) fn apply(&self, row: &mut CarrierSettingsRow) {
        for setting in &self.0 {
            match setting.clone() {
                Setting::Guard(guard_ms) => row.guard_ms = guard_ms,
                Setting::Progress(progress_ms) => row.progress_ms = progress_ms,
                Setting::Ring(ring_ms) => row.ring_ms = ring_ms,
                Setting::Setup(setup_ms) => row.setup_ms = setup_ms,
                Setting::MaxAttempts(attempts) => row.max_attempts = attempts,
                Setting::FakesProgress(fakes) => row.fakes_progress = fakes,
                Setting::After183(choice) => row.failover_after_183 = choice.map(|choice| choice.as_str().to_owned()),
                Setting::Preset(name) => row.preset = name,
                Setting::MaxChannels(limit) => row.max_channels = limit,
                Setting::MaxCps(limit) => row.max_cps = limit,
                Setting::Engine(engine) => row.engine = engine.map(|engine| engine.as_str().to_owned()),
                Setting::Status(status) => row.status = status.map(str::to_owned),
                Setting::Strip(strip) => row.strip_prefix = strip,
                Setting::AddPrefix(prefix) => row.add_prefix = prefix,
                Setting::UpstreamGroup(group) => row.upstream_group = group,
                Setting::Verdict { answer, meaning } => {
                    row.verdicts = changed(row.verdicts.as_deref(), &answer, meaning)
                }
            }
        }
    }
}

/// The assignments with one of them replaced, added or taken away.
fn changed(verdicts: Option<&str>, answer: &str, meaning: Option<String>) -> Option<String> {
    let of_others = verdicts
        .unwrap_or_default()
        .lines()
        .filter(|line| line.rsplit_once('=').is_some_and(|(other, _)| other.trim() != answer))
        .map(str::to_owned);
    let lines: Vec<String> = of_others
        .chain(meaning.map(|meaning| format!("{answer}={meaning}")))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

impl Setting {
    fn parse(text: &str) -> Result<Self, SettingError> {
        let shape = || SettingError::Shape { text: text.to_owned() };
        if let Some(assignment) = text.strip_prefix(VERDICT) {
            let (answer, meaning) = assignment.rsplit_once('=').ok_or_else(shape)?;
            let meaning = (!meaning.is_empty()).then(|| meaning.to_owned());
            // An answer that is taken back must be one, too: a slip would take nothing back.
            let probe = format!("{answer}={}", meaning.as_deref().unwrap_or("stop"));
            Overrides::from_assignments([probe.as_str()])?;
            return Ok(Self::Verdict {
                answer: answer.trim().to_owned(),
                meaning,
            });
        }
        let (key, value) = text.split_once('=').ok_or_else(shape)?;
        match key.trim() {
            GUARD_MS => within(&SIGNS_OF_LIFE_MS, GUARD_MS, value).map(Self::Guard),
            PROGRESS_MS => within(&SIGNS_OF_LIFE_MS, PROGRESS_MS, value).map(Self::Progress),
            RING_MS => within(&RING_TIME_MS, RING_MS, value).map(Self::Ring),
            SETUP_MS => within(&SIGNS_OF_LIFE_MS, SETUP_MS, value).map(Self::Setup),
            MAX_ATTEMPTS => within(&ATTEMPTS, MAX_ATTEMPTS, value).map(Self::MaxAttempts),
            FAKES_PROGRESS => optional(value, |value| match value {
                "yes" => Ok(true),
                "no" => Ok(false),
                _ => Err(wrong(FAKES_PROGRESS, value, "yes or no")),
            })
            .map(Self::FakesProgress),
            AFTER_183 => optional(value, |value| {
                FailoverAfter183::from_word(value).ok_or_else(|| wrong(AFTER_183, value, "never or if_5xx"))
            })
            .map(Self::After183),
            PRESET => optional(value, |value| {
                let preset = Rulebook::built_in().preset(value)?;
                Ok(preset.name.to_string())
            })
            .map(Self::Preset),
            MAX_CHANNELS => limit(MAX_CHANNELS, value).map(Self::MaxChannels),
            MAX_CPS => limit(MAX_CPS, value).map(Self::MaxCps),
            ENGINE => optional(value, |value| {
                Engine::from_word(value).ok_or_else(|| wrong(ENGINE, value, "stasis or agi"))
            })
            .map(Self::Engine),
            STATUS => optional(value, |value| {
                let known = [snapshot::STAGED, snapshot::ACTIVE]
                    .into_iter()
                    .find(|word| *word == value);
                known.ok_or_else(|| wrong(STATUS, value, "staged or active"))
            })
            .map(Self::Status),
            STRIP => within(&STRIPPED, STRIP, value).map(Self::Strip),
            ADD_PREFIX => optional(value, |value| {
                let is_dialable = is_dialable(value) && value.len() <= PREFIX_LIMIT;
                let dialable = is_dialable.then(|| value.to_owned());
                dialable.ok_or_else(|| {
                    wrong(
                        ADD_PREFIX,
                        value,
                        "up to 32 digits, and + * # where the carrier wants them",
                    )
                })
            })
            .map(Self::AddPrefix),
            UPSTREAM_GROUP => optional(value, |value| {
                let fits = value.chars().count() <= GROUP_LIMIT;
                fits.then(|| value.to_owned())
                    .ok_or_else(|| wrong(UPSTREAM_GROUP, value, "up to 64 characters"))
            })
            .map(Self::UpstreamGroup),
            word => Err(SettingError::UnknownKey {
                word: word.to_owned(),
                meant: nearest(word, KEYS),
            }),
        }
    }
}

fn optional<T>(value: &str, read: impl FnOnce(&str) -> Result<T, SettingError>) -> Result<Option<T>, SettingError> {
    match value.trim() {
        "" => Ok(None),
        value => read(value).map(Some),
    }
}

fn within(Range(range, words): &Range, key: &'static str, value: &str) -> Result<Option<u32>, SettingError> {
    optional(value, |value| {
        let number = value.parse().ok();
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| wrong(key, value, words))
    })
}

fn limit(key: &'static str, value: &str) -> Result<Option<u32>, SettingError> {
    optional(value, |value| {
        let limit = value.parse().ok();
        limit
            .filter(|limit| *limit > 0)
            .ok_or_else(|| wrong(key, value, "a number above 0; `carrier disable` stops a carrier"))
    })
}

fn wrong(key: &'static str, value: &str, expected: &'static str) -> SettingError {
    SettingError::Value {
        key,
        value: value.to_owned(),
        expected,
    }
}

/// Everything that is set about a carrier, as it would be written.
pub(super) fn shown(rows: &[CarrierSettingsRow], carrier: &CarrierId) -> Vec<String> {
    let Some(row) = rows.iter().find(|row| row.carrier_id == carrier.as_str()) else {
        return Vec::new();
    };
    let yes_or_no = |flag: bool| if flag { "yes" } else { "no" };
    let number = |key: &str, value: Option<u32>| value.map(|value| format!("{key}={value}"));
    let text = |key: &str, value: Option<&str>| value.map(|value| format!("{key}={value}"));
    let verdicts = row.verdicts.iter().flat_map(|text| text.lines());
    [
        number(GUARD_MS, row.guard_ms),
        number(PROGRESS_MS, row.progress_ms),
        number(RING_MS, row.ring_ms),
        number(SETUP_MS, row.setup_ms),
        number(MAX_ATTEMPTS, row.max_attempts),
        text(FAKES_PROGRESS, row.fakes_progress.map(yes_or_no)),
        text(AFTER_183, row.failover_after_183.as_deref()),
        text(PRESET, row.preset.as_deref()),
        number(MAX_CHANNELS, row.max_channels),
        number(MAX_CPS, row.max_cps),
        text(ENGINE, row.engine.as_deref()),
        text(STATUS, row.status.as_deref()),
        number(STRIP, row.strip_prefix),
        text(ADD_PREFIX, row.add_prefix.as_deref()),
        text(UPSTREAM_GROUP, row.upstream_group.as_deref()),
    ]
    .into_iter()
    .flatten()
    .chain(verdicts.map(|line| format!("{VERDICT}{line}")))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(row: &mut CarrierSettingsRow, settings: &[&str]) -> Result<(), String> {
        let settings: Vec<String> = settings.iter().map(|&text| text.to_owned()).collect();
        let change = Change::parse(&settings).map_err(|error| error.to_string())?;
        change.apply(row);
        Ok(())
    }

    #[test]
    fn what_is_set_is_shown_as_it_was_written_and_can_be_taken_back() {
        let mut row = CarrierSettingsRow {
            carrier_id: "A".into(),
            ..CarrierSettingsRow::default()
        };
        let written = [
            "guard_ms=3000",
            "ring_ms=25000",
            "setup_ms=15000",
            "max_attempts=2",
            "fakes_progress=no",
            "failover_after_183=if_5xx",
            "max_channels=30",
            "status=staged",
            "strip=1",
            "add_prefix=+1",
            "upstream_group=big wholesale",
            "verdict:503=stop",
            "verdict:phrase:no funds=next",
        ];
        set(&mut row, &written).expect("is understood");
        assert_eq!(shown(std::slice::from_ref(&row), &"A".into()), written);
        set(
            &mut row,
            &[
                "verdict:503=next",
                "guard_ms=",
                "ring_ms=",
                "setup_ms=",
                "max_attempts=",
                "fakes_progress=",
                "status=",
                "strip=",
                "add_prefix=",
                "upstream_group=",
            ],
        )
        .expect("is understood");
        let left = [
            "failover_after_183=if_5xx",
            "max_channels=30",
            "verdict:phrase:no funds=next",
            "verdict:503=next",
        ];
        assert_eq!(shown(std::slice::from_ref(&row), &"A".into()), left);
        set(&mut row, &["verdict:503=", "verdict:phrase:no funds="]).expect("is understood");
        assert_eq!(row.verdicts, None);
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (setting, complaint) in [
            ("guard_ms", "write KEY=VALUE"),
            ("gaurd_ms=3000", "did you mean guard_ms?"),
            ("guard_ms=3", "500 to 60000 milliseconds"),
            ("ring_ms=999", "1000 to 300000 milliseconds"),
            ("setup_ms=60001", "500 to 60000 milliseconds"),
            ("max_attempts=0", "1 to 10 attempts"),
            ("fakes_progress=maybe", "yes or no"),
            ("max_channels=0", "carrier disable"),
            ("engine=dial", "stasis or agi"),
            ("status=new", "staged or active"),
            ("strip=21", "0 to 20 characters"),
            ("add_prefix=a", "up to 32 digits"),
            ("verdict:799=stop", "799"),
            ("verdict:503=stpo", "stpo"),
            ("preset=nobody", "nobody"),
        ] {
            let told = set(&mut CarrierSettingsRow::default(), &[setting]).expect_err(setting);
            assert!(told.contains(complaint), "{setting}: {told}");
        }
    }

    #[test]
    fn two_names_of_one_answer_are_refused() {
        let row = CarrierSettingsRow {
            carrier_id: "A".into(),
            verdicts: Some("USER_BUSY=next".into()),
            ..CarrierSettingsRow::default()
        };
        let change = Change::parse(&["verdict:17=stop".to_owned()]).expect("is understood");
        let told = change.check(&[row], "A").expect_err("twice");
        assert_eq!(told.code(), "override_twice");
    }
}
