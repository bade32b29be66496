//! Reading ahead: how much more is read than was asked for, by how the file was read so far.

use core::sync::atomic::{AtomicU64, Ordering};

/// The first step of a sequential reader.
const FIRST: u64 = 128 << 10;
/// Most bytes that it gets ahead.
const MOST: u64 = 2 << 20;

/// How a file is read. Several readers share it, and disturb each other at worst.
#[derive(Default)]
pub struct ReadAhead {
    /// Where the last read ended: one that goes on there is sequential.
    end: AtomicU64,
    /// What a sequential reader got ahead last.
    window: AtomicU64,
}

impl ReadAhead {
    /// A read from `at` finds something missing, and wants what lies before `end`: up to where to read.
    /// Whoever goes on where the last read ended gets twice as much each time; who jumps gets nothing more.
    pub fn reach(&self, at: u64, end: u64) -> u64 {
        if self.end.load(Ordering::Relaxed) != at {
            self.window.store(0, Ordering::Relaxed);
            return end;
        }
        let window = (self.window.load(Ordering::Relaxed) * 2).clamp(FIRST, MOST);
        self.window.store(window, Ordering::Relaxed);
        end.max(at.saturating_add(window))
    }

    /// A read ended at `end`.
    #[inline]
    pub fn note(&self, end: u64) {
        self.end.store(end, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_goes_on_gets_more() {
        let ahead = ReadAhead::default();
        assert_eq!(ahead.reach(0, 4096), FIRST, "the start of a file counts as going on");
        ahead.note(4096);
        assert_eq!(ahead.reach(4096, 8192), 4096 + 2 * FIRST);
        ahead.note(8192);
        assert_eq!(ahead.reach(1 << 30, (1 << 30) + 4096), (1 << 30) + 4096);
        ahead.note((1 << 30) + 4096);
        assert_eq!(ahead.reach((1 << 30) + 4096, (1 << 30) + 8192), (1 << 30) + 4096 + FIRST, "it begins anew");
    }

    #[test]
    fn it_never_gets_more_than_the_most() {
        let ahead = ReadAhead::default();
        let mut at = 0;
        for _ in 0..20 {
            let to = ahead.reach(at, at + 4096);
            assert!(to <= at + MOST);
            at = to;
            ahead.note(at);
        }
        assert_eq!(ahead.reach(at, at + 4096), at + MOST);
        assert_eq!(ahead.reach(u64::MAX - 1, u64::MAX), u64::MAX);
    }
}
