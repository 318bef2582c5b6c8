//! What came out of a soak.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::super::error::LabError;
use super::super::{BACKUP, Engine};
use super::Counts;
use super::kind::Kind;

/// How much the daemon's memory may grow from the second quarter to the last, medians of what was seen.
const GROWTH_LIMIT_KB: u64 = 4 * 1024;
/// So many calls that went astray are told in words.
const TOLD: usize = 5;

/// Everything that was seen.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Calls by engine and kind: all, and those that came out as they should.
    ended: BTreeMap<(&'static str, Kind), (u64, u64)>,
    /// How far the soak was, 0 to 1, and the daemon's memory then.
    memory_kb: Vec<(f64, u64)>,
    grown: Option<(u64, u64)>,
    rows: Counts,
    invites: [u64; 2],
    /// What does not hold; empty when all is well.
    pub broken: Vec<String>,
}

impl Outcome {
    /// Something that must hold.
    pub(super) fn require(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(otherwise());
        }
    }

    /// A call is over.
    pub(super) fn ended(&mut self, kind: Kind, engine: Engine, end: Result<Option<String>, LabError>) {
        let wrong = end.unwrap_or_else(|error| Some(error.to_string()));
        let (all, right) = self.ended.entry((engine.as_str(), kind)).or_default();
        *all += 1;
        *right += u64::from(wrong.is_none());
        if let Some(wrong) = wrong
            && self.astray() <= TOLD as u64
        {
            self.broken
                .push(format!("{} with {}: {wrong}", kind.as_str(), engine.as_str()));
        }
    }

    /// Calls that are over.
    pub fn calls(&self) -> u64 {
        self.ended.values().map(|(all, _)| all).sum()
    }

    /// Calls that did not come out as their kind does.
    pub fn astray(&self) -> u64 {
        self.ended.values().map(|(all, right)| all - right).sum()
    }

    /// The daemon's memory at one moment of the soak, 0 to 1.
    pub(super) fn memory(&mut self, at: f64, kb: u64) {
        self.memory_kb.push((at, kb));
    }

    /// Flat: what the first calls bring lasts, and nothing grows after them.
    pub(super) fn judge_memory(&mut self) {
        let median = |from: f64, until: f64| {
            let of_part = self.memory_kb.iter().filter(|(at, _)| (from..until).contains(at));
            let mut part: Vec<u64> = of_part.map(|(_, kb)| *kb).collect();
            part.sort_unstable();
            part.get(part.len() / 2).copied()
        };
        self.grown = median(0.25, 0.5).zip(median(0.75, 1.1));
        let grown = self.grown;
        self.require(
            grown.is_some_and(|(early, late)| late <= early + GROWTH_LIMIT_KB),
            || format!("memory grew from the second quarter to the last: {grown:?} kB"),
        );
    }

    /// Rows and INVITEs of the soak: what is there after it less what was there before.
    pub(super) fn count(&mut self, before: &Counts, after: &Counts, invites_before: [u64; 2], invites: [u64; 2]) {
        let less = |(carrier, count): (&String, &u64)| {
            let of_soak = count - before.get(carrier).copied().unwrap_or_default();
            (of_soak > 0).then(|| (carrier.clone(), of_soak))
        };
        self.rows = after.iter().filter_map(less).collect();
        self.invites = [0, 1].map(|at: usize| invites[at] - invites_before[at]);
        // All carriers but the backup are one and the same.
        let at_backup = self.rows.get(BACKUP).copied().unwrap_or_default();
        let rows = [self.rows.values().sum::<u64>() - at_backup, at_backup];
        let invites = self.invites;
        self.require(rows == invites, || {
            format!("rows of attempts {rows:?}, distinct INVITEs {invites:?} (primary, backup)")
        });
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let mut kinds = serde_json::Map::new();
        for ((engine, kind), (all, right)) in &self.ended {
            let of_engine = kinds.entry((*engine).to_owned()).or_insert_with(|| json!({}));
            of_engine[kind.as_str()] = json!({ "calls": all, "right": right });
        }
        json!({
            "calls": self.calls(),
            "astray": self.astray(),
            "kinds": kinds,
            "attempt_rows": self.rows,
            "invites": { "primary": self.invites[0], "backup": self.invites[1] },
            "memory_kb": { "second_quarter": self.grown.map(|(early, _)| early), "last_quarter": self.grown.map(|(_, late)| late) },
            "broken": self.broken,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let memory = self.grown.map_or("not known".to_owned(), |(early, late)| {
            format!("{early} kB, then {late} kB")
        });
        let [primary, backup] = self.invites;
        format!(
            "{} calls, {} not as they should be; INVITEs: primary {primary}, backup {backup}; attempts on record {:?}; memory {memory}",
            self.calls(),
            self.astray(),
            self.rows,
        )
    }
}
