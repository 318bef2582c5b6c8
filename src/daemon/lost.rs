//! Attempts that a process which is gone has left open: what it knew of their end is lost, and that goes on record.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use crate::engine::{LiveView, now};
use crate::spool::Waiting;
use crate::store::Store;

use super::survivors::Survivors;

/// How long to wait between looks at the spool, and how often.
const PAUSE: Duration = Duration::from_millis(100);
const PATIENCE: u32 = 50;

/// Everything that tells an attempt that is out from one that is lost.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) store: Store,
    pub(super) server_ip: String,
    pub(super) live: LiveView,
    /// Finds what is not lost.
    pub(super) survivors: Survivors,
    /// How many rows are on disk and not in the store yet.
    pub(super) waiting: Waiting,
    /// How often calls were compared with Asterisk's channels.
    pub(super) compared: watch::Receiver<u64>,
    /// When this process began, milliseconds since 1970.
    pub(super) started_ms: i64,
}

impl Lost {
    /// Looks each time when the calls have been compared with Asterisk's channels, once the spool has told what it knows.
    pub(super) async fn close_each_time(mut self, leftovers_are_moved: impl Future<Output = ()>) {
        leftovers_are_moved.await;
        if self.compared.wait_for(|times| *times >= 1).await.is_err() {
            return;
        }
        self.keep_places_of_customers().await;
        if self.compared.wait_for(|times| *times >= 2).await.is_err() {
            return;
        }
        loop {
            self.close().await;
            self.survivors.all_are_found();
            tokio::select! {
                changed = self.compared.changed() => if changed.is_err() {
                    return;
                },
                () = self.survivors.one_is_gone() => {}
            }
        }
    }

    /// Customers whom the dialer took while an earlier process ran take up channels of their carriers, now as then.
    async fn keep_places_of_customers(&self) {
        let legs = match self.survivors.legs_up().await {
            Ok(legs) => legs,
            Err(error) => return warn!(%error, "Asterisk cannot be asked: places of customers are not counted"),
        };
        let attempts = self
            .store
            .ended_attempts_of_channels(&self.server_ip, legs, self.started_ms);
        match attempts.await {
            Ok(attempts) => self.survivors.keep_places(attempts).await,
            Err(error) => warn!(%error, code = error.code(), "places of customers are not counted"),
        }
    }

    /// Waits until what ended before has its end in the store; false where the store does not take it.
    async fn ends_are_in_the_store(&self) -> bool {
        for _ in 0..PATIENCE {
            // First: what a call has just said is on its way to the disk.
            tokio::time::sleep(PAUSE).await;
            if self.waiting.count() == 0 {
                return true;
            }
        }
        false
    }

    async fn close(&self) {
        // Before the list is asked for: a call that comes in between is younger and not looked at.
        let before_ms = now().wall_ms;
        let mut alive = self.calls().await;
        if !self.ends_are_in_the_store().await {
            return debug!("the spool is not empty: attempts that seem open may have ended");
        }
        let open = match self.store.open_attempts(&self.server_ip, before_ms).await {
            Ok(open) => open.into_iter().filter(|row| !alive.contains(&row.call_id)).collect(),
            Err(error) => return error!(%error, code = error.code(), "attempts that were left open could not be read"),
        };
        if let Err(error) = self.survivors.look(open).await {
            return debug!(%error, "Asterisk cannot be asked which calls go on: no attempt is closed");
        }
        alive.extend(self.calls().await);
        match self.store.close_open_attempts(&self.server_ip, before_ms, alive).await {
            Ok(0) => debug!("no attempt was left open"),
            Ok(attempts) => info!(attempts, "closed attempts whose end nobody has seen (daemon_lost)"),
            Err(error) => error!(%error, code = error.code(), "attempts that were left open could not be closed"),
        }
    }

    /// The ids of the calls that are known here.
    async fn calls(&self) -> HashSet<String> {
        let calls = self.live.calls().await;
        calls.iter().map(|call| call.identity.call_id.clone()).collect()
    }
}
