//! Shared between the handle and the carrier's task: settings one way, counts and records the other.
//!
//! The calls themselves belong to the task alone. Records are written before the counters that announce them, so whoever
//! waited for a counter finds the record.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::digest::Login;
use super::message::Message;
use super::number_plan::NumberPlan;
use super::record::{CallRecord, Direction, Moment, Packet};
use super::script::Script;
use super::stats::Stats;
use super::timers::{CallNumber, SipTimers};

/// What the carrier does with a request that is not part of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Answers with this code.
    Code(u16),
    /// Answers with this code after a while.
    Late(u16, Duration),
    /// Does not answer.
    Silence,
}

/// What a test may change while the carrier runs; holds from the next packet on.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) plan: NumberPlan,
    pub(super) options: Reply,
    pub(super) register: Reply,
    pub(super) login: Option<Login>,
    pub(super) timers: SipTimers,
    pub(super) keep_records: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plan: NumberPlan::default(),
            options: Reply::Code(200),
            register: Reply::Code(200),
            login: None,
            timers: SipTimers::default(),
            keep_records: true,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Board {
    stats: watch::Sender<Stats>,
    settings: Mutex<Settings>,
    records: Mutex<BTreeMap<CallNumber, CallRecord>>,
}

impl Board {
    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<CallNumber, CallRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn script_for(&self, number: &str) -> Script {
        self.settings().plan.script_for(number)
    }

    pub(super) fn timers(&self) -> SipTimers {
        self.settings().timers
    }

    pub(super) fn stats(&self) -> Stats {
        *self.stats.borrow()
    }

    pub(super) fn watch_stats(&self) -> watch::Receiver<Stats> {
        self.stats.subscribe()
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Stats)) {
        self.stats.send_modify(change);
    }

    pub(super) fn open_record(&self, call: CallNumber, record: CallRecord) {
        self.records().insert(call, record);
    }

    /// Changes a record; nothing happens when it is forgotten.
    pub(super) fn note(&self, call: CallNumber, change: impl FnOnce(&mut CallRecord)) {
        if let Some(record) = self.records().get_mut(&call) {
            change(record);
        }
    }

    pub(super) fn note_packet(&self, call: CallNumber, direction: Direction, message: &Message, moment: Moment) {
        self.note(call, |record| {
            record.packets.push(Packet::new(message, direction, moment))
        });
    }

    /// The task has forgotten the call; so does the board unless records are kept.
    pub(super) fn close_record(&self, call: CallNumber) {
        if !self.settings().keep_records {
            self.records().remove(&call);
        }
    }

    pub(super) fn forget_finished(&self) {
        self.records().retain(|_, record| record.outcome.is_none());
    }

    pub(super) fn calls(&self) -> Vec<CallRecord> {
        self.records().values().cloned().collect()
    }

    pub(super) fn has_call_to(&self, number: &str) -> bool {
        self.records().values().any(|record| record.number == number)
    }

    pub(super) fn active_call_ids(&self) -> Vec<String> {
        self.records()
            .values()
            .filter(|record| record.is_active())
            .map(|record| record.call_id.clone())
            .collect()
    }
}
