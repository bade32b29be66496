//! A lock for data that is read much more often than written. Writers that wait keep new readers
//! out, so a reader must not take the lock again while it holds it.

use crate::atomic::{AtomicU32, Ordering};
use crate::{SPINS, hooks};

/// Bits 0 to 29: number of readers.
const READERS: u32 = WAITED - 1;
/// Somebody may wait. Whoever makes the lock free clears the bit and wakes everybody.
const WAITED: u32 = 1 << 30;
const WRITER: u32 = 1 << 31;

/// The lock without the data: see [`RwLock`].
#[derive(Debug)]
pub struct RawRwLock {
    word: AtomicU32,
}

impl RawRwLock {
    /// Adds `share` to the word if none of the bits `blocked` is set.
    #[inline]
    fn try_acquire(&self, blocked: u32, share: u32) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        let (taken, relaxed) = (Ordering::Acquire, Ordering::Relaxed);
        word & blocked == 0 && self.word.compare_exchange(word, word + share, taken, relaxed).is_ok()
    }

    #[inline]
    fn acquire(&self, blocked: u32, share: u32) {
        if !self.try_acquire(blocked, share) {
            self.acquire_contended(blocked, share);
        }
    }

    #[cold]
    fn acquire_contended(&self, blocked: u32, share: u32) {
        let mut spins = SPINS;
        while !self.try_acquire(blocked, share) {
            if spins > 0 {
                spins -= 1;
                hooks::pause();
                continue;
            }
            let word = self.word.load(Ordering::Relaxed);
            if word & blocked == 0 {
                continue;
            }
            let waited = word | WAITED;
            let relaxed = Ordering::Relaxed;
            if word == waited || self.word.compare_exchange(word, waited, relaxed, relaxed).is_ok() {
                hooks::wait(&self.word, waited);
            }
        }
    }
}

// SAFETY: a writer is let in only if there is neither writer nor reader, a reader only if there is
// no writer; lock_api calls the unlocks for holders only. Acquire and release order the data.
unsafe impl lock_api::RawRwLock for RawRwLock {
    #[allow(clippy::declare_interior_mutable_const)]
    const INIT: Self = Self { word: AtomicU32::new(0) };
    type GuardMarker = lock_api::GuardNoSend;

    #[inline]
    fn lock_shared(&self) {
        self.acquire(WRITER | WAITED, 1);
    }

    #[inline]
    fn try_lock_shared(&self) -> bool {
        self.try_acquire(WRITER | WAITED, 1)
    }

    #[inline]
    unsafe fn unlock_shared(&self) {
        // The last reader; if somebody slips in before the exchange, waking is up to that one.
        if self.word.fetch_sub(1, Ordering::Release) == WAITED | 1
            && self.word.compare_exchange(WAITED, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            hooks::wake(&self.word, hooks::ALL);
        }
    }

    #[inline]
    fn lock_exclusive(&self) {
        self.acquire(WRITER | READERS, WRITER);
    }

    #[inline]
    fn try_lock_exclusive(&self) -> bool {
        self.try_acquire(WRITER | READERS, WRITER)
    }

    #[inline]
    unsafe fn unlock_exclusive(&self) {
        if self.word.swap(0, Ordering::Release) & WAITED != 0 {
            hooks::wake(&self.word, hooks::ALL);
        }
    }
}

/// Data that many may read or one may write.
pub type RwLock<T> = lock_api::RwLock<RawRwLock, T>;
/// What [`RwLock::read`] returns.
pub type RwLockReadGuard<'a, T> = lock_api::RwLockReadGuard<'a, RawRwLock, T>;
/// What [`RwLock::write`] returns.
pub type RwLockWriteGuard<'a, T> = lock_api::RwLockWriteGuard<'a, RawRwLock, T>;
