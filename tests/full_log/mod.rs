//! Everything that any crate of the process logs, down to trace, for tests that look for secrets in it.

use std::io::Write;
use std::sync::{Arc, Mutex};

/// What was logged so far.
#[derive(Clone, Default)]
pub struct FullLog(Arc<Mutex<Vec<u8>>>);

impl FullLog {
    /// Begins to listen; once in a process.
    pub fn begin() -> Self {
        let log = Self::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    }

    /// All of it.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for FullLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
