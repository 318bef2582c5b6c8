//! Many connections: how many at once, each in a task of its own, and the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use super::{Error, Limits, Prelude, Session};

/// After a connection that could not be accepted (no file descriptor is free), how long until the next try.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What a server has seen.
#[derive(Debug, Default)]
pub struct Counters {
    sessions: AtomicU64,
    refused: AtomicU64,
    malformed: AtomicU64,
    panicked: AtomicU64,
}

impl Counters {
    /// Sessions that were handed to the handler.
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Connections that were closed at once because there were too many.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Connections without a proper prelude.
    pub fn malformed(&self) -> u64 {
        self.malformed.load(Ordering::Relaxed)
    }

    /// Sessions whose handler panicked.
    pub fn panicked(&self) -> u64 {
        self.panicked.load(Ordering::Relaxed)
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What a server is made of, beside its socket.
#[derive(Clone, Debug)]
pub struct Server {
    /// Sessions at once. One more is closed before a word is said, and its dialplan goes on at once.
    pub maximum_sessions: usize,
    /// The bounds of each.
    pub limits: Limits,
    /// What has been seen.
    pub counters: Arc<Counters>,
    /// Runs the sessions; wait for it to wait for them.
    pub sessions: TaskTracker,
}

/// Accepts connections until `closing` is cancelled; the socket is closed then, and sessions that are open go on.
///
/// `handler` gets each session in a task of its own.
pub async fn serve<H, F>(listener: TcpListener, server: Server, closing: CancellationToken, handler: H)
where
    H: Fn(Prelude, Session<TcpStream>) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(server.maximum_sessions));
    loop {
        let accepted = tokio::select! {
            () = closing.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "a FastAGI connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            count(&server.counters.refused);
            warn!(
                limit = server.maximum_sessions,
                "too many FastAGI sessions: one goes on without us"
            );
            continue;
        };
        let (handler, limits) = (handler.clone(), server.limits);
        let counters = Arc::clone(&server.counters);
        let session = server
            .sessions
            .spawn(session(stream, peer, limits, Arc::clone(&counters), handler));
        server.sessions.spawn(async move {
            if session.await.is_err_and(|error| error.is_panic()) {
                count(&counters.panicked);
                error!(%peer, "a FastAGI session panicked; its channel goes on in the dialplan");
            }
            drop(place);
        });
    }
}

async fn session<H, F>(stream: TcpStream, peer: SocketAddr, limits: Limits, counters: Arc<Counters>, handler: H)
where
    H: Fn(Prelude, Session<TcpStream>) -> F,
    F: Future<Output = ()>,
{
    let opened = async {
        // Commands are short and each waits for its answer.
        stream.set_nodelay(true)?;
        Session::open(stream, limits).await
    };
    match opened.await {
        Ok((prelude, session)) => {
            count(&counters.sessions);
            handler(prelude, session).await;
        }
        // Somebody looked whether the port is open.
        Err(Error::Closed) => debug!(%peer, "a FastAGI connection closed before it said anything"),
        Err(error) => {
            count(&counters.malformed);
            warn!(%peer, %error, "a FastAGI connection is refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Rig {
        address: SocketAddr,
        server: Server,
        closing: CancellationToken,
        serving: tokio::task::JoinHandle<()>,
    }

    /// A server whose handler panics for script `panic`, hangs for `hang`, and else sets a variable.
    async fn rig(maximum_sessions: usize) -> Rig {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = Server {
            maximum_sessions,
            limits: Limits::default(),
            counters: Arc::default(),
            sessions: TaskTracker::new(),
        };
        let closing = CancellationToken::new();
        let handler = |prelude: Prelude, mut session: Session<TcpStream>| async move {
            match prelude.script().as_ref() {
                "panic" => panic!("as asked"),
                "hang" => std::future::pending().await,
                _ => session.set_variable("X", "1").await.expect("an answer"),
            }
        };
        let serving = tokio::spawn(serve(listener, server.clone(), closing.clone(), handler));
        Rig {
            address,
            server,
            closing,
            serving,
        }
    }

    impl Rig {
        async fn call(&self, script: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.expect("it listens");
            let prelude = format!("agi_network: yes\nagi_network_script: {script}\n\n");
            let _ = stream.write_all(prelude.as_bytes()).await;
            stream
        }

        /// A call that runs to its end; what was said to it.
        async fn whole_call(&self, script: &str) -> String {
            let mut stream = self.call(script).await;
            let _ = stream.write_all(b"200 result=1\n").await;
            let mut said = String::new();
            let _ = stream.read_to_string(&mut said).await;
            said
        }
    }

    #[tokio::test]
    async fn a_session_that_panics_or_hangs_touches_no_other() {
        let rig = rig(10).await;
        let _hanging = rig.call("hang").await;
        assert_eq!(rig.whole_call("panic").await, "");
        assert_eq!(rig.whole_call("ok").await, "SET VARIABLE \"X\" \"1\"\n");
        rig.closing.cancel();
        rig.serving.await.expect("the server ends although a session hangs");
        assert_eq!(rig.server.counters.panicked(), 1);
        assert_eq!(rig.server.counters.sessions(), 3);
        let refused = TcpStream::connect(rig.address).await;
        assert!(refused.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn one_session_too_many_is_closed_at_once() {
        let rig = rig(1).await;
        let hanging = rig.call("hang").await;
        assert_eq!(rig.whole_call("ok").await, "");
        assert_eq!(rig.server.counters.refused(), 1);
        drop(hanging);
    }

    #[tokio::test]
    async fn a_place_is_free_again_after_its_session_even_if_that_panicked() {
        let rig = rig(1).await;
        for _ in 0..3 {
            assert_eq!(rig.whole_call("panic").await, "");
            // The place is given back by another task, a moment after the socket was closed.
            while rig.whole_call("ok").await.is_empty() {
                tokio::task::yield_now().await;
            }
            while !rig.server.sessions.is_empty() {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn sessions_outlive_the_socket() {
        let rig = rig(10).await;
        let mut stream = rig.call("ok").await;
        let mut command = [0; 21];
        stream.read_exact(&mut command).await.expect("a command");
        rig.closing.cancel();
        rig.serving.await.expect("the server ends");
        stream.write_all(b"200 result=1\n").await.expect("the session is there");
        rig.server.sessions.close();
        rig.server.sessions.wait().await;
    }
}
