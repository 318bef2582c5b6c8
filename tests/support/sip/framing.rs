//! Where one message ends and the next begins on a TCP stream (RFC 3261 section 18.3).

use super::message::{Message, ParseError, head_length};

/// Longest message taken from a stream; more means that the framing is lost.
const LONGEST_MESSAGE_BYTES: usize = 65_536;

/// Collects what was read and hands out whole messages.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
}

impl Framer {
    /// Adds what one read returned.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message; `None` until more bytes come. After an error the stream cannot be used any more.
    pub fn next_message(&mut self) -> Option<Result<Message, ParseError>> {
        self.skip_keep_alives();
        let Some(head_length) = head_length(&self.buffer) else {
            return (self.buffer.len() > LONGEST_MESSAGE_BYTES).then_some(Err(ParseError("headers too long")));
        };
        let (mut message, body_length) = match self.parse_head(head_length) {
            Ok(parsed) => parsed,
            Err(error) => return Some(Err(error)),
        };
        let body = self.buffer.get(head_length..head_length + body_length)?;
        message.body = body.to_vec();
        self.buffer.drain(..head_length + body_length);
        Some(Ok(message))
    }

    fn parse_head(&self, head_length: usize) -> Result<(Message, usize), ParseError> {
        let message = Message::parse_head(&self.buffer[..head_length])?;
        match message.content_length()? {
            Some(length) if length > LONGEST_MESSAGE_BYTES => Err(ParseError("body too long")),
            Some(length) => Ok((message, length)),
            None => Err(ParseError("no Content-Length on a stream")),
        }
    }

    /// Empty lines between messages are keep-alives (RFC 5626 section 3.5.1).
    fn skip_keep_alives(&mut self) {
        let empty = self
            .buffer
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        self.buffer.drain(..empty);
    }
}
