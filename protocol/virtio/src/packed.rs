//! Packed virtqueues (§2.8): one ring of descriptors that the driver makes available and the device
//! overwrites when it has used them, and an event suppression structure for each side.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Largest queue size (§2.8.10.1).
pub const MAX_SIZE: u16 = 1 << 15;

/// Alignment of the descriptor ring (§2.8.10.1).
pub const DESC_ALIGN: usize = 16;
/// Alignment of either event suppression structure (§2.8.10.1).
pub const EVENT_ALIGN: usize = 4;
/// Bytes of an event suppression structure (§2.8.14).
pub const EVENT_LEN: usize = 4;

/// Descriptor flags beside those of [`crate::split::desc_flags`] (§2.8.1).
pub mod desc_flags {
    /// Set by the driver to its wrap counter.
    pub const AVAIL: u16 = 1 << 7;
    /// Set by the driver to the inverse of its wrap counter, by the device to its own.
    pub const USED: u16 = 1 << 15;
}

/// Values of the flags in an event suppression structure (§2.8.14).
pub mod event_flags {
    /// Tell of every descriptor.
    pub const ENABLE: u16 = 0;
    /// Tell of none.
    pub const DISABLE: u16 = 1;
    /// Tell of the one that the structure names; only with `EVENT_IDX`.
    pub const DESC: u16 = 2;
}

/// Offset of the u16 that names a descriptor in an event suppression structure (§2.8.14).
pub const EVENT_DESC: usize = 0;
/// Offset of the u16 with the flags in it.
pub const EVENT_FLAGS: usize = 2;

/// An entry of the ring (§2.8.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Descriptor {
    /// Address of the buffer. On the window transport: an offset in the window.
    pub addr: U64,
    /// Length of the buffer in bytes; once used, bytes written.
    pub len: U32,
    /// The driver's number for the chain, in its last descriptor and in the used one.
    pub id: U16,
    /// Flags.
    pub flags: U16,
}

/// Bytes of a [`Descriptor`].
pub const DESC_LEN: usize = size_of::<Descriptor>();
/// Offset of [`Descriptor::len`].
pub const DESC_LEN_AT: usize = 8;
/// Offset of [`Descriptor::id`].
pub const DESC_ID_AT: usize = 12;
/// Offset of [`Descriptor::flags`].
pub const DESC_FLAGS_AT: usize = 14;

/// Bytes of a ring of `size` (§2.8.10).
pub const fn ring_len(size: u16) -> usize {
    DESC_LEN * size as usize
}

/// Whether a queue may have this size (§2.8.10.1).
pub const fn valid_size(size: u16) -> bool {
    size != 0 && size <= MAX_SIZE
}

/// A place in the ring and the wrap counter there (§2.8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Number of the descriptor, below the size of the ring.
    pub index: u16,
    /// The wrap counter: 1 in the first round, then inverted in each.
    pub wrap: bool,
}

impl Cursor {
    /// Where both sides start.
    pub const START: Self = Self { index: 0, wrap: true };

    /// The place `n` descriptors further in a ring of `size`; `n` is at most `size`.
    #[must_use]
    pub const fn advance(self, n: u16, size: u16) -> Self {
        // Both are at most 2^15.
        let index = self.index.saturating_add(n);
        if index >= size { Self { index: index - size, wrap: !self.wrap } } else { Self { index, ..self } }
    }

    /// As in an event suppression structure: the wrap counter is in bit 15.
    pub const fn to_word(self) -> u16 {
        self.index | (self.wrap as u16) << 15
    }

    /// From an event suppression structure. The index is not checked.
    pub const fn from_word(word: u16) -> Self {
        Self { index: word & 0x7fff, wrap: word >> 15 != 0 }
    }

    /// Number of the place over two rounds, of which the first has the wrap counter 1.
    const fn linear(self, size: u16) -> u32 {
        self.index as u32 + if self.wrap { 0 } else { size as u32 }
    }

    /// Descriptors from `self` on to `to`, modulo two rounds. 0 in a ring without size.
    pub const fn distance(self, to: Self, size: u16) -> u32 {
        let rounds = 2 * size as u32;
        match (to.linear(size) + rounds).wrapping_sub(self.linear(size)).checked_rem(rounds) {
            Some(distance) => distance,
            None => 0,
        }
    }

    /// Flags of a descriptor that the driver makes available here.
    pub const fn avail_flags(self) -> u16 {
        if self.wrap { desc_flags::AVAIL } else { desc_flags::USED }
    }

    /// Flags of a descriptor that the device marks used here.
    pub const fn used_flags(self) -> u16 {
        if self.wrap { desc_flags::AVAIL | desc_flags::USED } else { 0 }
    }

    /// Whether a descriptor here with these flags is available and not used.
    pub const fn is_available(self, flags: u16) -> bool {
        flags & (desc_flags::AVAIL | desc_flags::USED) == self.avail_flags()
    }

    /// Whether a descriptor here with these flags is used.
    pub const fn is_used(self, flags: u16) -> bool {
        flags & (desc_flags::AVAIL | desc_flags::USED) == self.used_flags()
    }
}

/// Whether the peer who asked for an event at `event` has to be told after moving from `old`
/// to `new` (§2.8.10, as §2.7.7.2 for split queues).
pub const fn event_passed(event: Cursor, old: Cursor, new: Cursor, size: u16) -> bool {
    old.distance(event, size) < old.distance(new, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rounds_of_a_ring_lead_back_to_its_start() {
        for size in [1, 3, 256, MAX_SIZE] {
            let once = Cursor::START.advance(size, size);
            assert_eq!(once, Cursor { index: 0, wrap: false });
            assert_eq!(once.advance(size, size), Cursor::START);
            assert_eq!(Cursor::START.distance(once, size), u32::from(size));
            assert_eq!(Cursor::from_word(once.to_word()), once);
        }
    }

    #[test]
    fn a_descriptor_is_available_used_or_neither() {
        let here = Cursor::START;
        let next_round = here.advance(8, 8);
        for at in [here, next_round] {
            assert!(at.is_available(at.avail_flags()) && !at.is_used(at.avail_flags()));
            assert!(at.is_used(at.used_flags()) && !at.is_available(at.used_flags()));
        }
        // A used descriptor of the last round, and a fresh ring of zeroes, are neither.
        assert!(!next_round.is_used(here.used_flags()) && !next_round.is_available(here.used_flags()));
        assert!(!here.is_used(0) && !here.is_available(0));
    }

    #[test]
    fn an_event_is_due_once_it_is_passed() {
        let size = 4;
        let at = |n: u16| (0..n).fold(Cursor::START, |cursor, _| cursor.advance(1, size));
        for old in 0..8 {
            for step in 0..=4 {
                for event in 0..8u16 {
                    let passed = (event + 8 - old) % 8 < step;
                    assert_eq!(event_passed(at(event), at(old), at((old + step) % 8), size), passed);
                }
            }
        }
    }
}
