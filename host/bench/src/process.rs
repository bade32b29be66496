//! Child processes that end in time, and at the latest with their owner.

use crate::{cpu, pinning};
use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How much of its standard error an error message quotes.
const QUOTED_LINES: usize = 5;
const QUOTED_BYTES: usize = 2048;

/// A line of standard output, with the machine's processor time when it arrived.
pub struct Line {
    /// The line, without its end.
    pub text: String,
    /// [`cpu::machine`].
    pub cpu: Duration,
}

/// A running child; killed when dropped.
pub struct Process {
    child: Child,
    name: String,
    errors: File,
}

impl Process {
    /// Starts a command, which reads nothing and whose standard error is kept for messages.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(command: &mut Command, cpu: Option<usize>) -> Result<Self> {
        let errors = tempfile::tempfile().context("cannot make a temporary file")?;
        command.stdin(Stdio::null()).stderr(errors.try_clone()?);
        let child = pinning::spawn(command, cpu)?;
        let name = command.get_program().to_string_lossy().into_owned();
        Ok(Self { child, name, errors })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end; kills after `limit`.
    ///
    /// # Errors
    /// If it does not end in time.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw).context("no valid process id")?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).context("cannot watch a child")?;
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).context("too long a time limit")?;
            match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e).context("cannot wait for a child"),
                Ok(0) => bail!("{} was stopped: no end after {} s{}", self.name, limit.as_secs(), self.quoted()),
                Ok(_) => return self.child.wait().context("cannot wait for a child"),
            }
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the end and takes any but success for an error.
    ///
    /// # Errors
    /// With what the process wrote to standard error.
    pub fn succeed(&mut self, limit: Duration) -> Result<()> {
        let status = self.wait(limit)?;
        ensure!(status.success(), "{}: {status}{}", self.name, self.quoted());
        Ok(())
    }

    /// Ends it politely, and by force if that takes longer than `limit`.
    pub fn terminate(mut self, limit: Duration) {
        if let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw) {
            // It may have ended before; that, too, is what we want.
            let _ = kill_process(pid, Signal::TERM);
            let _ = self.wait(limit);
        }
    }

    /// The end of what it wrote to standard error, to be appended to a message.
    pub fn quoted(&self) -> String {
        let len = self.errors.metadata().map_or(0, |data| data.len());
        let mut end = vec![0; QUOTED_BYTES];
        // Not by a seek: the process writes at the position that it shares with us.
        let read = self.errors.read_at(&mut end, len.saturating_sub(QUOTED_BYTES as u64)).unwrap_or(0);
        end.truncate(read);
        let text = String::from_utf8_lossy(&end);
        let lines: Vec<&str> = text.trim().lines().collect();
        let last = lines.iter().skip(lines.len().saturating_sub(QUOTED_LINES));
        last.map(|line| format!("\n    {line}")).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended and is reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its success within `limit`; `each` gets the lines of its standard output.
///
/// # Errors
/// If it cannot be started, fails or takes too long, or if `each` fails.
pub fn lines(
    command: &mut Command,
    cpu: Option<usize>,
    limit: Duration,
    mut each: impl FnMut(Line) -> Result<()>,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    let mut process = Process::spawn(command.stdout(Stdio::piped()), cpu)?;
    let incoming = stamped(&mut process)?;
    loop {
        match incoming.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => each(line?)?,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                bail!("{} was stopped: no end after {} s{}", process.name, limit.as_secs(), process.quoted())
            }
        }
    }
    process.succeed(deadline.saturating_duration_since(Instant::now()))
}

/// A thread reads the lines, so that neither a silent program nor a slow reader stops the other.
fn stamped(process: &mut Process) -> Result<Receiver<Result<Line>>> {
    let output = process.child.stdout.take().context("standard output was not piped")?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for text in BufReader::new(output).lines() {
            let line = text.map_err(Into::into).and_then(|text| Ok(Line { text, cpu: cpu::machine()? }));
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

/// Runs a command whose output nobody needs.
///
/// # Errors
/// As [`lines`].
pub fn run(command: &mut Command, limit: Duration) -> Result<()> {
    Process::spawn(command.stdout(Stdio::null()), None)?.succeed(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_arrive_in_order() {
        let mut found = Vec::new();
        let keep = |line: Line| {
            found.push(line.text);
            Ok(())
        };
        lines(&mut shell("echo one; echo; printf three"), None, LONG, keep).unwrap();
        assert_eq!(found, ["one", "", "three"]);
    }

    #[test]
    fn a_failure_quotes_standard_error() {
        let error = run(&mut shell("echo no such luck >&2; exit 3"), LONG).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no such luck"), "{error}");
        let error =
            lines(&mut shell("for i in 1 2 3 4 5 6; do echo line$i >&2; done; kill -9 $$"), None, LONG, |_| Ok(()));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("line2") && !error.contains("line1"), "{error}");
    }

    #[test]
    fn what_does_not_end_is_killed() {
        let error = lines(&mut shell("echo $$; exec sleep 1000"), None, Duration::from_millis(200), |_| Ok(()));
        assert!(error.unwrap_err().to_string().contains("was stopped"));
        let mut process = Process::spawn(&mut shell("exec sleep 1000"), None).unwrap();
        assert!(process.wait(Duration::ZERO).is_err());
        let gone = format!("/proc/{}", process.id());
        drop(process);
        assert!(!std::path::Path::new(&gone).exists());
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-here"), LONG).unwrap_err().to_string();
        assert!(error.contains("no-such-program-here"), "{error}");
    }
}
