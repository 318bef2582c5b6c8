//! The handle to the store, and the thread behind it that owns the connection.

use std::thread;

use tokio::sync::{mpsc, oneshot, watch};

use super::database::{Access, Database, Patience};
use super::error::StoreError;
use super::migrations;
use super::transaction::Transaction;
use super::url::StoreUrl;

/// Jobs that may wait for the thread before a caller has to.
const MAILBOX: usize = 64;

type Job = Box<dyn FnOnce(&mut Database) + Send>;

/// What to do where the database file, or the newest of our tables, does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// Make it: the daemon's first start, and `db migrate`.
    Create,
    /// Say so: a command that only looks must not leave a file that belongs to the wrong user.
    Fail,
}

/// A handle to the store; clones share one connection. The thread ends when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Store {
    url: StoreUrl,
    jobs: mpsc::Sender<Job>,
    /// Its other end is dropped when the file is closed.
    open: watch::Receiver<()>,
}

impl Store {
    /// Opens the database; its schema is this program's then.
    ///
    /// # Errors
    /// [`StoreError`]: the database is missing, not reachable, read-only, refuses the account, or has a schema that is older
    /// (and was not to be migrated) or newer than this program's.
    pub async fn open(url: &StoreUrl, if_missing: IfMissing) -> Result<Self, StoreError> {
        Self::open_with(url, if_missing, move |database| {
            migrations::require(database, if_missing)
        })
        .await
    }

    /// Opens the database whatever its schema is.
    pub(super) async fn open_as_it_is(url: &StoreUrl, if_missing: IfMissing) -> Result<Self, StoreError> {
        Self::open_with(url, if_missing, |_| Ok(())).await
    }

    async fn open_with(
        url: &StoreUrl,
        if_missing: IfMissing,
        prepare: impl FnOnce(&mut Database) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let (jobs, mailbox) = mpsc::channel(MAILBOX);
        let (opened, result) = oneshot::channel();
        let (end, open) = watch::channel(());
        let store = Self {
            url: url.clone(),
            jobs,
            open,
        };
        let url = url.clone();
        let thread = thread::Builder::new().name("crankback-store".into()).spawn(move || {
            let database = Database::open(url, if_missing).and_then(|mut database| {
                prepare(&mut database)?;
                Ok(database)
            });
            own(database, opened, mailbox);
            drop(end);
        });
        if let Err(error) = thread {
            return Err(StoreError::Unreachable {
                url: store.url,
                reason: error.to_string(),
            });
        }
        result.await.map_err(|_| store.closed())??;
        Ok(store)
    }

    /// Waits until the last handle is gone and the file is closed, its write-ahead log folded in.
    ///
    /// Without it a program that ends at once leaves the log beside the file, which does no harm.
    pub async fn close(self) {
        let Self { url: _, jobs, mut open } = self;
        drop(jobs);
        // Nothing is ever sent: the only change is the end.
        while open.changed().await.is_ok() {}
    }

    /// The database behind this handle.
    pub const fn url(&self) -> &StoreUrl {
        &self.url
    }

    /// Lets the store's thread do `work`, behind what the database was asked before: what is big and made of rows is made, and
    /// thrown away, where the rows are read. It takes tens of milliseconds, which no call then waits for; and memory that one table
    /// leaves serves the next, because glibc's malloc keeps it for each thread by itself.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the thread has ended.
    pub async fn in_its_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        self.perform(move |_| Ok(work())).await
    }

    /// Runs `work`, which looks only. Somebody waits for it: it ends in good time, well or not.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transact(Access::Read, Patience::request(), work).await
    }

    /// Runs `work`, which changes rows, all or none. It ends in good time, well or not.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transact(Access::Write, Patience::request(), work).await
    }

    /// Runs `work` in one transaction.
    pub(super) async fn transact<T: Send + 'static>(
        &self,
        access: Access,
        patience: Patience,
        work: impl Fn(&mut dyn Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.perform(move |database| database.transact(access, patience, work))
            .await
    }

    /// Lets the owner of the connection do `work`.
    pub(super) async fn perform<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        let job: Job = Box::new(move |database| {
            // Whoever asked may have given up; the work is done all the same.
            let _asker_is_gone = reply.send(work(database));
        });
        self.jobs.send(job).await.map_err(|_| self.closed())?;
        result.await.map_err(|_| self.closed())?
    }

    fn closed(&self) -> StoreError {
        StoreError::Closed { url: self.url.clone() }
    }
}

/// The life of the thread once it has tried to open the database: one job after the other.
fn own(
    database: Result<Database, StoreError>,
    opened: oneshot::Sender<Result<(), StoreError>>,
    mut mailbox: mpsc::Receiver<Job>,
) {
    match database {
        Ok(mut database) => {
            if opened.send(Ok(())).is_ok() {
                while let Some(job) = mailbox.blocking_recv() {
                    job(&mut database);
                }
            }
        }
        Err(error) => {
            let _asker_is_gone = opened.send(Err(error));
        }
    }
}
