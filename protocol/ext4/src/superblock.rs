//! The superblock ("Super Block"): 1024 bytes at byte 1024 of the disk.

use crate::checksum::crc32c;
use crate::features::{Compat, Incompat, RoCompat};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Where the superblock lies, in bytes.
pub const OFFSET: u64 = 1024;
/// Its length.
pub const LEN: usize = 1024;
/// `s_magic`.
pub const MAGIC: u16 = 0xef53;
/// `s_state`: cleanly unmounted.
pub const STATE_VALID: u16 = 1;
/// `s_state`: errors were found.
pub const STATE_ERROR: u16 = 2;
/// `s_state`: orphans are being recovered.
pub const STATE_ORPHAN: u16 = 4;
/// `s_rev_level`: inode sizes and features are in the superblock.
pub const REV_DYNAMIC: u32 = 1;
/// `s_checksum_type`: CRC-32C, the only one.
pub const CHECKSUM_CRC32C: u8 = 1;
/// `s_flags`: directory hashes treat characters as signed.
pub const FLAG_SIGNED_HASH: u32 = 1;
/// `s_flags`: directory hashes treat characters as unsigned.
pub const FLAG_UNSIGNED_HASH: u32 = 2;
/// `s_errors`: go on.
pub const ERRORS_CONTINUE: u16 = 1;
/// `s_errors`: remount read-only.
pub const ERRORS_READ_ONLY: u16 = 2;

/// The superblock. Names are those of the documentation without `s_`.
#[derive(Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Superblock {
    pub inodes_count: U32,
    pub blocks_count_lo: U32,
    pub r_blocks_count_lo: U32,
    pub free_blocks_count_lo: U32,
    pub free_inodes_count: U32,
    pub first_data_block: U32,
    pub log_block_size: U32,
    pub log_cluster_size: U32,
    pub blocks_per_group: U32,
    pub clusters_per_group: U32,
    pub inodes_per_group: U32,
    pub mtime: U32,
    pub wtime: U32,
    pub mnt_count: U16,
    pub max_mnt_count: U16,
    pub magic: U16,
    pub state: U16,
    pub errors: U16,
    pub minor_rev_level: U16,
    pub lastcheck: U32,
    pub checkinterval: U32,
    pub creator_os: U32,
    pub rev_level: U32,
    pub def_resuid: U16,
    pub def_resgid: U16,
    pub first_ino: U32,
    pub inode_size: U16,
    pub block_group_nr: U16,
    pub feature_compat: U32,
    pub feature_incompat: U32,
    pub feature_ro_compat: U32,
    pub uuid: [u8; 16],
    pub volume_name: [u8; 16],
    pub last_mounted: [u8; 64],
    pub algorithm_usage_bitmap: U32,
    pub prealloc_blocks: u8,
    pub prealloc_dir_blocks: u8,
    pub reserved_gdt_blocks: U16,
    pub journal_uuid: [u8; 16],
    pub journal_inum: U32,
    pub journal_dev: U32,
    pub last_orphan: U32,
    pub hash_seed: [U32; 4],
    pub def_hash_version: u8,
    pub jnl_backup_type: u8,
    pub desc_size: U16,
    pub default_mount_opts: U32,
    pub first_meta_bg: U32,
    pub mkfs_time: U32,
    pub jnl_blocks: [U32; 17],
    pub blocks_count_hi: U32,
    pub r_blocks_count_hi: U32,
    pub free_blocks_count_hi: U32,
    pub min_extra_isize: U16,
    pub want_extra_isize: U16,
    pub flags: U32,
    pub raid_stride: U16,
    pub mmp_interval: U16,
    pub mmp_block: U64,
    pub raid_stripe_width: U32,
    pub log_groups_per_flex: u8,
    pub checksum_type: u8,
    pub encryption_level: u8,
    pub reserved_pad: u8,
    pub kbytes_written: U64,
    pub snapshot_inum: U32,
    pub snapshot_id: U32,
    pub snapshot_r_blocks_count: U64,
    pub snapshot_list: U32,
    pub error_count: U32,
    pub first_error_time: U32,
    pub first_error_ino: U32,
    pub first_error_block: U64,
    pub first_error_func: [u8; 32],
    pub first_error_line: U32,
    pub last_error_time: U32,
    pub last_error_ino: U32,
    pub last_error_line: U32,
    pub last_error_block: U64,
    pub last_error_func: [u8; 32],
    pub mount_opts: [u8; 64],
    pub usr_quota_inum: U32,
    pub grp_quota_inum: U32,
    pub overhead_clusters: U32,
    pub backup_bgs: [U32; 2],
    pub encrypt_algos: [u8; 4],
    pub encrypt_pw_salt: [u8; 16],
    pub lpf_ino: U32,
    pub prj_quota_inum: U32,
    pub checksum_seed: U32,
    pub time_hi: [u8; 6],
    pub error_codes: [u8; 2],
    pub encoding: U16,
    pub encoding_flags: U16,
    pub orphan_file_inum: U32,
    pub reserved: [U32; 94],
    pub checksum: U32,
}

const _: () = assert!(size_of::<Superblock>() == LEN);

fn join(high: U32, low: U32) -> u64 {
    u64::from(high.get()) << 32 | u64::from(low.get())
}

fn split(value: u64) -> (U32, U32) {
    (U32::new((value >> 32) as u32), U32::new(value as u32))
}

impl Superblock {
    /// Compatible features.
    pub fn compat(&self) -> Compat {
        Compat::from_bits_retain(self.feature_compat.get())
    }

    /// Incompatible features.
    pub fn incompat(&self) -> Incompat {
        Incompat::from_bits_retain(self.feature_incompat.get())
    }

    /// Features that forbid writing to those who do not know them.
    pub fn ro_compat(&self) -> RoCompat {
        RoCompat::from_bits_retain(self.feature_ro_compat.get())
    }

    /// Whether block numbers have 64 bits.
    fn wide(&self) -> bool {
        self.incompat().contains(Incompat::BIT64)
    }

    /// Number of blocks.
    pub fn blocks(&self) -> u64 {
        if self.wide() { join(self.blocks_count_hi, self.blocks_count_lo) } else { self.blocks_count_lo.get().into() }
    }

    /// Sets the number of blocks.
    pub fn set_blocks(&mut self, blocks: u64) {
        (self.blocks_count_hi, self.blocks_count_lo) = split(blocks);
    }

    /// Blocks kept for root.
    pub fn reserved_blocks(&self) -> u64 {
        if self.wide() {
            join(self.r_blocks_count_hi, self.r_blocks_count_lo)
        } else {
            self.r_blocks_count_lo.get().into()
        }
    }

    /// Sets the number of blocks kept for root.
    pub fn set_reserved_blocks(&mut self, blocks: u64) {
        (self.r_blocks_count_hi, self.r_blocks_count_lo) = split(blocks);
    }

    /// Free blocks, as of the last time somebody counted.
    pub fn free_blocks(&self) -> u64 {
        if self.wide() {
            join(self.free_blocks_count_hi, self.free_blocks_count_lo)
        } else {
            self.free_blocks_count_lo.get().into()
        }
    }

    /// Sets the number of free blocks.
    pub fn set_free_blocks(&mut self, blocks: u64) {
        (self.free_blocks_count_hi, self.free_blocks_count_lo) = split(blocks);
    }

    /// Sets the time of the last write, in seconds since the epoch.
    pub fn set_wtime(&mut self, seconds: u64) {
        let [hi, ..] = &mut self.time_hi;
        (self.wtime, *hi) = (U32::new(seconds as u32), (seconds >> 32) as u8);
    }

    /// Sets the time of the last mount, in seconds since the epoch.
    pub fn set_mtime(&mut self, seconds: u64) {
        let [_, hi, ..] = &mut self.time_hi;
        (self.mtime, *hi) = (U32::new(seconds as u32), (seconds >> 32) as u8);
    }

    /// The checksum that the superblock should have.
    pub fn sum(&self) -> u32 {
        let bytes = self.as_bytes();
        crc32c(!0, bytes.split_last_chunk::<4>().map_or(bytes, |(body, _)| body))
    }

    /// Whether a group holds a backup of the superblock and of the group descriptors ("Layout").
    pub fn has_backup(&self, group: u32) -> bool {
        if self.compat().contains(Compat::SPARSE_SUPER2) {
            return group == 0 || self.backup_bgs.iter().any(|backup| backup.get() == group);
        }
        group <= 1
            || !self.ro_compat().contains(RoCompat::SPARSE_SUPER)
            || [3, 5, 7].iter().any(|b| is_power(group, *b))
    }
}

fn is_power(number: u32, base: u32) -> bool {
    let mut rest = number;
    while rest > 1 && rest.is_multiple_of(base) {
        rest /= base;
    }
    rest == 1
}
