//! A lock that may be held while its holder parks: directories, file positions, file systems,
//! whose operations may wait for a disk.

use crate::WaitQueue;
use core::sync::atomic::{AtomicU32, Ordering};

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
        self.acquire();
        ParkGuard { lock: self }
    }

    #[inline]
    fn acquire(&self) {
        if !self.try_acquire() {
            self.lock_contended();
        }
    }

    #[inline]
    fn try_acquire(&self) -> bool {
        self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[inline]
    fn release(&self) {
        if self.word.swap(FREE, Ordering::Release) == CONTENDED {
            self.waiters.wake_all(0);
        }
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
        self.lock.release();
    }
}

// SAFETY: `acquire` returns only to the one that changed the word from free, and the word becomes
// free only by `unlock`, which lock_api calls for a holder only. Acquire and release order the
// data. Threads may go on on another vCPU while they hold it: the lock knows no owner.
unsafe impl lock_api::RawMutex for ParkLock {
    #[allow(clippy::declare_interior_mutable_const)]
    const INIT: Self = Self::new();
    type GuardMarker = lock_api::GuardNoSend;

    #[inline]
    fn lock(&self) {
        self.acquire();
    }

    #[inline]
    fn try_lock(&self) -> bool {
        self.try_acquire()
    }

    #[inline]
    unsafe fn unlock(&self) {
        self.release();
    }
}
