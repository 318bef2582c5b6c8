//! Choosing among carriers by priority, health and weight: decisions are values that explain themselves.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::carrier::CarrierId;

use super::hash::fraction;
use super::operator::OperatorWord;
use super::state::{Because, State};

/// Purposes of one draw, so that who is shed does not depend on who is first by weight.
const SHED: u64 = 0x5ed;
const WEIGHT: u64 = 0x3e1647;

/// What choosing needs to know of one carrier.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Class {
    /// The state.
    pub state: State,
    /// The evidence behind it.
    pub because: Because,
    /// The operator's word that is in force.
    pub operator: OperatorWord,
    /// The share of its calls that it takes, 0 to 1, while active, degraded or throttled.
    pub taken_share: f64,
    /// Half open, and a trial call may go out now.
    pub trial_is_due: bool,
    /// The breaker's last back-off; zero if it never opened.
    #[serde(skip)]
    pub back_off: Duration,
}

impl Default for Class {
    /// A carrier that nothing is known of.
    fn default() -> Self {
        Self {
            state: State::Active,
            because: Because::NothingKnown,
            operator: OperatorWord::Enabled,
            taken_share: 1.0,
            trial_is_due: false,
            back_off: Duration::ZERO,
        }
    }
}

impl Class {
    /// Whether a carrier may take the call with this draw. The same draw always gets the same answer from the same class.
    pub fn hint(&self, carrier: &CarrierId, draw: u64) -> Hint {
        match self.operator {
            OperatorWord::Disabled | OperatorWord::Draining => return Hint::Never(self.operator),
            OperatorWord::Only => return Hint::Take,
            OperatorWord::Enabled => {}
        }
        match self.state {
            State::Active | State::Degraded | State::Throttled => {
                if self.taken_share >= 1.0 || fraction(draw, carrier.as_str(), SHED) < self.taken_share {
                    Hint::Take
                } else {
                    Hint::PassOn(self.state)
                }
            }
            State::HalfOpen if self.trial_is_due => Hint::Trial,
            State::HalfOpen | State::Standby | State::Failed | State::ConfigError => Hint::PassOn(self.state),
        }
    }
}

/// Whether a carrier may take one more call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Yes.
    Take,
    /// Yes, to find out whether it is back.
    Trial,
    /// Only if nothing better is left.
    PassOn(State),
    /// No: the operator said so.
    Never(OperatorWord),
}

impl Hint {
    /// Whether the call goes out, given whether another carrier is left for it.
    pub const fn lets_out(self, nothing_better_is_left: bool) -> bool {
        match self {
            Self::Take | Self::Trial => true,
            Self::PassOn(_) => nothing_better_is_left,
            Self::Never(_) => false,
        }
    }
}

/// The classes of all carriers at one moment: immutable, for whoever chooses.
#[derive(Clone, Debug, Default)]
pub struct HealthView {
    classes: Arc<HashMap<CarrierId, Class>>,
    wants_only_one: bool,
}

impl HealthView {
    /// The class of a carrier; a carrier that nothing is known of is active.
    pub fn class(&self, carrier: &CarrierId) -> Class {
        self.classes.get(carrier).cloned().unwrap_or_default()
    }

    /// All carriers that something is known of.
    pub fn classes(&self) -> impl Iterator<Item = (&CarrierId, &Class)> {
        self.classes.iter()
    }

    /// Whether the operator wants calls to use only one carrier, whichever that is.
    pub const fn wants_only_one(&self) -> bool {
        self.wants_only_one
    }
}

impl FromIterator<(CarrierId, Class)> for HealthView {
    fn from_iter<I: IntoIterator<Item = (CarrierId, Class)>>(classes: I) -> Self {
        let classes: HashMap<CarrierId, Class> = classes.into_iter().collect();
        Self {
            wants_only_one: classes.values().any(|class| class.operator == OperatorWord::Only),
            classes: Arc::new(classes),
        }
    }
}

/// One carrier that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// The carrier.
    pub carrier: CarrierId,
    /// Lower is earlier.
    pub priority: i32,
    /// Share among contenders of the same priority; one with weight 0 comes after those with more.
    pub weight: u32,
}

/// Why a carrier stands where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// It is fit for the call.
    Fit,
    /// The call finds out whether it is back.
    Trial,
    /// The operator wants only this one.
    Only,
    /// It is tried if those before it fail: part of its calls is passed on, or its probes fail.
    IfNothingBetter,
    /// All are down; this one is the least bad.
    LeastBad,
}

/// Why a carrier is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum LeftOut {
    /// The operator takes it out.
    #[error("{} by the operator", word.as_str())]
    ByOperator {
        /// The operator's word.
        word: OperatorWord,
    },
    /// The operator wants only another one.
    #[error("the operator wants only {carrier}")]
    OnlyAnother {
        /// The other one's id.
        carrier: String,
    },
    /// It is down and better ones are there.
    #[error("{state}: {because}")]
    Down {
        /// Its state.
        state: State,
        /// The evidence.
        because: Because,
    },
}

impl LeftOut {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ByOperator { .. } => "by_operator",
            Self::OnlyAnother { .. } => "only_another",
            Self::Down { .. } => "down",
        }
    }
}

/// The order of contenders for one call. Positions are those in the list that was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// To be tried, in this order.
    pub tried: Vec<(usize, Place)>,
    /// Not to be tried, and why.
    pub left_out: Vec<(usize, LeftOut)>,
}

/// Orders contenders for the call with this draw: those that are fit by priority, health and weight, then those that are
/// tried if nothing better is left. Never nobody: when all are down, the least bad that the operator has not taken out.
pub fn order(contenders: &[Contender], view: &HealthView, draw: u64) -> Order {
    let ranked: Vec<Ranked> = contenders
        .iter()
        .enumerate()
        .map(|(position, contender)| Ranked::new(position, contender, view.class(&contender.carrier), draw))
        .collect();
    let mut order = Order::default();
    let only = ranked
        .iter()
        .filter(|ranked| ranked.class.operator == OperatorWord::Only)
        .min_by(|left, right| left.by_preference(right));
    if let Some(only) = only {
        order.tried.push((only.position, Place::Only));
        let others = ranked.iter().filter(|ranked| ranked.position != only.position);
        order.left_out.extend(others.map(|other| {
            let carrier = contenders[only.position].carrier.to_string();
            (other.position, LeftOut::OnlyAnother { carrier })
        }));
        return order;
    }
    let (mut fit, mut spare, mut down) = (Vec::new(), Vec::new(), Vec::new());
    for ranked in ranked {
        match ranked.hint {
            Hint::Take => fit.push((ranked, Place::Fit)),
            Hint::Trial => fit.push((ranked, Place::Trial)),
            Hint::PassOn(State::Active | State::Degraded | State::Throttled | State::Standby) => {
                spare.push((ranked, Place::IfNothingBetter));
            }
            Hint::PassOn(State::HalfOpen | State::Failed | State::ConfigError) => down.push((ranked, Place::LeastBad)),
            Hint::Never(word) => order.left_out.push((ranked.position, LeftOut::ByOperator { word })),
        }
    }
    fit.sort_by(|(left, _), (right, _)| left.by_preference(right));
    spare.sort_by(|(left, _), (right, _)| left.by_badness(right));
    down.sort_by(|(left, _), (right, _)| left.by_badness(right));
    fit.append(&mut spare);
    if fit.is_empty() && !down.is_empty() {
        fit.push(down.remove(0));
    }
    order.tried = fit.iter().map(|(ranked, place)| (ranked.position, *place)).collect();
    order.left_out.extend(down.into_iter().map(|(ranked, _)| {
        let Class { state, because, .. } = ranked.class;
        (ranked.position, LeftOut::Down { state, because })
    }));
    order.left_out.sort_by_key(|(position, _)| *position);
    order
}

#[derive(Debug)]
struct Ranked {
    position: usize,
    priority: i32,
    hint: Hint,
    class: Class,
    /// Lower is earlier: exponentially distributed with the weight as its rate, so that the first place falls to each in
    /// proportion to its weight.
    lot: f64,
}

impl Ranked {
    fn new(position: usize, contender: &Contender, class: Class, draw: u64) -> Self {
        let lot = -(1.0 - fraction(draw, contender.carrier.as_str(), WEIGHT)).ln() / f64::from(contender.weight);
        Self {
            position,
            priority: contender.priority,
            hint: class.hint(&contender.carrier, draw),
            class,
            lot: if contender.weight == 0 { f64::INFINITY } else { lot },
        }
    }

    /// The order among those that are fit. A trial stands among the active ones: else it would never be made.
    fn by_preference(&self, other: &Self) -> Ordering {
        let rank = |ranked: &Self| match ranked.class.state {
            State::HalfOpen => State::Active,
            state @ (State::Active
            | State::Degraded
            | State::Throttled
            | State::Standby
            | State::Failed
            | State::ConfigError) => state,
        };
        (self.priority, rank(self))
            .cmp(&(other.priority, rank(other)))
            .then(self.by_lot(other))
    }

    /// The order among those that are not.
    fn by_badness(&self, other: &Self) -> Ordering {
        (self.class.state, self.class.back_off, self.priority)
            .cmp(&(other.class.state, other.class.back_off, other.priority))
            .then(self.by_lot(other))
    }

    fn by_lot(&self, other: &Self) -> Ordering {
        self.lot.total_cmp(&other.lot).then(self.position.cmp(&other.position))
    }
}
