//! The thread that appends rows to files: a disk that hangs stops this thread and no call.

use std::fs::File;
use std::io::{self, Write};

use tokio::sync::{mpsc, watch};
use tracing::{error, info};

use super::directory::Directory;
use super::segment::{self, Tail};
use super::{Entry, Waiting};

/// Rows written at once.
const BATCH: usize = 256;
/// A segment that has grown to this size is followed by another, so that what is in the store can be removed.
const SEGMENT_BYTES: u64 = 1024 * 1024;

pub(super) struct Writer {
    directory: Directory,
    file: File,
    tail: Tail,
    written: watch::Sender<Tail>,
    waiting: Waiting,
    fails: bool,
}

impl Writer {
    pub(super) fn new(directory: Directory, written: watch::Sender<Tail>, waiting: Waiting) -> io::Result<Self> {
        let tail = Tail::default();
        Ok(Self {
            file: File::create_new(directory.segment(tail.serial))?,
            directory,
            tail,
            written,
            waiting,
            fails: false,
        })
    }

    /// Runs until the last way into the spool is gone.
    pub(super) fn run(mut self, mut entries: mpsc::Receiver<Entry>) {
        let (mut batch, mut lines) = (Vec::with_capacity(BATCH), Vec::new());
        while entries.blocking_recv_many(&mut batch, BATCH) > 0 {
            lines.clear();
            for Entry { row, .. } in &batch {
                // Cannot fail: a row holds text and numbers only.
                if let Err(error) = segment::push_line(&mut lines, row) {
                    error!(call = row.call_id, n = row.n, %error, "an attempt cannot be written as JSON");
                }
            }
            // Before they can be read: whoever moves them into the store takes them off the count.
            self.waiting.more(batch.len());
            match self.append(&lines) {
                Ok(()) => {
                    self.written.send_replace(self.tail);
                    for Entry { kept, .. } in batch.drain(..) {
                        let _asker_is_gone = kept.send(());
                    }
                    if std::mem::take(&mut self.fails) {
                        info!("attempts are written to the spool again");
                    }
                }
                Err(error) => self.lose(&mut batch, &error),
            }
        }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.fails || self.tail.length >= SEGMENT_BYTES {
            // After a failure the last line may be half there: whoever reads it takes it for the end of the segment.
            let serial = self.tail.serial + 1;
            self.file = File::create_new(self.directory.segment(serial))?;
            self.tail = Tail { serial, length: 0 };
        }
        self.file.write_all(lines)?;
        self.tail.length += lines.len() as u64;
        Ok(())
    }

    /// The disk takes nothing: the log has the rows, and whoever waits is told.
    fn lose(&mut self, batch: &mut Vec<Entry>, error: &io::Error) {
        self.fails = true;
        self.waiting.less(batch.len());
        for Entry { row, .. } in batch.drain(..) {
            error!(%error, ?row, "an attempt cannot be written to the spool");
        }
    }
}
