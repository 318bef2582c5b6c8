//! Control: every use case of an operator, as a [`Command`] that changes something or a [`Query`] that looks.
//!
//! Owns the validation, the audit row of every command, the wording of every refusal and the shape of every answer. The
//! same [`Handlers`] serve the socket of a running daemon and a command line that finds no daemon and works on the store.
//! It must not know sockets, HTTP, arguments of a command line or how an answer is printed.
//!
//! Two ports lead down: [`Store`](crate::store::Store), which is a handle already and hides its drivers, and
//! [`Daemon`], what a running daemon adds. With a daemon, queries are answered from what calls are routed by at that
//! moment, so that they work while the store is away; commands are always checked against the store itself.
//!
//! A use case is a file here: its arguments, its answer, its handler.

mod actor;
mod attempts;
mod calls;
mod carrier_add;
mod carrier_settings;
mod carrier_test;
mod carriers;
mod error;
mod explain;
mod handlers;
mod message;
mod operator_word;
mod port;
mod routes;
mod status;

pub use actor::Actor;
pub use attempts::{Attempts, AttemptsView, DEFAULT_ATTEMPTS, MOST_ATTEMPTS};
pub use calls::{CallView, CallsView};
pub use carrier_add::{AddOutcome, CarrierAdd, CarrierAddError, CarrierAddView, CarrierKind, CarrierRowView, Password};
pub use carrier_settings::{CarrierSetView, SettingError};
pub use carrier_test::{CarrierTest, CarrierTestError, CarrierTestView, DEFAULT_RING_S};
pub use carriers::{CarrierNow, CarrierView, CarriersView, PatternView};
pub use error::{Error, Refusal};
pub use explain::{CandidateView, Explain, ExplainView, RejectedView};
pub use handlers::Handlers;
pub use message::{Answer, Command, Effect, Query, Reloaded, Reply, Request};
pub use operator_word::{CarrierOperate, CarrierOperateView, LeftWithout, OperatorWordError};
pub use port::{Daemon, RefreshError};
pub use routes::{
    DEFAULT_PRIORITY, ExampleView, Numbers, RouteAdd, RouteAddedView, RouteRemovedView, RouteView, RoutesView,
};
pub use status::{AriStatus, CallCounts, StatusView, TablesStatus};
