//! Carriers and formats that the tests of this room share.

use std::collections::HashMap;

use crate::carrier::{AfterDial, Carrier, DialEntry, NumberFormat, Technology};

pub(super) fn carrier(id: &str, patterns: &[(&str, usize, &str)]) -> Carrier {
    let mut carrier = Carrier::new(id.into(), Technology::Sip, &id.to_lowercase());
    carrier.entries = patterns
        .iter()
        .map(|(pattern, strip, prefix)| DialEntry {
            pattern: (*pattern).into(),
            format: format(*strip, prefix),
            options: "To".into(),
            after: AfterDial::HangsUp,
        })
        .collect();
    carrier
}

pub(super) fn format(strip: usize, prefix: &str) -> NumberFormat {
    NumberFormat {
        strip,
        prefix: prefix.into(),
    }
}

pub(super) fn carriers() -> Vec<Carrier> {
    vec![
        carrier("MAIN", &[("_91NXXNXXXXXX", 1, "")]),
        carrier("B8", &[("_81NXXNXXXXXX", 2, "")]),
        carrier("B7", &[("_71NXXNXXXXXX", 1, "+")]),
        carrier("B6", &[("_61NXXNXXXXXX", 0, "")]),
        carrier("BARE", &[]),
    ]
}

pub(super) fn prefixes(campaigns: &[(&str, &str)]) -> HashMap<String, String> {
    campaigns
        .iter()
        .map(|(campaign, prefix)| ((*campaign).into(), (*prefix).into()))
        .collect()
}
