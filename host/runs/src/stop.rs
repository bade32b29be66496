//! Ending a run from outside.

use crate::state::Run;
use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long the end of a killed supervisor is waited for.
const KILLED: Duration = Duration::from_secs(10);

impl Run {
    /// Sends the run's stop signal, waits this long, and kills what is left: the supervisor, and with
    /// it all of its enclave. Whether the program ended by itself.
    ///
    /// # Errors
    /// If the run has ended already, or may not be signalled.
    pub fn stop(&self, patience: Duration) -> Result<bool> {
        let name = &self.record.name;
        let pid = Pid::from_raw(self.record.pid).with_context(|| format!("the record of {name} is damaged"))?;
        let process = pidfd_open(pid, PidfdFlags::empty());
        // Only now: as long as it lives, its number is nobody else's.
        ensure!(self.still_alive()?, "{name} does not run");
        let process = process.with_context(|| format!("cannot find the process of {name}"))?;
        let signal = Signal::from_named_raw(self.record.stop_signal).unwrap_or(Signal::TERM);
        send(&process, signal).with_context(|| format!("cannot signal {name}"))?;
        if ended(&process, patience)? {
            return Ok(true);
        }
        send(&process, Signal::KILL).with_context(|| format!("cannot kill {name}"))?;
        ensure!(ended(&process, KILLED)?, "{name} was killed, but does not end");
        Ok(false)
    }
}

/// Sends a signal, unless the process is gone already.
fn send(process: &OwnedFd, signal: Signal) -> rustix::io::Result<()> {
    match pidfd_send_signal(process, signal) {
        Err(Errno::SRCH) => Ok(()),
        sent => sent,
    }
}

/// Waits for the end of a process.
fn ended(process: &OwnedFd, patience: Duration) -> Result<bool> {
    let until = Instant::now().checked_add(patience);
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(process, PollFlags::IN)], timeout.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("poll"),
        }
    }
}
