//! The daemon as a process of its own, with this lab in the place of systemd.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::UnixDatagram;
use tokio::sync::watch;

use super::super::error::{IoContext, LabError};

/// `WatchdogSec=` of the unit file.
pub const WATCHDOG: Duration = Duration::from_secs(5);
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// First argument of a copy of the running program that plays crankback.
const BE_CRANKBACK: &str = "be-crankback";

/// The arguments of the running program, its own name first; in a copy that [`Program::itself`] names, crankback runs instead and
/// this is how it ended.
pub fn arguments_unless_crankback() -> Result<Vec<OsString>, ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match arguments.get(1) {
        Some(first) if first == BE_CRANKBACK => {
            let of_crankback = arguments.into_iter().skip(2);
            Err(crankback::cli::main(
                std::iter::once(OsString::from("crankback")).chain(of_crankback),
            ))
        }
        Some(_) | None => Ok(arguments),
    }
}

/// How the program is called: by its own name, or as a part of the running one.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Arguments before those of crankback.
    pub arguments: Vec<String>,
    /// Settings in the environment of its commands.
    pub environment: Vec<(String, String)>,
}

/// What a command ends with that has answered, of something that is not well. Arguments that it does not take end alike, but
/// are answered with nothing.
const DEGRADED: i32 = 2;

impl Program {
    /// The running program, which begins with [`arguments_unless_crankback`].
    pub fn itself() -> Result<Self, LabError> {
        Ok(Self {
            path: std::env::current_exe().context(|| "find the running program".to_owned())?,
            arguments: vec![BE_CRANKBACK.to_owned()],
            environment: Vec::new(),
        })
    }

    /// A command of crankback.
    pub fn command(&self, config: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .arg("--config")
            .arg(config)
            .args(arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env_remove("RUST_LOG");
        command
    }

    /// Runs a command of crankback to its end; its output, or what it said when it failed.
    pub fn run(&self, config: &Path, arguments: &[&str]) -> Result<String, LabError> {
        let output = self
            .command(config, arguments)
            .output()
            .context(|| "run crankback".to_owned())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let is_degraded = output.status.code() == Some(DEGRADED) && !output.stdout.is_empty();
        match output.status.success() || is_degraded {
            true => Ok(text(&output.stdout)),
            false => Err(LabError::Missing(format!(
                "crankback {} ended with {}: {}{}",
                arguments.join(" "),
                output.status,
                text(&output.stdout),
                text(&output.stderr)
            ))),
        }
    }
}

/// What the daemon has told its service manager.
#[derive(Clone, Copy, Debug)]
struct Told {
    ready: bool,
    alive_at: Instant,
}

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
    log_begins: usize,
    told: watch::Receiver<Told>,
    listener: tokio::task::JoinHandle<()>,
}

impl Daemon {
    /// Starts the daemon and waits until it says that it is ready.
    pub async fn start(program: &Program, config: &Path, directory: &Path) -> Result<Self, LabError> {
        Self::start_with(program, config, directory, &[]).await
    }

    /// The same with settings in the environment.
    pub async fn start_with(
        program: &Program,
        config: &Path,
        directory: &Path,
        environment: &[(&str, String)],
    ) -> Result<Self, LabError> {
        let socket_path = directory.join("notify.sock");
        let _ = std::fs::remove_file(&socket_path);
        let socket = UnixDatagram::bind(&socket_path).context(|| "bind the notify socket".to_owned())?;
        let log = directory.join("crankback.log");
        let log_file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .context(|| "open the daemon's log".to_owned())?;
        let log_begins = std::fs::read_to_string(&log).map_or(0, |text| text.len());
        // The daemon ends with the lab, however the lab ends.
        let inner = program.command(config, &["run"]);
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(inner.get_program())
            .args(inner.get_args());
        let child = command
            .env_remove("RUST_LOG")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("NOTIFY_SOCKET", &socket_path)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_file)
            .spawn()
            .context(|| "start crankback".to_owned())?;
        let (tell, told) = watch::channel(Told {
            ready: false,
            alive_at: Instant::now(),
        });
        let listener = tokio::spawn(async move {
            let mut buffer = [0_u8; 4096];
            while let Ok(length) = socket.recv(&mut buffer).await {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                tell.send_modify(|told| {
                    told.ready |= text.lines().any(|line| line == "READY=1");
                    if text.lines().any(|line| line == "WATCHDOG=1") {
                        told.alive_at = Instant::now();
                    }
                });
            }
        });
        let mut daemon = Self {
            child,
            log,
            log_begins,
            told,
            listener,
        };
        let ready = tokio::time::timeout(START_LIMIT, daemon.told.wait_for(|told| told.ready))
            .await
            .is_ok_and(|r| r.is_ok());
        match ready {
            true => Ok(daemon),
            false => Err(LabError::Missing(format!(
                "the daemon did not become ready:\n{}",
                daemon.log_text()
            ))),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it logged since the lab began.
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What this process has logged.
    pub fn log_since_start(&self) -> String {
        self.log_text().split_off(self.log_begins)
    }

    /// Resident memory in kB.
    pub fn resident_kb(&self) -> Result<u64, LabError> {
        self.memory_kb("VmRSS")
    }

    /// Resident memory in kB that is not of files: neither the program itself nor its database in the page cache.
    pub fn anonymous_kb(&self) -> Result<u64, LabError> {
        self.memory_kb("RssAnon")
    }

    /// A line of `/proc/PID/status`.
    fn memory_kb(&self, name: &str) -> Result<u64, LabError> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .context(|| "read the daemon's memory".to_owned())?;
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value
            .and_then(|value| value.trim().trim_end_matches(" kB").parse().ok())
            .ok_or_else(|| LabError::Missing(format!("no {name}")))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<(), LabError> {
        let pid = i32::try_from(self.pid()).map_err(|_| LabError::Missing("pid".to_owned()))?;
        kill(Pid::from_raw(pid), signal).map_err(|error| LabError::Missing(format!("{signal} to the daemon: {error}")))
    }

    /// `kill -9`.
    pub fn kill(mut self) -> Result<(), LabError> {
        self.child.kill().context(|| "kill the daemon".to_owned())?;
        self.child.wait().context(|| "reap the daemon".to_owned())?;
        Ok(())
    }

    /// Waits until it ends by itself.
    pub async fn ended(mut self, limit: Duration) -> Result<std::process::ExitStatus, LabError> {
        let began = Instant::now();
        loop {
            match self.child.try_wait().context(|| "wait for the daemon".to_owned())? {
                Some(status) => return Ok(status),
                None if began.elapsed() > limit => {
                    return Err(LabError::Timeout {
                        what: "end of the daemon".to_owned(),
                        after: limit,
                    });
                }
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// SIGTERM, and the time until it was gone. Its own limit for calls in progress is longer than ours.
    pub async fn stop(self) -> Result<Duration, LabError> {
        let began = Instant::now();
        self.signal(Signal::SIGTERM)?;
        let status = self.ended(STOP_LIMIT).await?;
        match status.success() {
            true => Ok(began.elapsed()),
            false => Err(LabError::Missing(format!("the daemon ended with {status}"))),
        }
    }

    /// What systemd's watchdog does: waits until the daemon has been silent for too long, then ends it.
    pub async fn end_when_silent(mut self) -> Result<Duration, LabError> {
        loop {
            let alive_at = self.told.borrow_and_update().alive_at;
            let deadline = alive_at + WATCHDOG;
            tokio::select! {
                changed = self.told.changed() => {
                    if changed.is_err() {
                        return Err(LabError::Missing("the notify socket is gone".to_owned()));
                    }
                }
                () = tokio::time::sleep_until(deadline.into()) => {
                    let silent = alive_at.elapsed();
                    self.signal(Signal::SIGABRT)?;
                    self.signal(Signal::SIGCONT)?;
                    self.child.wait().context(|| "reap the daemon".to_owned())?;
                    return Ok(silent);
                }
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.listener.abort();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
