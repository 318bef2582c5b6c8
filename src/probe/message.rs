//! The OPTIONS that we send and the responses that come back (RFC 3261).

use std::net::SocketAddr;

use super::draws::Draws;
use super::target::ProbeTarget;

/// One OPTIONS and how its responses are known.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) text: String,
    branch: String,
    call_id: String,
}

impl Options {
    /// The request to a target from a local address.
    pub(super) fn new(target: &ProbeTarget, local: SocketAddr, draws: &mut Draws) -> Self {
        let branch = format!("z9hG4bK{}", draws.token());
        let call_id = format!("{}{}", draws.token(), draws.token());
        let tag = draws.token();
        let host = target.uri_host();
        let parameter = target.transport.as_str();
        let in_via = parameter.to_ascii_uppercase();
        let version = env!("CARGO_PKG_VERSION");
        let text = format!(
            "OPTIONS sip:{host};transport={parameter} SIP/2.0\r\n\
             Via: SIP/2.0/{in_via} {local};branch={branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:crankback@{local}>;tag={tag}\r\n\
             To: <sip:{host}>\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: 1 OPTIONS\r\n\
             Contact: <sip:crankback@{local};transport={parameter}>\r\n\
             Accept: application/sdp\r\n\
             User-Agent: crankback/{version}\r\n\
             Content-Length: 0\r\n\
             \r\n"
        );
        Self { text, branch, call_id }
    }

    /// The status code, if the message is a response to this request. A late response to an earlier one is not.
    pub(super) fn response_code(&self, message: &str) -> Option<u16> {
        let mut lines = message.split("\r\n");
        let code = lines.next()?.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
        let headers: Vec<(&str, &str)> = lines
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        let first = |long: &str, short: &str| {
            let mut named = headers
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short));
            named.next().map(|(_, value)| *value)
        };
        let top_via = first("Via", "v")?.split(',').next()?;
        let branch = top_via.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("branch").then_some(value.trim())
        })?;
        let method = first("CSeq", "CSeq")?.split_whitespace().nth(1)?;
        let is_ours = branch == self.branch && first("Call-ID", "i")? == self.call_id && method == "OPTIONS";
        (is_ours && (100..700).contains(&code)).then_some(code)
    }
}

/// Longest message that is taken from a stream; more means that it is not SIP.
const LONGEST_MESSAGE_BYTES: usize = 65_536;

/// Cuts messages out of what comes over a stream (RFC 3261, 18.3).
#[derive(Debug, Default)]
pub(super) struct Stream {
    buffer: Vec<u8>,
}

impl Stream {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether what came is too long for a message.
    pub(super) const fn is_overrun(&self) -> bool {
        self.buffer.len() > LONGEST_MESSAGE_BYTES
    }

    /// The head of the next message that is whole, its body dropped.
    pub(super) fn next_head(&mut self) -> Option<String> {
        let empty = self.buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        self.buffer.drain(..empty.count());
        let head_end = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).into_owned();
        let body = head
            .split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| {
                let name = name.trim();
                name.eq_ignore_ascii_case("Content-Length") || name.eq_ignore_ascii_case("l")
            })
            .map_or(Some(0), |(_, length)| length.trim().parse::<usize>().ok())?;
        let end = head_end.saturating_add(body);
        if self.buffer.len() < end {
            return None;
        }
        self.buffer.drain(..end);
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        let target = ProbeTarget {
            port: Some(5070),
            ..ProbeTarget::new("A".into(), "sip.example.net")
        };
        let local = SocketAddr::from(([192, 0, 2, 1], 4_000));
        Options::new(&target, local, &mut Draws::new(1))
    }

    fn response(options: &Options, status: &str) -> String {
        let headers: Vec<_> = options
            .text
            .split("\r\n")
            .filter(|line| {
                ["Via", "From", "To", "Call-ID", "CSeq"]
                    .iter()
                    .any(|name| line.starts_with(name))
            })
            .collect();
        format!(
            "SIP/2.0 {status}\r\n{}\r\nContent-Length: 0\r\n\r\n",
            headers.join("\r\n")
        )
    }

    #[test]
    fn the_request_names_its_target_and_where_the_answer_goes() {
        let text = options().text;
        assert!(text.starts_with("OPTIONS sip:sip.example.net:5070;transport=udp SIP/2.0\r\n"));
        assert!(text.contains("\r\nVia: SIP/2.0/UDP 192.0.2.1:4000;branch=z9hG4bK"));
        assert!(text.ends_with("\r\nContent-Length: 0\r\n\r\n"));
    }

    #[test]
    fn only_its_own_response_counts() {
        let options = options();
        let ours = response(&options, "405 Method Not Allowed");
        assert_eq!(options.response_code(&ours), Some(405));
        let compact = ours.replace("Via:", "v :").replace("Call-ID:", "i:");
        assert_eq!(options.response_code(&compact), Some(405));
        for other in [
            ours.replace("z9hG4bK", "z9hG4bKother"),
            ours.replace("Call-ID: ", "Call-ID: other"),
            ours.replace("1 OPTIONS", "1 INVITE"),
            ours.replace("SIP/2.0 405", "SIP/2.0 abc"),
            options.text.clone(),
            "SIP/2.0 200 OK".to_owned(),
            String::new(),
        ] {
            assert_eq!(options.response_code(&other), None, "{other}");
        }
    }

    #[test]
    fn a_stream_is_cut_where_its_messages_end() {
        let mut stream = Stream::default();
        stream.push(b"\r\n\r\nOPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nbo");
        assert_eq!(stream.next_head(), None);
        stream.push(b"dySIP/2.0 200 OK\r\nl: 0\r\n\r\n");
        assert_eq!(
            stream.next_head().as_deref(),
            Some("OPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\n")
        );
        assert_eq!(stream.next_head().as_deref(), Some("SIP/2.0 200 OK\r\nl: 0\r\n\r\n"));
        assert_eq!(stream.next_head(), None);
        stream.push(&vec![b'x'; LONGEST_MESSAGE_BYTES + 1]);
        assert!(stream.is_overrun());
    }
}
