//! What a running daemon adds to the store.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::carrier::CarrierId;
use crate::engine::LiveCall;
use crate::engine::stasis::{TestCall, TestCallError, TestedCall};
use crate::health::HealthView;
use crate::snapshot::Snapshot;
use crate::store::StoreError;

use super::carriers::CarrierNow;
use super::status::StatusView;

/// A running daemon, as control sees it. None of this may make a call wait.
pub trait Daemon: Send + Sync {
    /// How it is.
    fn status(&self) -> BoxFuture<'_, StatusView>;
    /// The calls that are not over.
    fn calls(&self) -> BoxFuture<'_, Vec<Arc<LiveCall>>>;
    /// What calls are routed by.
    fn snapshot(&self) -> Arc<Snapshot>;
    /// What it knows of its carriers at this moment, by carrier; of a carrier that is not in it nothing is known.
    fn carriers(&self) -> BoxFuture<'_, HashMap<CarrierId, CarrierNow>>;
    /// How fit its carriers are, as calls go by it.
    fn health(&self) -> HealthView;
    /// Reads configuration and tables again; when it returns, the next call is routed by what was read.
    fn refresh(&self) -> BoxFuture<'_, Result<(), RefreshError>>;
    /// Places a test call and follows it to its end. One at a time.
    fn place_test_call(&self, call: TestCall) -> BoxFuture<'_, Result<TestedCall, TestCallError>>;
    /// A person has seen that a carrier works: what was known against it no longer holds.
    fn carrier_works<'a>(&'a self, carrier: &'a CarrierId, by: &'a str) -> BoxFuture<'a, ()>;
    /// Reads the words of operators again; when it returns, the next call goes by them.
    fn take_operator_words(&self) -> BoxFuture<'_, Result<(), RefreshError>>;
}

/// Why the tables could not be read again: those that were read last go on to serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The store cannot do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A dump that is being restored, or a slip of the hand; nobody takes all carriers or campaigns away to make calls.
    #[error("{0} is gone or empty")]
    Lost(&'static str),
    /// The configuration is not usable; the text names file, line and key.
    #[error("{0}")]
    Configuration(String),
}

impl RefreshError {
    /// A stable word for this kind of error: on the wire, on record, in metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Lost(_) => "table_lost",
            Self::Configuration(_) => "configuration",
        }
    }
}
