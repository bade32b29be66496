//! Split virtqueues (§2.7): a descriptor table, an available ring that the driver writes and a
//! used ring that the device writes.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Largest queue size (§2.7). Sizes are powers of two.
pub const MAX_SIZE: u16 = 1 << 15;

/// Alignment of the descriptor table (§2.7).
pub const DESC_ALIGN: usize = 16;
/// Alignment of the available ring (§2.7).
pub const AVAIL_ALIGN: usize = 2;
/// Alignment of the used ring (§2.7).
pub const USED_ALIGN: usize = 4;

/// Descriptor flags (§2.7.5).
pub mod desc_flags {
    /// The chain goes on at the field `next`.
    pub const NEXT: u16 = 1;
    /// The buffer is for the device to write; without it, to read.
    pub const WRITE: u16 = 2;
    /// The buffer is itself a table of descriptors.
    pub const INDIRECT: u16 = 4;
}

/// An entry of the descriptor table (§2.7.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Descriptor {
    /// Address of the buffer. On the window transport: an offset in the window.
    pub addr: U64,
    /// Length of the buffer in bytes.
    pub len: U32,
    /// Bits of [`desc_flags`].
    pub flags: U16,
    /// The chain's next descriptor, if [`desc_flags::NEXT`] is set.
    pub next: U16,
}

/// An entry of the used ring (§2.7.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct UsedElem {
    /// Index of the descriptor at the head of the used chain.
    pub id: U32,
    /// Bytes written into the device-writable part of the chain.
    pub len: U32,
}

/// Bytes of a [`Descriptor`].
pub const DESC_LEN: usize = size_of::<Descriptor>();
/// Bytes of a [`UsedElem`].
pub const USED_ELEM_LEN: usize = size_of::<UsedElem>();

/// Offset of the u16 `idx` in the available and in the used ring (§2.7.6, §2.7.8).
pub const RING_IDX: usize = 2;
/// Offset of the first entry in the available and in the used ring.
pub const RING_ENTRIES: usize = 4;

/// Bytes of the descriptor table of a queue of `size` (§2.7).
pub const fn desc_table_len(size: u16) -> usize {
    DESC_LEN * size as usize
}

/// Bytes of the available ring, with `used_event` at its end (§2.7).
pub const fn avail_ring_len(size: u16) -> usize {
    RING_ENTRIES + 2 * size as usize + 2
}

/// Bytes of the used ring, with `avail_event` at its end (§2.7).
pub const fn used_ring_len(size: u16) -> usize {
    RING_ENTRIES + USED_ELEM_LEN * size as usize + 2
}

/// Offset of the available ring's entry for the free-running index `idx`.
pub const fn avail_entry(size: u16, idx: u16) -> usize {
    RING_ENTRIES + 2 * (idx & size.wrapping_sub(1)) as usize
}

/// Offset of the used ring's entry for the free-running index `idx`.
pub const fn used_entry(size: u16, idx: u16) -> usize {
    RING_ENTRIES + USED_ELEM_LEN * (idx & size.wrapping_sub(1)) as usize
}

/// Offset of `used_event` in the available ring (§2.7.7).
pub const fn used_event(size: u16) -> usize {
    RING_ENTRIES + 2 * size as usize
}

/// Offset of `avail_event` in the used ring (§2.7.8).
pub const fn avail_event(size: u16) -> usize {
    RING_ENTRIES + USED_ELEM_LEN * size as usize
}

/// Whether the peer who asked for an event at index `event` has to be told after moving from `old`
/// to `new` (§2.7.7.2, §2.7.10.1).
pub const fn event_passed(event: u16, old: u16, new: u16) -> bool {
    event.wrapping_sub(old) < new.wrapping_sub(old)
}

/// Whether a queue may have this size: a power of two, at most [`MAX_SIZE`] (§2.7).
pub const fn valid_size(size: u16) -> bool {
    size.is_power_of_two() && size <= MAX_SIZE
}
