//! Attempts on their way into the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::error;

use crate::engine::AttemptRecord;
use crate::store::{AttemptRow, Store};

/// How long attempts wait before the store is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// Attempts that wait for the store; more than any lab or dialer makes while the store pauses.
const MAILBOX: usize = 100_000;
/// Attempts written at once.
const BATCH: usize = 256;

/// How many attempts are not in the store yet. Holding it does not keep the mailbox open.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    mailbox: mpsc::WeakSender<AttemptRecord>,
    in_hand: Arc<AtomicUsize>,
}

impl Waiting {
    pub(super) fn count(&self) -> usize {
        let queued = self
            .mailbox
            .upgrade()
            .map_or(0, |mailbox| mailbox.max_capacity() - mailbox.capacity());
        queued + self.in_hand.load(Relaxed)
    }
}

/// Starts the task that writes attempts; it ends when the last sender is gone and all is written.
pub(super) fn open(store: Store) -> (mpsc::Sender<AttemptRecord>, Waiting, JoinHandle<()>) {
    let (records, mailbox) = mpsc::channel(MAILBOX);
    let in_hand = Arc::new(AtomicUsize::new(0));
    let waiting = Waiting {
        mailbox: records.downgrade(),
        in_hand: Arc::clone(&in_hand),
    };
    let writer = tokio::spawn(write(store, mailbox, in_hand));
    (records, waiting, writer)
}

async fn write(store: Store, mut mailbox: mpsc::Receiver<AttemptRecord>, in_hand: Arc<AtomicUsize>) {
    let mut batch = Vec::with_capacity(BATCH);
    while mailbox.recv_many(&mut batch, BATCH).await > 0 {
        let rows: Vec<AttemptRow> = batch.drain(..).map(row_of).collect();
        in_hand.store(rows.len(), Relaxed);
        while let Err(error) = store.insert_attempts(rows.clone()).await {
            error!(%error, attempts = rows.len(), "attempts cannot be put on record; trying again");
            tokio::time::sleep(RETRY).await;
        }
        in_hand.store(0, Relaxed);
    }
}

fn row_of(record: AttemptRecord) -> AttemptRow {
    let AttemptRecord {
        call,
        attempt,
        channel_id,
    } = record;
    let verdict = attempt.verdict;
    let reply = attempt.reply;
    AttemptRow {
        call_id: call.call_id,
        n: attempt.n,
        number: attempt.wire_number,
        carrier_id: attempt.carrier.to_string(),
        entry_carrier: call.entry.to_string(),
        campaign: call.campaign,
        started_ms: attempt.started_ms,
        progress: attempt.progress.as_str().to_owned(),
        progress_ms: attempt.pdd_ms.map(|pdd_ms| attempt.started_ms + pdd_ms),
        ended_ms: attempt
            .ended_ms
            .unwrap_or(attempt.started_ms + attempt.answered_after_ms.unwrap_or_default()),
        sip_code: reply.as_ref().map(|reply| reply.code),
        sip_phrase: reply.map(|reply| reply.phrase),
        q850_cause: attempt.q850.map(u16::from),
        verdict: verdict
            .as_ref()
            .map_or("stop", |verdict| verdict.action.as_str())
            .to_owned(),
        why: verdict.as_ref().map_or("answered", |verdict| verdict.why).to_owned(),
        rule: Some(verdict.as_ref().map_or("answered", |verdict| verdict.rule).to_owned()),
        dialstatus: verdict
            .map_or("ANSWER", |verdict| verdict.dialer.dialstatus.as_str())
            .to_owned(),
        channel_id: channel_id.unwrap_or_default(),
        sip_call_id: None,
        caller_channel: call.caller_channel,
    }
}
