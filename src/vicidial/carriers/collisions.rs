//! Extensions that two carriers of a server claim: the one that VICIdial writes first gets the calls, and Asterisk's loader
//! skips the lines of the other one.

use std::collections::HashMap;

use super::super::carrier_problem::CarrierFault;
use super::CarrierRow;
use crate::asterisk_conf::{Dialplan, Pattern, Priority};
use crate::carrier::CarrierId;

/// The extensions of the rows so far, with the carrier that has each.
#[derive(Default)]
pub(super) struct TakenExtensions(HashMap<String, CarrierId>);

impl TakenExtensions {
    /// Takes the extensions of the next row; gives the line and the fault of each that an earlier row has.
    pub(super) fn claim(&mut self, row: &CarrierRow) -> Vec<(usize, CarrierFault)> {
        let own = CarrierId::from(row.carrier_id.as_str());
        let mut told = Vec::new();
        let mut faults = Vec::new();
        for line in Dialplan::parse(&row.dialplan_entry).extensions {
            if line.priority == Priority::Hint {
                continue;
            }
            // The shape counts, not the spelling; a text that is no pattern is compared as it stands.
            let pattern: Result<Pattern, _> = line.extension.parse();
            let shape = pattern.map_or_else(|_| line.extension.clone(), |pattern| pattern.to_string());
            let owner = self.0.entry(shape.clone()).or_insert_with(|| own.clone());
            if *owner != own && !told.contains(&shape) {
                let fault = CarrierFault::ExtensionTaken {
                    extension: line.extension,
                    by: owner.clone(),
                };
                faults.push((line.line, fault));
                told.push(shape);
            }
        }
        faults
    }
}
