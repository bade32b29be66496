//! Programs that somebody wants to run beside the first one: from `rkt-io exec` to the places for them in
//! the window (`layout::session`) and back.

use crate::bell::Bell;
use crate::console::ring;
use crate::pump::{Outlet, feed};
use anyhow::{Context, Result};
use rkt_runs::{Ask, Link, Message, Reply, Stdio};
use rkt_window::layout::{self, session, session_state};
use rkt_window::{ByteRing, Region, Side};
use std::fs::File;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

/// What docker exits with: not found, not executable, not run at all.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;
const NOT_RUN: u8 = 125;

/// The places, and what all threads know that serve them.
pub(crate) struct Sessions {
    window: Region,
    taken: Mutex<[bool; layout::MAX_SESSIONS]>,
    /// The enclave has ended.
    ended: Arc<AtomicBool>,
}

impl Sessions {
    pub(crate) fn new(window: Region, ended: Arc<AtomicBool>) -> Arc<Self> {
        Arc::new(Self { window, taken: Mutex::default(), ended })
    }

    /// Serves whoever connects, each in a thread of its own.
    ///
    /// # Errors
    /// If there can be no thread.
    pub(crate) fn listen(self: &Arc<Self>, listener: UnixListener) -> Result<()> {
        let sessions = Arc::clone(self);
        let work = move || {
            for stream in listener.incoming().flatten() {
                let sessions = Arc::clone(&sessions);
                let serve = move || sessions.serve(stream);
                // Who cannot be served sees that the connection ends.
                let _ = Builder::new().name("rkt-exec".into()).spawn(serve);
            }
        };
        Builder::new().name("rkt-exec".into()).spawn(work).context("cannot start a thread")?;
        Ok(())
    }

    /// Makes every thread see that the enclave has ended.
    pub(crate) fn wake_all(&self) {
        (0..layout::MAX_SESSIONS).filter_map(|number| Bell::session(&self.window, number).ok()).for_each(|b| b.ring());
    }

    fn serve(&self, stream: UnixStream) {
        let Ok((mut link, ask, stdio)) = Link::accept(stream) else { return };
        let taken = self.take().and_then(|number| Some((number, Place::new(&self.window, number).ok()?)));
        let mut helpers = Vec::new();
        let reply = match &taken {
            Some((_, place)) => place.run(&link, &ask, stdio, &self.ended, &mut helpers),
            None => Ok(refused(NOT_RUN, format!("{} programs run there already", layout::MAX_SESSIONS))),
        };
        let reply = reply.unwrap_or_else(|error| refused(NOT_RUN, format!("{error:#}")));
        // Nobody is left to tell if this fails.
        let _ = link.send(&reply);
        link.shut();
        // The other side ends, and its end of the input with it: then nobody uses the place any more.
        for helper in helpers {
            helper.thread().unpark();
            let _ = helper.join();
        }
        if let Some((number, place)) = taken
            && place.region.zero(0, session::LEN).is_ok()
        {
            self.release(number);
        }
    }

    fn take(&self) -> Option<usize> {
        let mut taken = self.taken.lock().ok()?;
        let number = taken.iter().position(|taken| !taken)?;
        taken[number] = true;
        Some(number)
    }

    fn release(&self, number: usize) {
        if let Ok(mut taken) = self.taken.lock() {
            taken[number] = false;
        }
    }
}

fn refused(status: u8, reason: String) -> Reply {
    Reply::Refused { status, reason }
}

/// A place that is ours.
struct Place {
    region: Region,
    bell: Bell,
    vcpu: Bell,
}

impl Place {
    fn new(window: &Region, number: usize) -> Result<Self> {
        let region = window.sub(layout::SESSIONS + number * session::LEN, session::LEN)?;
        Ok(Self { region, bell: Bell::session(window, number)?, vcpu: Bell::vcpu0(window)? })
    }

    fn state(&self) -> u32 {
        self.region.read_u32(session::STATE).unwrap_or(session_state::FREE)
    }

    fn ring(&self, offset: usize, side: Side) -> Result<ByteRing> {
        ring(&self.region, offset, session::CAPACITY, side)
    }

    /// Runs the program to its end. Threads that still use the place then go to `helpers`.
    fn run(
        &self,
        link: &Link,
        ask: &Ask,
        stdio: Stdio,
        ended: &AtomicBool,
        helpers: &mut Vec<JoinHandle<()>>,
    ) -> Result<Reply> {
        self.fill(ask, stdio.input.is_some())?;
        let mut outlets = [(session::STDOUT, stdio.output), (session::STDERR, stdio.error)]
            .map(|(offset, to)| Ok(Outlet::new(self.ring(offset, Side::Consumer)?, Some(File::from(to)))))
            .into_iter()
            .collect::<Result<Vec<_>>>()?;
        let input = self.ring(session::STDIN, Side::Producer)?;
        self.region.atomic_u32(session::STATE)?.store(session_state::ASKED, Ordering::Release);
        self.vcpu.ring();
        let mut feeder = None;
        if let Some(from) = stdio.input {
            let (from, vcpu) = (File::from(from), self.vcpu);
            let thread = Builder::new().name("rkt-stdin".into()).spawn(move || feed(from, input, vcpu))?;
            feeder = Some(thread.thread().clone());
            helpers.push(thread);
        }
        let (mut reader, region, vcpu) = (link.writer()?, self.region, self.vcpu);
        helpers.push(Builder::new().name("rkt-exec".into()).spawn(move || {
            while let Ok(Some(message)) = reader.receive() {
                if pass_on(&region, message).is_err() {
                    return;
                }
                vcpu.ring();
            }
        })?);
        let reply = loop {
            // Read before the rings: what was written before the end is seen by this pass.
            let (state, gone) = (self.state(), ended.load(Ordering::Acquire));
            if self.pass(&mut outlets) {
                continue;
            }
            match state {
                session_state::ENDED => break Reply::Ended(self.exit_code()),
                session_state::REFUSED => break self.refusal(ask),
                _ if gone => break refused(NOT_RUN, "the enclave has ended".into()),
                _ => {}
            }
            self.bell.sleep_unless(|| {
                if let Some(feeder) = &feeder {
                    feeder.unpark();
                }
                self.state() != state || ended.load(Ordering::Acquire) || outlets.iter().any(Outlet::has_bytes)
            });
        };
        // Whoever waits for room gives up, also if the enclave never looked at the input.
        self.ring(session::STDIN, Side::Consumer)?.shut();
        Ok(reply)
    }

    fn fill(&self, ask: &Ask, input: bool) -> Result<()> {
        let strings = [&ask.workdir].into_iter().chain(&ask.argv).chain(&ask.env);
        let text: Vec<u8> = strings.flat_map(|string| string.iter().copied().chain([0])).collect();
        anyhow::ensure!(text.len() <= session::TEXT_MAX, "arguments and variables are too long together");
        let odd = ask.argv.iter().chain(&ask.env).chain([&ask.workdir]).any(|string| string.contains(&0));
        anyhow::ensure!(!odd, "an argument holds a zero byte");
        let flags = if input { session::INPUT } else { 0 } | if ask.terminal.is_some() { session::TERMINAL } else { 0 };
        self.region.write(session::TEXT, &text)?;
        self.region.write_u32(session::TEXT_LEN, text.len() as u32)?;
        self.region.write_u32(session::ARGUMENTS, ask.argv.len() as u32)?;
        self.region.write_u32(session::FLAGS, flags)?;
        if let Some((rows, columns)) = ask.terminal {
            self.region.write_u32(session::WINSIZE, u32::from(rows) | u32::from(columns) << 16)?;
        }
        Ok(())
    }

    /// Takes a chunk from each ring; whether there was any. A ring that the enclave broke has ended.
    fn pass(&self, outlets: &mut [Outlet]) -> bool {
        let mut moved = false;
        for outlet in outlets {
            if let Ok(drained) = outlet.drain(session::CAPACITY / 2) {
                moved |= drained.moved;
                if drained.made_room {
                    self.vcpu.ring();
                }
            }
        }
        moved
    }

    fn exit_code(&self) -> u8 {
        let status = self.region.read_u32(session::STATUS).unwrap_or(0);
        match status & 0x7f {
            0 => (status >> 8) as u8,
            signal => 128 + signal as u8,
        }
    }

    fn refusal(&self, ask: &Ask) -> Reply {
        let errno = self.region.read_u32(session::STATUS).unwrap_or(0) as i32;
        let name = ask.argv.first().map(|name| String::from_utf8_lossy(name)).unwrap_or_default();
        let status = match errno {
            libc::ENOENT | libc::ENOTDIR => NOT_FOUND,
            libc::EACCES | libc::ENOEXEC => NOT_EXECUTABLE,
            _ => NOT_RUN,
        };
        refused(status, format!("{name}: {}", std::io::Error::from_raw_os_error(errno)))
    }
}

/// Passes on what happened on the asking side.
fn pass_on(region: &Region, message: Message) -> Result<()> {
    let signal = match message {
        Message::Signal(signal) => signal,
        Message::Size(rows, columns) => {
            region.write_u32(session::WINSIZE, u32::from(rows) | u32::from(columns) << 16)?;
            libc::SIGWINCH as u8
        }
    };
    if (1..=31).contains(&signal) {
        region.atomic_u32(session::SIGNALS)?.fetch_or(1 << (signal - 1), Ordering::Release);
    }
    Ok(())
}
