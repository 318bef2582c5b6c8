//! What a probe found.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::carrier::CarrierId;
use crate::health::Report;

/// How one server took an OPTIONS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a final response that shows that it is alive.
    Answered {
        /// Its code, 200 to 699.
        code: u16,
        /// From the first request to the response; over TCP and TLS with the connection's own time.
        round_trip: Duration,
    },
    /// With a final response by which it says that it is not available.
    Unavailable {
        /// Its code, 200 to 699.
        code: u16,
    },
    /// Not in time.
    Unanswered,
    /// Nobody listens there, the connection broke, or its certificate is not trusted.
    Unreachable {
        /// What the system said.
        reason: String,
    },
    /// DNS did not say where it is.
    Unresolved {
        /// What the resolver said.
        reason: String,
    },
}

impl Outcome {
    /// A stable word for metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Answered { .. } => "answered",
            Self::Unavailable { .. } => "unavailable",
            Self::Unanswered => "unanswered",
            Self::Unreachable { .. } => "unreachable",
            Self::Unresolved { .. } => "unresolved",
        }
    }

    /// What it says of the carrier. That we reach nobody is no more than no answer: our way is not Asterisk's way.
    pub const fn report(&self) -> Report {
        match self {
            Self::Answered { .. } => Report::Alive,
            Self::Unavailable { .. } => Report::Unavailable,
            Self::Unanswered | Self::Unreachable { .. } | Self::Unresolved { .. } => Report::Unanswered,
        }
    }
}

/// What one probe found of a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeEvidence {
    /// The carrier.
    pub carrier: CarrierId,
    /// When the probe began; evidence from before a reset no longer counts.
    pub asked_at: Instant,
    /// The servers that were asked, in order, and how each took it.
    pub servers: Vec<(SocketAddr, Outcome)>,
    /// What speaks for all of them: alive if one is, else unavailable if one said so, else the last.
    pub outcome: Outcome,
}

impl ProbeEvidence {
    /// What the probe says of the carrier.
    pub const fn report(&self) -> Report {
        self.outcome.report()
    }
}

/// The outcome that speaks for all servers.
pub(super) fn decide(servers: &[(SocketAddr, Outcome)]) -> Option<Outcome> {
    let outcomes = || servers.iter().map(|(_, outcome)| outcome);
    let with = |report| outcomes().find(|outcome| outcome.report() == report);
    with(Report::Alive)
        .or_else(|| with(Report::Unavailable))
        .or_else(|| outcomes().next_back())
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_that_is_alive_is_enough() {
        let alive = Outcome::Answered {
            code: 405,
            round_trip: Duration::ZERO,
        };
        let unavailable = Outcome::Unavailable { code: 503 };
        let decided = |outcomes: &[Outcome]| {
            let address = SocketAddr::from(([192, 0, 2, 1], 5060));
            let servers: Vec<_> = outcomes.iter().map(|outcome| (address, outcome.clone())).collect();
            decide(&servers).map(|outcome| outcome.code())
        };
        let refused = Outcome::Unreachable { reason: String::new() };
        assert_eq!(decided(&[unavailable.clone(), alive]), Some("answered"));
        assert_eq!(decided(&[unavailable, Outcome::Unanswered]), Some("unavailable"));
        assert_eq!(decided(&[Outcome::Unanswered, refused]), Some("unreachable"));
        assert_eq!(decided(&[]), None);
    }
}
