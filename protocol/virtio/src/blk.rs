//! Block device (§5.2).

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a sector, the unit of all addresses whatever the block size (§5.2.6).
pub const SECTOR_LEN: usize = 512;

/// Feature bits (§5.2.3).
pub mod features {
    /// `size_max` limits a segment.
    pub const SIZE_MAX: u64 = 1 << 1;
    /// `seg_max` limits the segments of a request.
    pub const SEG_MAX: u64 = 1 << 2;
    /// The configuration space holds a legacy geometry.
    pub const GEOMETRY: u64 = 1 << 4;
    /// Read-only.
    pub const RO: u64 = 1 << 5;
    /// `blk_size` is the block size of the disk.
    pub const BLK_SIZE: u64 = 1 << 6;
    /// There is a cache and a flush command.
    pub const FLUSH: u64 = 1 << 9;
    /// The configuration space holds an I/O topology.
    pub const TOPOLOGY: u64 = 1 << 10;
    /// The cache can be switched between write-back and write-through.
    pub const CONFIG_WCE: u64 = 1 << 11;
    /// Several request queues.
    pub const MQ: u64 = 1 << 12;
    /// Discard command.
    pub const DISCARD: u64 = 1 << 13;
    /// Write-zeroes command.
    pub const WRITE_ZEROES: u64 = 1 << 14;
}

/// Values of [`RequestHeader::kind`] (§5.2.6).
pub mod request {
    /// Read.
    pub const IN: u32 = 0;
    /// Write.
    pub const OUT: u32 = 1;
    /// Make completed writes durable.
    pub const FLUSH: u32 = 4;
    /// Read the serial number.
    pub const GET_ID: u32 = 8;
    /// The content of ranges is no longer needed.
    pub const DISCARD: u32 = 11;
    /// Zero ranges.
    pub const WRITE_ZEROES: u32 = 13;
}

/// Values of the status byte at the end of a request (§5.2.6).
pub mod request_status {
    /// Done.
    pub const OK: u8 = 0;
    /// Device or driver error.
    pub const IOERR: u8 = 1;
    /// The device does not know the request.
    pub const UNSUPP: u8 = 2;
}

/// What every request starts with (§5.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RequestHeader {
    /// One of [`request`].
    pub kind: U32,
    /// Zero.
    pub reserved: U32,
    /// First sector; 0 unless a read or a write.
    pub sector: U64,
}

/// Bytes of a [`RequestHeader`].
pub const REQUEST_HEADER_LEN: usize = size_of::<RequestHeader>();

/// A range of a discard or write-zeroes request (§5.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DiscardSegment {
    /// First sector.
    pub sector: U64,
    /// Sectors.
    pub num_sectors: U32,
    /// Bit 0: write-zeroes may unmap. Zero for discard.
    pub flags: U32,
}

/// Bytes of a [`DiscardSegment`].
pub const DISCARD_SEGMENT_LEN: usize = size_of::<DiscardSegment>();

/// Configuration space (§5.2.4). A field counts only if its feature was offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Config {
    /// Size of the disk in sectors. Always there.
    pub capacity: U64,
    /// Most bytes of a segment (`SIZE_MAX`).
    pub size_max: U32,
    /// Most data segments of a request (`SEG_MAX`).
    pub seg_max: U32,
    /// Legacy geometry (`GEOMETRY`): cylinders.
    pub cylinders: U16,
    /// Legacy geometry: heads.
    pub heads: u8,
    /// Legacy geometry: sectors.
    pub sectors: u8,
    /// Block size in bytes (`BLK_SIZE`).
    pub blk_size: U32,
    /// log2 of logical blocks in a physical block (`TOPOLOGY`).
    pub physical_block_exp: u8,
    /// First aligned logical block (`TOPOLOGY`).
    pub alignment_offset: u8,
    /// Smallest good I/O in logical blocks (`TOPOLOGY`).
    pub min_io_size: U16,
    /// Best I/O in logical blocks (`TOPOLOGY`).
    pub opt_io_size: U32,
    /// 1: write-back cache (`CONFIG_WCE`).
    pub writeback: u8,
    /// Padding.
    pub unused0: u8,
    /// Request queues (`MQ`).
    pub num_queues: U16,
    /// Most sectors of a discard segment (`DISCARD`).
    pub max_discard_sectors: U32,
    /// Most segments of a discard request (`DISCARD`).
    pub max_discard_seg: U32,
    /// Alignment for discards in sectors (`DISCARD`).
    pub discard_sector_alignment: U32,
    /// Most sectors of a write-zeroes segment (`WRITE_ZEROES`).
    pub max_write_zeroes_sectors: U32,
    /// Most segments of a write-zeroes request (`WRITE_ZEROES`).
    pub max_write_zeroes_seg: U32,
    /// 1: write-zeroes may unmap (`WRITE_ZEROES`).
    pub write_zeroes_may_unmap: u8,
    /// Padding.
    pub unused1: [u8; 3],
}
