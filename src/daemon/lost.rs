//! Attempts that a process which is gone has left open: what it knew of their end is lost, and that goes on record.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, error, info};

use crate::engine::{LiveView, now};
use crate::spool::Waiting;
use crate::store::Store;

use super::survivors::Survivors;

/// How long to wait between looks at the spool, and how often.
const PAUSE: Duration = Duration::from_millis(100);
const PATIENCE: u32 = 50;

/// A leg of `Dial()` that is on its way is looked at so often: whoever saw its answer could be told of nothing else.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(2);

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
}

impl Lost {
    /// Looks each time when the calls have been compared with Asterisk's channels, once the spool has told what it knows; and
    /// more often while legs are on their way that nobody here dials.
    pub(super) async fn close_each_time(mut self, leftovers_are_moved: impl Future<Output = ()>) {
        leftovers_are_moved.await;
        if self.compared.wait_for(|times| *times >= 2).await.is_err() {
            return;
        }
        loop {
            let undecided = self.close().await;
            let look_again = async {
                match undecided {
                    0 => std::future::pending().await,
                    _ => tokio::time::sleep(LOOK_AGAIN_AFTER).await,
                }
            };
            tokio::select! {
                changed = self.compared.changed() => if changed.is_err() {
                    return;
                },
                () = look_again => {}
            }
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

    /// Closes what is lost; how many calls may yet be answered.
    async fn close(&self) -> usize {
        // Before the list is asked for: a call that comes in between is younger and not looked at.
        let before_ms = now().wall_ms;
        let calls = self.live.calls().await;
        if !self.ends_are_in_the_store().await {
            debug!("the spool is not empty: attempts that seem open may have ended");
            return 0;
        }
        let mut alive: HashSet<String> = calls.iter().map(|call| call.identity.call_id.clone()).collect();
        let open = match self.store.open_attempts(&self.server_ip, before_ms).await {
            Ok(open) => open.into_iter().filter(|row| !alive.contains(&row.call_id)).collect(),
            Err(error) => {
                error!(%error, code = error.code(), "attempts that were left open could not be read");
                return 0;
            }
        };
        let undecided = match self.survivors.look(open).await {
            Ok(undecided) => undecided,
            Err(error) => {
                debug!(%error, "Asterisk cannot be asked which calls go on: no attempt is closed");
                return 0;
            }
        };
        let count = undecided.len();
        alive.extend(undecided);
        // Those that are followed since.
        alive.extend(self.live.calls().await.iter().map(|call| call.identity.call_id.clone()));
        match self.store.close_open_attempts(&self.server_ip, before_ms, alive).await {
            Ok(0) => debug!("no attempt was left open"),
            Ok(attempts) => info!(attempts, "closed attempts whose end nobody has seen (daemon_lost)"),
            Err(error) => error!(%error, code = error.code(), "attempts that were left open could not be closed"),
        }
        count
    }
}
