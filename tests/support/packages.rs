//! Debian packages that the lab needs and installs where they are missing.

use std::fs::{self, File};

use nix::fcntl::Flock;

use super::error::{IoContext, LabError};
use super::host::{Privilege, has_program, lab_directory, lock, run};

/// Installs the packages of those programs that are missing, each named as (program, package), without services and without what
/// they recommend. `progress` is told before it begins.
///
/// # Errors
/// What `apt-get` said, with the packages to install by hand.
pub fn ensure(wanted: &[(&str, &str)], progress: fn(&str)) -> Result<(), LabError> {
    if missing(wanted).is_empty() {
        return Ok(());
    }
    // Two Asterisks, and test programs, start side by side; apt-get does not wait for another one that reads the lists.
    let _lock = apt_lock()?;
    let packages = missing(wanted);
    if packages.is_empty() {
        return Ok(());
    }
    let packages_text = packages.join(" ");
    progress(&format!("Installing {packages_text}"));
    let by_hand = |error| LabError::Missing(format!("Install by hand: apt-get install {packages_text} ({error})"));
    let privilege = Privilege::find().map_err(by_hand)?;
    let apt_get = |arguments: &[&str]| {
        let mut command = privilege.command("env");
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .args(arguments);
        run(&mut command)
    };
    apt_get(&["update"])
        .and_then(|_| apt_get(&[&["install", "-y", "--no-install-recommends"], &packages[..]].concat()))
        .map(drop)
        .map_err(by_hand)
}

fn missing<'a>(wanted: &[(&str, &'a str)]) -> Vec<&'a str> {
    wanted
        .iter()
        .filter(|(program, _)| !has_program(program))
        .map(|(_, package)| *package)
        .collect()
}

/// Held by whoever installs, in whichever process.
fn apt_lock() -> Result<Flock<File>, LabError> {
    let directory = lab_directory();
    fs::create_dir_all(&directory).context(|| format!("making {}", directory.display()))?;
    lock(&directory.join("packages.lock"))
}
