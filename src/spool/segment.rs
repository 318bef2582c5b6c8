//! A segment: rows in a file, one JSON object a line.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::store::AttemptRow;

/// How far this process's segments are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The segment that is written now; those before it are whole.
    pub(super) serial: u64,
    /// Bytes of it that are written.
    pub(super) length: u64,
}

/// Rows from the middle of a segment.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) rows: Vec<AttemptRow>,
    /// Where the next chunk begins.
    pub(super) next: u64,
    /// Lines that are no rows, with the byte at which each begins.
    pub(super) damaged: Vec<(u64, String)>,
}

impl Chunk {
    /// Nothing is left from here on. The unfinished last line of a process that was killed was never promised to anybody.
    pub(super) const fn is_end(&self) -> bool {
        self.rows.is_empty() && self.damaged.is_empty()
    }
}

/// A chunk is as long as this, or as one line that is longer.
const CHUNK: u64 = 256 * 1024;

/// Puts a row's line at the end of a buffer.
pub(super) fn push_line(buffer: &mut Vec<u8>, row: &AttemptRow) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *buffer, row)?;
    buffer.push(b'\n');
    Ok(())
}

/// Reads the whole lines that begin at a byte.
pub(super) fn read(path: &Path, from: u64) -> io::Result<Chunk> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    let mut limit = CHUNK;
    loop {
        let read = file.by_ref().take(limit).read_to_end(&mut bytes)?;
        if read == 0 || bytes.contains(&b'\n') {
            break;
        }
        limit *= 2;
    }
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let mut chunk = Chunk {
        next: from,
        ..Chunk::default()
    };
    for line in bytes[..whole].split_inclusive(|&byte| byte == b'\n') {
        match serde_json::from_slice(line) {
            Ok(row) => chunk.rows.push(row),
            Err(error) => chunk.damaged.push((chunk.next, error.to_string())),
        }
        chunk.next += line.len() as u64;
    }
    Ok(chunk)
}
