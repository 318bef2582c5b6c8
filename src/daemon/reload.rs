//! SIGHUP and `crankback reload`: the configuration and the tables are read again.
//!
//! `[call]` and `[engine]` take effect with the next call. The other sections are what the process was built from: a change there is named
//! and waits for a restart. A configuration that cannot be read changes nothing.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::signal::unix::Signal;
use tracing::{error, info, warn};

use crate::config::{CallSettings, ConfigError, Settings};
use crate::control::RefreshError;
use crate::engine::CallPolicy;
use crate::vicidial::contract::TimeRules;

use super::tables::Tables;

/// The settings in force; replaced as a whole.
pub(super) type LiveSettings = Arc<ArcSwap<Settings>>;

/// Reads the configuration again.
pub(super) type Reread = Box<dyn Fn() -> Result<Settings, ConfigError> + Send + Sync>;

/// What calls take from `[call]`.
#[derive(Clone, Debug)]
pub(super) struct LiveCallSettings {
    pub(super) rules: Arc<ArcSwap<TimeRules>>,
    pub(super) policy: Arc<ArcSwap<CallPolicy>>,
}

impl LiveCallSettings {
    pub(super) fn new(call: &CallSettings) -> Self {
        Self {
            rules: Arc::new(ArcSwap::from_pointee(rules(call))),
            policy: Arc::new(ArcSwap::from_pointee(policy(call))),
        }
    }
}

const fn rules(call: &CallSettings) -> TimeRules {
    TimeRules {
        default_time_left: call.default_time_left,
        safety_margin: call.safety_margin,
        minimum_attempt: call.minimum_attempt,
        setup: call.setup,
    }
}

fn policy(call: &CallSettings) -> CallPolicy {
    CallPolicy {
        maximum_attempts: call.max_attempts.into(),
        early_media: call.early_media,
    }
}

pub(super) struct Reload {
    pub(super) reread: Reread,
    pub(super) settings: LiveSettings,
    pub(super) call: LiveCallSettings,
    pub(super) tables: Tables,
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload").finish_non_exhaustive()
    }
}

impl Reload {
    /// Reads both again; when this returns, the next call is carried by what was read.
    pub(super) async fn now(&self) -> Result<(), RefreshError> {
        let configured = self.configuration();
        // The tables do not have to wait until the file is mended.
        self.tables.refresh().await?;
        configured
    }

    fn configuration(&self) -> Result<(), RefreshError> {
        let read = (self.reread)().map_err(|error| RefreshError::Configuration(error.to_string()))?;
        let current = self.settings.load_full();
        for section in needing_a_restart(&current, &read) {
            warn!(
                section,
                "changed in the configuration: takes effect when the daemon is started again"
            );
        }
        if current.call != read.call {
            info!(call = ?read.call, "[call] changed: holds for the next call");
        }
        if current.engine != read.engine {
            info!(engine = ?read.engine, "[engine] changed: the dialplan is told now");
        }
        self.call.rules.store(Arc::new(rules(&read.call)));
        self.call.policy.store(Arc::new(policy(&read.call)));
        self.settings.store(Arc::new(Settings {
            call: read.call,
            engine: read.engine,
            ..Settings::clone(&current)
        }));
        Ok(())
    }

    /// Reads both again at each SIGHUP.
    pub(super) async fn on_hangup(self: Arc<Self>, mut hangup: Signal) {
        while hangup.recv().await.is_some() {
            match self.now().await {
                Ok(()) => info!("configuration and tables read again"),
                Err(error) => {
                    error!(%error, code = error.code(), "not everything could be read again; what was read before holds")
                }
            }
        }
    }
}

/// The sections that differ and cannot be changed in a running process. Secrets are not compared.
fn needing_a_restart(current: &Settings, read: &Settings) -> Vec<&'static str> {
    let differs = [
        ("store", current.store != read.store),
        ("server", current.server != read.server),
        (
            "ari",
            current.ari.endpoint != read.ari.endpoint || current.ari.app != read.ari.app,
        ),
        ("agi", current.agi != read.agi),
        ("attempts", current.attempts != read.attempts),
        ("control", current.control != read.control),
        (
            "notify",
            format!("{:?}", current.notify) != format!("{:?}", read.notify),
        ),
        ("health", current.health != read.health),
        ("probe", current.probe != read.probe),
        ("log", current.log != read.log),
    ];
    let differing = differs.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(section, _)| section).collect()
}
