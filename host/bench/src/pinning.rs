//! Which processors a process and its threads may use.

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::process::{Child, Command};
use std::str::FromStr;

/// `--pin`: a processor for the server and one for the client; `None`: any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pinning {
    /// The server, or the whole enclave with its supervisor and devices.
    pub server: Option<usize>,
    /// What makes the load.
    pub client: Option<usize>,
}

impl FromStr for Pinning {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pinning = Self::default();
        for part in text.split(',') {
            let (who, cpu) = part.split_once('=').unwrap_or((part, ""));
            let cpu = cpu.parse().ok().filter(|cpu| *cpu < CpuSet::MAX_CPU);
            match (who, cpu) {
                ("server", Some(cpu)) => pinning.server = Some(cpu),
                ("client", Some(cpu)) => pinning.client = Some(cpu),
                _ => return Err(format!("`{part}` is not understood: server=CPU,client=CPU is expected")),
            }
        }
        Ok(pinning)
    }
}

impl std::fmt::Display for Pinning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show = |cpu: Option<usize>| cpu.map_or("any CPU".into(), |cpu| format!("CPU {cpu}"));
        write!(f, "server on {}, client on {}", show(self.server), show(self.client))
    }
}

/// Starts a command on one processor, or on any. A child inherits the affinity of the thread
/// that starts it (sched_setaffinity(2)), so this one is moved there for the moment.
///
/// # Errors
/// If there is no such processor, or the command cannot be started.
pub fn spawn(command: &mut Command, cpu: Option<usize>) -> Result<Child> {
    let own = sched_getaffinity(None).context("cannot ask for the affinity")?;
    if let Some(cpu) = cpu {
        let mut one = CpuSet::new();
        one.set(cpu);
        sched_setaffinity(None, &one).with_context(|| format!("cannot run on CPU {cpu}"))?;
    }
    let child = command.spawn();
    sched_setaffinity(None, &own).context("cannot restore the affinity")?;
    child.with_context(|| format!("cannot start {}", command.get_program().display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinning_is_by_role() {
        let both = Pinning { server: Some(0), client: Some(1) };
        assert_eq!("client=1,server=0".parse(), Ok(both));
        assert_eq!("server=0".parse(), Ok(Pinning { client: None, ..both }));
        for wrong in ["", "server", "server=", "server=x", "server=99999", "both=0", "server=0,"] {
            assert!(wrong.parse::<Pinning>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_child_is_pinned() {
        let before = sched_getaffinity(None).unwrap();
        let mut command = Command::new("grep");
        command.args(["-q", r"^Cpus_allowed_list:\s*0$", "/proc/self/status"]);
        assert!(spawn(&mut command, Some(0)).unwrap().wait().unwrap().success());
        assert_eq!(sched_getaffinity(None).unwrap(), before);
        assert!(spawn(&mut Command::new("true"), Some(CpuSet::MAX_CPU - 1)).is_err());
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
