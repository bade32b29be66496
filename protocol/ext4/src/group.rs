//! Block group descriptors ("Block Group Descriptors").

use crate::checksum::{Seed, crc16};
use core::mem::offset_of;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Length without the feature `64bit`.
pub const LEN_32: usize = 32;
/// Length with it. Longer ones are allowed and mean nothing more.
pub const LEN_64: usize = 64;
/// `bg_flags`: the inode bitmap and table are not initialised.
pub const INODE_UNINIT: u16 = 1;
/// `bg_flags`: the block bitmap is not initialised.
pub const BLOCK_UNINIT: u16 = 2;
/// `bg_flags`: the unused part of the inode table is zeroed.
pub const INODE_ZEROED: u16 = 4;

/// The descriptor on the disk; without `64bit` it ends before `block_bitmap_hi`.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs)]
pub struct RawGroup {
    pub block_bitmap_lo: U32,
    pub inode_bitmap_lo: U32,
    pub inode_table_lo: U32,
    pub free_blocks_lo: U16,
    pub free_inodes_lo: U16,
    pub used_dirs_lo: U16,
    pub flags: U16,
    pub exclude_bitmap_lo: U32,
    pub block_bitmap_csum_lo: U16,
    pub inode_bitmap_csum_lo: U16,
    pub itable_unused_lo: U16,
    pub checksum: U16,
    pub block_bitmap_hi: U32,
    pub inode_bitmap_hi: U32,
    pub inode_table_hi: U32,
    pub free_blocks_hi: U16,
    pub free_inodes_hi: U16,
    pub used_dirs_hi: U16,
    pub itable_unused_hi: U16,
    pub exclude_bitmap_hi: U32,
    pub block_bitmap_csum_hi: U16,
    pub inode_bitmap_csum_hi: U16,
    pub reserved: U32,
}

const _: () = assert!(size_of::<RawGroup>() == LEN_64);

/// A group descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Block of the block bitmap.
    pub block_bitmap: u64,
    /// Block of the inode bitmap.
    pub inode_bitmap: u64,
    /// First block of the inode table.
    pub inode_table: u64,
    /// Free blocks.
    pub free_blocks: u32,
    /// Free inodes.
    pub free_inodes: u32,
    /// Directories.
    pub used_dirs: u32,
    /// Inodes at the end of the table that were never used.
    pub itable_unused: u32,
    /// `INODE_UNINIT` and so on.
    pub flags: u16,
    /// Checksum of the block bitmap.
    pub block_bitmap_csum: u32,
    /// Checksum of the inode bitmap.
    pub inode_bitmap_csum: u32,
}

fn join(high: U16, low: U16) -> u32 {
    u32::from(high.get()) << 16 | u32::from(low.get())
}

fn join_block(high: U32, low: U32) -> u64 {
    u64::from(high.get()) << 32 | u64::from(low.get())
}

impl Group {
    /// Reads a descriptor of 32 or at least 64 bytes; `None` if `bytes` is shorter.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut raw = RawGroup::default();
        let len = if bytes.len() >= LEN_64 { LEN_64 } else { LEN_32 };
        raw.as_mut_bytes().get_mut(..len)?.copy_from_slice(bytes.get(..len)?);
        Some(Self {
            block_bitmap: join_block(raw.block_bitmap_hi, raw.block_bitmap_lo),
            inode_bitmap: join_block(raw.inode_bitmap_hi, raw.inode_bitmap_lo),
            inode_table: join_block(raw.inode_table_hi, raw.inode_table_lo),
            free_blocks: join(raw.free_blocks_hi, raw.free_blocks_lo),
            free_inodes: join(raw.free_inodes_hi, raw.free_inodes_lo),
            used_dirs: join(raw.used_dirs_hi, raw.used_dirs_lo),
            itable_unused: join(raw.itable_unused_hi, raw.itable_unused_lo),
            flags: raw.flags.get(),
            block_bitmap_csum: join(raw.block_bitmap_csum_hi, raw.block_bitmap_csum_lo),
            inode_bitmap_csum: join(raw.inode_bitmap_csum_hi, raw.inode_bitmap_csum_lo),
        })
    }

    /// Writes the descriptor, without its checksum, over `bytes` of 32 or at least 64. Fields
    /// that this struct does not have stay.
    pub fn emit(&self, bytes: &mut [u8]) {
        let mut raw = RawGroup::default();
        let len = if bytes.len() >= LEN_64 { LEN_64 } else { LEN_32 };
        let Some(bytes) = bytes.get_mut(..len) else { return };
        if let Some(place) = raw.as_mut_bytes().get_mut(..len) {
            place.copy_from_slice(bytes);
        }
        let low = |value: u32| U16::new(value as u16);
        let high = |value: u32| U16::new((value >> 16) as u16);
        raw.block_bitmap_lo.set(self.block_bitmap as u32);
        raw.block_bitmap_hi.set((self.block_bitmap >> 32) as u32);
        raw.inode_bitmap_lo.set(self.inode_bitmap as u32);
        raw.inode_bitmap_hi.set((self.inode_bitmap >> 32) as u32);
        raw.inode_table_lo.set(self.inode_table as u32);
        raw.inode_table_hi.set((self.inode_table >> 32) as u32);
        (raw.free_blocks_lo, raw.free_blocks_hi) = (low(self.free_blocks), high(self.free_blocks));
        (raw.free_inodes_lo, raw.free_inodes_hi) = (low(self.free_inodes), high(self.free_inodes));
        (raw.used_dirs_lo, raw.used_dirs_hi) = (low(self.used_dirs), high(self.used_dirs));
        (raw.itable_unused_lo, raw.itable_unused_hi) = (low(self.itable_unused), high(self.itable_unused));
        raw.block_bitmap_csum_lo = low(self.block_bitmap_csum);
        raw.block_bitmap_csum_hi = high(self.block_bitmap_csum);
        raw.inode_bitmap_csum_lo = low(self.inode_bitmap_csum);
        raw.inode_bitmap_csum_hi = high(self.inode_bitmap_csum);
        raw.flags.set(self.flags);
        if let Some(source) = raw.as_bytes().get(..len) {
            bytes.copy_from_slice(source);
        }
    }
}

/// How group descriptors are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupChecksum {
    /// Not at all.
    None,
    /// CRC16 over the UUID and the descriptor (`uninit_bg`).
    Crc16([u8; 16]),
    /// The low half of a CRC-32C (`metadata_csum`).
    Crc32c(Seed),
}

const CHECKSUM: usize = offset_of!(RawGroup, checksum);

impl GroupChecksum {
    fn sum(self, group: u32, bytes: &[u8]) -> Option<u16> {
        let (before, rest) = bytes.split_at_checked(CHECKSUM)?;
        let (_, behind) = rest.split_at_checked(2)?;
        let number = group.to_le_bytes();
        Some(match self {
            Self::None => 0,
            Self::Crc16(uuid) => crc16(&[&uuid, &number, before, behind]),
            Self::Crc32c(seed) => seed.sum_of(&[&number, before, &[0; 2], behind]) as u16,
        })
    }

    /// Whether the descriptor of a group has the right checksum. `bytes` is all of it.
    pub fn verify(self, group: u32, bytes: &[u8]) -> bool {
        let stored = bytes.get(CHECKSUM..CHECKSUM + 2).and_then(|sum| sum.try_into().ok()).map(u16::from_le_bytes);
        self == Self::None || (stored.is_some() && stored == self.sum(group, bytes))
    }

    /// Gives the descriptor its checksum.
    pub fn seal(self, group: u32, bytes: &mut [u8]) {
        let sum = self.sum(group, bytes);
        if let (Some(sum), Some(place)) = (sum, bytes.get_mut(CHECKSUM..CHECKSUM + 2)) {
            place.copy_from_slice(&sum.to_le_bytes());
        }
    }
}
