//! One bit a page: set while a free page holds data, clear while it is known to be zero. The bits of
//! pages in use mean nothing; they are set when the pages come back.

use core::sync::atomic::{AtomicU64, Ordering};

const WORD: usize = u64::BITS as usize;

/// The bits are written under the page allocator's lock only. They are read without it, by whoever
/// has just been given the pages and so is the only one concerned with their bits; the words are
/// atomic because the other bits in them may change meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirtyMap {
    words: &'static [AtomicU64],
}

impl DirtyMap {
    /// Words needed for so many pages.
    pub(crate) fn words_for(pages: usize) -> usize {
        pages.div_ceil(WORD)
    }

    pub(crate) fn new(words: &'static [AtomicU64]) -> Self {
        Self { words }
    }

    /// The words that hold the bits of a range, each with the mask of those bits.
    fn range(self, start: usize, pages: usize) -> impl DoubleEndedIterator<Item = (usize, &'static AtomicU64, u64)> {
        let end = start + pages;
        (start / WORD..end.div_ceil(WORD)).map(move |index| {
            let first = index * WORD;
            let low = start.saturating_sub(first);
            let high = (end - first).min(WORD);
            (first, &self.words[index], (u64::MAX << low) & (u64::MAX >> (WORD - high)))
        })
    }

    /// Marks pages as holding data. Under the lock.
    pub(crate) fn set(self, start: usize, pages: usize) {
        for (_, word, mask) in self.range(start, pages) {
            word.store(word.load(Ordering::Relaxed) | mask, Ordering::Relaxed);
        }
    }

    /// Marks pages as zero. Under the lock.
    pub(crate) fn clear(self, start: usize, pages: usize) {
        for (_, word, mask) in self.range(start, pages) {
            word.store(word.load(Ordering::Relaxed) & !mask, Ordering::Relaxed);
        }
    }

    /// Number of pages of the range that hold data.
    pub(crate) fn count(self, start: usize, pages: usize) -> usize {
        self.range(start, pages)
            .map(|(_, word, mask)| (word.load(Ordering::Relaxed) & mask).count_ones() as usize)
            .sum()
    }

    pub(crate) fn is_set(self, page: usize) -> bool {
        self.words[page / WORD].load(Ordering::Relaxed) >> (page % WORD) & 1 != 0
    }

    /// The smallest range (start, pages) that holds all the dirty pages of a range.
    pub(crate) fn span(self, start: usize, pages: usize) -> Option<(usize, usize)> {
        let found = |(first, word, mask): (usize, &AtomicU64, u64)| {
            let bits = word.load(Ordering::Relaxed) & mask;
            (bits != 0).then_some((first, bits))
        };
        let (word, bits) = self.range(start, pages).find_map(found)?;
        let low = word + bits.trailing_zeros() as usize;
        let (word, bits) = self.range(start, pages).rev().find_map(found)?;
        let end = word + WORD - bits.leading_zeros() as usize;
        Some((low, end - low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn ranges_like_a_vector_of_bools() {
        let words: Vec<_> = (0..5).map(|_| AtomicU64::new(0)).collect();
        let map = DirtyMap::new(words.leak());
        let mut model = [false; 320];
        let mut seed = 1_u64;
        for round in 0..2000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let start = (seed >> 33) as usize % 320;
            let pages = 1 + (seed >> 45) as usize % (320 - start);
            let part = start..start + pages;
            let dirty = || part.clone().filter(|&page| model[page]);
            assert_eq!(map.count(start, pages), dirty().count());
            let span = dirty().next().map(|first| (first, dirty().next_back().unwrap() + 1 - first));
            assert_eq!(map.span(start, pages), span);
            if round % 2 == 0 {
                map.set(start, pages)
            } else {
                map.clear(start, pages)
            }
            model[part].fill(round % 2 == 0);
            assert!((0..320).all(|page| map.is_set(page) == model[page]));
        }
    }
}
