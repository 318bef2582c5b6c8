//! The board of all carriers. One task owns it; others get views of it.

use std::collections::HashMap;
use std::time::Instant;

use crate::carrier::CarrierId;
use crate::moment::Now;
use crate::verdict::Progress;

use super::carrier_health::CarrierHealth;
use super::choice::{Class, HealthView, Hint};
use super::legs::LegKey;
use super::operator::OperatorSetting;
use super::outcome::LegOutcome;
use super::settings::HealthSettings;
use super::state::{Change, Timeline};
use super::witness::{Report, Witness};

/// Everything about one carrier, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct CarrierReport {
    /// State, evidence, the operator's word in force.
    pub class: Class,
    /// In this state since, milliseconds since 1970.
    pub since_ms: i64,
    /// The operator's word with who, why and until when; it may be over.
    pub operator: OperatorSetting,
    /// Legs that are out.
    pub legs_out: usize,
    /// The last changes of state.
    pub timeline: Timeline,
}

/// The health of all carriers. Every method takes the time; nothing happens between calls. A carrier that was never heard of
/// is active.
#[derive(Clone, Debug, Default)]
pub struct HealthBoard {
    pub(super) settings: HealthSettings,
    pub(super) carriers: HashMap<CarrierId, CarrierHealth>,
    changes: Vec<(CarrierId, Change)>,
}

impl HealthBoard {
    /// An empty board.
    pub fn new(settings: HealthSettings) -> Self {
        Self {
            settings,
            carriers: HashMap::new(),
            changes: Vec::new(),
        }
    }

    /// What an operator wants of a carrier. Nothing else ever writes it.
    pub fn set_operator(&mut self, carrier: &CarrierId, setting: OperatorSetting, now: Now) {
        self.change(carrier, now, |health, _| health.operator = setting);
    }

    /// A leg goes out. Call it once for every leg that was let out, [`HealthBoard::leg_ended`] once when it is over.
    pub fn leg_started(&mut self, carrier: &CarrierId, leg: LegKey, now: Now) {
        self.change(carrier, now, |health, _| health.leg_started(leg, now));
    }

    /// The carrier sent something about a leg: as soon as it is known, and again when the leg gets further.
    pub fn leg_heard(&mut self, carrier: &CarrierId, leg: LegKey, progress: Progress, now: Now) {
        self.change(carrier, now, |health, settings| {
            health.leg_heard(leg, progress, now, settings);
        });
    }

    /// A leg is over. For a leg that was taken away by the dialer or whose end nobody judged use
    /// [`HealthBoard::leg_forgotten`].
    pub fn leg_ended(&mut self, carrier: &CarrierId, leg: LegKey, outcome: &LegOutcome, now: Now) {
        self.change(carrier, now, |health, settings| {
            health.leg_ended(leg, outcome, now, settings);
        });
    }

    /// A leg is over and its end says nothing of the carrier.
    pub fn leg_forgotten(&mut self, carrier: &CarrierId, leg: LegKey, now: Now) {
        self.change(carrier, now, |health, _| {
            health.legs.end(leg);
        });
    }

    /// A witness reports; `asked_at` is when it began to look.
    pub fn report(&mut self, carrier: &CarrierId, witness: Witness, report: Report, asked_at: Instant, now: Now) {
        self.change(carrier, now, |health, settings| {
            health.report(witness, report, asked_at, now, settings);
        });
    }

    /// A person says that what is known of a carrier no longer holds: it was repaired, or its row was edited.
    pub fn reset(&mut self, carrier: &CarrierId, by: &str, why: &str, now: Now) {
        let before = self.entry(carrier, now).state;
        self.change(carrier, now, |health, settings| health.reset(by, why, now, settings));
        if let Some(health) = self.carriers.get(carrier)
            && before != health.state
            && let Some(change) = health.timeline.changes().next_back()
        {
            self.changes.push((carrier.clone(), change.clone()));
        }
    }

    /// Forgets carriers that are not configured any more.
    pub fn retain(&mut self, is_known: impl Fn(&CarrierId) -> bool) {
        self.carriers.retain(|carrier, _| is_known(carrier));
    }

    /// Whether a carrier may take one more call, right before a leg goes out. It takes the trial that it grants; whether the
    /// operator wants only another carrier is for [`order`](super::order) to say, which knows all candidates.
    ///
    /// `draw` is a stable hash of the call: the same one for all its carriers and for [`order`](super::order).
    pub fn may_take(&mut self, carrier: &CarrierId, now: Now, draw: u64) -> Hint {
        self.change(carrier, now, |health, settings| {
            let hint = health.class(now, settings).hint(carrier, draw);
            if hint == Hint::Trial {
                health.breaker.take_trial(now.monotonic, settings);
            }
            hint
        })
    }

    /// What choosing needs to know of one carrier.
    pub fn class(&mut self, carrier: &CarrierId, now: Now) -> Class {
        if !self.carriers.contains_key(carrier) {
            return Class::default();
        }
        self.change(carrier, now, |health, settings| health.class(now, settings))
    }

    /// The classes of all carriers, for whoever plans calls. Publish a new one after every change and several times a second:
    /// shares and trials change with time.
    pub fn view(&mut self, now: Now) -> HealthView {
        self.advance(now);
        self.carriers
            .iter()
            .map(|(carrier, health)| (carrier.clone(), health.class(now, &self.settings)))
            .collect()
    }

    /// Lets time pass for all carriers: back-offs, pauses, expiries.
    pub fn advance(&mut self, now: Now) {
        for (carrier, health) in &mut self.carriers {
            if let Some(change) = health.advance(now, &self.settings) {
                self.changes.push((carrier.clone(), change));
            }
        }
    }

    /// The changes of state since this was last asked, for the log and for alerts.
    pub fn take_changes(&mut self) -> Vec<(CarrierId, Change)> {
        std::mem::take(&mut self.changes)
    }

    /// Everything about one carrier; `None` if it was never heard of.
    pub fn carrier_report(&mut self, carrier: &CarrierId, now: Now) -> Option<CarrierReport> {
        let class = self.class(carrier, now);
        let health = self.carriers.get(carrier)?;
        Some(CarrierReport {
            class,
            since_ms: health.since_ms,
            operator: health.operator.clone(),
            legs_out: health.legs.count(),
            timeline: health.timeline.clone(),
        })
    }

    fn entry(&mut self, carrier: &CarrierId, now: Now) -> &mut CarrierHealth {
        self.carriers
            .entry(carrier.clone())
            .or_insert_with(|| CarrierHealth::new(now, &self.settings))
    }

    /// Does something with a carrier between the time that passed before and the state that comes of it.
    fn change<T>(
        &mut self,
        carrier: &CarrierId,
        now: Now,
        act: impl FnOnce(&mut CarrierHealth, &HealthSettings) -> T,
    ) -> T {
        let settings = self.settings;
        let health = self.entry(carrier, now);
        let passed = health.advance(now, &settings);
        let result = act(health, &settings);
        let came = health.advance(now, &settings);
        let changes = [passed, came].into_iter().flatten();
        self.changes.extend(changes.map(|change| (carrier.clone(), change)));
        result
    }
}
