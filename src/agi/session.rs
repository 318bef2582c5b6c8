//! One connection: the prelude, then commands out and replies in.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::line::LineBuffer;
use super::reply::{Line, USAGE_END};
use super::{Command, Error, Prelude, Reply};

/// The bounds of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lines of the prelude; Asterisk writes about 25, and one for each argument.
    pub prelude_lines: usize,
    /// Bytes of one line.
    pub line_bytes: usize,
    /// Time for the whole prelude.
    pub prelude_time: Duration,
    /// Time for one reply, where the command does not wait for people.
    pub reply_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            prelude_lines: 200,
            line_bytes: 8_192,
            prelude_time: Duration::from_secs(5),
            reply_time: Duration::from_secs(10),
        }
    }
}

/// A channel that Asterisk has handed over. One command at a time; dropping the session gives the channel back to the
/// dialplan, at once or at the end of the application that runs.
#[derive(Debug)]
pub struct Session<S> {
    stream: S,
    buffer: LineBuffer,
    limits: Limits,
    hung_up: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Reads the prelude.
    ///
    /// # Errors
    /// Whatever is no complete prelude within the limits.
    pub async fn open(stream: S, limits: Limits) -> Result<(Prelude, Self), Error> {
        let mut session = Self {
            stream,
            buffer: LineBuffer::default(),
            limits,
            hung_up: false,
        };
        let (what, limit) = ("prelude", limits.prelude_time);
        let prelude = timeout(limit, session.prelude())
            .await
            .map_err(|_| Error::Late { what, limit })??;
        Ok((prelude, session))
    }

    async fn prelude(&mut self) -> Result<Prelude, Error> {
        let mut prelude = Prelude::default();
        loop {
            let line = self.line("a line of the prelude").await?;
            if line.is_empty() {
                return Ok(prelude);
            }
            let limit = self.limits.prelude_lines;
            if prelude.len() == limit {
                return Err(Error::TooMuch {
                    what: "a prelude",
                    limit,
                });
            }
            prelude.push(&line)?;
        }
    }

    /// Sends a command that Asterisk answers at once.
    ///
    /// # Errors
    /// [`Error`]; after anything but 510, 511, 520 or a command that was not sent, the session is of no more use.
    pub async fn ask(&mut self, command: &Command) -> Result<Reply, Error> {
        let (what, limit) = ("reply", self.limits.reply_time);
        timeout(limit, self.ask_patiently(command))
            .await
            .map_err(|_| Error::Late { what, limit })?
    }

    /// Sends a command whose answer may take as long as people talk.
    ///
    /// # Errors
    /// As for [`Session::ask`], without a time limit.
    pub async fn ask_patiently(&mut self, command: &Command) -> Result<Reply, Error> {
        let line = command.to_line()?;
        self.stream.write_all(&line).await?;
        self.stream.flush().await?;
        loop {
            match Line::parse(&self.line("a reply").await?) {
                Line::Hangup => self.hung_up = true,
                Line::Provisional => {}
                Line::UsageBegins => return Err(Error::Usage(self.usage().await?)),
                Line::Answer(answer) => return answer,
            }
        }
    }

    /// Runs an application that ends at once.
    ///
    /// # Errors
    /// As for [`Session::ask`]. A result of -2 is no error: this Asterisk has no such application.
    pub async fn execute(&mut self, application: &str, arguments: &str) -> Result<Reply, Error> {
        self.ask(&exec(application, arguments)).await
    }

    /// Runs an application that lasts as long as people talk.
    ///
    /// # Errors
    /// As for [`Session::ask_patiently`].
    pub async fn execute_patiently(&mut self, application: &str, arguments: &str) -> Result<Reply, Error> {
        self.ask_patiently(&exec(application, arguments)).await
    }

    /// Evaluates an expression of the dialplan on the channel, for example `${DIALSTATUS}`.
    ///
    /// # Errors
    /// As for [`Session::ask`].
    pub async fn evaluate(&mut self, expression: &str) -> Result<String, Error> {
        let command = Command::new("GET FULL VARIABLE").argument(expression);
        Ok(self.ask(&command).await?.text().into_owned())
    }

    /// Sets a variable of the channel.
    ///
    /// # Errors
    /// As for [`Session::ask`].
    pub async fn set_variable(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let command = Command::new("SET VARIABLE").argument(name).argument(value);
        self.ask(&command).await.map(drop)
    }

    /// Whether Asterisk has said that the channel hung up. Most commands are refused then.
    pub const fn is_hung_up(&self) -> bool {
        self.hung_up
    }

    async fn line(&mut self, what: &'static str) -> Result<Vec<u8>, Error> {
        self.buffer.next(&mut self.stream, self.limits.line_bytes, what).await
    }

    /// The rest of a usage text; its last line begins with `520` too.
    async fn usage(&mut self) -> Result<String, Error> {
        let mut text = String::new();
        for _ in 0..self.limits.prelude_lines {
            let line = self.line("a usage text").await?;
            if line.starts_with(USAGE_END) {
                return Ok(text);
            }
            if text.is_empty() {
                text = String::from_utf8_lossy(&line).trim().to_owned();
            }
        }
        let limit = self.limits.prelude_lines;
        let what = "a usage text";
        Err(Error::TooMuch { what, limit })
    }
}

fn exec(application: &str, arguments: &str) -> Command {
    Command::new("EXEC").argument(application).argument(arguments)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream, duplex};

    use super::*;

    const PRELUDE: &[u8] = b"agi_network: yes\nagi_network_script: dial\nagi_uniqueid: 1795226151.1\n\
        agi_calleridname: M\xfcller\nagi_callerid: unknown\nagi_arg_1: PRIMARY\nagi_arg_2: a: b\nagi_arg_3: \n\n";

    /// Asterisk's end: says its lines, one after each command.
    async fn asterisk(stream: DuplexStream, prelude: &[u8], answers: &[&[u8]]) -> Vec<String> {
        let (reader, mut writer) = tokio::io::split(stream);
        writer.write_all(prelude).await.expect("the session reads");
        let mut lines = BufReader::new(reader).lines();
        let mut heard = Vec::new();
        for answer in answers {
            heard.extend(lines.next_line().await.expect("a command"));
            writer.write_all(answer).await.expect("the session reads");
        }
        heard
    }

    async fn open(stream: DuplexStream) -> Result<(Prelude, Session<DuplexStream>), Error> {
        Session::open(stream, Limits::default()).await
    }

    #[tokio::test]
    async fn reads_a_prelude_that_is_not_utf8() {
        let (ours, theirs) = duplex(64);
        let (opened, _) = tokio::join!(open(ours), asterisk(theirs, PRELUDE, &[]));
        let (prelude, session) = opened.expect("a prelude");
        assert_eq!(prelude.script(), "dial");
        assert_eq!(prelude.bytes("calleridname"), Some(&b"M\xfcller"[..]));
        assert_eq!(prelude.caller_id("calleridname"), "M\u{fffd}ller");
        assert_eq!(prelude.caller_id("callerid"), "");
        assert_eq!(prelude.arguments(), ["PRIMARY", "a: b", ""]);
        assert!(!session.is_hung_up());
    }

    #[tokio::test]
    async fn a_hangup_is_no_answer() {
        let (ours, theirs) = duplex(64);
        let answers: &[&[u8]] = &[
            b"HANGUP\n200 result=-1\n",
            b"511 Command Not Permitted on a dead channel\n",
        ];
        let talk = async {
            let (_, mut session) = open(ours).await.expect("a prelude");
            let dialled = session
                .execute_patiently("Dial", "PJSIP/1@a,,To")
                .await
                .expect("an answer");
            assert_eq!(dialled.result, -1);
            assert!(session.is_hung_up());
            let again = session.execute("Dial", "PJSIP/1@b").await;
            assert!(matches!(again, Err(Error::DeadChannel)), "{again:?}");
        };
        let ((), heard) = tokio::join!(talk, asterisk(theirs, PRELUDE, answers));
        assert_eq!(heard, [r#"EXEC "Dial" "PJSIP/1@a,,To""#, r#"EXEC "Dial" "PJSIP/1@b""#]);
    }

    #[tokio::test]
    async fn a_usage_text_ends_where_it_ends() {
        let (ours, theirs) = duplex(64);
        let answers: &[&[u8]] = &[
            b"520-Invalid command syntax.  Proper usage follows:\n Usage: EXEC <application>\n more\n520 End of proper usage.\n",
            b"200 result=1 (CONGESTION)\n",
        ];
        let talk = async {
            let (_, mut session) = open(ours).await.expect("a prelude");
            let refused = session.ask(&Command::new("EXEC")).await;
            assert!(matches!(refused, Err(Error::Usage(text)) if text == "Usage: EXEC <application>"));
            assert_eq!(session.evaluate("${DIALSTATUS}").await.expect("a value"), "CONGESTION");
        };
        tokio::join!(talk, asterisk(theirs, PRELUDE, answers));
    }

    #[tokio::test]
    async fn what_is_too_much_ends_the_session() {
        let long_line = [&b"agi_arg_1: "[..], &[b'x'; 9_000], b"\n\n"].concat();
        let many_lines = [b"agi_arg_1: x\n".repeat(201).as_slice(), b"\n"].concat();
        for (prelude, code) in [
            (long_line.as_slice(), "agi_too_much"),
            (&many_lines, "agi_too_much"),
            (b"GET / HTTP/1.1\n\n", "agi_malformed"),
            (b"agi_network: yes\n", "agi_closed"),
        ] {
            let (ours, mut theirs) = duplex(16_384);
            theirs.write_all(prelude).await.expect("there is room");
            drop(theirs);
            assert_eq!(open(ours).await.expect_err("is refused").code(), code);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_nobody_forever() {
        let (ours, mut theirs) = duplex(16_384);
        theirs.write_all(b"agi_network: yes\n").await.expect("there is room");
        assert_eq!(open(ours).await.expect_err("is late").code(), "agi_late");

        let (ours, mut theirs) = duplex(16_384);
        theirs.write_all(PRELUDE).await.expect("there is room");
        let (_, mut session) = open(ours).await.expect("a prelude");
        assert_eq!(session.evaluate("${X}").await.expect_err("is late").code(), "agi_late");
    }

    #[tokio::test]
    async fn an_answer_may_come_in_crumbs() {
        let (ours, theirs) = duplex(1);
        let answers: &[&[u8]] = &[b"200 result=1 (a (b) c)\n"];
        let talk = async {
            let (_, mut session) = open(ours).await.expect("a prelude");
            session.evaluate("${X}").await.expect("a value")
        };
        let (value, _) = tokio::join!(talk, asterisk(theirs, PRELUDE, answers));
        assert_eq!(value, "a (b) c");
    }
}
