//! Responses to a request (RFC 3261 sections 8.2.6 and 18.2).

use std::net::SocketAddr;

use super::header::{NameAddr, parameter, sent_by};
use super::message::Message;
use super::transport::{Transport, Wire};

/// Builds a response: Via, From, To, Call-ID and CSeq copied; `tag` goes into To unless one is there.
pub(super) fn respond(request: &Message, wire: &Wire, code: u16, phrase: Option<&str>, tag: Option<&str>) -> Message {
    let mut response = Message::response(code, phrase.unwrap_or_else(|| usual_phrase(code)));
    for (index, via) in request.headers_named("Via").enumerate() {
        let value = if index == 0 {
            stamp_via(via, wire.peer)
        } else {
            via.to_owned()
        };
        response = response.with("Via", value);
    }
    for name in ["From", "To", "Call-ID", "CSeq"] {
        let value = request.header(name).unwrap_or_default();
        let value = match tag {
            Some(tag) if name == "To" => with_tag(value, tag),
            Some(_) | None => value.to_owned(),
        };
        response = response.with(name, value);
    }
    response
}

/// A To or From value with this tag unless it has one.
pub(super) fn with_tag(value: &str, tag: &str) -> String {
    if NameAddr::parse(value).tag().is_some() {
        value.to_owned()
    } else {
        format!("{value};tag={tag}")
    }
}

/// Where responses to this request go: over UDP to the sender's port when it asks with `rport` (RFC 3581), else to the
/// port in Via; else back on the connection.
pub(super) fn wire_for_responses(request: &Message, wire: &Wire) -> Wire {
    let via = request.header("Via").unwrap_or_default();
    let via = via.split(',').next().unwrap_or_default();
    match wire.transport {
        Transport::Tcp | Transport::Tls => wire.clone(),
        Transport::Udp if parameter(via, "rport").is_some() => wire.clone(),
        Transport::Udp => {
            let port = sent_by(via).map_or(wire.peer.port(), |address| address.port());
            wire.towards(SocketAddr::new(wire.peer.ip(), port))
        }
    }
}

/// Notes in the topmost Via where the request came from.
fn stamp_via(via: &str, source: SocketAddr) -> String {
    let (top, rest) = via.split_once(',').map_or((via, None), |(top, rest)| (top, Some(rest)));
    let mut stamped = String::new();
    for (index, piece) in top.split(';').enumerate() {
        let separator = if index == 0 { "" } else { ";" };
        let piece = if piece.trim() == "rport" {
            format!("rport={}", source.port())
        } else {
            piece.to_owned()
        };
        stamped.push_str(&format!("{separator}{piece}"));
    }
    stamped.push_str(&format!(";received={}", source.ip()));
    match rest {
        Some(rest) => format!("{stamped},{rest}"),
        None => stamped,
    }
}

/// Reason phrases of RFC 3261 section 21 and later registrations.
fn usual_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        415 => "Unsupported Media Type",
        420 => "Bad Extension",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        608 => "Rejected",
        _ => "Unnamed",
    }
}
