//! One OPTIONS to one server: sent, repeated where the transport loses packets, and its final response awaited.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::draws::Draws;
use super::evidence::Outcome;
use super::message::{Options, Stream};
use super::target::ProbeTarget;
use crate::asterisk_conf::Transport;

/// RFC 3261's T1 and T2: the first interval of timer E, and its longest one.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// No UDP datagram is longer.
const LONGEST_DATAGRAM_BYTES: usize = 65_536;

/// Sends OPTIONS to one server and waits for its final response, at most the target's timeout.
pub(super) async fn exchange(
    target: &ProbeTarget,
    server: SocketAddr,
    tls: &Arc<ClientConfig>,
    draws: &mut Draws,
) -> Outcome {
    let began = Instant::now();
    let deadline = began + target.timeout;
    let exchange = async {
        match target.transport {
            Transport::Udp => over_udp(target, server, draws).await,
            Transport::Tcp => {
                let stream = TcpStream::connect(server).await?;
                let options = Options::new(target, stream.local_addr()?, draws);
                over_stream(stream, &options).await
            }
            Transport::Tls => {
                let stream = TcpStream::connect(server).await?;
                let options = Options::new(target, stream.local_addr()?, draws);
                let name = ServerName::try_from(target.host.clone()).map_err(io::Error::other)?;
                let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
                over_stream(stream, &options).await
            }
        }
    };
    match timeout_at(deadline, exchange).await {
        Ok(Ok(code)) if target.alive.contains(code) => Outcome::Answered {
            code,
            round_trip: began.elapsed(),
        },
        Ok(Ok(code)) => Outcome::Unavailable { code },
        Ok(Err(error)) => Outcome::Unreachable {
            reason: error.to_string(),
        },
        Err(_) => Outcome::Unanswered,
    }
}

async fn over_udp(target: &ProbeTarget, server: SocketAddr, draws: &mut Draws) -> io::Result<u16> {
    let any = match server.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Connected, the socket hears that nobody listens there, and from nobody else.
    socket.connect(server).await?;
    let options = Options::new(target, socket.local_addr()?, draws);
    let mut datagram = vec![0; LONGEST_DATAGRAM_BYTES];
    let mut interval = T1;
    socket.send(options.text.as_bytes()).await?;
    let mut repeat_at = Instant::now() + interval;
    loop {
        tokio::select! {
            received = socket.recv(&mut datagram) => {
                let text = String::from_utf8_lossy(&datagram[..received?]).into_owned();
                match options.response_code(&text) {
                    Some(code) if code >= 200 => return Ok(code),
                    // Timer E runs on at T2 once something has come (RFC 3261, 17.1.2.2).
                    Some(_) => interval = T2,
                    None => {}
                }
            }
            () = tokio::time::sleep_until(repeat_at) => {
                socket.send(options.text.as_bytes()).await?;
                interval = (interval * 2).min(T2);
                repeat_at = Instant::now() + interval;
            }
        }
    }
}

async fn over_stream(mut stream: impl AsyncRead + AsyncWrite + Unpin, options: &Options) -> io::Result<u16> {
    stream.write_all(options.text.as_bytes()).await?;
    stream.flush().await?;
    let mut messages = Stream::default();
    let mut buffer = [0; 4_096];
    loop {
        while let Some(head) = messages.next_head() {
            if let Some(code) = options.response_code(&head).filter(|code| *code >= 200) {
                return Ok(code);
            }
        }
        if messages.is_overrun() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is not SIP"));
        }
        match stream.read(&mut buffer).await? {
            0 => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "closed without a response",
                ));
            }
            count => messages.push(&buffer[..count]),
        }
    }
}
