//! Tells VICIdial which trunk channel a call code has, so that its agent-side script redirects the leg that was answered.
//!
//! One task owns the way to the database; whoever has a row for it hands it over and is told when the row stands. A row that
//! does not stand within a second is given up and counted: the customer is connected all the same, and VICIdial goes by what
//! it has seen itself.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::store::{IfMissing, OtherRows, RecentChannelRow, Store, StoreError, StoreUrl};

/// How long a row may take, its time in the mailbox included.
const LIMIT: Duration = Duration::from_secs(1);
/// Rows that may wait for the task: more than can be written within the limit.
const MAILBOX: usize = 1_024;

/// When a row is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The leg is on its way; nobody waits.
    Start,
    /// The leg is answered, after an earlier leg of the same call; the answer of the caller waits.
    Answer,
}

impl Occasion {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Start, Self::Answer];

    /// One word, for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Answer => "answer",
        }
    }
}

/// Why a row does not stand in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The database took too long, for example because the table is locked.
    Timeout,
    /// The database refused: the table is missing, or the server is away.
    Database,
    /// Too many rows were waiting.
    MailboxFull,
}

impl Expiry {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Timeout, Self::Database, Self::MailboxFull];

    /// One word, for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Database => "database",
            Self::MailboxFull => "mailbox_full",
        }
    }
}

/// What is counted since the daemon started.
#[derive(Debug, Default)]
pub struct RecentChannelCounters {
    written: AtomicU64,
    expired: [[AtomicU64; Expiry::ALL.len()]; Occasion::ALL.len()],
}

impl RecentChannelCounters {
    /// Rows that were written in time.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Rows that do not stand in time, by occasion and reason.
    pub fn expired(&self) -> impl Iterator<Item = (Occasion, Expiry, u64)> {
        let pairs = Occasion::ALL
            .into_iter()
            .flat_map(|occasion| Expiry::ALL.map(|expiry| (occasion, expiry)));
        pairs.map(|(occasion, expiry)| (occasion, expiry, self.cell(occasion, expiry).load(Ordering::Relaxed)))
    }

    fn cell(&self, occasion: Occasion, expiry: Expiry) -> &AtomicU64 {
        &self.expired[occasion as usize][expiry as usize]
    }

    /// Counts a row that does not stand in time, and says which.
    fn expire(&self, row: &RecentChannelRow, occasion: Occasion, expiry: Expiry, error: Option<&StoreError>) {
        self.cell(occasion, expiry).fetch_add(1, Ordering::Relaxed);
        warn!(
            call_code = row.call_code,
            lead_id = lead_id(&row.call_code),
            leg = row.leg_channel,
            occasion = occasion.as_str(),
            reason = expiry.as_str(),
            error = error.map(ToString::to_string),
            "VICIdial's row of the leg is not written in time; the call goes on without it"
        );
    }
}

/// The lead of a call code: its last ten digits.
fn lead_id(call_code: &str) -> Option<u64> {
    call_code.get(10..20)?.parse().ok()
}

/// A row on its way.
#[derive(Debug)]
struct Order {
    row: RecentChannelRow,
    others: OtherRows,
    occasion: Occasion,
    deadline: Instant,
    settled: oneshot::Sender<()>,
}

/// A handle on the task.
#[derive(Clone, Debug)]
pub struct RecentChannels {
    orders: mpsc::Sender<Order>,
    counters: Arc<RecentChannelCounters>,
}

impl RecentChannels {
    /// Opens a connection of its own to VICIdial's database, for the table of this dialer. `None` where the store is a file:
    /// no VICIdial is beside it.
    ///
    /// # Errors
    /// [`StoreError`] says why the database cannot be used.
    pub async fn beside_vicidial(url: &StoreUrl, server_ip: Ipv4Addr) -> Result<Option<Self>, StoreError> {
        match url {
            StoreUrl::Sqlite(_) => Ok(None),
            StoreUrl::MariaDb(_) => {
                let store = Store::open(url, IfMissing::Fail).await?;
                Ok(Some(Self::write_to(store, server_ip)))
            }
        }
    }

    /// Starts the task; it ends with the last handle. The store should be nobody else's: what others ask of it holds rows up.
    pub fn write_to(store: Store, server_ip: Ipv4Addr) -> Self {
        let (channels, mailbox) = Self::unserved(MAILBOX);
        tokio::spawn(write(store, server_ip, mailbox, Arc::clone(&channels.counters)));
        channels
    }

    fn unserved(mailbox: usize) -> (Self, mpsc::Receiver<Order>) {
        let (orders, mailbox) = mpsc::channel(mailbox);
        let counters = Arc::default();
        (Self { orders, counters }, mailbox)
    }

    /// What is counted.
    pub fn counters(&self) -> &Arc<RecentChannelCounters> {
        &self.counters
    }

    /// Hands a row over without waiting. The receiver resolves when the row stands or is given up, within a second.
    pub fn hand_over(&self, row: RecentChannelRow, others: OtherRows, occasion: Occasion) -> oneshot::Receiver<()> {
        let (settled, is_settled) = oneshot::channel();
        let order = Order {
            row,
            others,
            occasion,
            deadline: Instant::now() + LIMIT,
            settled,
        };
        if let Err(refused) = self.orders.try_send(order) {
            // Dropped with the order, the other end tells whoever waits.
            let order = refused.into_inner();
            self.counters
                .expire(&order.row, order.occasion, Expiry::MailboxFull, None);
        }
        is_settled
    }
}

/// Writes one row after the other. Deadlines come in the order of the mailbox, so none is outstayed by a row before it.
async fn write(
    store: Store,
    server_ip: Ipv4Addr,
    mut mailbox: mpsc::Receiver<Order>,
    counters: Arc<RecentChannelCounters>,
) {
    while let Some(order) = mailbox.recv().await {
        let writing = store.write_recent_channel(server_ip, order.row.clone(), order.others, order.deadline);
        match tokio::time::timeout_at(order.deadline.into(), writing).await {
            Ok(Ok(())) => {
                counters.written.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Err(error @ StoreError::Timeout { .. })) => {
                counters.expire(&order.row, order.occasion, Expiry::Timeout, Some(&error));
            }
            Ok(Err(error)) => counters.expire(&order.row, order.occasion, Expiry::Database, Some(&error)),
            Err(_) => counters.expire(&order.row, order.occasion, Expiry::Timeout, None),
        }
        let _nobody_waits = order.settled.send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Ipv4Addr = Ipv4Addr::LOCALHOST;

    fn row() -> RecentChannelRow {
        RecentChannelRow {
            call_code: "V1210007450000000008".into(),
            caller_channel: "Local/913125550100@default-00000001;2".into(),
            caller_uniqueid: "1795226151.2".into(),
            leg_channel: "PJSIP/backup-00000003".into(),
            leg_uniqueid: "1795226151.900000001".into(),
            linked_id: "1795226151.1".into(),
        }
    }

    fn expired(channels: &RecentChannels) -> Vec<(&'static str, &'static str)> {
        let all = channels.counters().expired().filter(|(_, _, count)| *count > 0);
        all.map(|(occasion, expiry, _)| (occasion.as_str(), expiry.as_str()))
            .collect()
    }

    #[test]
    fn a_call_code_names_its_lead() {
        assert_eq!(lead_id("V1210007450000000008"), Some(8));
        assert_eq!(lead_id("V1"), None);
    }

    #[tokio::test]
    async fn a_missing_table_is_counted_and_holds_nobody_up() {
        let directory = tempfile::tempdir().expect("a directory");
        let url = StoreUrl::sqlite(directory.path().join("crankback.db"));
        let store = Store::open(&url, IfMissing::Create).await.expect("the store opens");
        let channels = RecentChannels::write_to(store, SERVER);
        channels
            .hand_over(row(), OtherRows::Keep, Occasion::Answer)
            .await
            .expect("is settled");
        assert_eq!(expired(&channels), [("answer", "database")]);
        assert_eq!(channels.counters().written(), 0);
    }

    #[tokio::test]
    async fn a_full_mailbox_is_counted_and_refuses_at_once() {
        let (channels, _mailbox) = RecentChannels::unserved(1);
        let waiting = channels.hand_over(row(), OtherRows::Keep, Occasion::Start);
        let refused = channels.hand_over(row(), OtherRows::Keep, Occasion::Start);
        assert!(refused.await.is_err(), "whoever waits is let go");
        assert_eq!(expired(&channels), [("start", "mailbox_full")]);
        drop(waiting);
    }
}
