//! Ranges of user memory that a task has found to need no showing before a copy.
//!
//! Every system call copies; looking the areas up each time would cost as much as the call. A
//! task remembers the areas of private memory that it copied from or to last, until any mapping
//! of any process changes.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Changes of mappings so far, in all address spaces.
static GENERATION: AtomicU64 = AtomicU64::new(1);

/// Some mapping may change from now on: what tasks remember is void.
pub fn note_change() {
    GENERATION.fetch_add(1, Ordering::SeqCst);
}

const RANGES: usize = 4;

/// What a task remembers. Only the task itself uses it.
#[derive(Default)]
pub struct PlainRanges {
    generation: AtomicU64,
    starts: [AtomicU64; RANGES],
    ends: [AtomicU64; RANGES],
    next: AtomicUsize,
}

impl PlainRanges {
    /// Whether `start..end` lies within a range that is remembered.
    #[inline]
    pub fn contain(&self, start: u64, end: u64) -> bool {
        self.generation.load(Ordering::Relaxed) == GENERATION.load(Ordering::Acquire)
            && self
                .starts
                .iter()
                .zip(&self.ends)
                .any(|(from, to)| from.load(Ordering::Relaxed) <= start && end <= to.load(Ordering::Relaxed))
    }

    /// The generation to remember a range under; to be taken before the mappings are looked at.
    pub fn generation() -> u64 {
        GENERATION.load(Ordering::SeqCst)
    }

    /// Remembers a range that was looked up in this generation.
    pub fn remember(&self, generation: u64, start: u64, end: u64) {
        if self.generation.swap(generation, Ordering::Relaxed) != generation {
            self.ends.iter().for_each(|end| end.store(0, Ordering::Relaxed));
        }
        let at = self.next.fetch_add(1, Ordering::Relaxed) % RANGES;
        if let (Some(from), Some(to)) = (self.starts.get(at), self.ends.get(at)) {
            from.store(start, Ordering::Relaxed);
            to.store(end, Ordering::Relaxed);
        }
    }
}
