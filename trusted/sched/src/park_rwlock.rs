//! A lock that many may hold together or one alone, also while they park: the content of a file, which
//! several read and write at once as long as its blocks stay where they are.

use crate::WaitQueue;
use core::sync::atomic::{AtomicU32, Ordering};

/// The word while one holds the lock alone; else how many share it.
const ALONE: u32 = u32::MAX;

/// Shared or exclusive, of threads (not vCPUs). Whoever wants it alone comes before those who would share it.
#[derive(Default)]
pub struct ParkRwLock {
    word: AtomicU32,
    /// Those who want it alone.
    wanted: AtomicU32,
    waiters: WaitQueue,
}

impl ParkRwLock {
    /// A free lock.
    pub const fn new() -> Self {
        Self { word: AtomicU32::new(0), wanted: AtomicU32::new(0), waiters: WaitQueue::new() }
    }

    fn try_share(&self) -> Option<()> {
        if self.wanted.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let more = |word: u32| word.checked_add(1).filter(|&word| word != ALONE);
        self.word.fetch_update(Ordering::Acquire, Ordering::Relaxed, more).ok().map(drop)
    }

    fn try_alone(&self) -> Option<()> {
        self.word.compare_exchange(0, ALONE, Ordering::Acquire, Ordering::Relaxed).ok().map(drop)
    }

    /// Takes the lock together with others, parking if need be.
    #[inline]
    pub fn read(&self) -> SharedGuard<'_> {
        if self.try_share().is_none() {
            self.waiters.wait_uninterruptible(|| self.try_share());
        }
        SharedGuard { lock: self }
    }

    /// Takes the lock alone if nobody has it.
    #[inline]
    pub fn try_write(&self) -> Option<AloneGuard<'_>> {
        self.try_alone().map(|()| AloneGuard { lock: self })
    }

    /// Takes the lock alone, parking if need be.
    #[inline]
    pub fn write(&self) -> AloneGuard<'_> {
        if self.try_alone().is_none() {
            self.wanted.fetch_add(1, Ordering::Relaxed);
            self.waiters.wait_uninterruptible(|| self.try_alone());
            self.wanted.fetch_sub(1, Ordering::Relaxed);
        }
        AloneGuard { lock: self }
    }
}

/// The lock is held together with others while this lives.
pub struct SharedGuard<'a> {
    lock: &'a ParkRwLock,
}

impl Drop for SharedGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.lock.word.fetch_sub(1, Ordering::Release) == 1 {
            self.lock.waiters.wake_all(0);
        }
    }
}

/// The lock is held alone while this lives.
pub struct AloneGuard<'a> {
    lock: &'a ParkRwLock,
}

impl Drop for AloneGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.lock.word.store(0, Ordering::Release);
        self.lock.waiters.wake_all(0);
    }
}
