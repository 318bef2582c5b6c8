//! The plan of one call: candidates in stages, and the carriers that were left out, each with its reason.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::carrier::{CarrierId, Technology, Timers};
use crate::health::LeftOut;

/// What routing is asked: one outbound call as the dialplan handed it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRequest {
    /// The carrier whose dialplan line sent the call.
    pub entry: CarrierId,
    /// The extension that was dialled, dial prefix included.
    pub dialled: String,
    /// The first argument of the `Dial()` that stood there; the entry carrier is dialled with it, verbatim.
    pub dial_string: String,
    /// The campaign (`CAMPCUST`), where the dialer told it.
    pub campaign: Option<String>,
    /// When the call came, milliseconds since 1970; routes may have a schedule.
    pub at_ms: i64,
}

/// The carriers that a call may use, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Tried one after the other; outbound stages have one leg each, a parallel group is a stage with several. Empty when
    /// the dial string is nothing that crankback can place: then the call is dialled natively.
    pub stages: Vec<Stage>,
    /// Carriers that were considered and left out.
    pub rejected: Vec<(CarrierId, Rejection)>,
}

impl Plan {
    /// Whether the call has carriers, and none of them may be used: plain `Dial()` must not use them either.
    pub fn is_held_back(&self) -> bool {
        let unfit = |(_, rejection): &(CarrierId, Rejection)| matches!(rejection, Rejection::Unfit { .. });
        self.stages.is_empty() && self.rejected.iter().any(unfit)
    }
}

/// Legs that are tried together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The legs; one for outbound calls.
    pub legs: Vec<Candidate>,
    /// How long the stage may ring; `None`: as long as the call has time left.
    pub ring_for: Option<Duration>,
}

/// One carrier of a plan with everything that an attempt through it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The carrier.
    pub carrier: CarrierId,
    /// The channel driver that carries the leg.
    pub technology: Technology,
    /// What `Dial()` would be given.
    pub dial_string: String,
    /// The number that goes out on the wire.
    pub wire_number: String,
    /// Signs-of-life timers.
    pub timers: Timers,
    /// Why the carrier stands here, for people: `entry carrier`, `route 3, priority 2`.
    pub because: String,
}

/// Why a carrier is not in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Rejection {
    /// A route names a carrier that is not in the table, is inactive, or could not be understood.
    #[error("carrier is not active or could not be read from the carrier table")]
    CarrierUnavailable,
    /// The carrier stands in the plan already.
    #[error("route {route}: already in the plan at an earlier place")]
    AlreadyPlanned {
        /// The route that would have added it once more.
        route: i64,
    },
    /// A carrier that should be its own backup.
    #[error("a carrier does not back itself up; choose another one")]
    OwnBackup,
    /// The number that the carrier would be sent cannot be proven.
    #[error("wire number unknown: {reason}; set --strip or --add-prefix on the route")]
    NumberUnproven {
        /// What is missing.
        reason: String,
    },
    /// The route is switched off.
    #[error("route {route} is disabled")]
    RouteDisabled {
        /// The route's id.
        route: i64,
    },
    /// The route's match does not fit the number.
    #[error("route {route} does not match the number")]
    NumberNotMatched {
        /// The route's id.
        route: i64,
    },
    /// The dial string of the call is nothing that crankback can place; the call is dialled natively.
    #[error("{dial_string:?} cannot be placed: {reason}; the call is dialled natively")]
    NotPlaceable {
        /// The dial string as it was handed over.
        dial_string: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Enough carriers stand in the plan already.
    #[error("the plan has its {limit} attempts already")]
    AttemptLimit {
        /// The most attempts that a call gets.
        limit: usize,
    },
    /// The route does not hold at the time of the call.
    #[error("route {route} holds at other times: {schedule}")]
    OutsideSchedule {
        /// The route's id.
        route: i64,
        /// When it holds.
        schedule: String,
    },
    /// The route is for another campaign.
    #[error("route {route} is for campaign {campaign}")]
    OtherCampaign {
        /// The route's id.
        route: i64,
        /// The campaign that the route is for.
        campaign: String,
    },
    /// The carrier is new, and nobody has tested it.
    #[error("staged: `crankback carrier test` makes it active")]
    Staged,
    /// The carrier is not fit for the call, or the operator takes it out.
    #[error("{reason}")]
    Unfit {
        /// Why.
        reason: LeftOut,
    },
}

impl Rejection {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CarrierUnavailable => "carrier_unavailable",
            Self::AlreadyPlanned { .. } => "already_planned",
            Self::OwnBackup => "own_backup",
            Self::NumberUnproven { .. } => "number_unproven",
            Self::RouteDisabled { .. } => "route_disabled",
            Self::NumberNotMatched { .. } => "number_not_matched",
            Self::NotPlaceable { .. } => "not_placeable",
            Self::AttemptLimit { .. } => "attempt_limit",
            Self::OutsideSchedule { .. } => "outside_schedule",
            Self::OtherCampaign { .. } => "other_campaign",
            Self::Staged => "staged",
            Self::Unfit { .. } => "unfit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_the_one_that_is_serialized() {
        let rejections = [
            Rejection::CarrierUnavailable,
            Rejection::AlreadyPlanned { route: 1 },
            Rejection::OwnBackup,
            Rejection::NumberUnproven { reason: String::new() },
            Rejection::RouteDisabled { route: 1 },
            Rejection::NumberNotMatched { route: 1 },
            Rejection::NotPlaceable {
                dial_string: String::new(),
                reason: String::new(),
            },
            Rejection::AttemptLimit { limit: 3 },
            Rejection::OutsideSchedule {
                route: 1,
                schedule: String::new(),
            },
            Rejection::OtherCampaign {
                route: 1,
                campaign: String::new(),
            },
            Rejection::Staged,
            Rejection::Unfit {
                reason: LeftOut::OnlyAnother { carrier: String::new() },
            },
        ];
        for rejection in rejections {
            assert_eq!(serde_json::to_value(&rejection).unwrap()["code"], rejection.code());
        }
    }
}
