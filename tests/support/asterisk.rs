//! A running Asterisk with a VICIdial-like configuration, in a root of [`super::roots`].

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::ami::{Ami, AmiEvents};
use super::error::{IoContext, LabError};
use super::host;
use super::ports::{AsteriskPorts, PortLease};
use super::roots::{AsteriskVersion, Root};

pub mod dialplan;
mod files;
pub mod modules;
mod process;
pub mod settings;
mod tree;

use process::AsteriskProcess;
use tree::InstanceTree;

// Names for the tests; not every one of them uses all.
#[allow(unused_imports)]
pub use settings::{AsteriskConfig, Trunk, TrunkTechnology, carrier_entry};

/// The ARI user of every instance.
pub const ARI_USER: &str = "crankback";
/// Its password.
pub const ARI_PASSWORD: &str = "lab-ari";
/// The AMI user of every instance.
pub const AMI_USER: &str = "cron";
/// Its secret.
pub const AMI_SECRET: &str = "lab-ami";

const BOOT_LIMIT: Duration = Duration::from_secs(30);
/// Between two attempts to reach the manager port of a starting Asterisk, which announces itself in no other way.
const BOOT_POLL: Duration = Duration::from_millis(10);
const FREEZE_LIMIT: Duration = Duration::from_secs(5);
const CLI_LIMIT: Duration = Duration::from_secs(10);

/// One instance. Dropping it kills the process, removes its files and frees its ports, in this order.
#[derive(Debug)]
pub struct Asterisk {
    process: AsteriskProcess,
    ami: Ami,
    tree: InstanceTree,
    ports: AsteriskPorts,
    _lease: PortLease,
    root: Root,
    boot_time: Duration,
}

impl Asterisk {
    /// Starts an instance and returns when it is fully booted.
    pub async fn start(root: &Root, config: AsteriskConfig) -> Result<Self, LabError> {
        let lease = PortLease::take().await?;
        let ports = lease.asterisk_ports();
        let tree = InstanceTree::make(root, &lease)?;
        files::write_all(
            &tree.outside().join("etc"),
            tree.inside(),
            root.version,
            &config,
            &ports,
        )?;
        let (process, ami, boot_time) = boot(root, &tree, &ports).await?;
        Ok(Self {
            process,
            ami,
            tree,
            ports,
            _lease: lease,
            root: root.clone(),
            boot_time,
        })
    }

    /// Kills it, if need be, and starts it again: same configuration, same ports, same log.
    pub async fn restart(&mut self) -> Result<(), LabError> {
        self.process.kill();
        (self.process, self.ami, self.boot_time) = boot(&self.root, &self.tree, &self.ports).await?;
        Ok(())
    }

    /// Ends it and removes what it left. Dropping does the same.
    pub fn stop(self) {}

    /// Kills it as a crash would; its files stay for [`restart`](Self::restart).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it in its tracks: sockets stay open, nothing answers. Returns when its last thread has stopped.
    pub fn freeze(&self) -> Result<(), LabError> {
        let pid = self.pid()?;
        self.root.privilege.signal(pid.cast_signed(), Signal::SIGSTOP)?;
        let asked = Instant::now();
        // The signal stops one thread, which then stops the others; the kernel has no way to wait for that from outside.
        while !host::is_stopped(pid) {
            if asked.elapsed() > FREEZE_LIMIT {
                return Err(LabError::Timeout {
                    what: format!("stop of process {pid}"),
                    after: FREEZE_LIMIT,
                });
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Lets a frozen one go on.
    pub fn thaw(&self) -> Result<(), LabError> {
        self.root.privilege.signal(self.pid()?.cast_signed(), Signal::SIGCONT)
    }

    /// The process id of Asterisk itself.
    pub fn pid(&self) -> Result<u32, LabError> {
        self.tree
            .pid()
            .ok_or_else(|| LabError::Configuration(format!("{} has no asterisk.pid", self.directory().display())))
    }

    /// From the start of the process to "fully booted", the last time.
    pub fn boot_time(&self) -> Duration {
        self.boot_time
    }

    /// What it is.
    pub fn version(&self) -> AsteriskVersion {
        self.root.version
    }

    /// Its ports, all on 127.0.0.1.
    pub fn ports(&self) -> &AsteriskPorts {
        &self.ports
    }

    /// Its directory, as seen from outside the root.
    pub fn directory(&self) -> PathBuf {
        self.tree.outside().to_owned()
    }

    /// Base of its REST interface; append `/asterisk/info` and the like.
    pub fn ari_url(&self) -> String {
        format!("http://127.0.0.1:{}/ari", self.ports.http)
    }

    /// The lab's own manager connection, with call events only. It ends with the process; [`restart`](Self::restart)
    /// makes a new one.
    pub fn ami(&self) -> &Ami {
        &self.ami
    }

    /// Another manager connection.
    pub async fn connect_ami(&self, events: AmiEvents) -> Result<Ami, LabError> {
        Ami::connect(ami_address(&self.ports), AMI_USER, AMI_SECRET, events).await
    }

    /// Runs one command of the console (`asterisk -rx`); what it printed.
    pub async fn cli(&self, command_line: &str) -> Result<String, LabError> {
        let mut command = tokio::process::Command::from(self.console(command_line));
        command.kill_on_drop(true).stdin(std::process::Stdio::null());
        let output = tokio::time::timeout(CLI_LIMIT, command.output())
            .await
            .map_err(|_| LabError::Timeout {
                what: format!("answer to `{command_line}`"),
                after: CLI_LIMIT,
            })?
            .context(|| format!("running `{command_line}`"))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(printed);
        }
        let standard_error = String::from_utf8_lossy(&output.stderr);
        Err(LabError::Command {
            command: format!("asterisk -rx '{command_line}'"),
            status: output.status.to_string(),
            output: format!("{printed}{standard_error}"),
        })
    }

    /// The same as a line for a shell, for people.
    pub fn cli_command(&self, command_line: &str) -> String {
        let command = self.console("");
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words
            .map(|word| word.to_string_lossy())
            .filter(|word| !word.is_empty())
            .collect();
        format!("{} '{command_line}'", words.join(" "))
    }

    fn console(&self, command_line: &str) -> std::process::Command {
        let mut command = self.root.command("/usr/sbin/asterisk");
        command
            .arg("-C")
            .arg(self.tree.asterisk_conf())
            .args(["-rx", command_line]);
        command
    }

    /// How many channels there are; a conference's announcer counts as two, though no list shows it.
    pub async fn channel_count(&self) -> Result<usize, LabError> {
        let printed = self.cli("core show channels count").await?;
        printed
            .lines()
            .find_map(|line| {
                line.trim()
                    .strip_suffix(" active channels")
                    .or_else(|| line.trim().strip_suffix(" active channel"))
            })
            .and_then(|count| count.parse().ok())
            .ok_or_else(|| LabError::Configuration(format!("`core show channels count` printed {printed:?}")))
    }

    /// How many bridges there are.
    pub async fn bridge_count(&self) -> Result<usize, LabError> {
        // One line of headings, then one a bridge.
        let printed = self.cli("bridge show all").await?;
        Ok(printed
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count()
            .saturating_sub(1))
    }

    /// All it has logged.
    pub fn log(&self) -> Result<String, LabError> {
        let path = self.tree.log_file();
        let bytes = fs::read(&path).context(|| format!("reading {}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The lines of its log that are warnings or errors.
    pub fn complaints(&self) -> Result<Vec<String>, LabError> {
        let is_complaint =
            |line: &&str| (line.contains("] WARNING[") || line.contains("] ERROR[")) && !line.contains(KEPT_FOR_LATER);
        Ok(self.log()?.lines().filter(is_complaint).map(str::to_owned).collect())
    }
}

/// What Asterisk says of an event that comes between its answer to a websocket's handshake and its own readiness for that
/// websocket. It keeps the event and sends it then.
const KEPT_FOR_LATER: &str = "websocket is not ready";

fn ami_address(ports: &AsteriskPorts) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, ports.ami).into()
}

/// Starts the process and waits until Asterisk says, on its manager port, that it is fully booted.
async fn boot(
    root: &Root,
    tree: &InstanceTree,
    ports: &AsteriskPorts,
) -> Result<(AsteriskProcess, Ami, Duration), LabError> {
    let error_path = tree.standard_error_file();
    let standard_error = File::create(&error_path).context(|| format!("making {}", error_path.display()))?;
    let started = Instant::now();
    let process = AsteriskProcess::start(root, &tree.asterisk_conf(), standard_error)?;
    let not_booted = |why: String| LabError::NotBooted {
        instance: tree.outside().display().to_string(),
        why,
        log_tail: tree.log_tail(),
    };

    let reach = async {
        loop {
            if let Some(how) = process.ended() {
                return Err(not_booted(format!("it ended: {how}")));
            }
            match Ami::connect(ami_address(ports), AMI_USER, AMI_SECRET, AmiEvents::Calls).await {
                Ok(ami) => {
                    ami.fully_booted()
                        .await
                        .map_err(|error| not_booted(error.to_string()))?;
                    return Ok(ami);
                }
                Err(_) => tokio::time::sleep(BOOT_POLL).await,
            }
        }
    };
    let ami = tokio::time::timeout(BOOT_LIMIT, reach)
        .await
        .map_err(|_| not_booted(format!("not fully booted after {BOOT_LIMIT:?}")))??;
    Ok((process, ami, started.elapsed()))
}
