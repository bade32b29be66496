//! Bytes from one pipe to another, without a file in between: splice(2), tee(2).

use super::{Pipe, State, restart};
use crate::poll::{READABLE, WRITABLE};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::MutexGuard;

/// What a transfer has come to.
enum Step {
    Done(usize),
    NeedsInput,
    NeedsRoom,
}

impl Pipe {
    /// Both states, locked in the order of their addresses: two transfers may go in opposite ways.
    fn lock_both<'a>(&'a self, other: &'a Pipe) -> (MutexGuard<'a, State>, MutexGuard<'a, State>) {
        if core::ptr::from_ref(self) < core::ptr::from_ref(other) {
            let first = self.state.lock();
            (first, other.state.lock())
        } else {
            let second = other.state.lock();
            (self.state.lock(), second)
        }
    }

    fn pass_some(&self, to: &Pipe, count: usize, keep: bool) -> Result<Step> {
        let (mut input, mut output) = self.lock_both(to);
        if input.content.is_empty() {
            return Ok(if input.writers == 0 { Step::Done(0) } else { Step::NeedsInput });
        }
        if output.readers == 0 {
            return Err(Errno::EPIPE);
        }
        if output.content.is_full() {
            return Ok(Step::NeedsRoom);
        }
        input.content.pass(&mut output.content, count, keep).map(Step::Done)
    }

    /// Moves up to `count` bytes to another pipe, or copies them if they are to be kept (tee(2)).
    /// Waits for the first of them and for room unless `nonblocking`. 0 once nobody can write to
    /// this pipe any more.
    ///
    /// # Errors
    /// `EPIPE` if nobody reads the other pipe; `EAGAIN`, `ERESTARTSYS`, `ENOMEM`; `EINVAL` for one
    /// and the same pipe.
    pub fn pass(&self, to: &Pipe, count: usize, keep: bool, nonblocking: bool) -> Result<usize> {
        if core::ptr::eq(self, to) {
            return Err(Errno::EINVAL);
        }
        loop {
            let step = self.pass_some(to, count, keep)?;
            match step {
                Step::Done(n) => {
                    to.readers.wake_all(READABLE);
                    if !keep {
                        self.writers.wake_all(WRITABLE);
                    }
                    return Ok(n);
                }
                _ if nonblocking => return Err(Errno::EAGAIN),
                Step::NeedsInput => {
                    let ready = || {
                        let state = self.state.lock();
                        (!state.content.is_empty() || state.writers == 0).then_some(())
                    };
                    self.readers.wait(None, ready).map_err(restart)?;
                }
                Step::NeedsRoom => {
                    let ready = || {
                        let state = to.state.lock();
                        (!state.content.is_full() || state.readers == 0).then_some(())
                    };
                    to.writers.wait(None, ready).map_err(restart)?;
                }
            }
        }
    }
}
