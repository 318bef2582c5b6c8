//! Lines of a byte stream, bounded.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::Error;

/// What has been read but not yet taken. Dropping a read loses nothing.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    bytes: Vec<u8>,
    /// How much of it has been searched for a line's end.
    searched: usize,
}

impl LineBuffer {
    /// The next line, without its end; `what` names it for complaints.
    pub(super) async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        limit: usize,
        what: &'static str,
    ) -> Result<Vec<u8>, Error> {
        loop {
            if let Some(line) = self.take() {
                return if line.len() > limit {
                    Err(Error::TooMuch { what, limit })
                } else {
                    Ok(line)
                };
            }
            if self.bytes.len() > limit {
                return Err(Error::TooMuch { what, limit });
            }
            if stream.read_buf(&mut self.bytes).await? == 0 {
                return Err(Error::Closed);
            }
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let unsearched = self.bytes.get(self.searched..).unwrap_or_default();
        let Some(length) = unsearched.iter().position(|&byte| byte == b'\n') else {
            self.searched = self.bytes.len();
            return None;
        };
        let end = self.searched + length;
        let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
        self.searched = 0;
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(line)
    }
}
