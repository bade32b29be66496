//! A disk that dawdles.

use alloc::collections::BTreeMap;
use rkt_blockdev::{BlockDevice, Completion, Rejected, Request, Token};

/// A disk whose completions come late, and so in another order: `delay` says by how many calls of
/// [`BlockDevice::poll`].
pub struct Delay<D, F> {
    inner: D,
    delay: F,
    polls: u64,
    /// By the poll at which they are due, then in the order of their coming.
    held: BTreeMap<(u64, u64), Completion>,
    arrived: u64,
}

impl<D: BlockDevice, F: FnMut(&Completion) -> u64 + Send> Delay<D, F> {
    /// Wraps `disk`.
    pub fn new(disk: D, delay: F) -> Self {
        Self { inner: disk, delay, polls: 0, held: BTreeMap::new(), arrived: 0 }
    }
}

impl<D: BlockDevice, F: FnMut(&Completion) -> u64 + Send> BlockDevice for Delay<D, F> {
    crate::delegate!(inner: geometry, kick, deadline, stats, fault, reset);

    fn submit(&mut self, request: Request) -> Result<Token, Rejected> {
        self.inner.submit(request)
    }

    fn poll(&mut self) -> Option<Completion> {
        self.polls = self.polls.wrapping_add(1);
        while let Some(done) = self.inner.poll() {
            let due = self.polls.saturating_add((self.delay)(&done));
            self.held.insert((due, self.arrived), done);
            self.arrived = self.arrived.wrapping_add(1);
        }
        let first = self.held.first_entry().filter(|first| first.key().0 <= self.polls)?;
        Some(first.remove())
    }

    fn has_work(&self) -> bool {
        !self.held.is_empty() || self.inner.has_work()
    }

    fn in_flight(&self) -> usize {
        self.inner.in_flight().saturating_add(self.held.len())
    }
}
