//! Sockets: what arrives becomes an [`Arrival`], what goes out goes over a [`Wire`]. No SIP rules here.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::framing::Framer;
use super::message::{Message, ParseError};
use super::record::Moment;

/// What SIP runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams; final responses are repeated until they are acknowledged.
    Udp,
    /// One stream per peer.
    Tcp,
    /// The same, encrypted.
    Tls,
}

impl Transport {
    /// As written in Via.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// Whether what is sent arrives, in its order.
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }
}

/// The way back to a peer: a UDP address, or the connection its packet came over.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub(super) transport: Transport,
    pub(super) peer: SocketAddr,
    outgoing: mpsc::UnboundedSender<(SocketAddr, Vec<u8>)>,
}

impl Wire {
    /// Hands a message to the socket. A closed connection loses it, as a network would.
    pub(super) fn send(&self, message: &Message) {
        let _ = self.outgoing.send((self.peer, message.to_bytes()));
    }

    /// The same socket to another address; a connection stays what it is.
    pub(super) fn towards(&self, peer: SocketAddr) -> Self {
        match self.transport {
            Transport::Udp => Self { peer, ..self.clone() },
            Transport::Tcp | Transport::Tls => self.clone(),
        }
    }
}

/// One packet off a socket.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) wire: Wire,
    pub(super) message: Result<Message, ParseError>,
    pub(super) moment: Moment,
}

/// A UDP and a TCP socket on the same port.
#[derive(Debug)]
pub(super) struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
    pub(super) address: SocketAddr,
}

impl Sockets {
    /// Binds both. With port 0 it looks for a port that is free for both.
    pub(super) async fn bind(wanted: SocketAddr) -> io::Result<Self> {
        const ATTEMPTS: u32 = 50;
        let mut attempt = 1;
        loop {
            let tcp = TcpListener::bind(wanted).await?;
            let address = tcp.local_addr()?;
            match UdpSocket::bind(address).await {
                Ok(udp) => return Ok(Self { udp, tcp, address }),
                Err(error) if wanted.port() != 0 || attempt == ATTEMPTS => return Err(error),
                Err(_) => attempt += 1,
            }
        }
    }

    /// Starts reading and writing until the tasks are dropped. Streams are encrypted where there is something to do it with.
    pub(super) fn serve<Input>(
        self,
        tls: Option<TlsAcceptor>,
        tasks: &mut JoinSet<()>,
        inputs: &mpsc::UnboundedSender<Input>,
    ) where
        Input: From<Arrival> + Send + 'static,
    {
        tasks.spawn(serve_udp(self.udp, inputs.clone()));
        tasks.spawn(serve_streams(self.tcp, tls, inputs.clone()));
    }
}

async fn serve_udp<Input: From<Arrival>>(socket: UdpSocket, inputs: mpsc::UnboundedSender<Input>) {
    let (outgoing, mut to_send) = mpsc::unbounded_channel::<(SocketAddr, Vec<u8>)>();
    let mut datagram = vec![0u8; 65_536];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut datagram) => {
                let Ok((length, peer)) = received else { continue };
                let is_keep_alive = datagram[..length].iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0));
                if is_keep_alive {
                    continue;
                }
                let wire = Wire { transport: Transport::Udp, peer, outgoing: outgoing.clone() };
                let message = Message::parse(&datagram[..length]);
                let _ = inputs.send(Arrival { wire, message, moment: Moment::now() }.into());
            }
            Some((peer, bytes)) = to_send.recv() => {
                let _ = socket.send_to(&bytes, peer).await;
            }
        }
    }
}

async fn serve_streams<Input>(listener: TcpListener, tls: Option<TlsAcceptor>, inputs: mpsc::UnboundedSender<Input>)
where
    Input: From<Arrival> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, peer)) = listener.accept() => {
                let _ = stream.set_nodelay(true);
                let (tls, inputs) = (tls.clone(), inputs.clone());
                connections.spawn(async move {
                    let Some(tls) = tls else {
                        return serve_connection(stream, Transport::Tcp, peer, inputs).await;
                    };
                    if let Ok(stream) = tls.accept(stream).await {
                        serve_connection(stream, Transport::Tls, peer, inputs).await;
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Reads until the peer closes or breaks the framing.
async fn serve_connection<Input: From<Arrival>>(
    stream: impl AsyncRead + AsyncWrite,
    transport: Transport,
    peer: SocketAddr,
    inputs: mpsc::UnboundedSender<Input>,
) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (outgoing, mut to_send) = mpsc::unbounded_channel::<(SocketAddr, Vec<u8>)>();
    let mut framer = Framer::default();
    let mut chunk = [0u8; 8192];
    loop {
        tokio::select! {
            read = reader.read(&mut chunk) => {
                let Ok(length @ 1..) = read else { return };
                let moment = Moment::now();
                framer.push(&chunk[..length]);
                while let Some(message) = framer.next_message() {
                    let is_broken = message.is_err();
                    let wire = Wire { transport, peer, outgoing: outgoing.clone() };
                    let _ = inputs.send(Arrival { wire, message, moment }.into());
                    if is_broken {
                        return;
                    }
                }
            }
            Some((_, bytes)) = to_send.recv() => {
                let written = async { writer.write_all(&bytes).await?; writer.flush().await };
                if written.await.is_err() {
                    return;
                }
            }
        }
    }
}
