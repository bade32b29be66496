//! A terminal as the program has it open.

use super::{IN_TRANSIT, Tty};
use crate::task;
use alloc::sync::Arc;
use rkt_linux_abi::general::{
    ICANON, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM, SIGTTIN, SIGTTOU, TOSTOP, VMIN, VTIME,
};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitError;
use rkt_user::{IoSink, IoSource};
use rkt_vfs::{FileOps, OpenFile, PollTable};

/// Bytes moved at once.
const CHUNK: usize = 4096;
/// Unit of VTIME in nanoseconds.
const TENTH: u64 = 100_000_000;

/// An open file of a terminal.
pub struct TtyFile {
    tty: Arc<Tty>,
    /// Hangups of the terminal when it was opened.
    hangups: u32,
}

impl TtyFile {
    /// Opens it once more.
    pub fn new(tty: &Arc<Tty>) -> Arc<TtyFile> {
        let mut state = tty.state.lock();
        state.users += 1;
        state.used = true;
        drop(state);
        Arc::new(TtyFile { tty: tty.clone(), hangups: tty.hangups() })
    }

    /// The terminal.
    pub fn tty(&self) -> &Arc<Tty> {
        &self.tty
    }

    /// Whether the terminal has hung up since it was opened.
    pub fn is_dead(&self) -> bool {
        self.tty.hangups() != self.hangups
    }

    fn take(&self, into: &mut IoSink<'_>) -> Result<usize> {
        let mut chunk = [0; CHUNK];
        let piece = chunk.get_mut(..into.remaining().min(CHUNK)).unwrap_or(&mut []);
        let n = {
            let mut state = self.tty.state.lock();
            let modes = state.modes;
            state.line.read(&modes, piece)
        };
        into.put(chunk.get(..n).unwrap_or(&[]))?;
        if n > 0 {
            self.tty.digest();
            self.tty.notify();
        }
        Ok(n)
    }

    /// Waits for input; false at the deadline or if the other end has gone.
    fn await_input(&self, file: &OpenFile, deadline: Option<u64>) -> Result<bool> {
        let look = || {
            let state = self.tty.state.lock();
            let ready = state.line.has_input(&state.modes, false);
            (ready || self.is_dead()).then_some(ready)
        };
        if let Some(ready) = look() {
            return Ok(ready);
        }
        if deadline.is_some_and(|deadline| deadline <= rkt_platform::now()) {
            return Ok(false);
        }
        if file.nonblocking() {
            return Err(Errno::EAGAIN);
        }
        match self.tty.changed.wait(deadline, look) {
            Ok(ready) => Ok(ready),
            Err(WaitError::TimedOut) => Ok(false),
            Err(WaitError::Interrupted) => Err(Errno::ERESTARTSYS),
        }
    }

    /// read(2) without canonical mode: MIN and TIME (termios(3)).
    fn read_raw(&self, file: &OpenFile, into: &mut IoSink<'_>, least: usize, time: u64) -> Result<usize> {
        let mut done = 0;
        let mut deadline = (least == 0).then(|| rkt_platform::now() + time);
        loop {
            let n = self.take(into)?;
            done += n;
            if done >= least.max(1) || into.is_full() {
                return Ok(done);
            }
            if n > 0 && time > 0 {
                deadline = Some(rkt_platform::now() + time);
            }
            match self.await_input(file, deadline) {
                Ok(true) => {}
                Ok(false) => return Ok(done),
                Err(_) if done > 0 => return Ok(done),
                Err(error) => return Err(error),
            }
        }
    }

    fn put(&self, bytes: &[u8]) {
        {
            let mut state = self.tty.state.lock();
            let state = &mut *state;
            for &byte in bytes {
                state.line.output.put(byte, &state.modes, &mut state.leaving);
            }
        }
        self.tty.notify();
    }

    fn output_room(&self) -> usize {
        let state = self.tty.state.lock();
        if state.stopped { 0 } else { IN_TRANSIT.saturating_sub(state.leaving.len()) }
    }
}

impl Drop for TtyFile {
    fn drop(&mut self) {
        self.tty.state.lock().users -= 1;
        self.tty.notify();
    }
}

impl FileOps for TtyFile {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        if self.is_dead() {
            return Ok(0);
        }
        self.tty.check_foreground(&task::current(), SIGTTIN)?;
        let modes = self.tty.modes();
        if !modes.local_has(ICANON) {
            return self.read_raw(file, into, modes.number(VMIN).into(), u64::from(modes.number(VTIME)) * TENTH);
        }
        if self.await_input(file, None)? { self.take(into) } else { Ok(0) }
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        if self.tty.modes().local_has(TOSTOP) && !self.is_dead() {
            self.tty.check_foreground(&task::current(), SIGTTOU)?;
        }
        let mut chunk = [0; CHUNK];
        while from.remaining() > 0 {
            let look = || {
                let room = self.output_room();
                (room > 0 || self.is_dead()).then_some(room)
            };
            let waited = match look() {
                Some(room) => Ok(room),
                None if file.nonblocking() => Err(Errno::EAGAIN),
                None => self.tty.changed.wait(None, look).map_err(|_| Errno::ERESTARTSYS),
            };
            let waited = if self.is_dead() { Err(Errno::EIO) } else { waited };
            let moved = waited.and_then(|room| {
                let piece = chunk.get_mut(..room.min(CHUNK).min(from.remaining())).unwrap_or(&mut []);
                let n = from.take(piece)?;
                self.put(chunk.get(..n).unwrap_or(&[]));
                Ok(n)
            });
            match moved {
                Ok(_) => {}
                Err(_) if from.done() > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(from.done())
    }

    fn pollable(&self) -> bool {
        true
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        if let Some(table) = table {
            table.watch(&self.tty.changed);
        }
        if self.is_dead() {
            return POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
        }
        let state = self.tty.state.lock();
        let input = if state.line.has_input(&state.modes, true) { POLLIN | POLLRDNORM } else { 0 };
        let output = if !state.stopped && state.leaving.len() < IN_TRANSIT { POLLOUT | POLLWRNORM } else { 0 };
        input | output
    }

    fn ioctl(&self, file: &OpenFile, command: u32, argument: u64) -> Result<i64> {
        if self.is_dead() {
            return Err(Errno::EIO);
        }
        super::ioctl::of_program(self, file, command, argument)
    }
}
