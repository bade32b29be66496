//! Mutual exclusion in one word: the three-state futex lock (Drepper, "Futexes Are Tricky", 2011,
//! the second mutex). Without contention each of lock and unlock is one atomic instruction.

use crate::atomic::{AtomicU32, Ordering};
use crate::{SPINS, const_unless_loom, hooks};

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody may wait.
const CONTENDED: u32 = 2;

/// The lock without the data: [`Mutex`] is what to use, this is for structures that must keep lock
/// and data apart.
#[derive(Debug)]
pub struct RawLock {
    word: AtomicU32,
}

impl RawLock {
    const_unless_loom! {
        /// A lock that is free.
        #[allow(clippy::new_without_default)]
        pub fn new() -> Self {
            Self { word: AtomicU32::new(FREE) }
        }
    }

    /// Takes the lock, waiting for it if need be.
    #[inline]
    pub fn acquire(&self) {
        if !self.try_acquire() {
            self.acquire_contended();
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_acquire(&self) -> bool {
        self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives the lock back. Only its holder may do so: anybody else would let two in.
    #[inline]
    pub fn release(&self) {
        if self.word.swap(FREE, Ordering::Release) == CONTENDED {
            hooks::wake(&self.word, 1);
        }
    }

    #[cold]
    fn acquire_contended(&self) {
        for _ in 0..SPINS {
            if self.word.load(Ordering::Relaxed) == FREE && self.try_acquire() {
                return;
            }
            hooks::pause();
        }
        // Whoever takes the lock in this loop cannot know whether it was the last that waited, so
        // it leaves the word contended: one needless wake-up at worst.
        while self.word.swap(CONTENDED, Ordering::Acquire) != FREE {
            hooks::wait(&self.word, CONTENDED);
        }
    }
}

#[cfg(not(loom))]
mod api {
    use super::RawLock;

    // SAFETY: `acquire` returns only to the one that changed the word from free, and the word
    // becomes free only by `unlock`, which lock_api calls for a holder only. Acquire and release
    // order the data.
    unsafe impl lock_api::RawMutex for RawLock {
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

    /// Data that one vCPU at a time may touch. Not fair, not recursive, never poisoned.
    pub type Mutex<T> = lock_api::Mutex<RawLock, T>;
    /// What [`Mutex::lock`] returns: the lock is held while it lives.
    pub type MutexGuard<'a, T> = lock_api::MutexGuard<'a, RawLock, T>;
    /// A [`Mutex`] whose user wants to say that it is held for an instant.
    pub type SpinLock<T> = Mutex<T>;
}

#[cfg(not(loom))]
pub use api::{Mutex, MutexGuard, SpinLock};
