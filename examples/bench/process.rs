//! What the kernel says of a process.

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
