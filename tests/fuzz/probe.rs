//! The parser of SIP responses. It is no part of the library's surface, so its files are built in.
#![allow(dead_code)]

#[path = "../../src/probe/draws.rs"]
mod draws;
#[path = "../../src/probe/message.rs"]
mod message;
#[path = "../../src/probe/replies.rs"]
mod replies;
#[path = "../../src/probe/target.rs"]
mod target;

/// The code of a message that answers a request, the same one every time.
pub fn response_code(message: &str) -> Option<u16> {
    let target = target::ProbeTarget::new("A".into(), "sip.example.net");
    let local = std::net::SocketAddr::from(([192, 0, 2, 1], 4_000));
    message::Options::new(&target, local, &mut draws::Draws::new(1)).response_code(message)
}

/// The heads that a stream cuts out of these pieces, and whether it was overrun.
pub fn heads<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<String>, bool) {
    let mut stream = message::Stream::default();
    let mut heads = Vec::new();
    for piece in pieces {
        stream.push(piece);
        heads.extend(std::iter::from_fn(|| stream.next_head()));
    }
    (heads, stream.is_overrun())
}
