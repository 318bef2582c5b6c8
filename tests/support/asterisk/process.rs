//! One running Asterisk as a process: started so that it cannot outlive the tests, stopped with all its children.
//!
//! As root: `setpriv --pdeathsig KILL chroot ROOT asterisk`, one process through the chain of `exec`s, which the kernel
//! kills with the thread that started it. That thread is the keeper's own: it lives until the process has ended, and
//! reaps it. Threads of a runtime would not do: they end when they are idle.
//!
//! Through `sudo` the death signal would hit nobody (`sudo` resets it), so there a shell holds Asterisk on a leash: it
//! reads a pipe from us, and when the pipe ends, because we did, it kills Asterisk.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use nix::sys::signal::Signal;
use tokio::sync::watch;

use super::super::error::{IoContext, LabError};
use super::super::host::Privilege;
use super::super::roots::Root;

/// Runs its arguments; kills them when standard input ends; ends with them. The copy of standard input is for the
/// reader: a shell gives its background jobs none.
const LEASH: &str = r#"
exec 3<&0
setpriv --pdeathsig KILL "$@" 3<&- &
asterisk=$!
(read -r _ <&3; kill -KILL "$asterisk") 2>/dev/null &
wait "$asterisk"
"#;

/// A running Asterisk.
#[derive(Debug)]
pub struct AsteriskProcess {
    /// The process that was started, which leads a process group of its own.
    group: u32,
    privilege: Privilege,
    ended: watch::Receiver<Option<String>>,
    keeper: Option<JoinHandle<()>>,
    leash: Option<ChildStdin>,
}

impl AsteriskProcess {
    /// Starts Asterisk with this `asterisk.conf` (a path inside the root); its standard error goes to a file.
    pub fn start(root: &Root, asterisk_conf: &Path, standard_error: File) -> Result<Self, LabError> {
        let inner = root.command("/usr/sbin/asterisk");
        let mut command = match root.privilege {
            Privilege::Root => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--pdeathsig", "KILL"])
                    .arg(inner.get_program())
                    .args(inner.get_args());
                command.stdin(Stdio::null());
                command
            }
            Privilege::Sudo => {
                let mut command = Command::new("sudo");
                // `inner` is `sudo -n program…`: the shell is root already.
                command
                    .args(["-n", "sh", "-c", LEASH, "sh"])
                    .args(inner.get_args().skip(1));
                command.stdin(Stdio::piped());
                command
            }
        };
        command
            .arg("-f")
            .arg("-C")
            .arg(asterisk_conf)
            .env_remove("NOTIFY_SOCKET")
            .process_group(0);
        command.stdout(Stdio::null()).stderr(standard_error);

        let line = format!("{command:?}");
        let (announce_start, started) = mpsc::channel();
        let (announce_end, ended) = watch::channel(None);
        let keeper = std::thread::Builder::new()
            .name("asterisk-keeper".to_owned())
            .spawn(move || keep(command, &announce_start, &announce_end))
            .context(|| "starting the keeper's thread".to_owned())?;
        let (group, leash) = started
            .recv()
            .unwrap_or_else(|_| Err(std::io::Error::other("the keeper's thread ended")))
            .context(|| format!("starting {line}"))?;
        Ok(Self {
            group,
            privilege: root.privilege,
            ended,
            keeper: Some(keeper),
            leash,
        })
    }

    /// How it ended, when it has.
    pub fn ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Kills it with its children and waits until it is reaped.
    pub fn kill(&mut self) {
        match self.privilege {
            Privilege::Root if self.ended().is_none() => {
                // A failure to kill what exists cannot happen to root.
                let _ = self.privilege.signal(-self.group.cast_signed(), Signal::SIGKILL);
            }
            Privilege::Root => {}
            // The shell kills Asterisk, waits for it, and ends.
            Privilege::Sudo => drop(self.leash.take()),
        }
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

impl Drop for AsteriskProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

type Started = Result<(u32, Option<ChildStdin>), std::io::Error>;

/// The keeper's thread: starts the process, stays until it has ended.
fn keep(mut command: Command, announce_start: &mpsc::Sender<Started>, announce_end: &watch::Sender<Option<String>>) {
    let mut child: Child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let _ = announce_start.send(Err(error));
            return;
        }
    };
    let leash = child.stdin.take();
    let _ = announce_start.send(Ok((child.id(), leash)));
    let how = match child.wait() {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    announce_end.send_replace(Some(how));
}
