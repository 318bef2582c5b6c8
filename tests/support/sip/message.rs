//! SIP messages as text: parsing, building, writing (RFC 3261 section 7).

use std::fmt;

/// One SIP request or response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Request line or status line.
    pub start: StartLine,
    /// Headers in the order they came, names as written by the sender.
    pub headers: Vec<(String, String)>,
    /// Body, as long as Content-Length says.
    pub body: Vec<u8>,
}

/// The first line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartLine {
    /// `INVITE sip:100@host SIP/2.0`
    Request {
        /// Method, upper case as on the wire.
        method: String,
        /// Request-URI.
        uri: String,
    },
    /// `SIP/2.0 503 Service Unavailable`
    Response {
        /// Status code.
        code: u16,
        /// Reason phrase.
        phrase: String,
    },
}

/// Text that is not a SIP message; holds what was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError(pub &'static str);

impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not a SIP message: {}", self.0)
    }
}

impl std::error::Error for ParseError {}

impl fmt::Display for StartLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { method, uri } => write!(formatter, "{method} {uri} SIP/2.0"),
            Self::Response { code, phrase } => write!(formatter, "SIP/2.0 {code} {phrase}"),
        }
    }
}

impl Message {
    /// A request without headers.
    pub fn request(method: &str, uri: &str) -> Self {
        let start = StartLine::Request {
            method: method.to_owned(),
            uri: uri.to_owned(),
        };
        Self {
            start,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A response without headers.
    pub fn response(code: u16, phrase: &str) -> Self {
        let start = StartLine::Response {
            code,
            phrase: phrase.to_owned(),
        };
        Self {
            start,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds a header at the end.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets an SDP body.
    pub fn with_sdp(mut self, sdp: String) -> Self {
        self.body = sdp.into_bytes();
        self.with("Content-Type", "application/sdp")
    }

    /// First header of that name; compact forms count.
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// All headers of that name, in order.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(have, _)| is_header(have, name))
            .map(|(_, value)| value.as_str())
    }

    /// The method: of a request its own, of a response the one in CSeq.
    pub fn method(&self) -> &str {
        match &self.start {
            StartLine::Request { method, .. } => method,
            StartLine::Response { .. } => self.cseq().1,
        }
    }

    /// CSeq number and method; `(0, "")` when missing.
    pub fn cseq(&self) -> (u32, &str) {
        let mut words = self.header("CSeq").unwrap_or_default().split_whitespace();
        let number = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        (number, words.next().unwrap_or_default())
    }

    /// Status code of a response.
    pub const fn code(&self) -> Option<u16> {
        match &self.start {
            StartLine::Request { .. } => None,
            StartLine::Response { code, .. } => Some(*code),
        }
    }

    /// The body as text.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The message as it goes on the wire; writes Content-Length itself.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Parses one whole message, such as a datagram.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let head_length = head_length(bytes).ok_or(ParseError("no empty line after the headers"))?;
        let mut message = Self::parse_head(&bytes[..head_length])?;
        let rest = &bytes[head_length..];
        let wanted = message.content_length()?.unwrap_or(rest.len());
        message.body = rest
            .get(..wanted)
            .ok_or(ParseError("body shorter than Content-Length"))?
            .to_vec();
        Ok(message)
    }

    /// Parses the start line and the headers; the body stays empty.
    pub(super) fn parse_head(head: &[u8]) -> Result<Self, ParseError> {
        let text = std::str::from_utf8(head).map_err(|_| ParseError("headers are not UTF-8"))?;
        let mut lines = text.split("\r\n");
        let start = parse_start_line(lines.next().unwrap_or_default())?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            if line.starts_with([' ', '\t']) {
                let (_, value) = headers.last_mut().ok_or(ParseError("folded line before any header"))?;
                value.push(' ');
                value.push_str(line.trim());
            } else {
                let (name, value) = line.split_once(':').ok_or(ParseError("header without a colon"))?;
                headers.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
        for required in ["Via", "From", "To", "Call-ID", "CSeq"] {
            if find_header(&headers, required).is_none() {
                return Err(ParseError("Via, From, To, Call-ID or CSeq is missing"));
            }
        }
        Ok(Self {
            start,
            headers,
            body: Vec::new(),
        })
    }

    /// The value of Content-Length, if there is one.
    pub(super) fn content_length(&self) -> Result<Option<usize>, ParseError> {
        self.header("Content-Length")
            .map(|value| value.parse().map_err(|_| ParseError("Content-Length is not a number")))
            .transpose()
    }
}

/// First header of that name in a list; compact forms count.
pub fn find_header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(have, _)| is_header(have, name))
        .map(|(_, value)| value.as_str())
}

/// Length of start line and headers with the empty line that ends them.
pub(super) fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| at + 4)
}

fn is_header(have: &str, wanted: &str) -> bool {
    have.eq_ignore_ascii_case(wanted) || compact_form(wanted).is_some_and(|form| have.eq_ignore_ascii_case(form))
}

/// Compact header names, RFC 3261 section 7.3.3.
fn compact_form(name: &str) -> Option<&'static str> {
    const FORMS: [(&str, &str); 9] = [
        ("Call-ID", "i"),
        ("Contact", "m"),
        ("Content-Encoding", "e"),
        ("Content-Length", "l"),
        ("Content-Type", "c"),
        ("From", "f"),
        ("Supported", "k"),
        ("To", "t"),
        ("Via", "v"),
    ];
    FORMS
        .iter()
        .find(|(long, _)| long.eq_ignore_ascii_case(name))
        .map(|(_, short)| *short)
}

fn parse_start_line(line: &str) -> Result<StartLine, ParseError> {
    let mut words = line.splitn(3, ' ');
    let (first, second, third) = (words.next(), words.next(), words.next());
    match (first, second, third) {
        (Some("SIP/2.0"), Some(code), phrase) => Ok(StartLine::Response {
            code: code.parse().map_err(|_| ParseError("status code is not a number"))?,
            phrase: phrase.unwrap_or_default().to_owned(),
        }),
        (Some(method), Some(uri), Some("SIP/2.0")) => Ok(StartLine::Request {
            method: method.to_owned(),
            uri: uri.to_owned(),
        }),
        _ => Err(ParseError("first line is neither a request nor a status line")),
    }
}
