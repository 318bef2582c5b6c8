//! Receivers of notices on free ports of this host: an HTTP server and a mail server.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// One request that came in.
#[derive(Clone, Debug)]
pub struct Posted {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Posted {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no {name} in {:?}", self.headers)).1
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

/// What the HTTP server does with the n-th request, from 0: a status, or `None` to keep silent for ever.
pub type Replies = fn(usize) -> Option<u16>;

pub struct HttpSink {
    pub address: SocketAddr,
    pub posted: mpsc::UnboundedReceiver<Posted>,
}

impl HttpSink {
    pub async fn start(replies: Replies, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let (sender, posted) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, count, tls) = (sender.clone(), Arc::clone(&count), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                converse_http(stream, replies, &count, &sender).await;
                            }
                        }
                        None => converse_http(stream, replies, &count, &sender).await,
                    }
                });
            }
        });
        Self { address, posted }
    }

    pub async fn next(&mut self) -> Posted {
        let next = tokio::time::timeout(super::SOON, self.posted.recv()).await;
        next.expect("a notice in time").expect("the sink runs")
    }
}

async fn converse_http(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    replies: Replies,
    count: &std::sync::atomic::AtomicUsize,
    sender: &mpsc::UnboundedSender<Posted>,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let headers: Vec<(String, String)> = lines[1..]
            .iter()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("the body follows");
        let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let _test_is_over = sender.send(Posted {
            line: lines[0].clone(),
            headers,
            body: String::from_utf8(body).expect("is text"),
        });
        let Some(status) = replies(n) else {
            std::future::pending::<()>().await;
            return;
        };
        let reply = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// One e-mail that came in.
#[derive(Clone, Debug, Default)]
pub struct Mailed {
    pub auth: Option<String>,
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
}

/// A mail server that takes everything, or says `refusal` to each recipient.
pub struct MailSink {
    pub address: SocketAddr,
    pub mailed: mpsc::UnboundedReceiver<Mailed>,
}

impl MailSink {
    pub async fn start(refusal: Option<&'static str>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let (sender, mailed) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, tls) = (sender.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                converse_smtp(stream, refusal, &sender).await;
                            }
                        }
                        None => converse_smtp(stream, refusal, &sender).await,
                    }
                });
            }
        });
        Self { address, mailed }
    }

    pub async fn next(&mut self) -> Mailed {
        let next = tokio::time::timeout(super::SOON, self.mailed.recv()).await;
        next.expect("a mail in time").expect("the sink runs")
    }
}

async fn converse_smtp(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    refusal: Option<&str>,
    sender: &mpsc::UnboundedSender<Mailed>,
) {
    let mut stream = BufReader::new(stream);
    let mut mail = Mailed::default();
    let mut reply = "220 sink ESMTP".to_owned();
    loop {
        if stream.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() {
            return;
        }
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let line = line.trim_end();
        let argument = |prefix: &str| line.get(prefix.len()..).unwrap_or_default().to_owned();
        reply = match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-sink\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME".to_owned(),
            "AUTH" => {
                mail.auth = Some(argument("AUTH "));
                "235 welcome".to_owned()
            }
            "MAIL" => {
                mail.from = argument("MAIL FROM:");
                "250 fine".to_owned()
            }
            "RCPT" => match refusal {
                Some(refusal) => refusal.to_owned(),
                None => {
                    mail.to.push(argument("RCPT TO:"));
                    "250 fine".to_owned()
                }
            },
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.expect("is sent");
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await.expect("the text follows");
                    if line == ".\r\n" {
                        break;
                    }
                    mail.text.push_str(&line);
                }
                let _test_is_over = sender.send(std::mem::take(&mut mail));
                "250 taken".to_owned()
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "250 fine".to_owned(),
        };
    }
}
