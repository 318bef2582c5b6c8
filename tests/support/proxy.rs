//! A wire between two programs that can be cut, and on which a request or its answer can be held up.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::hold::Holds;
use super::error::{IoContext, LabError};

pub use self::hold::{Hold, Part};

mod hold;

/// Passes TCP connections on to a port, until it is cut: then every connection ends, and new ones end at once.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    whole: watch::Sender<bool>,
    connections: Arc<AtomicU64>,
    holds: Holds,
    task: JoinHandle<()>,
}

impl Wire {
    /// A wire to a port on loopback.
    pub async fn to(port: u16) -> Result<Self, LabError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context(|| "bind the wire".to_owned())?;
        let address = listener.local_addr().context(|| "the wire's address".to_owned())?;
        let (whole, is_whole) = watch::channel(true);
        let connections = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&connections);
        let holds = Holds::default();
        let on_wire = holds.clone();
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                let mut is_whole = is_whole.clone();
                let holds = on_wire.clone();
                tokio::spawn(async move {
                    if *is_whole.borrow() {
                        tokio::select! {
                            () = pass(near, port, &holds) => {}
                            _ = is_whole.wait_for(|whole| !whole) => {}
                        }
                    }
                });
            }
        });
        Ok(Self {
            address,
            whole,
            connections,
            holds,
            task,
        })
    }

    /// Where to connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection and keeps new ones from getting through.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }

    /// Connections that were asked for until now.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Stops the next request in which this text stands, or the answer to it, until the hold lets it go; the connections of
    /// other requests pass. The text must stand in the first packet of the request.
    pub fn hold(&self, part: Part, text: impl Into<String>) -> Hold {
        self.holds.add(part, text.into())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a connection carries at once.
const PACKET: usize = 16 * 1_024;

async fn pass(near: TcpStream, port: u16, holds: &Holds) {
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
        return;
    };
    let _ = near.set_nodelay(true);
    let _ = far.set_nodelay(true);
    let (from_near, to_near) = near.into_split();
    let (from_far, to_far) = far.into_split();
    let answers_wait_for = watch::Sender::new(None);
    // Neither program closes one direction of a connection only.
    tokio::select! {
        _ = requests(from_near, to_far, holds, &answers_wait_for) => {}
        _ = answers(from_far, to_near, &answers_wait_for) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    holds: &Holds,
    answers_wait_for: &watch::Sender<Option<Hold>>,
) -> std::io::Result<()> {
    let mut packet = vec![0; PACKET];
    loop {
        let length = from.read(&mut packet).await?;
        if length == 0 {
            return Ok(());
        }
        match holds.catching(&packet[..length]) {
            Some((Part::Request, hold)) => hold.released().await,
            Some((Part::Answer, hold)) => {
                answers_wait_for.send_replace(Some(hold));
            }
            None => {}
        }
        to.write_all(&packet[..length]).await?;
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    wait_for: &watch::Sender<Option<Hold>>,
) -> std::io::Result<()> {
    let mut packet = vec![0; PACKET];
    loop {
        let length = from.read(&mut packet).await?;
        if length == 0 {
            return Ok(());
        }
        if let Some(hold) = wait_for.send_replace(None) {
            hold.caught();
            hold.released().await;
        }
        to.write_all(&packet[..length]).await?;
    }
}
