//! The task that moves rows from the files into the store.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::store::AttemptRow;

use super::directory::{self, Directory, Leftovers};
use super::segment::{self, Chunk, Tail};
use super::{Destination, Waiting};

/// Rows are gathered for so long: most attempts that fail do so within it, and then only their end is written. The store is asked
/// four times a second at most, however many calls there are.
const GATHER: Duration = Duration::from_millis(250);
/// How long rows wait before the store is asked again.
const RETRY: Duration = Duration::from_secs(2);
/// How often it is looked for what processes that have ended since have left.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

pub(super) struct Drain<D> {
    directory: Directory,
    destination: D,
    tail: watch::Receiver<Tail>,
    waiting: Waiting,
}

/// How far a segment has been moved.
#[derive(Default)]
struct Place {
    next: u64,
    is_damaged: bool,
}

impl<D: Destination> Drain<D> {
    pub(super) const fn new(
        directory: Directory,
        destination: D,
        tail: watch::Receiver<Tail>,
        waiting: Waiting,
    ) -> Self {
        Self {
            directory,
            destination,
            tail,
            waiting,
        }
    }

    /// Runs until the writer has ended and everything is in the store.
    pub(super) async fn run(mut self, leftovers_moved: watch::Sender<bool>) {
        self.move_leftovers().await;
        leftovers_moved.send_replace(true);
        let (mut serial, mut place) = (0, Place::default());
        let mut look_again = tokio::time::interval(LOOK_AGAIN);
        look_again.reset();
        loop {
            let writer_has_ended = tokio::select! {
                changed = self.tail.changed() => {
                    if changed.is_ok() {
                        tokio::time::sleep(GATHER).await;
                    }
                    changed.is_err()
                }
                _ = look_again.tick() => {
                    self.move_leftovers().await;
                    false
                }
            };
            let tail = *self.tail.borrow_and_update();
            while serial < tail.serial {
                self.finish_segment(&self.directory.segment(serial), std::mem::take(&mut place))
                    .await;
                serial += 1;
            }
            let current = self.directory.segment(serial);
            if writer_has_ended {
                self.finish_segment(&current, place).await;
                return warn_if_failed(self.directory.leave(), "the name in the spool cannot be given back");
            }
            if place.next < tail.length {
                self.move_rows(&current, &mut place, Counted::Already).await;
            }
        }
    }

    async fn move_leftovers(&self) {
        let directory = self.directory.clone();
        let leftovers = match blocking(move || directory.leftovers()).await {
            Ok(leftovers) => leftovers,
            Err(error) => {
                return error!(%error, "the spool cannot be listed: what earlier processes left is not in the store yet");
            }
        };
        for left in leftovers {
            self.move_leftover(&left).await;
        }
    }

    async fn move_leftover(&self, left: &Leftovers) {
        for path in left.segments() {
            let mut place = Place::default();
            let rows = self.move_rows(path, &mut place, Counted::NotYet).await;
            info!(attempts = rows, segment = %path.display(), "moved what an earlier process had left");
            remove(path, &place);
        }
        warn_if_failed(left.leave(), "an empty name cannot be removed from the spool");
    }

    async fn finish_segment(&self, path: &Path, mut place: Place) {
        self.move_rows(path, &mut place, Counted::Already).await;
        remove(path, &place);
    }

    /// Moves everything from a place to the end of the segment; returns how many rows. Waits for a store that is away.
    async fn move_rows(&self, path: &Path, place: &mut Place, counted: Counted) -> usize {
        let mut moved = 0;
        loop {
            let chunk = self.read(path, place.next).await;
            if chunk.is_end() {
                return moved;
            }
            for (byte, reason) in &chunk.damaged {
                error!(segment = %path.display(), byte, reason, "a line of the spool is no attempt; its file is kept");
                place.is_damaged = true;
            }
            let rows = chunk.rows.len();
            if counted == Counted::NotYet {
                self.waiting.more(rows);
            }
            self.offer(chunk.rows).await;
            self.waiting.less(rows);
            moved += rows;
            place.next = chunk.next;
        }
    }

    async fn read(&self, path: &Path, from: u64) -> Chunk {
        loop {
            let segment: PathBuf = path.to_owned();
            match blocking(move || segment::read(&segment, from)).await {
                Ok(chunk) => return chunk,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    error!(segment = %path.display(), "a segment was removed from the spool by somebody else");
                    return Chunk::default();
                }
                Err(error) => {
                    error!(%error, segment = %path.display(), "a segment cannot be read; trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn offer(&self, rows: Vec<AttemptRow>) {
        let rows = latest(rows);
        if rows.is_empty() {
            return;
        }
        let mut was_refused = false;
        while let Err(error) = self.destination.take(rows.clone()).await {
            if !std::mem::replace(&mut was_refused, true) {
                error!(%error, code = error.code(), "attempts stay in the spool until the store takes them");
            }
            tokio::time::sleep(RETRY).await;
        }
        if was_refused {
            info!(attempts = self.waiting.count(), "the store takes attempts again");
        }
    }
}

/// The last word about each attempt.
fn latest(rows: Vec<AttemptRow>) -> Vec<AttemptRow> {
    let mut seen = HashSet::new();
    let mut latest: Vec<AttemptRow> = rows
        .into_iter()
        .rev()
        .filter(|row| seen.insert((row.call_id.clone(), row.n)))
        .collect();
    latest.reverse();
    latest
}

/// Whether the rows of a segment are among those that wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    Already,
    NotYet,
}

fn remove(path: &Path, place: &Place) {
    match directory::discard(path, place.is_damaged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            error!(%error, segment = %path.display(), "a segment cannot be removed; its attempts are in the store");
        }
        Ok(()) | Err(_) => {}
    }
}

fn warn_if_failed(result: io::Result<()>, what: &str) {
    if let Err(error) = result {
        warn!(%error, "{what}");
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panicked) => Err(io::Error::other(panicked)),
    }
}
