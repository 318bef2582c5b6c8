//! Reading single header values: name-addr, URIs, parameters, Via.

use std::net::{IpAddr, SocketAddr};

/// `"Name" <sip:user@host>;tag=1` taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameAddr<'a> {
    pub(super) display: &'a str,
    pub(super) uri: &'a str,
    pub(super) parameters: &'a str,
}

impl<'a> NameAddr<'a> {
    /// Splits a From, To, Contact or Record-Route value.
    pub(super) fn parse(value: &'a str) -> Self {
        let value = value.trim();
        let quoted = quoted_length(value);
        let Some(open) = value[quoted..].find('<').map(|at| at + quoted) else {
            let (uri, parameters) = value.split_once(';').unwrap_or((value, ""));
            return Self {
                display: "",
                uri,
                parameters,
            };
        };
        let (uri, parameters) = value[open + 1..].split_once('>').unwrap_or((&value[open + 1..], ""));
        Self {
            display: value[..open].trim(),
            uri,
            parameters,
        }
    }

    /// The display name without quotes and escapes.
    pub(super) fn display_name(&self) -> String {
        let quoted = self.display.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let Some(quoted) = quoted else {
            return self.display.to_owned();
        };
        let mut escaped = false;
        let is_kept = |character: &char| {
            escaped = *character == '\\' && !escaped;
            !escaped
        };
        quoted.chars().filter(is_kept).collect()
    }

    pub(super) fn tag(&self) -> Option<&'a str> {
        parameter(self.parameters, "tag")
    }
}

/// Length of a leading quoted string, quotes included; 0 when there is none.
fn quoted_length(value: &str) -> usize {
    if !value.starts_with('"') {
        return 0;
    }
    let mut escaped = false;
    for (at, character) in value.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    0
}

/// The value of `;name=value`; an empty string for a bare `;name`.
pub(super) fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters.split(';').find_map(|piece| {
        let (have, value) = piece.split_once('=').unwrap_or((piece, ""));
        have.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// User part of a SIP or tel URI without its parameters, `%23` and the like decoded.
pub(super) fn user_of(uri: &str) -> String {
    let (scheme, rest) = uri.split_once(':').unwrap_or(("", uri));
    let user = match rest.split_once('@') {
        Some((user, _)) => user,
        None if scheme.eq_ignore_ascii_case("tel") => rest,
        None => "",
    };
    percent_decode(user.split([';', ':']).next().unwrap_or_default())
}

/// Numeric host and port of a URI (5060 when it names none); `None` for a host name.
pub(super) fn address_of(uri: &str) -> Option<SocketAddr> {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let host = rest.split_once('@').map_or(rest, |(_, host)| host);
    parse_address(host.split([';', '?', '>']).next().unwrap_or_default())
}

/// Sent-by address of a Via value, `None` when it is a host name.
pub(super) fn sent_by(via: &str) -> Option<SocketAddr> {
    parse_address(sent_by_text(via))
}

/// Branch and sent-by of the topmost Via: names a server transaction (RFC 3261 section 17.2.3).
pub(super) fn transaction_key(via: &str) -> String {
    let via = via.split(',').next().unwrap_or_default();
    format!("{} {}", parameter(via, "branch").unwrap_or_default(), sent_by_text(via))
}

fn sent_by_text(via: &str) -> &str {
    let before_parameters = via.split(';').next().unwrap_or_default();
    before_parameters.split_whitespace().nth(1).unwrap_or_default()
}

fn parse_address(text: &str) -> Option<SocketAddr> {
    const SIP_PORT: u16 = 5060;
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, SIP_PORT)))
}

fn percent_decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let [first, rest @ ..] = bytes {
        let hex = rest.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if *first == b'%' => {
                decoded.push(byte);
                bytes = &rest[2..];
            }
            Some(_) | None => {
                decoded.push(*first);
                bytes = rest;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
