//! A carrier that registers with us: one REGISTER over UDP, and once more with credentials when it is challenged.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

use super::digest::{Login, answer};
use super::message::Message;

/// After this time without an answer a request goes out again.
const REPEAT: Duration = Duration::from_millis(500);
/// How often a request goes out before nobody is there.
const TIMES: u32 = 20;

/// Registers `contact` for this login at `server`; the final code.
pub(super) async fn register(server: SocketAddr, contact: SocketAddr, login: &Login) -> io::Result<u16> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(server).await?;
    let address = socket.local_addr()?;
    let uri = format!("sip:{server}");
    let account = format!("<sip:{}@{server}>", login.user);
    let port = address.port();
    // Without rport: chan_sip would call back where the request came from, not at the Contact.
    let request = |number: u32| {
        Message::request("REGISTER", &uri)
            .with("Via", format!("SIP/2.0/UDP {address};branch=z9hG4bK-{port}-{number}"))
            .with("Max-Forwards", "70")
            .with("From", format!("{account};tag=registers"))
            .with("To", account.as_str())
            .with("Call-ID", format!("{port}@registers"))
            .with("CSeq", format!("{number} REGISTER"))
            .with("Contact", format!("<sip:{}@{contact}>", login.user))
            .with("Expires", "600")
    };
    let first = exchange(&socket, &request(1)).await?;
    let Some(challenge) = first.header("WWW-Authenticate") else {
        return Ok(first.code().unwrap_or_default());
    };
    let credentials = answer(challenge, login, "REGISTER", &uri);
    let second = exchange(&socket, &request(2).with("Authorization", credentials)).await?;
    Ok(second.code().unwrap_or_default())
}

/// Sends a request until its final response is there.
async fn exchange(socket: &UdpSocket, request: &Message) -> io::Result<Message> {
    let mut datagram = vec![0; 65_536];
    for _ in 0..TIMES {
        socket.send(&request.to_bytes()).await?;
        let answered = tokio::time::timeout(REPEAT, async {
            loop {
                let length = socket.recv(&mut datagram).await?;
                let response = Message::parse(&datagram[..length]).ok();
                let is_it = |it: &Message| it.cseq() == request.cseq() && it.code().is_some_and(|code| code >= 200);
                if let Some(response) = response.filter(is_it) {
                    return Ok(response);
                }
            }
        });
        if let Ok(response) = answered.await {
            return response;
        }
    }
    Err(io::Error::other("no response to REGISTER"))
}
