//! What a thread has used: processor time, and how often it left its vCPU.
//!
//! Only the vCPU that runs a thread writes; anybody may read at any time. Time and the start of the
//! running slice are read together under a version, so that no clock ever goes back.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Counters of one thread.
#[derive(Default)]
pub struct Account {
    /// Odd while `ran` and `since` change.
    version: AtomicU32,
    /// Ticks of the time-stamp counter, without the running slice.
    ran: AtomicU64,
    /// When the running slice began; 0 = the thread does not run.
    since: AtomicU64,
    /// Ticks that hit it in the application.
    user_hits: AtomicU64,
    /// And in the kernel.
    kernel_hits: AtomicU64,
    /// Times that it waited.
    waits: AtomicU64,
    /// And that it made place for others.
    preemptions: AtomicU64,
}

fn add(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

impl Account {
    fn change(&self, change: impl FnOnce()) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        change();
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// The thread was switched in at `now`.
    pub(crate) fn begin(&self, now: u64) {
        self.change(|| self.since.store(now.max(1), Ordering::Relaxed));
    }

    /// The thread leaves its vCPU at `now`; gives the length of the slice in ticks.
    pub(crate) fn end(&self, now: u64, waits: bool) -> u64 {
        let slice = match self.since.load(Ordering::Relaxed) {
            0 => 0,
            since => now.saturating_sub(since),
        };
        self.change(|| {
            self.ran.store(self.ran.load(Ordering::Relaxed) + slice, Ordering::Relaxed);
            self.since.store(0, Ordering::Relaxed);
        });
        add(if waits { &self.waits } else { &self.preemptions });
        slice
    }

    /// Ticks of the time-stamp counter since the running slice began.
    pub(crate) fn slice(&self, now: u64) -> u64 {
        now.saturating_sub(self.since.load(Ordering::Relaxed))
    }

    /// A tick hit the running thread.
    pub(crate) fn hit(&self, in_kernel: bool) {
        add(if in_kernel { &self.kernel_hits } else { &self.user_hits });
    }

    /// Ticks of the time-stamp counter that the thread has had so far.
    pub(crate) fn ran(&self) -> u64 {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let (ran, since) = (self.ran.load(Ordering::Relaxed), self.since.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if version.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == version {
                let slice = if since == 0 { 0 } else { rkt_platform::tsc().saturating_sub(since) };
                return ran + slice;
            }
            core::hint::spin_loop();
        }
    }

    /// Ticks that hit the thread in the application, and in the kernel.
    pub fn hits(&self) -> (u64, u64) {
        (self.user_hits.load(Ordering::Relaxed), self.kernel_hits.load(Ordering::Relaxed))
    }

    /// How often it waited, and how often it made place for others while it could run.
    pub fn switches(&self) -> (u64, u64) {
        (self.waits.load(Ordering::Relaxed), self.preemptions.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_add_up() {
        let account = Account::default();
        account.begin(100);
        assert_eq!(account.end(150, true), 50);
        account.begin(200);
        assert_eq!(account.end(210, false), 10);
        assert_eq!((account.ran(), account.switches()), (60, (1, 1)));
        account.hit(true);
        assert_eq!(account.hits(), (0, 1));
    }
}
