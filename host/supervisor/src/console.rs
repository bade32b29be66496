//! The thread that empties the enclave's rings: standard output and error, log, debug text, packets.

use crate::bell::Bell;
use crate::pump::{Outlet, write_all};
use crate::terminal::Terminal;
use anyhow::{Result, anyhow};
use rkt_log::{Event, Record, Severity};
use rkt_window::{ByteRing, Region, Side, layout, layout::header};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

/// Where the enclave's output goes.
pub struct Output {
    /// The program's standard output; `None` throws it away.
    pub stdout: Option<File>,
    /// The program's standard error; `None` throws it away.
    pub stderr: Option<File>,
    /// The text of `--strace`; `None` throws it away.
    pub debug: Option<File>,
    /// The packets of `--pcap`; `None` throws them away.
    pub capture: Option<File>,
    /// The enclave's own log, in words; `None` throws it away.
    pub log: Option<File>,
    /// The least severity that goes to `log`. Reasons to give up are no lines of the log: they
    /// are part of the report.
    pub severity: Severity,
}

/// Why the enclave gave up, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub event: Event,
    /// The same as a clause for people.
    pub reason: String,
}

pub(crate) struct Console {
    window: Region,
    bell: Bell,
    vcpu: Bell,
    outlets: [(Outlet, usize); 4],
    log: Log,
    terminal: Option<(Terminal, u32)>,
    ended: Arc<AtomicBool>,
}

impl Console {
    pub(crate) fn new(
        window: Region,
        output: Output,
        terminal: Option<Terminal>,
        ended: Arc<AtomicBool>,
    ) -> Result<Self> {
        let outlet = |offset, capacity, to| -> Result<(Outlet, usize)> {
            Ok((Outlet::new(ring(&window, offset, capacity, Side::Consumer)?, to), capacity / 2))
        };
        let ring = ring(&window, layout::LOG, layout::LOG_CAPACITY, Side::Consumer)?;
        Ok(Self {
            window,
            bell: Bell::console(&window)?,
            vcpu: Bell::vcpu0(&window)?,
            outlets: [
                outlet(layout::STDOUT, layout::STDIO_CAPACITY, output.stdout)?,
                outlet(layout::STDERR, layout::STDIO_CAPACITY, output.stderr)?,
                outlet(layout::DEBUG, layout::LOG_CAPACITY, output.debug)?,
                outlet(layout::CAPTURE, layout::CAPTURE_CAPACITY, output.capture)?,
            ],
            log: Log {
                ring: Outlet::new(ring, None),
                unparsed: Vec::new(),
                to: output.log,
                severity: output.severity,
                failure: None,
            },
            terminal: terminal.map(|terminal| (terminal, 0)),
            ended,
        })
    }

    /// Serves until the enclave has ended and every ring is empty. `feeder` is the thread that
    /// waits for room in the input ring.
    pub(crate) fn run(mut self, feeder: Option<&Thread>) -> Result<Option<Failure>> {
        self.window.write_u32(header::CONSOLE_READY, 1)?;
        loop {
            // Read before the rings: what the enclave wrote before it ended is seen by this pass.
            let ended = self.ended.load(Ordering::Acquire);
            if self.pass()? {
                continue;
            }
            if ended {
                return Ok(self.log.failure);
            }
            self.bell.sleep_unless(|| {
                if let Some(feeder) = feeder {
                    feeder.unpark();
                }
                self.has_work()
            });
        }
    }

    fn has_work(&self) -> bool {
        self.ended.load(Ordering::Acquire)
            || self.outlets.iter().any(|(outlet, _)| outlet.has_bytes())
            || self.log.ring.has_bytes()
            || self.terminal.as_ref().is_some_and(|(_, seen)| self.termios_seq() != *seen)
    }

    fn termios_seq(&self) -> u32 {
        self.window.read_u32(header::TERMIOS_SEQ).unwrap_or(0)
    }

    /// Takes a chunk from each ring; whether there was any.
    fn pass(&mut self) -> Result<bool> {
        let (mut moved, mut made_room) = (false, false);
        for (outlet, half) in &mut self.outlets {
            match outlet.drain(*half) {
                Ok(drained) => {
                    moved |= drained.moved;
                    made_room |= drained.made_room;
                }
                Err(e) => self.log.say(&format!("output of the enclave is lost: {e}")),
            }
        }
        let (log_moved, log_room) = self.log.drain();
        if made_room || log_room {
            self.vcpu.ring();
        }
        let wanted = self.termios_seq();
        if let Some((terminal, seen)) = &mut self.terminal
            && *seen != wanted
        {
            *seen = wanted;
            terminal.apply(&self.window)?;
        }
        Ok(moved || log_moved)
    }
}

/// Opens one end of a ring of the window.
pub(crate) fn ring(window: &Region, offset: usize, capacity: usize, side: Side) -> Result<ByteRing> {
    let region = window.sub(offset, ByteRing::region_len(capacity))?;
    ByteRing::open(region, side).map_err(|e| anyhow!("ring at {offset:#x}: {e}"))
}

/// The log ring, taken apart into records.
struct Log {
    ring: Outlet,
    unparsed: Vec<u8>,
    to: Option<File>,
    severity: Severity,
    failure: Option<Failure>,
}

impl Log {
    fn drain(&mut self) -> (bool, bool) {
        let bytes = match self.ring.take(layout::LOG_CAPACITY / 2) {
            Ok(None) => return (false, false),
            Ok(Some((bytes, made_room))) => {
                self.unparsed.extend_from_slice(&bytes);
                made_room
            }
            Err(e) => {
                self.say(&format!("the log is lost: {e}"));
                return (false, false);
            }
        };
        let unparsed = std::mem::take(&mut self.unparsed);
        let mut rest = unparsed.as_slice();
        loop {
            match Record::parse(rest) {
                Ok(Some((record, after))) => {
                    self.record(&record);
                    rest = after;
                }
                Ok(None) => break self.unparsed = rest.to_vec(),
                // Where the next record starts is unknown: the bytes at hand are given up.
                Err(e) => break self.say(&e.to_string()),
            }
        }
        (true, bytes)
    }

    fn record(&mut self, record: &Record<'_>) {
        let severity = record.event.severity();
        if severity == Severity::Fatal {
            self.failure.get_or_insert_with(|| Failure { event: record.event, reason: record.to_string() });
        } else if severity >= self.severity {
            self.say(&record.to_string());
        }
    }

    fn say(&self, line: &str) {
        if let Some(to) = &self.to {
            // Nobody is left to tell if even this fails.
            let _ = write_all(to, format!("rkt-io: {line}\n").as_bytes());
        }
    }
}
