//! `run -d`: a supervisor of its own session, whose output goes to a log.
//!
//! The command starts itself once more. That process prints its name when everything is ready, by
//! which the first one knows that it may return, and then puts pipes to the log in the place of its
//! standard output and error.

use anyhow::{Context, Result};
use rkt_runs::{Claim, LogWriter, Stream};
use rustix::stdio::{dup2_stderr, dup2_stdout};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Bytes moved to the log at a time.
const PIECE: usize = 64 << 10;

/// Starts the process that stays, and returns when it is ready or has failed.
///
/// # Errors
/// If it cannot be started.
pub fn launch(argv: &[OsString]) -> Result<u8> {
    let own = std::env::current_exe().context("cannot find the command itself")?;
    let mut command = Command::new(own);
    // `run` is the first argument: there are no options before it.
    command.args(argv.get(1..2).unwrap_or_default()).arg("--supervise").args(argv.get(2..).unwrap_or_default());
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start the supervisor")?;
    let mut name = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut name)?;
    }
    if name.ends_with('\n') {
        print!("{name}");
        return Ok(0);
    }
    // It has said why on standard error, which is also ours.
    let status = child.wait().context("cannot wait for the supervisor")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(super::FAILED))
}

/// Leaves the session of whoever started us: signals of that terminal are for others now.
///
/// # Errors
/// If the host refuses.
pub fn leave_session() -> Result<()> {
    rustix::process::setsid().map(drop).context("cannot make a session of its own")
}

/// The threads that move standard output and error to the log.
pub struct Detached {
    claim: Claim,
    pumps: [JoinHandle<()>; 2],
}

impl Detached {
    /// Says that the run is ready, and goes on alone.
    ///
    /// # Errors
    /// If there is no log, or nobody waits any more.
    pub fn announce(claim: Claim) -> Result<Self> {
        let log = Arc::new(Mutex::new(claim.log()?));
        let (stdout, stdout_writer) = std::io::pipe().context("cannot make a pipe")?;
        let (stderr, stderr_writer) = std::io::pipe().context("cannot make a pipe")?;
        let pumps = [pump(stdout, Stream::Stdout, Arc::clone(&log))?, pump(stderr, Stream::Stderr, log)?];
        let mut out = std::io::stdout();
        writeln!(out, "{}", claim.name()).and_then(|()| out.flush()).context("nobody waits for the run")?;
        dup2_stdout(&stdout_writer).context("cannot replace standard output")?;
        dup2_stderr(&stderr_writer).context("cannot replace standard error")?;
        Ok(Self { claim, pumps })
    }

    /// Waits until all output is in the log, and writes down how the run ended: its last words go to
    /// the log, too.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn end(mut self, status: Result<u8>) -> Result<u8> {
        let status = status.unwrap_or_else(|error| {
            eprintln!("rkt-io: {error:#}");
            super::FAILED
        });
        // With these copies the last writers of the pipes go.
        let null = File::options().write(true).open("/dev/null").context("cannot open /dev/null")?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
        for pump in self.pumps {
            // A pump that failed had nobody to tell.
            let _ = pump.join();
        }
        self.claim.end(status)?;
        Ok(status)
    }
}

/// Starts a thread that moves a stream to the log. When the log cannot be written, output is thrown
/// away: the program is not to wait for it.
fn pump(mut from: PipeReader, stream: Stream, log: Arc<Mutex<LogWriter>>) -> Result<JoinHandle<()>> {
    let work = move || {
        let mut piece = vec![0; PIECE];
        loop {
            match from.read(&mut piece) {
                Ok(0) => return,
                Ok(count) => {
                    if let Ok(mut log) = log.lock() {
                        let _ = log.append(stream, &piece[..count]);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    };
    std::thread::Builder::new().name("rkt-log".into()).spawn(work).context("cannot start a thread for the log")
}
