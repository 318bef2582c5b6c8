//! Where log lines of the daemon go: standard error, as `[log]` says.
//!
//! A thread writes them. Where they are not read (a service manager's journal that hangs), the newest are lost and no call waits.
//!
//! Lines of a call carry its id: `call{id=… code=… engine=…}` in text, `"span":{"name":"call","id":…}` and more in JSON.

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

use crate::config::{LogFormat, LogLevel, LogSettings};

/// Lines that may wait for the thread: some megabytes at most.
const WAITING_LINES: usize = 10_000;

/// Installs the subscriber of the process. A second call changes nothing. Dropping the guard writes what is waiting, for at most
/// a second.
pub(super) fn start(settings: &LogSettings) -> WorkerGuard {
    let level = match settings.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // What the libraries below say is of interest only when something is wrong with them.
    let libraries = level.min(LevelFilter::WARN);
    let filter = tracing_subscriber::EnvFilter::new(format!("{libraries},crankback={level}"));
    let (lines, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(std::io::stderr());
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    let _installed_before = match settings.format {
        LogFormat::Text => subscriber.with_ansi(false).try_init(),
        // Flat: a collector finds `carrier` and `reply` beside `message`, not below `fields`.
        LogFormat::Json => subscriber
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init(),
    };
    guard
}
