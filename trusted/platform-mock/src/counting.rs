//! An allocator that counts, for tests of how much memory something takes and how often it asks.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::System;

static HELD: AtomicUsize = AtomicUsize::new(0);
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted: `#[global_allocator] static ALLOCATOR: Counting = Counting;`.
pub struct Counting;

impl Counting {
    /// Bytes that are allocated now.
    pub fn held() -> usize {
        HELD.load(Ordering::Relaxed)
    }

    /// How often memory was asked for.
    pub fn asked() -> usize {
        ASKED.load(Ordering::Relaxed)
    }
}

// SAFETY: all calls are passed on as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(ptr, layout) }
    }
}
