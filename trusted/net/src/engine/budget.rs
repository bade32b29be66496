//! How much memory the buffers of all connections may take together (Linux's `tcp_mem`): peers decide how much
//! they send and how little they take, and there may be many of them.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Of the kernel's memory, buffers may take one part in so many.
const SHARE: usize = 8;

/// The budget. Once it is used up, connections keep what they have and get the least that they can work with.
pub(super) struct Budget {
    held: AtomicUsize,
    limit: usize,
}

impl Budget {
    /// For a kernel with so many bytes of memory.
    pub fn of(memory: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), limit: memory / SHARE })
    }

    /// Whether it is used up.
    pub fn is_exhausted(&self) -> bool {
        self.held.load(Ordering::Relaxed) >= self.limit
    }
}

/// What one connection holds of it; given back when this is dropped.
pub(super) struct Charge {
    budget: Arc<Budget>,
    held: usize,
}

impl Charge {
    /// Nothing yet.
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self { budget: budget.clone(), held: 0 }
    }

    /// The connection holds so many bytes now.
    pub fn set(&mut self, held: usize) {
        let before = core::mem::replace(&mut self.held, held);
        // The sum may wrap meanwhile, what comes of it is right.
        if before != held {
            self.budget.held.fetch_add(held.wrapping_sub(before), Ordering::Relaxed);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connections_hold_is_summed_up_and_comes_back() {
        let budget = Budget::of(8000);
        let (mut one, mut other) = (Charge::new(&budget), Charge::new(&budget));
        one.set(600);
        other.set(300);
        assert!(!budget.is_exhausted());
        other.set(400);
        assert!(budget.is_exhausted());
        one.set(0);
        assert!(!budget.is_exhausted());
        one.set(600);
        drop(other);
        assert!(!budget.is_exhausted());
    }
}
