//! The names of all metrics, their help and their labels: the only place where they are spelt.
//!
//! Numbers and caller ids are never labels. Counters get `_total` when they are written out.

use prometheus_client::encoding::EncodeLabelSet;

/// One metric's name and help.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
}

const fn name(name: &'static str, help: &'static str) -> Name {
    Name { name, help }
}

pub(super) const BUILD: Name = name("crankback_build", "The version that runs");
pub(super) const ATTEMPTS: Name = name(
    "crankback_attempts",
    "Attempts that ended, by carrier, by what the call did next and by the rule that decided it",
);
pub(super) const FAILOVER_GAP: Name = name(
    "crankback_failover_gap_seconds",
    "From the end of a failed leg to the start of the next one of the same call",
);
pub(super) const CALLS: Name = name("crankback_calls", "Calls that are up, by how far they are");
pub(super) const ATTEMPTS_WAITING: Name = name(
    "crankback_attempts_waiting",
    "Attempts that ended and are not in the store yet",
);
pub(super) const TABLES_STALE: Name = name(
    "crankback_tables_stale_seconds",
    "For how long the tables could not be read; 0 while they can",
);
pub(super) const ARI_CONNECTED: Name = name("crankback_ari_connected", "1 while Asterisk's events come in");
pub(super) const RECENT_CHANNEL_EXPIRIES: Name = name(
    "crankback_recent_channel_expiries",
    "Rows of VICIdial's cid_channels_recent that were not written in time, by occasion (start of a leg, answer) and reason",
);
pub(super) const LEGS_OUT: Name = name("crankback_carrier_legs", "Legs that are out through a carrier");
pub(super) const LEGS_LIMIT: Name = name(
    "crankback_carrier_legs_limit",
    "Legs that a carrier allows this dialer; not there without a limit",
);
pub(super) const CPS_LIMIT: Name = name(
    "crankback_carrier_calls_per_second_limit",
    "New legs a second that a carrier allows this dialer; not there without a limit",
);
pub(super) const REFUSALS: Name = name(
    "crankback_admission_refusals",
    "Legs that were not let out, by carrier and reason",
);
pub(super) const CARRIER_STATE: Name = name(
    "crankback_carrier_state",
    "1 for the state that a carrier is in, 0 for all others",
);
pub(super) const CARRIER_OPERATOR: Name = name(
    "crankback_carrier_operator",
    "1 for the operator's word that is in force for a carrier",
);
pub(super) const CARRIER_SHARE: Name = name(
    "crankback_carrier_taken_ratio",
    "Share of its calls that a carrier takes, 0 to 1, while active, degraded or throttled",
);
pub(super) const CARRIER_CHANGES: Name = name("crankback_carrier_changes", "Changes of a carrier's state");
pub(super) const PROBE_SECONDS: Name = name(
    "crankback_probe_seconds",
    "From an OPTIONS to its response, by carrier; answered ones only",
);
pub(super) const PROBE_FAILURES: Name = name(
    "crankback_probe_failures",
    "OPTIONS that found a carrier not alive, by what was met",
);

/// Bounds of the failover gap's histogram, in seconds: a millisecond to a no-response guard and more.
pub(super) const GAP_BOUNDS: [f64; 14] = [
    0.001, 0.002, 0.005, 0.010, 0.020, 0.050, 0.100, 0.200, 0.500, 1.0, 2.0, 4.0, 8.0, 16.0,
];
/// Bounds of the probe's histogram, in seconds.
pub(super) const PROBE_BOUNDS: [f64; 10] = [0.001, 0.005, 0.010, 0.025, 0.050, 0.100, 0.250, 0.500, 1.0, 2.0];

/// `{version}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BuildLabels {
    pub(super) version: &'static str,
}

/// `{carrier,action,rule}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AttemptLabels {
    pub(super) carrier: String,
    pub(super) action: String,
    pub(super) rule: String,
}

/// `{carrier}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CarrierLabels {
    pub(super) carrier: String,
}

/// `{state}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StateLabels {
    pub(super) state: &'static str,
}

/// `{carrier,state}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CarrierStateLabels {
    pub(super) carrier: String,
    pub(super) state: &'static str,
}

/// `{carrier,word}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OperatorLabels {
    pub(super) carrier: String,
    pub(super) word: &'static str,
}

/// `{carrier,reason}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabels {
    pub(super) carrier: String,
    pub(super) reason: &'static str,
}

/// `{occasion,reason}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OccasionLabels {
    pub(super) occasion: &'static str,
    pub(super) reason: &'static str,
}

/// `{carrier,from,to}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ChangeLabels {
    pub(super) carrier: String,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_ours_unique_and_explained() {
        let all = [
            BUILD,
            ATTEMPTS,
            FAILOVER_GAP,
            CALLS,
            ATTEMPTS_WAITING,
            TABLES_STALE,
            ARI_CONNECTED,
            RECENT_CHANNEL_EXPIRIES,
            LEGS_OUT,
            LEGS_LIMIT,
            CPS_LIMIT,
            REFUSALS,
            CARRIER_STATE,
            CARRIER_OPERATOR,
            CARRIER_SHARE,
            CARRIER_CHANGES,
            PROBE_SECONDS,
            PROBE_FAILURES,
        ];
        let names: std::collections::BTreeSet<_> = all.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), all.len());
        for Name { name, help } in all {
            assert!(name.starts_with("crankback_") && !name.ends_with("_total"), "{name}");
            assert!(!help.is_empty() && !help.ends_with('.'), "{name}: the dot is added");
        }
    }
}
