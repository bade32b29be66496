//! Runs of bits in bitmaps. Bits are counted from the lowest of the first byte ("Block and Inode
//! Bitmaps").

use alloc::boxed::Box;

/// A bitmap in words, for searching.
pub(crate) struct Bits {
    words: Box<[u64]>,
    len: u32,
}

impl Bits {
    /// The first `len` bits of `bytes`; what lies behind counts as set.
    pub fn new(bytes: &[u8], len: u32) -> Self {
        let (chunks, _) = bytes.as_chunks::<8>();
        let words = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).take(len.div_ceil(64) as usize).collect();
        Self { words, len }
    }

    fn word(&self, at: u32) -> u64 {
        self.words.get((at / 64) as usize).copied().unwrap_or(u64::MAX)
    }

    /// The first bit from `from` on that is clear, if there is one.
    pub fn next_clear(&self, from: u32) -> Option<u32> {
        self.next(from, |word| !word)
    }

    /// The first bit from `from` on that is set; the end if there is none.
    pub fn next_set(&self, from: u32) -> u32 {
        self.next(from, |word| word).unwrap_or(self.len)
    }

    fn next(&self, from: u32, view: impl Fn(u64) -> u64) -> Option<u32> {
        let mut at = from;
        while at < self.len {
            let rest = view(self.word(at)) >> (at % 64);
            if rest != 0 {
                let found = at + rest.trailing_zeros();
                return (found < self.len).then_some(found);
            }
            at = (at / 64 + 1) * 64;
        }
        None
    }

    /// Sets or clears a run.
    pub fn set(&mut self, start: u32, len: u32, value: bool) {
        let end = start.saturating_add(len).min(self.len);
        let mut at = start;
        while at < end {
            let upto = end.min((at / 64 + 1) * 64);
            let mask = (u64::MAX >> (64 - (upto - at))) << (at % 64);
            if let Some(word) = self.words.get_mut((at / 64) as usize) {
                if value { *word |= mask } else { *word &= !mask }
            }
            at = upto;
        }
    }
}

/// Whether a bit of a bitmap on the disk is set; those outside count as set.
pub(crate) fn is_set(bytes: &[u8], at: u32) -> bool {
    bytes.get((at / 8) as usize).is_none_or(|byte| byte & (1 << (at % 8)) != 0)
}

/// Sets or clears a run in a bitmap on the disk; false if a bit already had that value.
pub(crate) fn change(bytes: &mut [u8], start: u32, len: u32, value: bool) -> bool {
    let mut all_changed = true;
    let mut at = start;
    let end = start.saturating_add(len);
    while at < end {
        let Some(byte) = bytes.get_mut((at / 8) as usize) else { return false };
        let upto = end.min((at / 8 + 1) * 8);
        let mask = (u8::MAX >> (8 - (upto - at))) << (at % 8);
        let before = *byte & mask;
        all_changed &= if value { before == 0 } else { before == mask };
        if value {
            *byte |= mask
        } else {
            *byte &= !mask
        }
        at = upto;
    }
    all_changed
}

/// The first clear bit of `from..to` of a bitmap on the disk.
pub(crate) fn find_clear(bytes: &[u8], from: u32, to: u32) -> Option<u32> {
    let mut at = from;
    while at < to {
        let byte = *bytes.get((at / 8) as usize)?;
        let rest = !byte >> (at % 8);
        if rest != 0 {
            let found = at + rest.trailing_zeros();
            return (found < to).then_some(found);
        }
        at = (at / 8 + 1) * 8;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_set_and_cleared() {
        let mut bytes = [0_u8; 32];
        assert!(change(&mut bytes, 3, 70, true));
        assert!(!change(&mut bytes, 72, 2, true));
        assert_eq!((find_clear(&bytes, 0, 256), find_clear(&bytes, 3, 256)), (Some(0), Some(74)));
        let mut bits = Bits::new(&bytes, 200);
        assert_eq!((bits.next_set(0), bits.next_clear(3), bits.next_set(74)), (3, Some(74), 200));
        bits.set(74, 126, true);
        assert_eq!(bits.next_clear(3), None);
        bits.set(100, 65, false);
        assert_eq!((bits.next_clear(3), bits.next_set(100)), (Some(100), 165));
        assert!(change(&mut bytes, 3, 71, false) && bytes == [0; 32]);
    }
}
