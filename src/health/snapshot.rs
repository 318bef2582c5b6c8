//! The board on record: a carrier that was dead before a restart does not get the first calls after it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::carrier::CarrierId;
use crate::moment::Now;

use super::board::HealthBoard;
use super::breaker::Phase;
use super::carrier_health::CarrierHealth;
use super::settings::HealthSettings;
use super::state::{Because, State, Timeline};

/// The form of snapshots that this version writes and reads.
const FORM: u32 = 1;

/// So long a carrier stays on standby after a restart without word from the witness that put it there: two reports at the
/// usual interval of a minute at most.
const RECORD_OUTLASTS: Duration = Duration::from_secs(120);

/// What is kept of a board. The operator's word is not in it: that stands in the store and is told to the board at start.
///
/// What holds after a restart: a fresh snapshot (younger than [`HealthSettings::snapshot_lasts`]) leaves an open breaker open
/// for the rest of its back-off; after that, and from an older snapshot, it is half open, so that one call at a time finds
/// out. A carrier on standby stays so until its witness has spoken again, at most two minutes, and only by a fresh
/// snapshot. A configuration error stays until a person or a good call takes it away. Limits and shares of failed calls are
/// found out anew within seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The form of what follows.
    form: u32,
    /// When it was taken, milliseconds since 1970.
    taken_ms: i64,
    carriers: Vec<Kept>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    carrier: String,
    state: State,
    because: Because,
    since_ms: i64,
    /// When an open breaker may be tried; 0 where it is not open.
    open_until_ms: i64,
    /// The last back-off, kept so that a flapping carrier goes on with longer ones.
    back_off_ms: u64,
    timeline: Timeline,
}

/// A snapshot that cannot be used; the board starts empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Another version wrote it.
    #[error("the health of the carriers on record has form {found}, this version reads {FORM}; starting without it")]
    OtherForm {
        /// Its form.
        found: u32,
    },
}

impl SnapshotError {
    /// A stable word for metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OtherForm { .. } => "other_form",
        }
    }
}

impl Snapshot {
    /// What it says of each carrier, without what changes with time alone: two snapshots that say the same need not both be kept.
    pub fn states(&self) -> Vec<String> {
        let carriers = self.carriers.iter();
        let state = |kept: &Kept| format!("{} {} {} {}", kept.carrier, kept.state, kept.since_ms, kept.back_off_ms);
        carriers.map(state).collect()
    }
}

impl HealthBoard {
    /// What is to be kept of the board.
    pub fn snapshot(&mut self, now: Now) -> Snapshot {
        self.advance(now);
        let mut carriers: Vec<Kept> = self
            .carriers
            .iter()
            .map(|(carrier, health)| keep(carrier, health, now))
            .collect();
        carriers.sort_by(|left, right| left.carrier.cmp(&right.carrier));
        Snapshot {
            form: FORM,
            taken_ms: now.wall_ms,
            carriers,
        }
    }

    /// The board as it was, as far as that still holds.
    ///
    /// # Errors
    /// When another version wrote the snapshot: begin with [`HealthBoard::new`].
    pub fn restore(settings: HealthSettings, snapshot: Snapshot, now: Now) -> Result<Self, SnapshotError> {
        if snapshot.form != FORM {
            return Err(SnapshotError::OtherForm { found: snapshot.form });
        }
        // A snapshot from the future was taken before the clock was set back: it is not older than it says.
        let age = milliseconds_between(snapshot.taken_ms, now.wall_ms);
        let is_fresh = age <= settings.snapshot_lasts;
        let mut board = Self::new(settings);
        for kept in snapshot.carriers {
            let carrier = CarrierId::from(kept.carrier.as_str());
            board
                .carriers
                .insert(carrier, bring_back(kept, is_fresh, now, &settings));
        }
        board.advance(now);
        Ok(board)
    }
}

fn keep(carrier: &CarrierId, health: &CarrierHealth, now: Now) -> Kept {
    let open_until_ms = match health.breaker.phase() {
        Phase::Open { until } => {
            let left = until.saturating_duration_since(now.monotonic);
            now.after(left).wall_ms
        }
        Phase::Closed | Phase::HalfOpen { .. } => 0,
    };
    Kept {
        carrier: carrier.to_string(),
        state: health.state,
        because: health.because.clone(),
        since_ms: health.since_ms,
        open_until_ms,
        back_off_ms: u64::try_from(health.breaker.back_off().as_millis()).unwrap_or(u64::MAX),
        timeline: health.timeline.clone(),
    }
}

fn bring_back(kept: Kept, is_fresh: bool, now: Now, settings: &HealthSettings) -> CarrierHealth {
    let mut health = CarrierHealth::new(now, settings);
    health.timeline = kept.timeline;
    let back_off = Duration::from_millis(kept.back_off_ms).min(settings.longest_back_off);
    let half_open = Phase::HalfOpen {
        next_trial: now.monotonic,
    };
    let (state, because) = match kept.state {
        State::Active => (State::Active, kept.because),
        State::Degraded | State::Throttled => (State::Active, Because::Recovered),
        State::Standby if is_fresh => {
            let until = now.monotonic + RECORD_OUTLASTS;
            health.witnesses.restore(&kept.because, until);
            (State::Standby, kept.because)
        }
        State::Standby => (State::Active, Because::StaleRecord),
        State::HalfOpen | State::Failed => {
            let left = milliseconds_between(now.wall_ms, kept.open_until_ms).min(back_off);
            let (state, phase, because) = if !is_fresh {
                (State::HalfOpen, half_open, Because::StaleRecord)
            } else if left.is_zero() {
                (State::HalfOpen, half_open, Because::Trials)
            } else {
                let until = now.monotonic + left;
                (State::Failed, Phase::Open { until }, kept.because)
            };
            health.breaker.restore(phase, back_off, because.clone());
            (state, because)
        }
        State::ConfigError => {
            health.faults.restore(kept.because.clone());
            (State::ConfigError, kept.because)
        }
    };
    health.begin(kept.state, kept.since_ms);
    health.enter(state, because, now, settings);
    health
}

/// From one wall time to a later one; zero if it is not later.
fn milliseconds_between(from_ms: i64, to_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0))
}
