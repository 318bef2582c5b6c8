//! One FastAGI connection: read the header, hand the record in, set what VICIdial would set, close.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::ledger::Ask;
use super::record::{AgiKind, AgiRecord};

/// An Asterisk that is stuck or frozen must not leave sessions behind.
const SESSION_LIMIT: Duration = Duration::from_secs(30);

/// Serves one connection to its end. Its failures are those of a caller who went away.
pub(super) async fn serve(stream: TcpStream, ledger: mpsc::UnboundedSender<Ask>) {
    let _ = tokio::time::timeout(SESSION_LIMIT, talk(stream, &ledger)).await;
}

async fn talk(mut stream: TcpStream, ledger: &mpsc::UnboundedSender<Ask>) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).split(b'\n');
    let mut prelude = Vec::new();
    while let Some(line) = lines.next_segment().await? {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if !line.is_empty() {
            prelude.push(line);
            continue;
        }
        let record = Arc::new(AgiRecord::of_prelude(&prelude, Instant::now()));
        let (answer, variables) = oneshot::channel();
        let _ = ledger.send(Ask::Enter {
            record: Arc::clone(&record),
            answer,
        });
        let variables = if record.kind == AgiKind::Start {
            variables.await.unwrap_or_default()
        } else {
            Vec::new()
        };
        for (name, value) in variables {
            writer
                .write_all(format!("SET VARIABLE {name} \"{value}\"\n").as_bytes())
                .await?;
            // `HANGUP` may come in between.
            while let Some(answer) = lines.next_segment().await? {
                if answer.starts_with(b"200") {
                    break;
                }
            }
        }
        return writer.shutdown().await;
    }
    Ok(())
}
