//! One line, bounded.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("the line is longer than {limit_bytes} bytes")]
    TooLong { limit_bytes: usize },
    #[error("the connection ended in the middle of a line")]
    Cut,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads up to the next line feed, which is not part of the result; `None` at the end of the stream. Never holds more than
/// `limit_bytes` of a line, however long it is.
pub(super) async fn read_line(
    reader: &mut (impl AsyncBufRead + Unpin),
    limit_bytes: usize,
) -> Result<Option<Vec<u8>>, LineError> {
    let mut line = Vec::new();
    loop {
        let chunk = reader.fill_buf().await?;
        if chunk.is_empty() {
            return if line.is_empty() { Ok(None) } else { Err(LineError::Cut) };
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = end.map_or(chunk, |end| &chunk[..end]);
        if line.len() + part.len() > limit_bytes {
            return Err(LineError::TooLong { limit_bytes });
        }
        line.extend_from_slice(part);
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    async fn lines(text: &str, limit_bytes: usize) -> Vec<String> {
        // A buffer smaller than the lines: they arrive in pieces.
        let mut reader = BufReader::with_capacity(3, text.as_bytes());
        let mut lines = Vec::new();
        loop {
            match read_line(&mut reader, limit_bytes).await {
                Ok(Some(line)) => lines.push(String::from_utf8(line).expect("text")),
                Ok(None) => return lines,
                Err(error) => {
                    lines.push(error.to_string());
                    return lines;
                }
            }
        }
    }

    #[tokio::test]
    async fn reads_lines_up_to_the_limit() {
        assert_eq!(lines("12345\n\nabc\n", 5).await, ["12345", "", "abc"]);
        assert_eq!(lines("123456\n", 5).await, ["the line is longer than 5 bytes"]);
        assert_eq!(lines("123456", 5).await, ["the line is longer than 5 bytes"]);
        assert_eq!(
            lines("1\n234", 5).await,
            ["1", "the connection ended in the middle of a line"]
        );
    }
}
