//! What the kernel says of a process, and what it allows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::error::{IoContext, LabError};

/// Clock ticks a second in `/proc/PID/stat`: Linux tells user space 100 on every machine that this runs on.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time of a process with all its threads: proc(5), fields 14 and 15 of `stat`.
pub fn cpu_of(pid: u32) -> Result<Duration, LabError> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).context(|| format!("read {path}"))?;
    let behind_name = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: u64 = behind_name
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

/// How many threads a process has: the entries of `/proc/PID/task`.
pub fn threads_of(pid: u32) -> Result<usize, LabError> {
    let path = format!("/proc/{pid}/task");
    Ok(std::fs::read_dir(&path).context(|| format!("read {path}"))?.count())
}

/// How many more files a process may open: its soft limit (proc(5), `limits`) without what it has open. `None` without a limit,
/// or where only root may look.
pub fn files_left(pid: u32) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft_limit: u64 = limit.split_whitespace().next()?.parse().ok()?;
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    Some(soft_limit.saturating_sub(open as u64))
}

/// How many more threads this process and what it starts may have: the least that its control group (cgroups(7), `pids`) or one
/// above it leaves. `None` where none of them has a limit.
pub fn threads_left() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let number = |file: PathBuf| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let left = |directory: &Path| {
        let (most, now) = (
            number(directory.join("pids.max"))?,
            number(directory.join("pids.current"))?,
        );
        Some(most.saturating_sub(now))
    };
    let directories = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, group) = rest.split_once(':')?;
        let root = match controllers {
            "" => "/sys/fs/cgroup",
            "pids" => "/sys/fs/cgroup/pids",
            _ => return None,
        };
        Some(PathBuf::from(format!("{root}{group}")))
    });
    directories
        .flat_map(|directory| directory.ancestors().filter_map(left).collect::<Vec<_>>())
        .min()
}
