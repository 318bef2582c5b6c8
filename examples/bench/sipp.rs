//! SIPp: the callers and the carriers, each a process of its own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::error::{IoContext, LabError};
use crate::support::packages;
use crate::support::roots::progress_on_stderr;

const CALLER: &str = include_str!("sipp/caller.xml");
const REFUSES: &str = include_str!("sipp/refuses.xml");
const ANSWERS: &str = include_str!("sipp/answers.xml");

/// What a carrier does with every call.
#[derive(Clone, Copy, Debug)]
pub enum Carrier {
    /// 503.
    Refuses,
    /// 180, 200.
    Answers,
}

/// A running SIPp that plays a carrier.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_before = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Installs what the bench needs and Debian has.
pub fn install() -> Result<(), LabError> {
    packages::ensure(&[("sipp", "sip-tester"), ("tcpdump", "tcpdump")], progress_on_stderr)
}

fn sipp(directory: &Path, name: &str, scenario: &str, port: u16) -> Result<Command, LabError> {
    let file = directory.join(format!("{name}.xml"));
    std::fs::write(&file, scenario).context(|| format!("write {}", file.display()))?;
    let mut command = Command::new("setpriv");
    command
        .args([
            "--pdeathsig",
            "KILL",
            "sipp",
            "-nostdin",
            "-i",
            "127.0.0.1",
            "-mi",
            "127.0.0.1",
            "-p",
        ])
        .arg(port.to_string())
        .arg("-sf")
        .arg(file)
        .current_dir(directory)
        .env("TERM", "dumb")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(command)
}

/// Starts a carrier.
pub fn carrier(directory: &Path, carrier: Carrier, port: u16) -> Result<Running, LabError> {
    let (name, scenario) = match carrier {
        Carrier::Refuses => ("refuses", REFUSES),
        Carrier::Answers => ("answers", ANSWERS),
    };
    let started = sipp(directory, name, scenario, port)?.spawn();
    started.map(Running).context(|| format!("start SIPp as {name}"))
}

/// Places one call to each number, so many a second, and waits until all are over. `prefix` comes before each number.
pub fn call_all(
    directory: &Path,
    (caller, asterisk): (u16, u16),
    prefix: &str,
    numbers: &[String],
    per_second: u32,
) -> Result<(), LabError> {
    let lines = numbers.iter().fold("SEQUENTIAL\n".to_owned(), |mut text, number| {
        let _ = writeln!(text, "{prefix}{number}");
        text
    });
    let file: PathBuf = directory.join("numbers.csv");
    std::fs::write(&file, lines).context(|| format!("write {}", file.display()))?;
    let limit = Duration::from_secs(60) + Duration::from_secs(numbers.len() as u64) / per_second;
    let mut command = sipp(directory, "caller", CALLER, caller)?;
    let status = command
        .arg("-inf")
        .arg(file)
        .args([
            "-r",
            &per_second.to_string(),
            "-m",
            &numbers.len().to_string(),
            "-l",
            "5000",
        ])
        .args(["-recv_timeout", "20000", "-timeout", &limit.as_secs().to_string()])
        .arg(format!("127.0.0.1:{asterisk}"))
        .status()
        .context(|| "run SIPp".to_owned())?;
    // 1: some calls failed, which the figures show.
    match status.code() {
        Some(0 | 1) => Ok(()),
        _ => Err(LabError::Missing(format!("SIPp ended with {status}"))),
    }
}
