//! What the daemon writes: its shape, and no secret at any level.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::asterisk::healthy_asterisk;
use super::dialer::{Dialer, PASSWORD};

/// `crankback:hunter2-is-secret` as an `Authorization` header would carry it, without the padding.
const ENCODED: &str = "Y3JhbmtiYWNrOmh1bnRlcjItaXMtc2VjcmV0";

/// A running daemon and what it writes.
struct Running {
    daemon: Child,
    log: BufReader<ChildStderr>,
    /// What was read of it.
    text: String,
}

/// Runs the daemon until it is ready.
fn until_ready(dialer: &Dialer, environment: &[(&str, &str)]) -> Running {
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_crankback"))
        .args(["--config".as_ref(), dialer.config_path().as_os_str(), "run".as_ref()])
        .env_clear()
        .env("CRANKBACK_ASTGUICLIENT", "")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut log = BufReader::new(daemon.stderr.take().expect("its standard error"));
    let mut text = String::new();
    let ready = |text: &str| text.lines().last().is_some_and(|line| line.contains("ready"));
    while !ready(&text) && log.read_line(&mut text).expect("text") > 0 {}
    Running { daemon, log, text }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_before = self.daemon.kill();
        let _reaped = self.daemon.wait();
    }
}

impl Running {
    fn tell_to_stop(&self) {
        let pid = Pid::from_raw(i32::try_from(self.daemon.id()).expect("a process id"));
        kill(pid, Signal::SIGTERM).expect("it runs");
    }
}

/// Runs the daemon until it is ready and tells it to stop; everything that it wrote.
fn run_until_ready(dialer: &Dialer, environment: &[(&str, &str)]) -> String {
    let mut running = until_ready(dialer, environment);
    running.tell_to_stop();
    let Running { daemon, log, text } = &mut running;
    log.read_to_string(text).expect("text");
    let status = daemon.wait().expect("it ends");
    assert!(status.success(), "{status}:\n{text}");
    std::mem::take(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_whoever_reads_the_log() {
    const WORDS: usize = 60;
    let dialer = Dialer::with_carriers(&healthy_asterisk().await).await;
    let socket = dialer.control_socket();
    let mut running = until_ready(&dialer, &[("CRANKBACK_CONTROL__SOCKET", &socket)]);
    // From here on nobody reads: the pipe takes a quarter of what will be written, each reason in a line of its own.
    fcntl(running.log.get_ref(), FcntlArg::F_SETPIPE_SZ(4_096)).expect("a pipe");
    for word in 0..WORDS {
        let reason = format!("{word:0250}");
        let done = dialer.run_words(&["carrier", "disable", "PRIMARY", "--reason", &reason], &[]);
        assert_eq!(done.code, 0, "{}", done.stderr);
    }
    running.tell_to_stop();
    let status = running.daemon.wait().expect("it ends");
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged_at_any_level() {
    let dialer = Dialer::with_carriers(&healthy_asterisk().await).await;
    let log = run_until_ready(&dialer, &[("CRANKBACK_LOG__LEVEL", "trace")]);
    assert!(
        log.contains("TRACE crankback::ari::rest: ARI request"),
        "trace is on:\n{log}"
    );
    for secret in [PASSWORD, ENCODED] {
        assert!(!log.contains(secret), "{secret} is in:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_reads_one_object_a_line() {
    let dialer = Dialer::with_carriers(&healthy_asterisk().await).await;
    let log = run_until_ready(&dialer, &[("CRANKBACK_LOG__FORMAT", "json")]);
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let read = lines.iter().find(|line| line["message"] == "tables read");
    let read = read.unwrap_or_else(|| panic!("the tables were read:\n{log}"));
    assert_eq!((&read["level"], &read["carriers"]), (&"INFO".into(), &3.into()));
}
