//! Waiting for many files at once: what a file's `poll` registers with, and poll(2) itself.

use crate::file::OpenFile;
use alloc::sync::Arc;
use rkt_linux_abi::general::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLRDNORM, POLLWRNORM};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{Notify, Registration, WaitError, WaitQueue};
use smallvec::SmallVec;

/// Readable, by both names.
pub const READABLE: u32 = POLLIN | POLLRDNORM;
/// Writable, by both names.
pub const WRITABLE: u32 = POLLOUT | POLLWRNORM;

/// Collects the wait queues on which a file's readiness may change.
pub struct PollTable {
    target: Arc<dyn Notify>,
    exclusive: bool,
    registrations: SmallVec<[Registration; 2]>,
}

impl PollTable {
    /// `target` is notified for as long as the table lives.
    pub fn new(target: Arc<dyn Notify>) -> Self {
        Self { target, exclusive: false, registrations: SmallVec::new() }
    }

    /// As [`PollTable::new`], but a wake of one waiter is enough (`EPOLLEXCLUSIVE`).
    pub fn exclusive(target: Arc<dyn Notify>) -> Self {
        Self { exclusive: true, ..Self::new(target) }
    }

    /// Called by a file's `poll`, before it looks at its state.
    pub fn watch(&mut self, queue: &Arc<WaitQueue>) {
        self.registrations.push(queue.register(self.target.clone(), self.exclusive));
    }
}

/// One entry of poll(2).
pub struct PollRequest {
    /// The file; none gives `POLLNVAL`.
    pub file: Option<Arc<OpenFile>>,
    /// The events asked for.
    pub events: u32,
    /// The events found.
    pub found: u32,
}

impl PollRequest {
    fn look(&mut self, table: Option<&mut PollTable>) -> bool {
        self.found = match &self.file {
            None => POLLNVAL,
            Some(file) => file.poll(table) & (self.events | POLLERR | POLLHUP),
        };
        self.found != 0
    }
}

fn scan(requests: &mut [PollRequest], mut table: Option<&mut PollTable>) -> usize {
    requests.iter_mut().filter_map(|request| request.look(table.as_deref_mut()).then_some(())).count()
}

/// Waits until one of the files has an event, and gives the number of those that have; 0 if the
/// monotonic clock reached `deadline` (nanoseconds; none = for ever) before.
///
/// # Errors
/// `ERESTARTNOHAND` if a signal is pending.
pub fn poll(requests: &mut [PollRequest], deadline: Option<u64>) -> Result<usize> {
    poll_with(deadline, |table| scan(requests, table))
}

/// As [`poll`], with files and what counts as an event left to `scan`: it polls them, registering
/// with the table if it gets one, and gives the number of those that have an event.
///
/// # Errors
/// `ERESTARTNOHAND` if a signal is pending.
pub fn poll_with(deadline: Option<u64>, mut scan: impl FnMut(Option<&mut PollTable>) -> usize) -> Result<usize> {
    let ready = scan(None);
    if ready > 0 || deadline.is_some_and(|deadline| deadline <= rkt_platform::now()) {
        return Ok(ready);
    }
    let mut table = PollTable::new(rkt_sched::current().to_arc());
    let mut registering = Some(&mut table);
    // The files' queues wake this thread; its own queue only brings deadline and signals.
    let own = WaitQueue::new();
    let result = own.wait(deadline, || {
        let ready = scan(registering.take());
        (ready > 0).then_some(ready)
    });
    match result {
        Ok(ready) => Ok(ready),
        Err(WaitError::TimedOut) => Ok(0),
        Err(WaitError::Interrupted) => Err(Errno::ERESTARTNOHAND),
    }
}
