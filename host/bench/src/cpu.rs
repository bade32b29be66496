//! Processor time of the machine and of processes, from proc(5).

use anyhow::{Context, Result};
use std::time::Duration;

/// One value of `/proc/stat` and `/proc/PID/stat` is a tick of USER_HZ, 100 a second on x86.
const TICK: Duration = Duration::from_millis(10);

/// Time that all processors have been busy since boot, in whoever's name.
///
/// # Errors
/// If `/proc/stat` cannot be read.
pub fn machine() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    busy(&text).context("/proc/stat is not understood")
}

/// User and system time of a process, its finished threads included and its children not.
pub fn process(pid: u32) -> Option<Duration> {
    used(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Children of a process, of all its threads.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Sums what is neither idle, waiting for a device nor stolen; guests are within user and nice.
fn busy(stat: &str) -> Option<Duration> {
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<u32> = all.split_whitespace().map_while(|field| field.parse().ok()).collect();
    let &[user, nice, system, _idle, _iowait, irq, softirq, ..] = fields.as_slice() else { return None };
    Some(TICK * (user + nice + system + irq + softirq))
}

/// The command's name, field 2, is in parentheses and may contain anything.
fn used(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut from_utime = fields.split_whitespace().skip(11);
    let utime: u32 = from_utime.next()?.parse().ok()?;
    let stime: u32 = from_utime.next()?.parse().ok()?;
    Some(TICK * (utime + stime))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_stolen_time_is_not_busy() {
        let stat = "cpu  100 20 30 100000 5000 7 3 9999 50 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n";
        assert_eq!(busy(stat), Some(Duration::from_millis(1600)));
        assert_eq!(busy("cpu  100 20\n"), None);
        assert_eq!(busy("intr 1 2\n"), None);
    }

    #[test]
    fn a_process_may_have_any_name() {
        let stat = "12 (a) R (b)) S 1 12 12 0 -1 4194560 80 0 0 0 150 50 900 900 20 0 1 0 5 6 7";
        assert_eq!(used(stat), Some(Duration::from_secs(2)));
        assert_eq!(used("12 (a) S 1"), None);
    }

    #[test]
    fn this_machine_is_understood() {
        assert!(machine().unwrap() > Duration::ZERO);
        assert!(process(std::process::id()).is_some());
        assert_eq!(process(u32::MAX), None);
    }

    #[test]
    fn a_child_is_found() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(children(std::process::id()).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
