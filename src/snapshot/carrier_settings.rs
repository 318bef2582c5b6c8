//! What an operator set about carriers: rows in, timers and policies out.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::admission::CarrierLimits;
use crate::carrier::{CarrierId, Timers};
use crate::store::{CarrierSettingsRow, RoutingTables};
use crate::verdict::{CarrierPolicies, CarrierPolicy, FailoverAfter183, OverrideError, Overrides, Rulebook};

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

impl SettingProblem {
    /// The `setting` of a problem with the operator's word.
    pub(super) const OPERATOR_STATE: &'static str = "operator_state";

    fn remedy(&self) -> String {
        let Self { carrier, setting, .. } = self;
        if *setting == Self::OPERATOR_STATE {
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
    /// An operator's word that is not known.
    #[error("unknown word {word:?}; known are enabled, disabled, draining and only")]
    OperatorState {
        /// The word.
        word: String,
    },
}

/// The `server_ip` of a carrier that every dialer uses.
const EVERY_SERVER: &str = "0.0.0.0";

/// The timers of a carrier: its own, and those of the configuration where it has none.
pub(super) fn timers(row: Option<&CarrierSettingsRow>, default: Timers) -> Timers {
    let milliseconds = |value: Option<u32>| value.map(|value| Duration::from_millis(value.into()));
    match row {
        Some(row) => Timers {
            guard: milliseconds(row.guard_ms).unwrap_or(default.guard),
            progress: milliseconds(row.progress_ms).unwrap_or(default.progress),
            ring: default.ring,
        },
        None => default,
    }
}

/// The policies of all carriers that anything is set about; what cannot be used is as if it were not set.
pub(super) fn policies(rows: &[CarrierSettingsRow], rules: &Rulebook) -> (CarrierPolicies, Vec<SettingProblem>) {
    let mut problems = Vec::new();
    let policies = rows.iter().map(|row| {
        let carrier = CarrierId::from(row.carrier_id.as_str());
        let mut told = |setting, error| {
            problems.push(SettingProblem {
                carrier: carrier.clone(),
                setting,
                error,
            });
        };
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
