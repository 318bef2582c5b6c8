//! Root file systems that hold an Asterisk, made once from Debian packages.
//!
//! A root stands in `<target>/lab/roots/asterisk-16` or `…/asterisk-22`. It is built beside its place and renamed, so one
//! that is there is whole; a lock lets processes that start together build it once.
//!
//! `CRANKBACK_LAB_ASTERISK=<root or />` names an Asterisk that is already there. It stands for the version with which it
//! shares its SIP drivers; the other version is still made from packages when asked for.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{IoContext, LabError};
use super::host::{self, Privilege};
use super::packages;

mod mirror;

/// Names an Asterisk to use instead of one made from packages.
const EXISTING_ASTERISK: &str = "CRANKBACK_LAB_ASTERISK";
/// In a finished root: the package version that it was made of.
const STAMP: &str = "lab-asterisk-version";

/// The two ends of what crankback supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AsteriskVersion {
    /// 16: the oldest that VICIdial runs on; has `chan_sip`.
    #[value(name = "16")]
    V16,
    /// 22: the current long-term one; PJSIP only.
    #[value(name = "22")]
    V22,
}

impl std::fmt::Display for AsteriskVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::V16 => "16",
            Self::V22 => "22",
        })
    }
}

impl AsteriskVersion {
    /// Both, oldest first.
    pub const ALL: [Self; 2] = [Self::V16, Self::V22];

    /// The Debian suite that packages it.
    const fn suite(self) -> &'static str {
        match self {
            Self::V16 => "bullseye",
            Self::V22 => "sid",
        }
    }

    const fn directory(self) -> &'static str {
        match self {
            Self::V16 => "asterisk-16",
            Self::V22 => "asterisk-22",
        }
    }

    /// Whether it has `chan_sip`, which Asterisk 21 removed.
    pub const fn has_chan_sip(self) -> bool {
        match self {
            Self::V16 => true,
            Self::V22 => false,
        }
    }

    /// What an Asterisk of this major version stands for.
    const fn of_major(major: u32) -> Self {
        if major < 21 { Self::V16 } else { Self::V22 }
    }
}

/// A file system with an Asterisk in it.
#[derive(Clone, Debug)]
pub struct Root {
    /// Where it is; `/` is the machine's own, used without `chroot`.
    pub path: PathBuf,
    /// What it stands for.
    pub version: AsteriskVersion,
    /// How commands inside it are run.
    pub privilege: Privilege,
}

impl Root {
    /// The root of this version: found, or made (about half a minute, and a download of 60 MB). `progress` is told, in
    /// sentences, of work that takes time.
    pub async fn ensure(version: AsteriskVersion, progress: fn(&str)) -> Result<Self, LabError> {
        tokio::task::spawn_blocking(move || Self::ensure_blocking(version, progress))
            .await
            .map_err(|stopped| LabError::Missing(format!("making the Asterisk root stopped: {stopped}")))?
    }

    fn ensure_blocking(version: AsteriskVersion, progress: fn(&str)) -> Result<Self, LabError> {
        let privilege = Privilege::find()?;
        if let Some(path) = env::var_os(EXISTING_ASTERISK).filter(|path| !path.is_empty()) {
            let found = Self {
                path: PathBuf::from(path),
                version,
                privilege,
            };
            if AsteriskVersion::of_major(found.major()?) == version {
                return Ok(found);
            }
        }

        let root = Self::of_packages(version, privilege);
        let roots = roots_directory();
        fs::create_dir_all(&roots).context(|| format!("making {}", roots.display()))?;
        let _lock = host::lock(&root.path.with_extension("lock"))?;

        if !root.path.join("usr/sbin/asterisk").exists() {
            root.make(progress)?;
        } else if !root.path.join(STAMP).exists() {
            root.finish(&root.path)?;
        }
        Ok(root)
    }

    /// The root that is made for this version, whether or not it has been.
    fn of_packages(version: AsteriskVersion, privilege: Privilege) -> Self {
        Self {
            path: roots_directory().join(version.directory()),
            version,
            privilege,
        }
    }

    /// The roots that are made here, whether or not they have been.
    pub fn made_here(privilege: Privilege) -> Vec<Self> {
        AsteriskVersion::ALL
            .map(|version| Self::of_packages(version, privilege))
            .into()
    }

    /// Builds the root beside its place, then moves it there.
    fn make(&self, progress: fn(&str)) -> Result<(), LabError> {
        packages::ensure(&[("mmdebstrap", "mmdebstrap")], progress).map_err(|error| {
            LabError::Missing(format!(
                "{error}. Or name an Asterisk that is there with {EXISTING_ASTERISK}."
            ))
        })?;
        let part = self.path.with_extension("part");
        self.privilege.remove_directory(&part)?;
        let mirror = mirror::of_this_machine();
        progress(&format!(
            "Making {} from Debian {} packages of {mirror} (half a minute)",
            self.path.display(),
            self.version.suite()
        ));
        host::run(
            self.privilege
                .command("mmdebstrap")
                .args(["--mode=root", "--variant=apt"])
                // Mirrors and snapshots lag: an old Release file is no reason to run no tests.
                .arg("--aptopt=Acquire::Check-Valid-Until \"false\"")
                .arg("--aptopt=APT::Install-Recommends \"false\"")
                .arg("--include=asterisk,asterisk-modules,asterisk-config")
                .arg(self.version.suite())
                .arg(&part)
                .arg(&mirror),
        )?;
        self.finish(&part)?;
        host::run(self.privilege.command("mv").arg("-T").arg(&part).arg(&self.path)).map(drop)
    }

    /// Writes what the packages do not: a hosts file, without which every call waits for DNS, and the stamp.
    fn finish(&self, root: &Path) -> Result<(), LabError> {
        let version = host::run(self.privilege.command("chroot").arg(root).args([
            "dpkg-query",
            "-W",
            "-f",
            "${Version}\n",
            "asterisk",
        ]))?;
        let hostname = host::run(&mut Command::new("hostname"))?;
        self.write(
            &root.join("etc/hosts"),
            &format!("127.0.0.1 localhost {}\n", hostname.trim()),
        )?;
        self.write(&root.join(STAMP), &version)
    }

    /// Writes a file that belongs to root.
    fn write(&self, path: &Path, text: &str) -> Result<(), LabError> {
        // `$1` is the text, `$2` the path: neither passes through the shell's grammar.
        let script = r#"printf %s "$1" > "$2""#;
        host::run(self.privilege.command("sh").args(["-c", script, "sh", text]).arg(path)).map(drop)
    }

    /// A command that runs `program`, a path inside the root, there and as root.
    pub fn command(&self, program: &str) -> Command {
        if self.is_host() {
            return self.privilege.command(program);
        }
        let mut command = self.privilege.command("chroot");
        command.arg(&self.path).arg(program);
        command
    }

    /// Whether this is the machine's own Asterisk.
    pub fn is_host(&self) -> bool {
        self.path == Path::new("/")
    }

    /// Where instances keep their files, as seen from inside the root.
    pub fn instances_directory(&self) -> PathBuf {
        if self.is_host() {
            host::lab_directory().join("instances")
        } else {
            PathBuf::from("/lab")
        }
    }

    /// A path inside the root, as seen from outside.
    pub fn outside(&self, inside: &Path) -> PathBuf {
        self.path.join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// What `asterisk -V` says, without the word: `22.10.1~dfsg+~cs6.17.60671434-1`.
    pub fn release(&self) -> Result<String, LabError> {
        let said = host::run(self.command("/usr/sbin/asterisk").arg("-V"))?;
        Ok(said.trim().trim_start_matches("Asterisk").trim_start().to_owned())
    }

    fn major(&self) -> Result<u32, LabError> {
        let release = self.release()?;
        release
            .split('.')
            .next()
            .and_then(|major| major.parse().ok())
            .ok_or_else(|| {
                LabError::Missing(format!(
                    "`asterisk -V` in {} (from {EXISTING_ASTERISK}) says {release:?}",
                    self.path.display()
                ))
            })
    }
}

fn roots_directory() -> PathBuf {
    host::lab_directory().join("roots")
}

/// Prints one line of progress on standard error.
pub fn progress_on_stderr(line: &str) {
    eprintln!("lab: {line}");
}
