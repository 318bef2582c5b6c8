//! What the daemon writes: its shape, and no secret at any level.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::asterisk::healthy_asterisk;
use super::dialer::{Dialer, PASSWORD};

/// `crankback:hunter2-is-secret` as an `Authorization` header would carry it, without the padding.
const ENCODED: &str = "Y3JhbmtiYWNrOmh1bnRlcjItaXMtc2VjcmV0";

/// Runs the daemon until it is ready and tells it to stop; everything that it wrote.
fn run_until_ready(dialer: &Dialer, environment: &[(&str, &str)]) -> String {
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_crankback"))
        .args(["--config".as_ref(), dialer.config_path().as_os_str(), "run".as_ref()])
        .env_clear()
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
    let pid = Pid::from_raw(i32::try_from(daemon.id()).expect("a process id"));
    kill(pid, Signal::SIGTERM).expect("it runs");
    log.read_to_string(&mut text).expect("text");
    let status = daemon.wait().expect("it ends");
    assert!(status.success(), "{status}:\n{text}");
    text
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
