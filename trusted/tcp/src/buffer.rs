//! A ring of bytes that takes memory when it is used and grows by doubling.

use alloc::vec::Vec;
use core::ops::Range;

/// The least that is allocated.
const LEAST: usize = 2048;
/// The most where memory is short (Linux's `SK_MEM_QUANTUM`).
pub(crate) const FRUGAL: usize = 4096;

/// A first-in first-out buffer. Bytes may also be written behind its end, where they wait until
/// [`Ring::commit`] moves the end over them: so a segment that came early is copied once.
#[derive(Default)]
pub(crate) struct Ring {
    /// Zero or a power of two long.
    bytes: Vec<u8>,
    head: usize,
    len: usize,
}

impl Ring {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory held.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Makes room for bytes up to `until`, counted from the first. False: no memory.
    #[must_use]
    pub(crate) fn reserve(&mut self, until: usize) -> bool {
        if until <= self.bytes.len() {
            return true;
        }
        let Some(capacity) = until.max(LEAST).checked_next_power_of_two() else { return false };
        let mut grown = Vec::new();
        if grown.try_reserve_exact(capacity).is_err() {
            return false;
        }
        let (second, first) = self.bytes.split_at(self.head);
        grown.extend_from_slice(first);
        grown.extend_from_slice(second);
        grown.resize(capacity, 0);
        self.bytes = grown;
        self.head = 0;
        true
    }

    /// `len` bytes from `offset` on, in two pieces where the ring turns. Nothing if they do not lie in
    /// its memory.
    pub(crate) fn slices(&self, offset: usize, len: usize) -> (&[u8], &[u8]) {
        let (first, second) = self.span(offset, len);
        (self.bytes.get(first).unwrap_or_default(), self.bytes.get(second).unwrap_or_default())
    }

    /// As [`Ring::slices`], to write.
    pub(crate) fn slices_mut(&mut self, offset: usize, len: usize) -> (&mut [u8], &mut [u8]) {
        let (first, second) = self.span(offset, len);
        let (low, high) = self.bytes.split_at_mut(first.start);
        (high.get_mut(..first.len()).unwrap_or_default(), low.get_mut(second).unwrap_or_default())
    }

    /// The next `len` bytes behind the end, which were written, become part of the buffer.
    pub(crate) fn commit(&mut self, len: usize) {
        self.len = self.len.saturating_add(len).min(self.bytes.len());
    }

    /// Drops the first `len` bytes.
    pub(crate) fn consume(&mut self, len: usize) {
        let len = len.min(self.len);
        self.len -= len;
        self.head = self.wrap(self.head + len);
    }

    /// Gives the memory back. What was in it is lost.
    pub(crate) fn release(&mut self) {
        *self = Self::default();
    }

    /// Gives back what the bytes in the buffer do not need. What was written behind its end is lost.
    pub(crate) fn shrink(&mut self) {
        let mut small = Self::default();
        let (first, second) = self.slices(0, self.len);
        if self.len.next_power_of_two() >= self.bytes.len() || !small.reserve(self.len) {
            return;
        }
        let (head, tail) = small.slices_mut(0, self.len).0.split_at_mut(first.len());
        head.copy_from_slice(first);
        tail.copy_from_slice(second);
        small.commit(self.len);
        *self = small;
    }

    fn span(&self, offset: usize, len: usize) -> (Range<usize>, Range<usize>) {
        let capacity = self.bytes.len();
        if len == 0 || offset.checked_add(len).is_none_or(|end| end > capacity) {
            return (0..0, 0..0);
        }
        let start = self.wrap(self.head + offset);
        let first = len.min(capacity - start);
        (start..start + first, 0..len - first)
    }

    fn wrap(&self, index: usize) -> usize {
        index & self.bytes.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(ring: &mut Ring, offset: usize, bytes: &[u8]) {
        assert!(ring.reserve(offset + bytes.len()));
        let (first, second) = ring.slices_mut(offset, bytes.len());
        let (a, b) = bytes.split_at(first.len());
        first.copy_from_slice(a);
        second.copy_from_slice(b);
    }

    fn text(ring: &Ring, len: usize) -> Vec<u8> {
        let (first, second) = ring.slices(0, len);
        [first, second].concat()
    }

    #[test]
    fn bytes_keep_their_order_around_the_turn_and_through_growth() {
        let mut ring = Ring::default();
        put(&mut ring, 0, &[1; LEAST]);
        ring.commit(LEAST);
        ring.consume(LEAST - 3);
        put(&mut ring, 3, &[2; 10]);
        ring.commit(10);
        // Early bytes behind a hole survive growth, too.
        put(&mut ring, 20, &[4; 5]);
        put(&mut ring, LEAST, &[5]);
        put(&mut ring, 13, &[3; 7]);
        ring.commit(12);
        assert_eq!(ring.len(), 25);
        let expected = [&[1; 3][..], &[2; 10], &[3; 7], &[4; 5]].concat();
        assert_eq!(text(&ring, 25), expected);
        ring.shrink();
        assert_eq!(text(&ring, 25), expected);
        assert_eq!(ring.capacity(), LEAST);
        ring.consume(25);
        assert!(ring.is_empty());
    }

    #[test]
    fn nothing_outside_of_the_memory_is_given_out() {
        let mut ring = Ring::default();
        assert_eq!(ring.slices(0, 1), (&[][..], &[][..]));
        assert!(ring.reserve(1));
        assert_eq!(ring.slices(LEAST, 1), (&[][..], &[][..]));
        assert_eq!(ring.slices(usize::MAX, 2), (&[][..], &[][..]));
        assert!(!ring.reserve(usize::MAX));
        ring.release();
        assert_eq!(ring.capacity(), 0);
    }
}
