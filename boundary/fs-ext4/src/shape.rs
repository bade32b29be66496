//! The shape of a file system: what its superblock says, checked, and never changing.

use crate::disk::{Disk, read_vec};
use crate::error::MountError;
use rkt_ext4_format::features::{Compat, Incompat, Names, RoCompat};
use rkt_ext4_format::group::{GroupChecksum, LEN_32, LEN_64};
use rkt_ext4_format::hash::{Hasher, Kind};
use rkt_ext4_format::superblock::{self, Superblock};
use rkt_ext4_format::{Seed, inode};
use zerocopy::FromBytes;

/// Incompatible features that are known here.
const INCOMPAT: Incompat = Incompat::FILETYPE
    .union(Incompat::RECOVER)
    .union(Incompat::META_BG)
    .union(Incompat::EXTENTS)
    .union(Incompat::BIT64)
    .union(Incompat::FLEX_BG)
    .union(Incompat::CSUM_SEED)
    .union(Incompat::LARGEDIR)
    .union(Incompat::INLINE_DATA);

/// Features with which writing is known here.
const RO_COMPAT: RoCompat = RoCompat::SPARSE_SUPER
    .union(RoCompat::LARGE_FILE)
    .union(RoCompat::BTREE_DIR)
    .union(RoCompat::HUGE_FILE)
    .union(RoCompat::GDT_CSUM)
    .union(RoCompat::DIR_NLINK)
    .union(RoCompat::EXTRA_ISIZE)
    .union(RoCompat::METADATA_CSUM)
    .union(RoCompat::PROJECT)
    .union(RoCompat::ORPHAN_PRESENT);

/// Sizes and places.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub block_size: usize,
    pub blocks: u64,
    pub first_data_block: u64,
    pub blocks_per_group: u32,
    pub inodes_per_group: u32,
    pub inodes: u32,
    pub inode_size: usize,
    pub groups: u32,
    pub desc_size: usize,
    pub first_ino: u32,
    pub flex_groups: u32,
    pub compat: Compat,
    pub incompat: Incompat,
    pub ro_compat: RoCompat,
    pub uuid: [u8; 16],
    /// Of checksums, if all metadata has them.
    pub seed: Option<Seed>,
    pub group_checksum: GroupChecksum,
    pub hasher: Hasher,
    pub hash_version: u8,
    pub want_extra_isize: u16,
    pub first_meta_bg: u32,
    pub reserved_gdt_blocks: u32,
}

/// Reads the superblock from the disk.
pub(crate) fn read_superblock(disk: &dyn Disk) -> Result<Superblock, MountError> {
    // One read that is aligned for disks with blocks of 4096 bytes.
    let start = read_vec(disk, 0, 4096)?;
    let bytes = start.get(superblock::OFFSET as usize..).unwrap_or_default();
    let (found, _) = Superblock::read_from_prefix(bytes).map_err(|_| MountError::NotExt4)?;
    if found.magic.get() == superblock::MAGIC { Ok(found) } else { Err(MountError::NotExt4) }
}

fn check(condition: bool, what: &'static str) -> Result<(), MountError> {
    if condition { Ok(()) } else { Err(MountError::Superblock(what)) }
}

impl Shape {
    /// Checks a superblock for a disk of `len` bytes.
    pub fn new(found: &Superblock, len: u64, read_only: bool) -> Result<Self, MountError> {
        let (incompat, ro_compat) = (found.incompat(), found.ro_compat());
        let unknown = incompat.difference(INCOMPAT);
        if !unknown.is_empty() {
            return Err(MountError::Incompatible(Names::incompat(unknown)));
        }
        if ro_compat.contains(RoCompat::BIGALLOC) {
            return Err(MountError::Incompatible(Names::ro_compat(RoCompat::BIGALLOC)));
        }
        let unknown = ro_compat.difference(RO_COMPAT);
        if !unknown.is_empty() && !read_only {
            return Err(MountError::ReadOnlyOnly(Names::ro_compat(unknown)));
        }
        if !incompat.contains(Incompat::EXTENTS) && !read_only {
            return Err(MountError::WithoutExtents);
        }
        let sums = ro_compat.contains(RoCompat::METADATA_CSUM);
        if sums {
            check(found.checksum_type == superblock::CHECKSUM_CRC32C, "superblock names an unknown checksum")?;
            check(found.checksum.get() == found.sum(), "superblock has a wrong checksum")?;
        }
        let shape = Self::measure(found, sums)?;
        shape.verify(len)?;
        Ok(shape)
    }

    fn measure(found: &Superblock, sums: bool) -> Result<Self, MountError> {
        check(found.log_block_size.get() <= 6, "block size is too large")?;
        let block_size = 1024_usize << found.log_block_size.get();
        let incompat = found.incompat();
        let wide = incompat.contains(Incompat::BIT64);
        let desc_size = if wide { usize::from(found.desc_size.get()) } else { LEN_32 };
        let dynamic = found.rev_level.get() >= superblock::REV_DYNAMIC;
        let inode_size = if dynamic { usize::from(found.inode_size.get()) } else { inode::BASE_LEN };
        let blocks_per_group = found.blocks_per_group.get();
        check(
            blocks_per_group > 0 && blocks_per_group as usize <= block_size * 8,
            "groups have too many blocks or none",
        )?;
        let blocks = found.blocks();
        let first_data_block = u64::from(found.first_data_block.get());
        check(blocks > first_data_block, "there are no blocks")?;
        let groups = (blocks - first_data_block).div_ceil(blocks_per_group.into());
        let seed = if incompat.contains(Incompat::CSUM_SEED) {
            Seed(found.checksum_seed.get())
        } else {
            Seed::of_uuid(&found.uuid)
        };
        let group_checksum = if sums {
            GroupChecksum::Crc32c(seed)
        } else if found.ro_compat().contains(RoCompat::GDT_CSUM) {
            GroupChecksum::Crc16(found.uuid)
        } else {
            GroupChecksum::None
        };
        let (kind, _) = Kind::from_version(found.def_hash_version).unwrap_or((Kind::HalfMd4, false));
        let signed = found.flags.get() & superblock::FLAG_UNSIGNED_HASH == 0;
        check(found.log_groups_per_flex <= 31, "flexible groups are too large")?;
        Ok(Self {
            block_size,
            blocks,
            first_data_block,
            blocks_per_group,
            inodes_per_group: found.inodes_per_group.get(),
            inodes: found.inodes_count.get(),
            inode_size,
            groups: u32::try_from(groups).map_err(|_| MountError::Superblock("there are too many groups"))?,
            desc_size,
            first_ino: if dynamic { found.first_ino.get() } else { inode::FIRST },
            flex_groups: if incompat.contains(Incompat::FLEX_BG) { 1 << found.log_groups_per_flex } else { 1 },
            compat: found.compat(),
            incompat,
            ro_compat: found.ro_compat(),
            uuid: found.uuid,
            seed: sums.then_some(seed),
            group_checksum,
            hasher: Hasher { kind, signed, seed: found.hash_seed.map(|word| word.get()) },
            hash_version: kind as u8,
            want_extra_isize: found.want_extra_isize.get(),
            first_meta_bg: found.first_meta_bg.get(),
            reserved_gdt_blocks: found.reserved_gdt_blocks.get().into(),
        })
    }

    fn verify(&self, len: u64) -> Result<(), MountError> {
        let fits = self.blocks.checked_mul(self.block_size as u64).is_some_and(|size| size <= len);
        check(fits, "file system is larger than the disk")?;
        check(self.blocks < 1 << 48, "there are too many blocks")?;
        check(self.first_data_block == u64::from(self.block_size == 1024), "first data block is wrong")?;
        let wide = self.incompat.contains(Incompat::BIT64);
        let longest = self.block_size.min(1024);
        check(
            !wide || (self.desc_size.is_power_of_two() && (LEN_64..=longest).contains(&self.desc_size)),
            "group descriptors have a wrong size",
        )?;
        check(
            self.inode_size.is_power_of_two() && (inode::BASE_LEN..=self.block_size).contains(&self.inode_size),
            "inodes have a wrong size",
        )?;
        let per_group = self.inodes_per_group as usize;
        check(
            per_group > 0 && per_group <= self.block_size * 8 && per_group.is_multiple_of(8),
            "groups have a wrong number of inodes",
        )?;
        check(
            u64::from(self.groups) * u64::from(self.inodes_per_group) == u64::from(self.inodes),
            "number of inodes does not fit the groups",
        )?;
        check(self.first_ino >= inode::FIRST && self.first_ino <= self.inodes, "first inode is wrong")?;
        let table = u64::from(self.descriptor_blocks()) * self.block_size as u64;
        check(table <= len, "there are too many groups")?;
        check(u64::from(self.first_meta_bg) <= u64::from(self.descriptor_blocks()), "first meta group is wrong")?;
        let extra = usize::from(self.want_extra_isize);
        check(extra.is_multiple_of(4) && extra <= self.inode_size - inode::BASE_LEN, "wanted inode fields are too long")
    }

    /// Descriptors in a block.
    pub fn descriptors_per_block(&self) -> u32 {
        (self.block_size / self.desc_size) as u32
    }

    /// Blocks that all descriptors need.
    pub fn descriptor_blocks(&self) -> u32 {
        self.groups.div_ceil(self.descriptors_per_block())
    }

    /// First block of a group.
    pub fn group_start(&self, group: u32) -> u64 {
        self.first_data_block + u64::from(group) * u64::from(self.blocks_per_group)
    }

    /// Blocks of a group; the last one may be short.
    pub fn group_len(&self, group: u32) -> u32 {
        let rest = self.blocks.saturating_sub(self.group_start(group));
        u64::from(self.blocks_per_group).min(rest) as u32
    }

    /// Group of a block, and its number in it.
    pub fn locate(&self, block: u64) -> (u32, u32) {
        let relative = block.saturating_sub(self.first_data_block);
        let per_group = u64::from(self.blocks_per_group);
        ((relative / per_group) as u32, (relative % per_group) as u32)
    }

    /// Whether blocks from `start` on are all on the disk, behind the superblock.
    pub fn contains(&self, start: u64, len: u64) -> bool {
        start > self.first_data_block && start.checked_add(len).is_some_and(|end| end <= self.blocks)
    }

    /// Group of an inode.
    pub fn group_of_inode(&self, ino: u32) -> u32 {
        ino.saturating_sub(1) / self.inodes_per_group
    }

    /// Blocks of an inode table.
    pub fn table_blocks(&self) -> u32 {
        (self.inodes_per_group as usize * self.inode_size).div_ceil(self.block_size) as u32
    }

    /// Block of the superblock, and where it begins in that.
    pub fn superblock_place(&self) -> (u64, usize) {
        (superblock::OFFSET / self.block_size as u64, superblock::OFFSET as usize % self.block_size)
    }

    /// Block of the descriptors of the group `number * descriptors_per_block` and those behind it
    /// ("Meta Block Groups").
    pub fn descriptor_block(&self, number: u32, found: &Superblock) -> u64 {
        let in_meta_group = self.incompat.contains(Incompat::META_BG) && number >= self.first_meta_bg;
        if !in_meta_group {
            return self.first_data_block + 1 + u64::from(number);
        }
        let group = number * self.descriptors_per_block();
        self.group_start(group) + u64::from(found.has_backup(group))
    }

    /// Blocks at the start of a group that hold copies of superblock and descriptors.
    pub fn backup_blocks(&self, group: u32, found: &Superblock) -> u32 {
        let copy = found.has_backup(group);
        let per_block = self.descriptors_per_block();
        let meta = self.incompat.contains(Incompat::META_BG) && group / per_block >= self.first_meta_bg;
        if !meta {
            let old =
                if self.incompat.contains(Incompat::META_BG) { self.first_meta_bg } else { self.descriptor_blocks() };
            return if copy { 1 + old + self.reserved_gdt_blocks } else { 0 };
        }
        let place = group % per_block;
        let descriptors = place == 0 || place == 1 || place == per_block - 1;
        u32::from(copy) + u32::from(descriptors)
    }

    /// Blocks that hold the file system's own data and never that of files.
    pub fn overhead(&self, found: &Superblock) -> u64 {
        let copies: u64 = (0..self.groups).map(|group| u64::from(self.backup_blocks(group, found))).sum();
        self.first_data_block + copies + u64::from(self.groups) * (2 + u64::from(self.table_blocks()))
    }

    /// Largest file in bytes.
    pub fn max_size(&self) -> u64 {
        // Logical block numbers have 32 bits; the last one is kept for "no block".
        (u64::from(u32::MAX) * self.block_size as u64).min(i64::MAX as u64)
    }
}
