//! What can be asked, and the forms that answers take. Every value is JSON on the wire, with stable names.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attempts::{Attempts, AttemptsView};
use super::calls::CallsView;
use super::carrier_add::{CarrierAdd, CarrierAddView};
use super::carrier_settings::CarrierSetView;
use super::carrier_test::{CarrierTest, CarrierTestView};
use super::carriers::{CarrierView, CarriersView};
use super::error::Refusal;
use super::explain::{Explain, ExplainView};
use super::operator_word::{CarrierOperate, CarrierOperateView};
use super::routes::{RouteAdd, RouteAddedView, RouteRemovedView, RoutesView};
use super::status::StatusView;

/// One request: `{"query": {"name": "calls"}}`, `{"command": {"name": "route_remove", "id": 3}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Looks at something.
    Query(Query),
    /// Changes something; goes on record.
    Command(Command),
}

impl Request {
    /// Only a running daemon can do it; everything else can be done on the store alone.
    pub const fn needs_daemon(&self) -> bool {
        match self {
            Self::Query(Query::Status | Query::Calls) | Self::Command(Command::Reload | Command::CarrierTest(_)) => {
                true
            }
            Self::Query(
                Query::Carriers
                | Query::Carrier { .. }
                | Query::CarrierAdd(_)
                | Query::Routes
                | Query::Explain(_)
                | Query::Attempts(_),
            )
            | Self::Command(
                Command::RouteAdd(_)
                | Command::RouteRemove { .. }
                | Command::CarrierAdd(_)
                | Command::CarrierSet { .. }
                | Command::CarrierOperate(_),
            ) => false,
        }
    }

    /// How long it takes by its nature, beside the work of the daemon.
    pub const fn takes(&self) -> Duration {
        match self {
            Self::Command(Command::CarrierTest(test)) => test.takes(),
            Self::Query(_)
            | Self::Command(
                Command::RouteAdd(_)
                | Command::RouteRemove { .. }
                | Command::CarrierAdd(_)
                | Command::CarrierSet { .. }
                | Command::CarrierOperate(_)
                | Command::Reload,
            ) => Duration::ZERO,
        }
    }
}

/// What can be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Query {
    /// How the daemon is.
    Status,
    /// All carriers of this dialer.
    Carriers,
    /// One carrier.
    Carrier {
        /// Its id on the *Carriers* screen.
        id: String,
    },
    /// What would be written for a new carrier.
    CarrierAdd(CarrierAdd),
    /// All routes, in the order in which they are tried.
    Routes,
    /// What a call would do, and why.
    Explain(Explain),
    /// The calls that are not over.
    Calls,
    /// Attempts on record.
    Attempts(Attempts),
}

/// What can be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Make a carrier the backup of another.
    RouteAdd(RouteAdd),
    /// Remove a route.
    RouteRemove {
        /// Its id.
        id: i64,
    },
    /// Add a carrier to VICIdial's table, staged.
    CarrierAdd(CarrierAdd),
    /// Place one call through one carrier; answered, a staged one becomes active.
    CarrierTest(CarrierTest),
    /// Set something about a carrier, or take it back.
    CarrierSet {
        /// Its id on the *Carriers* screen.
        id: String,
        /// `KEY=VALUE`; without a value the setting is taken back.
        settings: Vec<String>,
    },
    /// Take a carrier out of use, bring it back, let it run dry or use nothing else.
    CarrierOperate(CarrierOperate),
    /// Read the tables now, changed or not, as SIGHUP does.
    Reload,
}

impl Command {
    /// What goes on record of it: everything but secrets.
    pub(super) fn on_record(&self) -> String {
        let text = match self {
            Self::CarrierAdd(wanted) => serde_json::to_string(&Self::CarrierAdd(wanted.on_record())),
            Self::RouteAdd(_)
            | Self::RouteRemove { .. }
            | Self::CarrierTest(_)
            | Self::CarrierSet { .. }
            | Self::CarrierOperate(_)
            | Self::Reload => serde_json::to_string(self),
        };
        // Our own plain structs always serialise.
        text.unwrap_or_default()
    }

    /// The word that the command has on the wire and on record.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RouteAdd(_) => "route_add",
            Self::RouteRemove { .. } => "route_remove",
            Self::CarrierAdd(_) => "carrier_add",
            Self::CarrierTest(_) => "carrier_test",
            Self::CarrierSet { .. } => "carrier_set",
            Self::CarrierOperate(_) => "carrier_operate",
            Self::Reload => "reload",
        }
    }
}

/// The reply to one request: `{"answer": {"name": "calls", "view": {"calls": []}}}` or `{"refusal": {"code": "…", "message": "…"}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// What was asked for.
    Answer(Box<Answer>),
    /// Why not.
    Refusal(Refusal),
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", content = "view", rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "each variant is named like the query or command that it answers"
)]
pub enum Answer {
    Status(StatusView),
    Carriers(CarriersView),
    Carrier(CarrierView),
    Routes(RoutesView),
    Explain(ExplainView),
    Calls(CallsView),
    Attempts(AttemptsView),
    RouteAdd(RouteAddedView),
    RouteRemove(RouteRemovedView),
    CarrierAdd(CarrierAddView),
    CarrierTest(CarrierTestView),
    CarrierSet(CarrierSetView),
    CarrierOperate(CarrierOperateView),
    Reload(Reloaded),
}

/// The view in an answer, for whoever knows what was asked; the answer itself where it is another one.
macro_rules! views {
    ($($variant:ident => $view:ty),* $(,)?) => {
        $(
            impl TryFrom<Answer> for $view {
                type Error = Answer;

                fn try_from(answer: Answer) -> Result<Self, Answer> {
                    if let Answer::$variant(view) = answer {
                        Ok(view)
                    } else {
                        Err(answer)
                    }
                }
            }
        )*
    };
}

views! {
    Status => StatusView,
    Carriers => CarriersView,
    Carrier => CarrierView,
    Routes => RoutesView,
    Explain => ExplainView,
    Calls => CallsView,
    Attempts => AttemptsView,
    RouteAdd => RouteAddedView,
    RouteRemove => RouteRemovedView,
    CarrierAdd => CarrierAddView,
    CarrierTest => CarrierTestView,
    CarrierSet => CarrierSetView,
    CarrierOperate => CarrierOperateView,
    Reload => Reloaded,
}

/// From when on a change holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The next call is routed by it.
    Now,
    /// No daemon runs: the next one reads it at its start.
    AtStart,
    /// The daemon could not read the tables again; it tries every 2 s.
    Delayed,
}

/// What a reload found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Carriers that were understood.
    pub carriers: usize,
    /// Routes that were understood.
    pub routes: usize,
    /// What was not.
    pub problems: Vec<String>,
}
