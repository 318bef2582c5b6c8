//! Keeps the dialplan told which engine calls go to: at each connection, and when the settings, a carrier or the FastAGI port
//! change.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::ari;
use crate::engine::EngineChoice;

use super::reload::LiveSettings;
use super::tables::Tables;

/// Said again so often: a reload of the dialplan may clear what it was told.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Where it failed, it is tried again so soon.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What the choice depends on, and who is told.
#[derive(Debug)]
pub(super) struct Teller {
    pub(super) ari: ari::Client,
    pub(super) ari_state: watch::Receiver<ari::State>,
    pub(super) settings: LiveSettings,
    pub(super) tables: Tables,
    /// The FastAGI port is ours.
    pub(super) is_listening: watch::Receiver<bool>,
    /// Asterisk has been told, or has refused to be, once.
    pub(super) has_answered: watch::Sender<bool>,
    pub(super) leaving: CancellationToken,
}

impl Teller {
    /// Until the daemon goes: the next one says what holds then.
    pub(super) async fn run(mut self) {
        let mut told = None;
        let mut published = self.tables.subscribe();
        let mut again = tokio::time::interval(AGAIN_AFTER);
        loop {
            let is_due = tokio::select! {
                () = self.leaving.cancelled() => return,
                _ = again.tick() => true,
                changed = self.ari_state.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => return,
                },
                Ok(()) = self.is_listening.changed() => false,
                Ok(()) = published.changed() => false,
            };
            let ari::State::Connected { epoch, .. } = *self.ari_state.borrow() else {
                continue;
            };
            let now = (epoch, self.choice());
            if told.as_ref() == Some(&now) && !is_due {
                continue;
            }
            match now.1.tell(&self.ari).await {
                Ok(()) if told.as_ref() == Some(&now) => {}
                Ok(()) => {
                    info!(engine = %now.1, "calls go to their engines");
                    told = Some(now);
                }
                Err(error) => {
                    warn!(%error, "the dialplan could not be told which engine to use");
                    told = None;
                    again.reset_after(TRY_AGAIN_AFTER);
                }
            }
            self.has_answered.send_replace(true);
        }
    }

    fn choice(&self) -> EngineChoice {
        let agi = self.settings.load().agi.listen;
        EngineChoice {
            kinds: self.settings.load().engine,
            entries: self.tables.published().snapshot.entry_engines.clone(),
            agi: self.is_listening.borrow().then_some(agi),
        }
    }
}
