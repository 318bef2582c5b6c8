//! How the daemon is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A running daemon at one moment. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// The daemon's version; the command line beside it may have another.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When it started.
    pub started_ms: i64,
    /// The daemon's clock when it answered.
    pub now_ms: i64,
    /// It has been told to stop and waits for its unanswered calls.
    pub draining: bool,
    /// The connection to Asterisk.
    pub ari: AriStatus,
    /// The calls that are not over.
    pub calls: CallCounts,
    /// Legs that are out, by carrier; carriers with none are not in it.
    pub legs_out: BTreeMap<String, u32>,
    /// What calls are routed by.
    pub tables: TablesStatus,
    /// Attempts that are not in the store yet.
    pub attempts_waiting: usize,
    /// Counters that only grow, by name.
    pub counters: BTreeMap<String, u64>,
}

/// The connection to Asterisk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AriStatus {
    /// The Stasis application that the daemon serves.
    pub application: String,
    /// `connected`, `connecting`, `replaced` or `stopped`.
    pub state: String,
    /// Since when, where that is known.
    pub since_ms: Option<i64>,
    /// Counts the connections from 1; only while connected.
    pub epoch: Option<u64>,
    /// Asterisk's version; only while connected.
    pub asterisk: Option<String>,
    /// Attempts to connect that failed; only while connecting.
    pub failures: Option<u64>,
    /// What the last of them met.
    pub last_error: Option<String>,
}

/// How many calls are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCounts {
    /// A leg is on its way.
    pub trying: usize,
    /// The leg rings.
    pub ringing: usize,
    /// Caller and called party talk.
    pub connected: usize,
}

impl CallCounts {
    /// All of them.
    pub const fn total(&self) -> usize {
        self.trying + self.ringing + self.connected
    }
}

/// What calls are routed by, and how old it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablesStatus {
    /// Carriers that were understood.
    pub carriers: usize,
    /// Routes that were understood.
    pub routes: usize,
    /// Carriers and routes that were not.
    pub problems: usize,
    /// When the tables were last read.
    pub read_ms: i64,
    /// When they were last found to be what the store holds.
    pub checked_ms: i64,
    /// Since when they could not be read; `None`: they could.
    pub stale_since_ms: Option<i64>,
    /// Why they could not.
    pub stale_because: Option<String>,
    /// The carriers whose rows, as they stand, are not what calls use: each with what it waits for.
    pub held_back: Vec<String>,
}

impl StatusView {
    /// Calls go through, but not as they should: dialled natively, or routed by an old table.
    pub fn is_degraded(&self) -> bool {
        self.draining || self.ari.state != "connected" || self.tables.stale_since_ms.is_some()
    }
}
