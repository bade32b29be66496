//! How long a call waits.

use rkt_linux_abi::{Errno, Result, net};
use rkt_sched::{WaitError, WaitQueue};

/// Whether and how long a call may wait: O_NONBLOCK, MSG_DONTWAIT, SO_RCVTIMEO, SO_SNDTIMEO.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    nonblocking: bool,
    deadline: Option<u64>,
}

impl Patience {
    /// From the descriptor's flag, the call's `MSG_*` flags and the socket's timeout in nanoseconds (0: none).
    pub fn new(nonblocking: bool, flags: u32, timeout: u64) -> Self {
        let nonblocking = nonblocking || flags & net::MSG_DONTWAIT != 0;
        // No clock is read for the common case.
        let deadline = (timeout != 0 && !nonblocking).then(|| rkt_platform::now().saturating_add(timeout));
        Self { nonblocking, deadline }
    }

    /// Whether it waits at all.
    pub fn waits(self) -> bool {
        !self.nonblocking
    }

    /// Tries until the attempt gives something else than `EAGAIN`.
    ///
    /// # Errors
    /// Those of the attempt; `EAGAIN` if it may not wait or its time is over; on a signal
    /// `ERESTARTSYS`, or `EINTR` if there is a timeout (signal(7)).
    pub fn until<T>(self, queue: &WaitQueue, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
        if self.nonblocking {
            return attempt();
        }
        let outcome = queue.wait(self.deadline, || match attempt() {
            Err(Errno::EAGAIN) => None,
            outcome => Some(outcome),
        });
        match outcome {
            Ok(outcome) => outcome,
            Err(WaitError::TimedOut) => Err(Errno::EAGAIN),
            Err(WaitError::Interrupted) if self.deadline.is_some() => Err(Errno::EINTR),
            Err(WaitError::Interrupted) => Err(Errno::ERESTARTSYS),
        }
    }
}
