//! A link in both directions between two TAPs, driven by a thread.

use crate::{Capture, Link, Shape};
use anyhow::{Context, Result};
use rkt_tests_virtio::Tap;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Frames taken from a TAP before those that are due are looked at.
const BATCH: usize = 64;
/// How long the thread sleeps at most before it looks whether it shall end.
const NAP: u64 = 20_000_000;
/// The longest frame of a TAP without segmentation offload.
const FRAME: usize = 16 << 10;

/// Two TAPs, joined until this is dropped.
pub struct Cable {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

struct Ends {
    taps: [Tap; 2],
    /// From the first and from the second.
    links: [Link; 2],
    capture: Option<Capture>,
}

impl Cable {
    /// Joins the two; a seed is that of what the first or the second sends. All of it is captured in the file, if
    /// one is named.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn join(taps: [Tap; 2], shape: Shape, seeds: [u64; 2], capture: Option<&Path>) -> Result<Self> {
        let links = seeds.map(|seed| Link::new(shape, seed));
        let capture = capture.map(Capture::create).transpose()?;
        let mut ends = Ends { taps, links, capture };
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                ends.turn()?;
            }
            ends.capture.map_or(Ok(()), Capture::finish)
        });
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Takes the cable away.
    ///
    /// # Errors
    /// What went wrong with it.
    pub fn part(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().map_err(|_| anyhow::anyhow!("the cable's thread panicked"))?
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // Whoever wants to know has asked before.
        let _ = self.end();
    }
}

impl Ends {
    /// Waits until there is something to do, and does it.
    fn turn(&mut self) -> Result<()> {
        let wait = self.links.iter().filter_map(Link::next).min().map_or(NAP, |due| due.saturating_sub(now()).min(NAP));
        let mut readable = self.taps.each_ref().map(|tap| PollFd::new(tap, PollFlags::IN));
        let wait = Timespec { tv_sec: 0, tv_nsec: wait as i64 };
        poll(&mut readable, Some(&wait)).context("poll")?;
        let readable = readable.map(|fd| fd.revents().contains(PollFlags::IN));
        for (from, readable) in readable.into_iter().enumerate() {
            if readable {
                self.take_in(from)?;
            }
            self.hand_out(from);
        }
        Ok(())
    }

    fn take_in(&mut self, from: usize) -> Result<()> {
        let mut frame = [0; FRAME];
        for _ in 0..BATCH {
            let Some(len) = self.taps[from].read(&mut frame).context("read from a TAP")? else { break };
            let (now, frame) = (now(), &frame[..len]);
            if let Some(capture) = &mut self.capture {
                capture.write(now, frame)?;
            }
            self.links[from].offer(now, frame);
        }
        Ok(())
    }

    fn hand_out(&mut self, from: usize) {
        let now = now();
        while let Some(frame) = self.links[from].take(now) {
            // A host that has no place for a frame loses it, as on any wire.
            let _ = self.taps[1 - from].write(&frame);
        }
    }
}

fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
