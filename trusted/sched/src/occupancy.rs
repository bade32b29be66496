//! How a waker learns without a lock that nobody waits.
//!
//! The waiter shows itself ([`Occupancy::publish`]), then looks at its condition for the last
//! time; the waker makes the condition true, then looks for waiters ([`Occupancy::any`]). A fence
//! between the two steps on each side: at least one of both sees the other. Checked in
//! `tests/loom.rs`.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicUsize, Ordering, fence};
#[cfg(loom)]
use loom::sync::atomic::{AtomicUsize, Ordering, fence};

/// The number of waiters in a queue, as seen from outside its lock.
pub struct Occupancy {
    len: AtomicUsize,
}

impl Occupancy {
    /// Nobody waits.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { len: AtomicUsize::new(0) }
    }

    /// Nobody waits. (The model's atomics have no constant constructor.)
    #[cfg(loom)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { len: AtomicUsize::new(0) }
    }

    /// Shows how many wait. Under the queue's lock, and before the condition is looked at.
    pub fn publish(&self, len: usize) {
        self.len.store(len, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Whether anybody waits that could have missed what the caller did before.
    pub fn any(&self) -> bool {
        fence(Ordering::SeqCst);
        !self.is_empty()
    }

    /// Whether nobody waits. A hint.
    pub fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }
}
