//! The words of a verdict.

use serde::Deserialize;

/// What the call does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Try the next carrier.
    Next,
    /// Try one more carrier, whatever comes of it.
    OneMore,
    /// No further attempt.
    Stop,
    /// Repair the request and try the same carrier once more.
    RepairAndRetry,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 4] = [Self::Next, Self::OneMore, Self::Stop, Self::RepairAndRetry];

    /// One word, the same in the store, in overrides and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::OneMore => "one_more",
            Self::Stop => "stop",
            Self::RepairAndRetry => "repair_and_retry",
        }
    }

    /// Whether another carrier is tried: an attempt at the same carrier ends the same way when it fails again.
    pub const fn moves_on(self) -> bool {
        !matches!(self, Self::Stop)
    }
}

/// What the carrier's health learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing: the carrier did its work.
    None,
    /// A weak sign of sickness.
    Weak,
    /// A strong sign of sickness.
    Strong,
    /// We are at our own limit with this carrier: throttle, never trip.
    OurLimit,
    /// Our configuration or account at this carrier is at fault: a person is needed.
    ConfigFault,
    /// The carrier asks for a pause; how long is [`CoolDown::for_answer`](super::CoolDown::for_answer).
    CoolDown,
}

impl Health {
    /// Every sample.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Weak,
        Self::Strong,
        Self::OurLimit,
        Self::ConfigFault,
        Self::CoolDown,
    ];

    /// One word, the same in metrics, in overrides and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Weak => "weak",
            Self::Strong => "strong",
            Self::OurLimit => "our_limit",
            Self::ConfigFault => "config_fault",
            Self::CoolDown => "cool_down",
        }
    }
}

/// What an attempt says about the number that was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    /// Busy, a dead number, declined: true whichever carrier is asked.
    Definitive,
    /// The called party was reached, or the caller ended it.
    Reached,
    /// Nothing: the carrier, or the way to it, was at fault.
    Nothing,
}

impl Finding {
    /// One word for people and machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Definitive => "definitive",
            Self::Reached => "reached",
            Self::Nothing => "nothing",
        }
    }
}
