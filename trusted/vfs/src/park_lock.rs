//! A lock that may be held while its holder parks: directories and file positions, whose
//! operations may wait for a disk.

use core::sync::atomic::{AtomicU32, Ordering};
use rkt_sched::WaitQueue;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody may wait.
const CONTENDED: u32 = 2;

/// Mutual exclusion of threads (not vCPUs). Not fair, not recursive.
#[derive(Default)]
pub struct ParkLock {
    word: AtomicU32,
    waiters: WaitQueue,
}

impl ParkLock {
    /// A free lock.
    pub const fn new() -> Self {
        Self { word: AtomicU32::new(FREE), waiters: WaitQueue::new() }
    }

    /// Takes the lock, parking if need be.
    #[inline]
    pub fn lock(&self) -> ParkGuard<'_> {
        if self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.lock_contended();
        }
        ParkGuard { lock: self }
    }

    #[cold]
    fn lock_contended(&self) {
        // Whoever comes in here cannot know whether others wait, so it leaves the word contended.
        self.waiters.wait_uninterruptible(|| (self.word.swap(CONTENDED, Ordering::Acquire) == FREE).then_some(()));
    }
}

/// The lock is held while this lives.
pub struct ParkGuard<'a> {
    lock: &'a ParkLock,
}

impl Drop for ParkGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.lock.word.swap(FREE, Ordering::Release) == CONTENDED {
            self.lock.waiters.wake_all(0);
        }
    }
}
