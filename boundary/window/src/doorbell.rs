//! Park and kick: how a sleeper on one side is woken from the other.

#[cfg(not(loom))]
use crate::{OutOfBounds, Region};
#[cfg(not(loom))]
use core::sync::atomic::{AtomicU32, Ordering, fence};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering, fence};

/// Two words on a cache line of their own: a sequence number that is the futex, and a flag by
/// which the sleeper says that it needs waking.
///
/// Sleeper: `let seen = arm()`; look at every source of work once more; `disarm()` and go on if
/// there is any, else futex-wait on [`Doorbell::word`] for `seen` and `disarm()` afterwards.
/// Kicker: publish the work, then [`Doorbell::ring`]; if that says so, futex-wake the word.
/// The two fences make it impossible that the sleeper misses the work *and* the kicker misses
/// the flag. A forged ring wakes for nothing; a suppressed one only stops the program, which
/// the host can do anyway. Checked in `tests/loom.rs`.
#[derive(Clone, Copy)]
pub struct Doorbell {
    seq: &'static AtomicU32,
    parked: &'static AtomicU32,
}

impl Doorbell {
    /// Bytes that a doorbell takes: one cache line.
    pub const SIZE: usize = 64;

    /// A doorbell of the model checker's.
    #[cfg(loom)]
    pub fn of(seq: &'static AtomicU32, parked: &'static AtomicU32) -> Self {
        Self { seq, parked }
    }

    /// The doorbell at `offset` of a region.
    ///
    /// # Errors
    /// `OutOfBounds` if it does not fit or is not aligned to four bytes.
    #[cfg(not(loom))]
    pub fn at(region: &Region, offset: usize) -> Result<Self, OutOfBounds> {
        Ok(Self { seq: region.atomic_u32(offset)?, parked: region.atomic_u32(offset.saturating_add(4))? })
    }

    /// The futex word.
    pub fn word(&self) -> &'static AtomicU32 {
        self.seq
    }

    /// Says "I am about to sleep" and returns the value to wait for.
    pub fn arm(&self) -> u32 {
        let seen = self.seq.load(Ordering::Acquire);
        self.parked.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        seen
    }

    /// Says "I am awake".
    pub fn disarm(&self) {
        self.parked.store(0, Ordering::Relaxed);
    }

    /// Rings after work was published. True if the sleeper has to be woken: the caller then
    /// does one futex wake on [`Doorbell::word`].
    #[must_use]
    pub fn ring(&self) -> bool {
        fence(Ordering::SeqCst);
        if self.parked.load(Ordering::Relaxed) == 0 {
            return false;
        }
        self.seq.fetch_add(1, Ordering::Release);
        true
    }
}
