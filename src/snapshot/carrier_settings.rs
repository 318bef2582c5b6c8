//! What an operator set about carriers: rows in, timers and policies out.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::admission::CarrierLimits;
use crate::carrier::{CallLimits, CarrierId, NumberFormat, Timers};
use crate::config::{Engine, OwnOptions};
use crate::health::{OperatorSetting, OperatorWord, OperatorWords};
use crate::probe::{AliveReplies, AliveRepliesError};
use crate::store::{CarrierSettingsRow, RoutingTables};
use crate::verdict::{CarrierPolicies, CarrierPolicy, FailoverAfter183, OverrideError, Overrides, Rulebook};
use crate::vicidial::carriers::EVERY_SERVER;

/// Something set about a carrier that cannot be used and is passed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("carrier {carrier}, its own {setting}: {error}; correct it with `{}`", self.remedy())]
pub struct SettingProblem {
    /// The carrier.
    pub carrier: CarrierId,
    /// The setting.
    pub setting: &'static str,
    /// What is wrong with it.
    pub error: SettingError,
}

/// The `setting` of a problem with the operator's word.
const OPERATOR: &str = "operator";

impl SettingProblem {
    fn remedy(&self) -> String {
        let Self { carrier, setting, .. } = self;
        if *setting == OPERATOR {
            format!("crankback carrier enable {carrier}")
        } else {
            format!("crankback carrier set {carrier} {setting}=…")
        }
    }
}

/// Why a setting cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Its overrides or its preset.
    #[error(transparent)]
    Verdict(#[from] OverrideError),
    /// A word that is not known.
    #[error("unknown word {word:?}; known are never and if_5xx")]
    After183 {
        /// The word.
        word: String,
    },
    /// An engine that is not known.
    #[error("unknown word {word:?}; known are stasis and agi")]
    Engine {
        /// The word.
        word: String,
    },
    /// A status that is not known: the carrier counts as active.
    #[error("unknown word {word:?}; known are staged and active")]
    Status {
        /// The word.
        word: String,
    },
    /// Neither on nor off.
    #[error("unknown word {word:?}; known are on and off")]
    Probe {
        /// The word.
        word: String,
    },
    /// Which replies count as alive.
    #[error(transparent)]
    ProbeAlive(#[from] AliveRepliesError),
    /// The operator's word is not known: the carrier counts as enabled.
    #[error("unknown word {word:?}; known are enabled, disabled, draining and only")]
    OperatorWord {
        /// The word.
        word: String,
    },
}

/// The status of a carrier that no route goes to before it is tested.
pub const STAGED: &str = "staged";
/// The status of every other carrier; it may be left out.
pub const ACTIVE: &str = "active";

/// Whether no route goes to the carrier. A word that is not known is as if it were not set.
pub(super) fn is_staged(row: &CarrierSettingsRow) -> bool {
    row.status.as_deref() == Some(STAGED)
}

/// How the carrier wants its numbers, where that is set; it applies to the canonical number.
pub(super) fn number_format(row: &CarrierSettingsRow) -> Option<NumberFormat> {
    let is_set = row.strip_prefix.is_some() || row.add_prefix.is_some();
    is_set.then(|| NumberFormat {
        strip: row.strip_prefix.map_or(0, |strip| strip as usize),
        prefix: row.add_prefix.clone().unwrap_or_default(),
    })
}

/// The timers of a carrier: its own, and those of the configuration where it has none.
pub(super) fn timers(row: Option<&CarrierSettingsRow>, default: Timers) -> Timers {
    match row {
        Some(row) => Timers {
            guard: milliseconds(row.guard_ms).unwrap_or(default.guard),
            progress: milliseconds(row.progress_ms).unwrap_or(default.progress),
            ring: milliseconds(row.ring_ms).or(default.ring),
        },
        None => default,
    }
}

/// What is set about the calls that enter through a carrier.
pub(super) fn call_limits(row: &CarrierSettingsRow) -> CallLimits {
    CallLimits {
        setup: milliseconds(row.setup_ms),
        attempts: row.max_attempts.filter(|attempts| *attempts > 0),
    }
}

fn milliseconds(value: Option<u32>) -> Option<Duration> {
    value.map(|value| Duration::from_millis(value.into()))
}

/// Takes down what cannot be used of the settings of one carrier.
fn told_of<'a>(
    carrier: &'a CarrierId,
    problems: &'a mut Vec<SettingProblem>,
) -> impl FnMut(&'static str, SettingError) + 'a {
    move |setting, error| {
        problems.push(SettingProblem {
            carrier: carrier.clone(),
            setting,
            error,
        });
    }
}

/// The policies of all carriers that anything is set about; what cannot be used is as if it were not set.
pub(super) fn policies(rows: &[CarrierSettingsRow], rules: &Rulebook) -> (CarrierPolicies, Vec<SettingProblem>) {
    let mut problems = Vec::new();
    let policies = rows.iter().map(|row| {
        let carrier = CarrierId::from(row.carrier_id.as_str());
        let mut told = told_of(&carrier, &mut problems);
        if let Err(error) = operator(row) {
            told(OPERATOR, error);
        }
        if let Some(word) = row
            .status
            .as_ref()
            .filter(|word| ![STAGED, ACTIVE].contains(&word.as_str()))
        {
            told("status", SettingError::Status { word: word.clone() });
        }
        let policy = CarrierPolicy {
            fakes_progress: row.fakes_progress.unwrap_or_default(),
            failover_after_183: after_183(row).unwrap_or_else(|error| {
                told("failover_after_183", error);
                FailoverAfter183::default()
            }),
            overrides: overrides(row).unwrap_or_else(|error| {
                told("verdict", error.into());
                Overrides::default()
            }),
            preset: row.preset.as_deref().and_then(|name| {
                let found = rules.preset(name);
                found.map_err(|error| told("preset", error.into())).ok()
            }),
            ..CarrierPolicy::default()
        };
        (carrier.clone(), policy)
    });
    let policies: CarrierPolicies = policies.collect();
    (policies, problems)
}

/// The engines of calls that enter by a carrier's dialplan line, where one is set; a word that is not known is as if it were not
/// set.
pub(super) fn engines(rows: &[CarrierSettingsRow]) -> (BTreeMap<CarrierId, Engine>, Vec<SettingProblem>) {
    let mut problems = Vec::new();
    let mut engines = BTreeMap::new();
    for row in rows {
        let (Some(word), carrier) = (&row.engine, CarrierId::from(row.carrier_id.as_str())) else {
            continue;
        };
        match Engine::from_word(word) {
            Some(engine) => {
                engines.insert(carrier, engine);
            }
            None => told_of(&carrier, &mut problems)("engine", SettingError::Engine { word: word.clone() }),
        }
    }
    (engines, problems)
}

/// What is set about OPTIONS of our own to a carrier. What is `None` follows the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierProbe {
    /// Whether they are sent: also to one that they do not fit by themselves, or not.
    pub options: Option<OwnOptions>,
    /// From one to the next.
    pub interval: Option<Duration>,
    /// Which replies show that the carrier is alive.
    pub alive: Option<AliveReplies>,
}

/// What is set about OPTIONS of our own to carriers; what cannot be used is as if it were not set.
pub(super) fn probes(rows: &[CarrierSettingsRow]) -> (BTreeMap<CarrierId, CarrierProbe>, Vec<SettingProblem>) {
    let mut problems = Vec::new();
    let probes = rows.iter().map(|row| {
        let carrier = CarrierId::from(row.carrier_id.as_str());
        let mut told = told_of(&carrier, &mut problems);
        let options = row.probe.as_ref().and_then(|word| {
            let known = OwnOptions::from_word(word);
            if known.is_none() {
                told("probe", SettingError::Probe { word: word.clone() });
            }
            known
        });
        let alive = row.probe_alive.as_ref().and_then(|text| {
            let read: Result<AliveReplies, _> = text.parse();
            read.map_err(|error| told("probe_alive", error.into())).ok()
        });
        let interval = row.probe_interval_s.map(|seconds| Duration::from_secs(seconds.into()));
        (
            carrier.clone(),
            CarrierProbe {
                options,
                interval,
                alive,
            },
        )
    });
    let probes = probes.filter(|(_, probe)| *probe != CarrierProbe::default()).collect();
    (probes, problems)
}

/// What each carrier allows this dialer: its limits, divided among the active dialers that use it.
pub(super) fn limits(tables: &RoutingTables, own: Ipv4Addr) -> HashMap<CarrierId, CarrierLimits> {
    let active: Vec<Ipv4Addr> = tables
        .servers
        .iter()
        .filter(|server| server.is_active)
        .filter_map(|server| server.server_ip.trim().parse().ok())
        .collect();
    let is_everywhere = |carrier: &str| {
        let mut rows = tables.carriers.iter();
        rows.any(|row| row.carrier_id == carrier && row.server_ip.trim() == EVERY_SERVER)
    };
    let limits = tables.carrier_settings.iter().map(|row| {
        let whole = CarrierLimits {
            max_channels: row.max_channels,
            max_calls_per_second: row.max_cps,
        };
        let users = if is_everywhere(&row.carrier_id) {
            active.as_slice()
        } else {
            &[]
        };
        (CarrierId::from(row.carrier_id.as_str()), whole.share(own, users))
    });
    limits.filter(|(_, limits)| !limits.is_unlimited()).collect()
}

/// What operators said about carriers; a word that is not known is as if nobody had spoken.
pub fn operator_words(rows: &[CarrierSettingsRow]) -> OperatorWords {
    let said = rows.iter().filter(|row| row.operator_state.is_some());
    let words = said.filter_map(|row| Some((CarrierId::from(row.carrier_id.as_str()), operator(row).ok()?)));
    words.collect()
}

/// The operator's word of a row, with who, why and until when.
pub(super) fn operator(row: &CarrierSettingsRow) -> Result<OperatorSetting, SettingError> {
    let Some(word) = row.operator_state.as_deref() else {
        return Ok(OperatorSetting::default());
    };
    let known = OperatorWord::from_word(word);
    Ok(OperatorSetting {
        word: known.ok_or_else(|| SettingError::OperatorWord { word: word.to_owned() })?,
        by: row.operator_by.clone().unwrap_or_default(),
        why: row.operator_reason.clone().unwrap_or_default(),
        since_ms: row.operator_since_ms.unwrap_or_default(),
        until_ms: row.operator_until_ms,
    })
}

/// The overrides of a row.
pub(crate) fn overrides(row: &CarrierSettingsRow) -> Result<Overrides, OverrideError> {
    Overrides::from_assignments(row.verdicts.iter().flat_map(|text| text.lines()))
}

fn after_183(row: &CarrierSettingsRow) -> Result<FailoverAfter183, SettingError> {
    match row.failover_after_183.as_deref() {
        None => Ok(FailoverAfter183::default()),
        Some(word) => FailoverAfter183::from_word(word).ok_or_else(|| SettingError::After183 { word: word.to_owned() }),
    }
}
