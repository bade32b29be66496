//! `rkt-io doctor`: what this machine can do, what is missing, and what to do about it.

use crate::plan::find_on_path;
use crate::stats::hex;
use anyhow::Result;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// How much a missing item matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Nothing runs without it.
    Required,
    /// Some options do not work without it.
    Useful,
}

struct Check {
    name: &'static str,
    need: Need,
    /// What was found, or what to do.
    found: Result<String, String>,
}

/// Prints every check; 0 if nothing required is missing.
///
/// # Errors
/// None that a check does not report itself.
pub fn run() -> Result<u8> {
    let checks = checks();
    for check in &checks {
        let (state, text) = match (&check.found, check.need) {
            (Ok(text), _) => ("ok", text),
            (Err(text), Need::Required) => ("MISSING", text),
            (Err(text), Need::Useful) => ("missing", text),
        };
        println!("{state:<8} {:<22} {text}", check.name);
    }
    let fatal = checks.iter().filter(|check| check.found.is_err() && check.need == Need::Required).count();
    println!("{}", if fatal == 0 { "rkt-io can run here." } else { "rkt-io cannot run here: see MISSING above." });
    Ok(u8::from(fatal > 0))
}

fn checks() -> Vec<Check> {
    let flags = processor_flags();
    let cpu = |flag: &'static str, need, advice: &str| Check {
        name: flag,
        need,
        found: if flags.iter().any(|f| f == flag) { Ok("processor".into()) } else { Err(advice.into()) },
    };
    vec![
        kernel(),
        cpu("fsgsbase", Need::Required, "needs a processor from 2012 on and Linux 5.9 or newer, without `nofsgsbase`"),
        cpu("rdrand", Need::Required, "the enclave has no other random source: use a machine or CPU model that has it"),
        cpu("avx", Need::Useful, "programs that use AVX will not run"),
        cpu("constant_tsc", Need::Useful, "clocks inside may drift"),
        seccomp(),
        user_namespaces(),
        device("/dev/net/tun", "load the module `tun` for `--net tap`"),
        Check {
            name: "passt",
            need: Need::Useful,
            found: find_on_path("passt")
                .map(|path| path.display().to_string())
                .ok_or_else(|| "install the package passt for `--net user`".into()),
        },
        memory(),
        enclave(),
        Check { name: "TEE", need: Need::Useful, found: Err("this version runs as a simulation only".into()) },
    ]
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn processor_flags() -> Vec<String> {
    let info = read("/proc/cpuinfo").unwrap_or_default();
    let flags = info.lines().find(|line| line.starts_with("flags")).and_then(|line| line.split_once(':'));
    flags.map(|(_, flags)| flags.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

/// pidfd_open came with 5.3, close_range with CLOSE_RANGE_CLOEXEC with 5.11.
fn kernel() -> Check {
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    let found = match version(&release) {
        Some(version) if version >= (5, 11) => Ok(format!("Linux {release}")),
        _ => Err(format!("Linux {release} is too old: 5.11 or newer is needed")),
    };
    Check { name: "kernel", need: Need::Required, found }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn seccomp() -> Check {
    let actions = read("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    let found = if actions.split_whitespace().any(|action| action == "trap") {
        Ok("filters with SIGSYS".into())
    } else {
        Err("the kernel needs CONFIG_SECCOMP_FILTER".into())
    };
    Check { name: "seccomp", need: Need::Required, found }
}

fn user_namespaces() -> Check {
    let allowed = |path: &str| read(path).is_none_or(|text| text.trim() != "0");
    let found = if rustix::process::geteuid().is_root() {
        Ok("not needed by root".into())
    } else if !allowed("/proc/sys/user/max_user_namespaces") || !allowed("/proc/sys/kernel/unprivileged_userns_clone") {
        Err("unprivileged user namespaces are off: the enclave runs without a PID namespace of its own".into())
    } else {
        Ok("allowed".into())
    };
    Check { name: "user namespaces", need: Need::Useful, found }
}

fn device(path: &'static str, advice: &str) -> Check {
    let found = if Path::new(path).exists() { Ok("present".into()) } else { Err(advice.into()) };
    Check { name: path, need: Need::Useful, found }
}

fn memory() -> Check {
    let info = read("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let available = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
    let found = match available {
        Some(kib) if kib >= 256 << 10 => Ok(format!("{} MiB available", kib >> 10)),
        Some(kib) => Err(format!("only {} MiB are available", kib >> 10)),
        None => Err("/proc/meminfo does not tell".into()),
    };
    Check { name: "memory", need: Need::Useful, found }
}

fn enclave() -> Check {
    let found = rkt_supervisor::enclave_binary().and_then(|path| {
        let digest = Sha256::digest(fs::read(&path)?);
        Ok(format!("{}, SHA-256 {}", path.display(), hex(&digest)))
    });
    Check { name: "rkt-enclave", need: Need::Required, found: found.map_err(|e| format!("{e:#}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_releases_are_compared_by_number() {
        assert_eq!(version("6.18.44-fc-v657"), Some((6, 18)));
        assert!(version("5.4.0-generic") < Some((5, 11)));
        assert_eq!(version("linux"), None);
    }
}
