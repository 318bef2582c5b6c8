//! A wire between two programs that can be cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::error::{IoContext, LabError};

/// Passes TCP connections on to a port, until it is cut: then every connection ends, and new ones end at once.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    whole: watch::Sender<bool>,
    connections: Arc<AtomicU64>,
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
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                let mut is_whole = is_whole.clone();
                tokio::spawn(async move {
                    if *is_whole.borrow() {
                        tokio::select! {
                            () = pass(near, port) => {}
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
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut near: TcpStream, port: u16) {
    if let Ok(mut far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        let _ = near.set_nodelay(true);
        let _ = far.set_nodelay(true);
        let _ = copy_bidirectional(&mut near, &mut far).await;
    }
}
