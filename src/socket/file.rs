//! The socket file: who may have it, and when it may be replaced.
//!
//! A lock file beside it (`control.sock.lock`) belongs to a daemon from its claim to its end; the kernel takes the lock back
//! from a process that dies, however it dies. So a lock that is held means a daemon that lives, and a socket file without a
//! lock is a leftover. The lock file itself stays: removing it would let two daemons lock two files of one name.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Owner and group may connect, others not.
const MODE: u32 = 0o660;

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Another daemon has it, and lives.
    #[error("another daemon has the control socket {path}", path = path.display())]
    Held {
        /// The socket.
        path: PathBuf,
    },
    /// Some other program listens there.
    #[error("{path} belongs to another program that listens there: give control.socket a path of its own", path = path.display())]
    Foreign {
        /// The socket.
        path: PathBuf,
    },
    /// Something else lies there.
    #[error("{path} is no socket: move it away or correct control.socket", path = path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("cannot make the control socket {path}: {source}; check that its directory exists and that this user may write there", path = path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl SocketError {
    /// A stable word for this kind of error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Held { .. } => "control_socket_held",
            Self::Foreign { .. } => "control_socket_foreign",
            Self::NotASocket { .. } => "control_socket_not_a_socket",
            Self::Io { .. } => "control_socket_io",
        }
    }
}

/// The socket, listening. Dropping it removes the file and lets the next daemon have it.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of our file: a file that somebody else put there is not ours to remove.
    identity: (u64, u64),
    _lock: File,
}

impl ControlSocket {
    /// Takes the socket, unless a daemon that lives has it. A leftover of a dead one is replaced, in one step, so that
    /// nobody ever finds a path without a file.
    ///
    /// # Errors
    /// [`SocketError`]; nothing of anybody else's has been touched then.
    pub async fn claim(path: &Path) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Io {
            path: path.to_owned(),
            source,
        };
        let lock = lock(path)?;
        check_leftover(path).await?;
        let next = beside(path, "new");
        match std::fs::remove_file(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&next).map_err(failed)?;
        std::fs::set_permissions(&next, Permissions::from_mode(MODE)).map_err(failed)?;
        let identity = identity(&next).map_err(failed)?;
        std::fs::rename(&next, path).map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            identity,
            _lock: lock,
        })
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            let _gone_already = std::fs::remove_file(&self.path);
        }
    }
}

fn lock(path: &Path) -> Result<File, SocketError> {
    let failed = |source| SocketError::Io {
        path: path.to_owned(),
        source,
    };
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .open(beside(path, "lock"));
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SocketError::Held { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// What lies at the path must be a socket that nobody listens at. We hold the lock: it is no daemon of ours.
async fn check_leftover(path: &Path) -> Result<(), SocketError> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            let path = path.to_owned();
            return Err(SocketError::Io { path, source });
        }
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::NotASocket { path: path.to_owned() }),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Ok(_) | Err(_) => Err(SocketError::Foreign { path: path.to_owned() }),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
