//! A caller that speaks raw SIP text: it does only what a test tells it, so that it can misbehave.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::sip::{FakeCarrier, Framer, Message};

/// Longest wait for something that must come.
pub const SOON: Duration = Duration::from_secs(5);
/// How long nothing must come, where only time can show it.
pub const QUIET: Duration = Duration::from_millis(150);

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream, Framer),
}

/// One socket towards one carrier.
pub struct Phone {
    socket: Socket,
    pub local: SocketAddr,
    carrier: SocketAddr,
}

/// The headers by which a request belongs to a call; each test changes what it needs.
#[derive(Clone)]
pub struct Leg {
    pub number: String,
    pub call_id: String,
    pub branch: String,
    pub cseq: u32,
    pub to_tag: Option<String>,
    pub extra: Vec<String>,
    pub sdp: Option<String>,
}

impl Leg {
    pub fn new(number: &str, call_id: &str) -> Self {
        Self {
            number: number.to_owned(),
            call_id: call_id.to_owned(),
            branch: format!("z9hG4bK-{call_id}-1"),
            cseq: 1,
            to_tag: None,
            extra: Vec::new(),
            sdp: Some(sdp_offer(40_000, "0 8")),
        }
    }

    /// The next request of the call: new branch, next CSeq.
    pub fn next(&self) -> Self {
        let cseq = self.cseq + 1;
        Self {
            cseq,
            branch: format!("z9hG4bK-{}-{cseq}", self.call_id),
            ..self.clone()
        }
    }

    /// The same within the dialog that a response formed.
    pub fn within(&self, response: &Message) -> Self {
        Self {
            to_tag: Some(to_tag(response)),
            ..self.clone()
        }
    }

    pub fn with(mut self, header: &str) -> Self {
        self.extra.push(header.to_owned());
        self
    }
}

pub fn to_tag(response: &Message) -> String {
    let to = response.header("To").unwrap();
    to.split_once(";tag=").expect("To carries a tag").1.to_owned()
}

pub fn sdp_offer(port: u16, payload_types: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP {payload_types}\r\n"
    )
}

/// The port in an SDP body.
pub fn audio_port(message: &Message) -> u16 {
    let body = message.body_text();
    let line = body
        .lines()
        .find(|line| line.starts_with("m=audio "))
        .expect("SDP with audio");
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

impl Phone {
    pub async fn udp(carrier: &FakeCarrier) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        Self {
            socket: Socket::Udp(socket),
            local,
            carrier: carrier.addr(),
        }
    }

    pub async fn tcp(carrier: &FakeCarrier) -> Self {
        let stream = TcpStream::connect(carrier.addr()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let local = stream.local_addr().unwrap();
        Self {
            socket: Socket::Tcp(stream, Framer::default()),
            local,
            carrier: carrier.addr(),
        }
    }

    /// The text of a request of this leg.
    pub fn text(&self, method: &str, leg: &Leg) -> String {
        let Self { local, carrier, .. } = self;
        let transport = match self.socket {
            Socket::Udp(_) => "UDP",
            Socket::Tcp(..) => "TCP",
        };
        let Leg {
            number,
            call_id,
            branch,
            cseq,
            ..
        } = leg;
        let to_tag = leg.to_tag.as_ref().map_or(String::new(), |tag| format!(";tag={tag}"));
        let mut text = format!(
            "{method} sip:{number}@{carrier} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {local};branch={branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: \"V1 \\\"Lead\\\"\" <sip:7275550100@{local}>;tag=caller\r\n\
             To: <sip:{number}@{carrier}>{to_tag}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n\
             Contact: <sip:caller@{local}>\r\n"
        );
        for line in &leg.extra {
            text.push_str(&format!("{line}\r\n"));
        }
        let body = if matches!(method, "INVITE" | "UPDATE") {
            leg.sdp.as_deref().unwrap_or_default()
        } else {
            ""
        };
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        text
    }

    pub async fn send(&mut self, method: &str, leg: &Leg) {
        let text = self.text(method, leg);
        self.send_raw(text.as_bytes()).await;
    }

    pub async fn send_raw(&mut self, bytes: &[u8]) {
        match &mut self.socket {
            Socket::Udp(socket) => {
                socket.send_to(bytes, self.carrier).await.unwrap();
            }
            Socket::Tcp(stream, _) => stream.write_all(bytes).await.unwrap(),
        }
    }

    /// ACK for this response to the leg's INVITE: the same branch after a refusal, a new one after a 200.
    pub async fn acknowledge(&mut self, leg: &Leg, response: &Message) {
        let mut ack = leg.within(response);
        if response.code() == Some(200) {
            ack.branch.push_str("-ack");
        }
        self.send("ACK", &ack).await;
    }

    /// The next message.
    pub async fn receive(&mut self) -> Message {
        self.receive_within(SOON).await.expect("a message from the carrier")
    }

    pub async fn receive_within(&mut self, limit: Duration) -> Option<Message> {
        tokio::time::timeout(limit, self.next_message()).await.ok()
    }

    async fn next_message(&mut self) -> Message {
        match &mut self.socket {
            Socket::Udp(socket) => {
                let mut datagram = vec![0u8; 65_536];
                let (length, _) = socket.recv_from(&mut datagram).await.unwrap();
                Message::parse(&datagram[..length]).unwrap()
            }
            Socket::Tcp(stream, framer) => loop {
                if let Some(message) = framer.next_message() {
                    return message.unwrap();
                }
                let mut chunk = [0u8; 4096];
                let length = stream.read(&mut chunk).await.unwrap();
                assert!(length > 0, "the carrier closed the connection");
                framer.push(&chunk[..length]);
            },
        }
    }

    /// The next message, which must be a response with this code.
    pub async fn expect(&mut self, code: u16) -> Message {
        let message = self.receive().await;
        assert_eq!(message.code(), Some(code), "{message:?}");
        message
    }

    /// The next message, which must be a request with this method.
    pub async fn expect_request(&mut self, method: &str) -> Message {
        let message = self.receive().await;
        assert_eq!((message.code(), message.method()), (None, method), "{message:?}");
        message
    }

    /// Answers a request of the carrier with 200.
    pub async fn accept(&mut self, request: &Message) {
        let mut response = Message::response(200, "OK");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            response = response.with(name, request.header(name).unwrap());
        }
        self.send_raw(&response.to_bytes()).await;
    }

    /// Sends INVITE, awaits `100` and the answer, acknowledges it. Returns the 200.
    pub async fn call(&mut self, leg: &Leg) -> Message {
        self.send("INVITE", leg).await;
        self.expect(100).await;
        let answer = self.expect(200).await;
        self.acknowledge(leg, &answer).await;
        answer
    }

    /// Shows that nothing is on its way: an OPTIONS is answered first. Over one socket the order is kept.
    pub async fn expect_nothing_before_options(&mut self) {
        let probe = Leg::new("probe", &format!("probe-{}", self.local.port()));
        self.send("OPTIONS", &probe).await;
        let answer = self.receive().await;
        assert_eq!((answer.code(), answer.method()), (Some(200), "OPTIONS"), "{answer:?}");
    }
}
