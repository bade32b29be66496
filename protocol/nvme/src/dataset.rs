//! Ranges of dataset management (nvm §3.2.3).

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Command dword 11: the blocks may be deallocated.
pub const DEALLOCATE: u32 = 1 << 2;
/// Bytes of a range.
pub const DATASET_RANGE_LEN: usize = 16;
/// Most ranges of a command.
pub const MAX_DATASET_RANGES: usize = 256;

/// A range of blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DatasetRange {
    /// Context attributes: hints.
    pub attributes: U32,
    /// Number of blocks; not zero-based.
    pub blocks: U32,
    /// First block.
    pub start: U64,
}

const _: () = assert!(size_of::<DatasetRange>() == DATASET_RANGE_LEN);
