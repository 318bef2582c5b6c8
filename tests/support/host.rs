//! The machine that the lab runs on: where its files go, and how it does what needs root.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::error::{IoContext, LabError};

/// `<target>/lab`: everything that the lab keeps on disk outside the roots, which stand in `roots/` below it.
pub fn lab_directory() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    workspace.join(target).join("lab")
}

/// How commands that need root are run: `chroot`, `mmdebstrap`, `apt-get`, and all that touches files they made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// The tests run as root.
    Root,
    /// They do not: such commands are prefixed with `sudo -n`.
    Sudo,
}

impl Privilege {
    /// Root, or `sudo` where it needs no password.
    pub fn find() -> Result<Self, LabError> {
        if user_id()? == 0 {
            return Ok(Self::Root);
        }
        let sudo_works = Command::new("sudo")
            .args(["-n", "true"])
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success());
        if sudo_works {
            Ok(Self::Sudo)
        } else {
            Err(LabError::Missing(
                "The lab runs Asterisk in a chroot: run the tests as root, or allow this user `sudo` without a password."
                    .to_owned(),
            ))
        }
    }

    /// A command that runs `program` as root.
    pub fn command(self, program: &str) -> Command {
        match self {
            Self::Root => Command::new(program),
            Self::Sudo => {
                let mut command = Command::new("sudo");
                command.args(["-n", program]);
                command
            }
        }
    }

    /// Makes `directory` and its parents, writable by the tests.
    pub fn make_directory(self, directory: &Path) -> Result<(), LabError> {
        match self {
            Self::Root => fs::create_dir_all(directory).context(|| format!("making {}", directory.display())),
            Self::Sudo => {
                let owner = user_id()?.to_string();
                run(self.command("install").args(["-d", "-o", &owner]).arg(directory)).map(drop)
            }
        }
    }

    /// Removes `directory` and all in it; never leaves its file system, and is content when it is not there.
    pub fn remove_directory(self, directory: &Path) -> Result<(), LabError> {
        run(self.command("rm").args(["-rf", "--one-file-system"]).arg(directory)).map(drop)
    }

    /// Sends `signal` to one process, or to a process group when `pid` is negative. A process that is gone is no error.
    pub fn signal(self, pid: i32, signal: Signal) -> Result<(), LabError> {
        match self {
            Self::Root => match kill(Pid::from_raw(pid), signal) {
                Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
                Err(errno) => Err(LabError::Io {
                    what: format!("sending {signal} to {pid}"),
                    source: errno.into(),
                }),
            },
            Self::Sudo => {
                let sent = run(self
                    .command("kill")
                    .args(["-s", signal.as_str().trim_start_matches("SIG"), "--"])
                    .arg(pid.to_string()));
                if is_running(pid.unsigned_abs()) {
                    sent.map(drop)
                } else {
                    Ok(())
                }
            }
        }
    }
}

/// The effective user of this process.
fn user_id() -> Result<u32, LabError> {
    fs::metadata("/proc/self")
        .map(|process| process.uid())
        .context(|| "asking for the owner of /proc/self".to_owned())
}

/// Runs a command to its end; its standard output, or an error that shows all it wrote.
pub fn run(command: &mut Command) -> Result<String, LabError> {
    let line = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .context(|| format!("starting {line}"))?;
    let standard_output = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(standard_output);
    }
    let standard_error = String::from_utf8_lossy(&output.stderr);
    Err(LabError::Command {
        command: line,
        status: output.status.to_string(),
        output: format!("{standard_output}{standard_error}"),
    })
}

/// Takes the lock that stands for `path`, and waits while another process, or another task of this one, holds it.
pub fn lock(path: &Path) -> Result<Flock<File>, LabError> {
    let file = File::create(path).context(|| format!("opening {}", path.display()))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| LabError::Io {
        what: format!("locking {}", path.display()),
        source: errno.into(),
    })
}

/// Whether `program` can be started, by name.
pub fn has_program(program: &str) -> bool {
    let directories = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&directories)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .any(|directory| directory.join(program).is_file())
}

/// Whether any thread of the process still runs. The first thread alone may be gone while others hold its sockets.
pub fn is_running(pid: u32) -> bool {
    thread_states(pid).iter().any(|state| *state != 'Z' && *state != 'X')
}

/// Whether all threads of the process have been stopped by a signal.
pub fn is_stopped(pid: u32) -> bool {
    thread_states(pid).iter().all(|state| *state == 'T')
}

/// The states of the process's threads; none when it is gone.
fn thread_states(pid: u32) -> Vec<char> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| thread_state(&thread.path()))
        .collect()
}

/// The state letter of a thread, by its directory in `/proc`: it follows the name, which may hold anything.
fn thread_state(directory: &Path) -> Option<char> {
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// The process's command line, its arguments joined by blanks; empty when it is gone.
pub fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned()
}
