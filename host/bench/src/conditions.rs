//! What figures depend on beside what is measured.

use crate::Common;
use crate::place::Places;
use anyhow::{Context, Result};
use std::time::{SystemTime, UNIX_EPOCH};

/// Load, in runnable threads, from which on figures are doubtful.
const BUSY: f64 = 0.5;

/// What holds for every figure.
///
/// # Errors
/// If the machine cannot be described.
pub fn of_machine(common: &Common, places: &Places) -> Result<Vec<(String, String)>> {
    let cpuinfo = read("/proc/cpuinfo")?;
    let cpus = std::thread::available_parallelism().context("how many processors?")?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let build = if cfg!(debug_assertions) { "debug: too slow to be measured" } else { "release" };
    let subject = if places.subject.is_enclave() {
        "enclave of the process platform (no TEE)"
    } else {
        "native, to test the measurement"
    };
    let mut conditions = vec![
        ("subject", subject.to_owned()),
        ("rkt-io", format!("{}, {build}", env!("CARGO_PKG_VERSION"))),
        ("machine", field(&cpuinfo, "model name").unwrap_or("unknown").to_owned()),
        ("cores", cpus.to_string()),
        ("Linux", read("/proc/sys/kernel/osrelease")?.trim().to_owned()),
        ("unix time", seconds.to_string()),
        ("--poll", common.poll.name().to_owned()),
        ("pairs", common.pairs().to_string()),
    ];
    let load = load_average()?;
    conditions.push(("load average at the start", load.to_string()));
    if load > BUSY {
        conditions.push(("warning", format!("the machine is not idle (load {load}): do not quote these figures")));
    }
    Ok(conditions.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Runnable threads, averaged over the last minute.
///
/// # Errors
/// If the machine does not tell.
pub fn load_average() -> Result<f64> {
    load(&read("/proc/loadavg")?).context("/proc/loadavg is not understood")
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

/// The first value of this name in a file of `name : value` lines.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The average over the last minute.
fn load(loadavg: &str) -> Option<f64> {
    loadavg.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_name_is_found() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU: fast\n\nprocessor\t: 1\nmodel name\t: Other\n";
        assert_eq!(field(cpuinfo, "model name"), Some("Some CPU: fast"));
        assert_eq!(field(cpuinfo, "model"), None);
    }

    #[test]
    fn load_is_of_the_last_minute() {
        assert_eq!(load("1.25 2.50 3.75 2/300 12345\n"), Some(1.25));
        assert_eq!(load(""), None);
    }
}
