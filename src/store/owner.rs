//! The handle to the store, and the thread behind it that owns the connection.

use std::thread;

use tokio::sync::{mpsc, oneshot, watch};

use super::error::StoreError;
use super::migrations;
use super::sqlite::Sqlite;
use super::transaction::Transaction;
use super::url::StoreUrl;

/// Jobs that may wait for the thread before a caller has to.
const MAILBOX: usize = 64;

type Job = Box<dyn FnOnce(&mut Sqlite) + Send>;

/// What to do where the database file does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// Make it: the daemon's first start.
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
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError`]: the file is missing, not reachable, no database, read-only, or has a schema newer than this program.
    pub async fn open(url: &StoreUrl, if_missing: IfMissing) -> Result<Self, StoreError> {
        let (jobs, mailbox) = mpsc::channel(MAILBOX);
        let (opened, result) = oneshot::channel();
        let (end, open) = watch::channel(());
        let store = Self {
            url: url.clone(),
            jobs,
            open,
        };
        let url = url.clone();
        let thread = thread::Builder::new()
            .name("crankback-store".into())
            .spawn(move || own(url, if_missing, opened, mailbox, end));
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

    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.perform(move |database| database.read(work)).await
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Transaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.perform(move |database| database.write(work)).await
    }

    async fn perform<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Sqlite) -> Result<T, StoreError> + Send + 'static,
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

/// The life of the thread: open, migrate, then one job after the other.
fn own(
    url: StoreUrl,
    if_missing: IfMissing,
    opened: oneshot::Sender<Result<(), StoreError>>,
    mut mailbox: mpsc::Receiver<Job>,
    end: watch::Sender<()>,
) {
    let database = Sqlite::open(url, if_missing).and_then(|mut database| {
        migrations::bring_up_to_date(&mut database)?;
        Ok(database)
    });
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
    drop(end);
}
