//! How many processes use what they share (CLONE_VM, CLONE_FILES).

use core::sync::atomic::{AtomicUsize, Ordering};

/// A count of users: the last one to leave tidies up.
pub struct Users(AtomicUsize);

impl Default for Users {
    fn default() -> Self {
        Self(AtomicUsize::new(1))
    }
}

impl Users {
    /// One more.
    pub fn join(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One more, unless all have left.
    pub fn try_join(&self) -> bool {
        let more = |users: usize| users.checked_add(1).filter(|_| users > 0);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    /// One less; says whether it was the last.
    pub fn leave(&self) -> bool {
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether there is only one.
    pub fn alone(&self) -> bool {
        self.0.load(Ordering::Acquire) == 1
    }
}
