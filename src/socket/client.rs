//! The client: one request, one reply.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::control::{Reply, Request};

use super::line::read_line;

/// Far above the reply to `calls` with thousands of calls.
const REPLY_BYTES: usize = 64 * 1024 * 1024;

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens.
    #[error("the daemon is not running: nobody listens at {path}", path = path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// This user may not connect.
    #[error("this user may not use the control socket {path}: be root, the daemon's user, or of the socket's group", path = path.display())]
    Forbidden {
        /// The socket.
        path: PathBuf,
    },
    /// Somebody listens but does not answer.
    #[error("the daemon behind {path} does not answer within {} s: it may be frozen", after.as_secs(), path = path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection broke, or what came is no reply.
    #[error("the daemon behind {path} cannot be understood: {reason}; restart it if it runs another version", path = path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
}

impl ClientError {
    /// A stable word for this kind of error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotRunning { .. } => "daemon_not_running",
            Self::Forbidden { .. } => "control_forbidden",
            Self::Silent { .. } => "daemon_silent",
            Self::Broken { .. } => "daemon_not_understood",
        }
    }
}

/// Asks the daemon behind the socket at `path`.
///
/// # Errors
/// [`ClientError`]; after `Silent` and `Broken` a command may have been carried out.
pub async fn ask(path: &Path, request: &Request, limit: Duration) -> Result<Reply, ClientError> {
    match tokio::time::timeout(limit, talk(path, request)).await {
        Ok(result) => result,
        Err(_elapsed) => Err(ClientError::Silent {
            path: path.to_owned(),
            after: limit,
        }),
    }
}

async fn talk(path: &Path, request: &Request) -> Result<Reply, ClientError> {
    let broken = |reason: String| ClientError::Broken {
        path: path.to_owned(),
        reason,
    };
    let stream = UnixStream::connect(path).await.map_err(|error| {
        let (kind, path) = (error.kind(), path.to_owned());
        if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
            ClientError::NotRunning { path }
        } else if kind == io::ErrorKind::PermissionDenied {
            ClientError::Forbidden { path }
        } else {
            broken(error.to_string())
        }
    })?;
    let (reader, mut writer) = stream.into_split();
    let mut line = serde_json::to_vec(request).map_err(|error| broken(error.to_string()))?;
    line.push(b'\n');
    // A server that turns us away may have closed already; what it said is still there to be read.
    let sent = writer.write_all(&line).await;
    let reply = read_line(&mut BufReader::new(reader), REPLY_BYTES).await;
    match (reply, sent) {
        (Ok(Some(reply)), _) => serde_json::from_slice(&reply).map_err(|error| broken(error.to_string())),
        (Ok(None), _) => Err(broken("it closed the connection".to_owned())),
        (Err(_), Err(error)) => Err(broken(error.to_string())),
        (Err(error), Ok(())) => Err(broken(error.to_string())),
    }
}
