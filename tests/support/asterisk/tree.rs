//! The directory tree of one instance, inside its root.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::super::error::{IoContext, LabError};
use super::super::host;
use super::super::ports::PortLease;
use super::super::roots::Root;

/// Set to `1`, a failing test leaves the tree behind and says where.
const KEEP: &str = "CRANKBACK_LAB_KEEP";

/// `/lab/<instance>` with `etc`, `run`, `spool`, `log`, `lib` and `db`; removed when dropped.
#[derive(Debug)]
pub struct InstanceTree {
    root: Root,
    /// As Asterisk sees it.
    inside: PathBuf,
    /// As we see it.
    outside: PathBuf,
}

impl InstanceTree {
    /// Makes the tree of whoever holds this port slot, and clears away what ended processes have left, in this slot or
    /// in one that nobody holds.
    pub fn make(root: &Root, lease: &PortLease) -> Result<Self, LabError> {
        let instances = root.instances_directory();
        root.privilege.make_directory(&root.outside(&instances))?;
        Self::sweep(root, lease)?;
        let tree = Self::of_slot(root, &lease.name());
        root.privilege.make_directory(&tree.outside)?;
        // The last two: Asterisk looks for its keys, and for music on hold, in `lib`.
        for part in ["etc", "run", "spool", "log", "db", "lib/keys", "lib/moh"] {
            let directory = tree.outside.join(part);
            fs::create_dir_all(&directory).context(|| format!("making {}", directory.display()))?;
        }
        Ok(tree)
    }

    fn of_slot(root: &Root, name: &str) -> Self {
        let inside = root.instances_directory().join(name);
        Self {
            outside: root.outside(&inside),
            inside,
            root: root.clone(),
        }
    }

    /// Ends the leftovers of every slot that is `ours` or can be taken, in every root: slots are the same in all.
    fn sweep(root: &Root, ours: &PortLease) -> Result<(), LabError> {
        let mut roots = Root::made_here(root.privilege);
        if roots.iter().all(|made| made.path != root.path) {
            roots.push(root.clone());
        }
        for root in roots {
            let Ok(entries) = fs::read_dir(root.outside(&root.instances_directory())) else {
                // Nothing has run in it yet.
                continue;
            };
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                // Held until the leftover is gone, so that nobody starts in it meanwhile.
                let taken = PortLease::of_name(&name);
                if taken.is_some() || name == ours.name() {
                    let leftover = Self::of_slot(&root, &name);
                    leftover.end_process()?;
                    drop(leftover);
                }
            }
        }
        Ok(())
    }

    fn end_process(&self) -> Result<(), LabError> {
        let Some(pid) = self.pid() else { return Ok(()) };
        let conf = self.asterisk_conf();
        // The pid may have been given to somebody else since.
        if host::command_line(pid).contains(&conf.display().to_string()) {
            self.root.privilege.signal(pid.cast_signed(), Signal::SIGKILL)?;
        }
        Ok(())
    }

    /// The tree as Asterisk sees it.
    pub fn inside(&self) -> &Path {
        &self.inside
    }

    /// The tree as we see it.
    pub fn outside(&self) -> &Path {
        &self.outside
    }

    /// `asterisk.conf` as Asterisk sees it.
    pub fn asterisk_conf(&self) -> PathBuf {
        self.inside.join("etc/asterisk.conf")
    }

    /// The log as we see it.
    pub fn log_file(&self) -> PathBuf {
        self.outside.join("log/full")
    }

    /// What Asterisk wrote on its standard error, as we see it.
    pub fn standard_error_file(&self) -> PathBuf {
        self.outside.join("log/stderr")
    }

    /// The process id that Asterisk wrote when it started.
    pub fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.outside.join("run/asterisk.pid"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// The end of what the instance wrote, for an error message.
    pub fn log_tail(&self) -> String {
        const LINES: usize = 30;
        let text: String = [self.log_file(), self.standard_error_file()]
            .iter()
            .map(|file| String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned())
            .collect();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

impl Drop for InstanceTree {
    fn drop(&mut self) {
        if std::thread::panicking() && env::var_os(KEEP).is_some_and(|value| value == "1") {
            // Out of the way of the next instance, which would clear it.
            let kept = self.outside.with_extension(format!("kept-{}", std::process::id()));
            let moved = host::run(
                self.root
                    .privilege
                    .command("mv")
                    .arg("-T")
                    .arg(&self.outside)
                    .arg(&kept),
            );
            eprintln!(
                "lab: the instance's files are in {}",
                if moved.is_ok() { kept } else { self.outside.clone() }.display()
            );
            return;
        }
        if let Err(error) = self.root.privilege.remove_directory(&self.outside) {
            eprintln!("lab: {error}");
        }
    }
}
