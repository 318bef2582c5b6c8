//! One logged-in connection: a question, then its answer.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::Error;
use super::message::{Message, action};

/// For one question and its whole answer. Asterisk answers within milliseconds; a frozen one never does.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// The greatest answer that is read: some 10,000 registrations.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;
/// Asterisk refuses an action it does not know, or that the user has no right to, with these words.
const UNKNOWN_ACTION: &str = "Invalid/unknown command";

/// Where Asterisk's manager interface is, and who we are there.
#[derive(Clone, Debug)]
pub struct Login {
    /// `bindaddr` and `port` of `manager.conf`.
    pub address: SocketAddr,
    /// A section of `manager.conf`.
    pub user: String,
    /// Its `secret`.
    pub secret: SecretString,
}

/// A logged-in connection without events.
#[derive(Debug)]
pub struct Session {
    address: SocketAddr,
    user: String,
    stream: BufReader<TcpStream>,
    next_id: u64,
}

impl Session {
    /// Connects and logs in.
    ///
    /// # Errors
    /// When nothing answers there as a manager interface does, or it refuses the login.
    pub async fn open(login: &Login) -> Result<Self, Error> {
        let address = login.address;
        let connected = timeout(ANSWER_LIMIT, TcpStream::connect(address)).await;
        let stream = connected
            .map_err(|_| silent(address, "connect"))?
            .map_err(|source| Error::Connection { address, source })?;
        let mut session = Self {
            address,
            user: login.user.clone(),
            stream: BufReader::new(stream),
            next_id: 1,
        };
        let entered = timeout(ANSWER_LIMIT, session.log_in(&login.secret)).await;
        entered.map_err(|_| silent(address, "Login"))??;
        Ok(session)
    }

    /// Asks a question that is answered by a list of events.
    ///
    /// `Ok(None)`: this Asterisk does not know the action; its channel driver is not loaded.
    ///
    /// # Errors
    /// When the connection breaks, no answer comes in 5 s, or the user may not ask that. The session is of no use afterwards.
    pub(super) async fn list(&mut self, question: &'static str) -> Result<Option<Vec<Message>>, Error> {
        let address = self.address;
        let asked = timeout(ANSWER_LIMIT, self.ask_for_list(question)).await;
        asked.map_err(|_| silent(address, question))?
    }

    async fn log_in(&mut self, secret: &SecretString) -> Result<(), Error> {
        let mut budget = LONGEST_ANSWER;
        let greeting = self.line("Login", &mut budget).await?;
        if !greeting.starts_with(b"Asterisk Call Manager") {
            return Err(Error::Stranger {
                address: self.address,
                greeting: String::from_utf8_lossy(greeting.get(..40).unwrap_or(&greeting)).into_owned(),
            });
        }
        let user = self.user.clone();
        let fields = [
            ("Username", user.as_str()),
            ("Secret", secret.expose_secret()),
            ("Events", "off"),
        ];
        let id = self.send("Login", &fields).await?;
        let answer = self.answer("Login", id, &mut budget).await?;
        if answer.is_refusal() {
            return Err(Error::Login {
                address: self.address,
                user,
                said: answer.get("Message").to_owned(),
            });
        }
        Ok(())
    }

    async fn ask_for_list(&mut self, question: &'static str) -> Result<Option<Vec<Message>>, Error> {
        let mut budget = LONGEST_ANSWER;
        let id = self.send(question, &[]).await?;
        let first = self.answer(question, id, &mut budget).await?;
        if first.is_refusal() {
            let said = first.get("Message");
            // PJSIP calls a list without entries an error.
            return match (said.starts_with(UNKNOWN_ACTION), said.starts_with("No ")) {
                (true, _) => Ok(None),
                (false, true) => Ok(Some(Vec::new())),
                (false, false) => Err(Error::Forbidden {
                    address: self.address,
                    user: self.user.clone(),
                    action: question,
                    said: said.to_owned(),
                }),
            };
        }
        let mut rows = Vec::new();
        loop {
            let message = self.answer(question, id, &mut budget).await?;
            if message.is_end_of_list() {
                return Ok(Some(rows));
            }
            rows.push(message);
        }
    }

    async fn send(&mut self, name: &'static str, fields: &[(&str, &str)]) -> Result<u64, Error> {
        let id = self.next_id;
        self.next_id += 1;
        let text = action(name, id, fields);
        let sent = self.stream.get_mut().write_all(text.as_bytes()).await;
        sent.map_err(|source| self.broken(source)).map(|()| id)
    }

    /// The next message that belongs to action `id`. Others (`FullyBooted` comes unasked) are passed over.
    async fn answer(&mut self, question: &'static str, id: u64, budget: &mut usize) -> Result<Message, Error> {
        let id = id.to_string();
        let mut message = Message::default();
        loop {
            let line = self.line(question, budget).await?;
            if !line.is_empty() {
                message.add_line(&line);
            } else if message.get("ActionID") == id {
                return Ok(message);
            } else {
                message = Message::default();
            }
        }
    }

    /// One line without its end, paid for from `budget` bytes.
    async fn line(&mut self, question: &'static str, budget: &mut usize) -> Result<Vec<u8>, Error> {
        let mut line = Vec::new();
        let allowed = u64::try_from(*budget).unwrap_or(u64::MAX);
        let read = (&mut self.stream).take(allowed).read_until(b'\n', &mut line).await;
        let read = read.map_err(|source| self.broken(source))?;
        *budget = budget.saturating_sub(read);
        match line.pop() {
            Some(b'\n') => {
                line.pop_if(|last| *last == b'\r');
                Ok(line)
            }
            Some(_) if *budget == 0 => Err(Error::TooLong {
                address: self.address,
                action: question,
                limit: LONGEST_ANSWER,
            }),
            Some(_) | None => Err(self.broken(std::io::ErrorKind::UnexpectedEof.into())),
        }
    }

    const fn broken(&self, source: std::io::Error) -> Error {
        Error::Connection {
            address: self.address,
            source,
        }
    }
}

const fn silent(address: SocketAddr, action: &'static str) -> Error {
    Error::Silent {
        address,
        action,
        limit: ANSWER_LIMIT,
    }
}
