//! The directory: whose files are whose.
//!
//! Each process holds the lock of a file of its own name for as long as it lives; its segments begin with that name. What
//! begins with a name whose lock can be had belongs to nobody any more.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const LOCK: &str = "lock";
const UNLOCKED: &str = "new";
const SEGMENT: &str = "attempts";
const DAMAGED: &str = "damaged";

/// The directory and this process's name in it.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    path: Arc<Path>,
    owner: Arc<Owner>,
}

/// A process's name and the lock that it holds.
#[derive(Debug)]
pub(super) struct Owner {
    name: String,
    lock_path: PathBuf,
    _lock: File,
}

/// What a process that is gone has left.
#[derive(Debug)]
pub(super) struct Leftovers {
    owner: Owner,
    segments: Vec<PathBuf>,
}

impl Directory {
    /// Makes the directory where its parent is there, and takes a name in it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        match fs::create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Names sort by the start of their process. Two spools of one process need two names.
        let mut number = since_1970.as_micros();
        loop {
            let name = format!("{number:017}-{}", std::process::id());
            let (unlocked, lock_path) = (
                path.join(&name).with_extension(UNLOCKED),
                path.join(&name).with_extension(LOCK),
            );
            let lock = File::create_new(&unlocked)?;
            lock.lock()?;
            // Locked before it has its name: a name without a holder is taken for that of a process that is gone.
            let named = fs::hard_link(&unlocked, &lock_path);
            fs::remove_file(&unlocked)?;
            match named {
                Ok(()) => {
                    return Ok(Self {
                        path: path.into(),
                        owner: Arc::new(Owner {
                            name,
                            lock_path,
                            _lock: lock,
                        }),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The file of one of this process's segments.
    pub(super) fn segment(&self, serial: u64) -> PathBuf {
        let name = format!("{}-{serial:08}.{SEGMENT}", self.owner.name);
        self.path.join(name)
    }

    /// What processes that are gone have left, the oldest first. Their names are ours until the value is dropped.
    pub(super) fn leftovers(&self) -> io::Result<Vec<Leftovers>> {
        let mut paths: Vec<PathBuf> = fs::read_dir(&self.path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        paths.sort();
        let with = |extension: &'static str| paths.iter().filter(move |path| has(path, extension));
        let mut leftovers = Vec::new();
        for lock_path in with(LOCK).filter(|path| **path != self.owner.lock_path) {
            let Some(name) = lock_path.file_stem().map(|stem| stem.to_string_lossy().into_owned()) else {
                continue;
            };
            let lock = match File::open(lock_path) {
                Ok(lock) => lock,
                // Its process has just ended, or somebody else has just moved what it left.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let prefix = format!("{name}-");
            let segments = with(SEGMENT).filter(|path| {
                path.file_name()
                    .is_some_and(|file| file.to_string_lossy().starts_with(&prefix))
            });
            leftovers.push(Leftovers {
                segments: segments.cloned().collect(),
                owner: Owner {
                    name,
                    lock_path: lock_path.clone(),
                    _lock: lock,
                },
            });
        }
        Ok(leftovers)
    }

    /// This process has nothing left and needs its name no more.
    pub(super) fn leave(&self) -> io::Result<()> {
        self.owner.leave()
    }
}

impl Leftovers {
    /// The files, in the order in which they were written.
    pub(super) fn segments(&self) -> &[PathBuf] {
        &self.segments
    }

    /// All of it has been moved.
    pub(super) fn leave(&self) -> io::Result<()> {
        self.owner.leave()
    }
}

impl Owner {
    fn leave(&self) -> io::Result<()> {
        fs::remove_file(&self.lock_path)
    }
}

/// Takes a segment away; one that holds lines that cannot be read is kept under another name.
pub(super) fn discard(segment: &Path, is_damaged: bool) -> io::Result<()> {
    if is_damaged {
        fs::rename(segment, segment.with_extension(DAMAGED))
    } else {
        fs::remove_file(segment)
    }
}

fn has(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
