//! The control socket of the running daemon: claimed as soon as it is free, served until the daemon lets go.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::control::Handlers;
use crate::socket::{ControlSocket, Limits, SocketError, serve};

/// While another daemon has the socket. It lets go when it stops, or when its application was taken over.
const RETRY_HELD: Duration = Duration::from_millis(200);
/// While the socket cannot be made: its directory is missing, for example.
const RETRY_FAILED: Duration = Duration::from_secs(5);

/// Serves operators until `stop` is cancelled. Calls do not depend on it: without a socket they go on.
pub(super) async fn keep_open(path: PathBuf, handlers: Arc<Handlers>, stop: CancellationToken) {
    let Some(socket) = stop.run_until_cancelled(claim(&path)).await else {
        return;
    };
    info!(socket = %path.display(), "operators are served");
    serve(socket, handlers, Limits::default(), stop).await;
}

/// Claims the socket, however long that takes; tells each obstacle once.
async fn claim(path: &Path) -> ControlSocket {
    let mut told = None;
    loop {
        let error = match ControlSocket::claim(path).await {
            Ok(socket) => return socket,
            Err(error) => error,
        };
        let retry = match &error {
            SocketError::Held { .. } => RETRY_HELD,
            SocketError::Foreign { .. } | SocketError::NotASocket { .. } | SocketError::Io { .. } => RETRY_FAILED,
        };
        if told != Some(error.code()) {
            told = Some(error.code());
            match &error {
                SocketError::Held { .. } => warn!(%error, "waiting until it lets go"),
                SocketError::Foreign { .. } | SocketError::NotASocket { .. } | SocketError::Io { .. } => {
                    error!(%error, "calls are served all the same; operators work on the store alone");
                }
            }
        }
        tokio::time::sleep(retry).await;
    }
}
