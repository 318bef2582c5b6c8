//! The spool: attempts on disk until the store has them.
//!
//! A thread appends each attempt to a file before the call takes its next step; a task moves them from the files into the
//! store and removes what has arrived. The files outlive a `kill -9` and a database that is away: whoever starts next moves
//! what was left. It owns the directory and its files. It must not know calls: an attempt is a row with a key, and a row that
//! arrives twice is the store's to settle.
//!
//! A row is safe from the death of the process, not from that of the machine: nothing waits for the platter.

mod directory;
mod drain;
mod segment;
mod writer;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::store::{AttemptRow, Store, StoreError};

use directory::Directory;

/// Attempts that may wait for the thread that writes them; more than the disk may fall behind before it counts as hung.
const MAILBOX: usize = 10_000;

/// The spool cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the spool {path}: {source}; attempts.spool must name a directory that this user may write, on a local disk")]
pub struct SpoolError {
    /// The directory.
    path: PathBuf,
    /// What the system said.
    source: io::Error,
}

impl SpoolError {
    /// A stable name for metrics.
    pub const fn code(&self) -> &'static str {
        "spool"
    }
}

/// Where the rows go in the end.
pub trait Destination: Send + Sync + 'static {
    /// Takes all rows or none.
    ///
    /// # Errors
    /// [`StoreError`] when it does not take them now; they are offered again.
    fn take(&self, rows: Vec<AttemptRow>) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl Destination for Store {
    fn take(&self, rows: Vec<AttemptRow>) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.insert_attempts(rows)
    }
}

/// A row and whom to tell that it is kept.
struct Entry {
    row: AttemptRow,
    kept: oneshot::Sender<()>,
}

/// The way into the spool. The spool ends when the last one is gone.
#[derive(Clone, Debug)]
pub struct Spool {
    entries: mpsc::Sender<Entry>,
}

impl Spool {
    /// Opens the spool: leftovers of processes that are gone are moved first.
    ///
    /// # Errors
    /// [`SpoolError`] names the directory.
    pub fn open(path: &Path, destination: impl Destination) -> Result<(Self, Waiting, Moving), SpoolError> {
        let failed = |source| SpoolError {
            path: path.to_owned(),
            source,
        };
        let directory = Directory::open(path).map_err(failed)?;
        let waiting = Waiting::default();
        let (entries, mailbox) = mpsc::channel(MAILBOX);
        let (written, tail) = watch::channel(segment::Tail::default());
        let writer = writer::Writer::new(directory.clone(), written, waiting.clone()).map_err(failed)?;
        std::thread::Builder::new()
            .name("attempts-spool".to_owned())
            .spawn(move || writer.run(mailbox))
            .map_err(failed)?;
        let (leftovers_moved, moved) = watch::channel(false);
        let drain = drain::Drain::new(directory, destination, tail, waiting.clone());
        let moving = Moving {
            leftovers_moved: moved,
            task: tokio::spawn(drain.run(leftovers_moved)),
        };
        Ok((Self { entries }, waiting, moving))
    }

    /// Takes a row; never waits. The receiver resolves when the row is in a file, and fails when it could not be written.
    pub fn keep(&self, row: AttemptRow) -> oneshot::Receiver<()> {
        let (kept, answer) = oneshot::channel();
        // A mailbox that is full drops the sender: whoever asked is told by that.
        let _full = self.entries.try_send(Entry { row, kept });
        answer
    }
}

/// The task that moves rows into the store.
#[derive(Debug)]
pub struct Moving {
    leftovers_moved: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Moving {
    /// Resolves when what processes before this one had left is in the store.
    pub fn leftovers_are_moved(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut moved = self.leftovers_moved.clone();
        async move {
            let _task_is_gone = moved.wait_for(|moved| *moved).await;
        }
    }

    /// Waits until everything is in the store; after the last [`Spool`] is gone.
    pub async fn finished(self) {
        let _panicked = self.task.await;
    }
}

/// How many rows are on disk and not in the store yet.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// The number of rows.
    pub fn count(&self) -> usize {
        self.0.load(Relaxed)
    }

    fn more(&self, rows: usize) {
        self.0.fetch_add(rows, Relaxed);
    }

    fn less(&self, rows: usize) {
        self.0.fetch_sub(rows, Relaxed);
    }
}
