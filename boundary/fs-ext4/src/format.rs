//! Making a file system. Only the superblock and the descriptors are made up; the root, the
//! journal and all bitmaps come from the same code that a mounted file system uses. The same disk
//! size and options give the same bytes.

use crate::bits;
use crate::cache::{Cache, Role};
use crate::core::{Core, Running};
use crate::disk::{Disk, Environment, Event};
use crate::error::{Error, MountError, Result};
use crate::groups::Groups;
use crate::inodes::{Inodes, NewInode, mode};
use crate::journal::own_features;
use crate::map::Nothing;
use crate::names::Content;
use crate::shape::Shape;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_ext4_format::extent::Extent;
use rkt_ext4_format::features::{Compat, Incompat, RoCompat};
use rkt_ext4_format::group::{BLOCK_UNINIT, Group, INODE_UNINIT, LEN_64};
use rkt_ext4_format::inode::{EXTRA_LEN, FIRST, JOURNAL, ROOT};
use rkt_ext4_format::jbd2;
use rkt_ext4_format::superblock::{
    CHECKSUM_CRC32C, ERRORS_CONTINUE, FLAG_SIGNED_HASH, LEN, MAGIC, REV_DYNAMIC, STATE_VALID, Superblock,
};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromZeros, IntoBytes, big_endian};

/// Bytes of an inode.
const INODE_SIZE: usize = 256;
/// Most groups whose metadata lies together, as a power of two.
const LOG_FLEX: u8 = 4;
/// Fewest blocks of a file system with a journal.
const JOURNALED: u64 = 2048;
/// `s_def_hash_version`: half of MD4.
const HASH_HALF_MD4: u8 = 1;
/// `s_default_mount_opts`: extended attributes of users, and ACLs.
const MOUNT_OPTIONS: u32 = 0x4 | 0x8;

/// What to make.
#[derive(Clone, Debug)]
pub struct FormatOptions {
    /// UUID.
    pub uuid: [u8; 16],
    /// Seed of the hashes of names.
    pub hash_seed: [u32; 4],
    /// Name of the volume, at most 16 bytes.
    pub label: Vec<u8>,
    /// Bytes of a block: 1024, 2048 or 4096.
    pub block_size: usize,
    /// Bytes of the disk for each inode.
    pub inode_ratio: u32,
    /// Whether there is a journal, if the disk is large enough for one.
    pub journal: bool,
    /// Whether all metadata has checksums.
    pub checksums: bool,
    /// Per cent of blocks kept for root.
    pub reserved_percent: u8,
    /// When it is made, in nanoseconds since the epoch.
    pub time: i64,
}

impl FormatOptions {
    /// As mke2fs does it, with that identity.
    pub fn new(uuid: [u8; 16], hash_seed: [u32; 4], time: i64) -> Self {
        let (block_size, inode_ratio) = (4096, 16_384);
        let (label, journal, checksums, reserved_percent) = (Vec::new(), true, true, 5);
        Self { uuid, hash_seed, label, block_size, inode_ratio, journal, checksums, reserved_percent, time }
    }
}

/// The time of the options, and no listener.
struct Fixed(i64);

impl Environment for Fixed {
    fn now(&self) -> i64 {
        self.0
    }

    fn event(&self, _: &Event) {}
}

/// Makes an empty file system on all of a disk.
///
/// # Errors
/// If the disk fails, is too small or too large, or the options are impossible.
pub fn format(disk: &Arc<dyn Disk>, options: &FormatOptions) -> Result<(), MountError> {
    let superblock = superblock(disk.len(), options)?;
    let shape = Shape::new(&superblock, disk.len(), false)?;
    let mut core = empty(disk, options, superblock, shape)?;
    core.populate(disk, options)?;
    let sealed = core.seal()?.ok_or(Error::Invalid)?;
    let size = core.block_size() as u64;
    let pieces: Vec<(u64, &[u8])> = sealed.blocks.iter().map(|(block, bytes)| (block * size, &**bytes)).collect();
    disk.write_many(&pieces)?;
    core.write_backups(&**disk)?;
    Ok(disk.flush()?)
}

/// The superblock of a disk of `len` bytes.
fn superblock(len: u64, options: &FormatOptions) -> Result<Superblock, MountError> {
    let size = options.block_size;
    if ![1024, 2048, 4096].contains(&size) || options.label.len() > 16 || options.inode_ratio < 1024 {
        return Err(MountError::Failed(Error::Invalid));
    }
    let first_data_block = u64::from(size == 1024);
    let per_group = size as u64 * 8;
    let mut blocks = len / size as u64;
    let too_small = MountError::Failed(Error::NoSpace);
    let groups_of = |blocks: u64| (blocks - first_data_block).div_ceil(per_group);
    if blocks < 64 {
        return Err(too_small);
    }
    let inodes_per_block = (size / INODE_SIZE) as u64;
    let wanted = (len / u64::from(options.inode_ratio)).max(16);
    let inodes_per_group = wanted.div_ceil(groups_of(blocks)).next_multiple_of(inodes_per_block.max(8)).min(per_group);
    // A group at the end too short for what each group must have is left out.
    let least = 2 + inodes_per_group / inodes_per_block + 64 + groups_of(blocks) * LEN_64 as u64 / size as u64;
    let rest = (blocks - first_data_block) % per_group;
    if rest > 0 && rest < least && blocks > per_group {
        blocks -= rest;
    }
    let inodes =
        u32::try_from(inodes_per_group * groups_of(blocks)).map_err(|_| MountError::Failed(Error::TooLarge))?;
    let with_journal = options.journal && blocks >= JOURNALED;

    let mut made = Superblock::new_zeroed();
    made.inodes_count = U32::new(inodes);
    made.set_blocks(blocks);
    made.set_reserved_blocks(blocks * u64::from(options.reserved_percent.min(50)) / 100);
    made.first_data_block = U32::new(first_data_block as u32);
    made.log_block_size = U32::new((size / 1024).trailing_zeros());
    made.log_cluster_size = made.log_block_size;
    made.blocks_per_group = U32::new(per_group as u32);
    made.clusters_per_group = made.blocks_per_group;
    made.inodes_per_group = U32::new(inodes_per_group as u32);
    made.max_mnt_count = U16::new(u16::MAX);
    made.magic = U16::new(MAGIC);
    made.state = U16::new(STATE_VALID);
    made.errors = U16::new(ERRORS_CONTINUE);
    made.rev_level = U32::new(REV_DYNAMIC);
    made.first_ino = U32::new(FIRST);
    made.inode_size = U16::new(INODE_SIZE as u16);
    let mut compat = Compat::EXT_ATTR | Compat::DIR_INDEX;
    compat.set(Compat::HAS_JOURNAL, with_journal);
    made.feature_compat = U32::new(compat.bits());
    let incompat = Incompat::FILETYPE | Incompat::EXTENTS | Incompat::BIT64 | Incompat::FLEX_BG;
    made.feature_incompat = U32::new(incompat.bits());
    let mut ro_compat = RoCompat::SPARSE_SUPER
        | RoCompat::LARGE_FILE
        | RoCompat::HUGE_FILE
        | RoCompat::DIR_NLINK
        | RoCompat::EXTRA_ISIZE;
    // Without checksums of everything at least those of descriptors: uninitialised groups need them.
    ro_compat |= if options.checksums { RoCompat::METADATA_CSUM } else { RoCompat::GDT_CSUM };
    made.feature_ro_compat = U32::new(ro_compat.bits());
    made.uuid = options.uuid;
    made.volume_name.iter_mut().zip(&options.label).for_each(|(place, byte)| *place = *byte);
    made.hash_seed = options.hash_seed.map(U32::new);
    made.def_hash_version = HASH_HALF_MD4;
    made.desc_size = U16::new(LEN_64 as u16);
    made.default_mount_opts = U32::new(MOUNT_OPTIONS);
    made.min_extra_isize = U16::new(EXTRA_LEN);
    made.want_extra_isize = U16::new(EXTRA_LEN);
    made.flags = U32::new(FLAG_SIGNED_HASH);
    // All of it must fit into one group, with room for more.
    let own = 2 + inodes_per_group / inodes_per_block;
    made.log_groups_per_flex = (0..=LOG_FLEX).rev().find(|log| own << log <= per_group / 2).unwrap_or(0);
    made.checksum_type = if options.checksums { CHECKSUM_CRC32C } else { 0 };
    let seconds = u64::try_from(options.time / 1_000_000_000).unwrap_or(0);
    made.mkfs_time = U32::new(seconds as u32);
    made.lastcheck = made.mkfs_time;
    let [_, _, mkfs_hi, lastcheck_hi, ..] = &mut made.time_hi;
    (*mkfs_hi, *lastcheck_hi) = ((seconds >> 32) as u8, (seconds >> 32) as u8);
    made.checksum = U32::new(if options.checksums { made.sum() } else { 0 });
    Ok(made)
}

/// A file system in which not even the root exists.
fn empty(
    disk: &Arc<dyn Disk>,
    options: &FormatOptions,
    superblock: Superblock,
    shape: Shape,
) -> Result<Core, MountError> {
    let groups = Groups::new(&shape, &superblock, place_groups(&shape, &superblock)?);
    Ok(Core {
        cache: Cache::new(disk.clone(), shape.block_size, shape.blocks, 1024),
        shape: Arc::new(shape),
        environment: Arc::new(Fixed(options.time)),
        superblock,
        groups,
        inodes: Inodes::new(64),
        recent: Arc::new(Nothing),
        running: Running { tid: 1, ..Running::default() },
        committed: 0,
        largest: usize::MAX,
        orphans: BTreeMap::new(),
        orphans_changed: 0,
        reserved: 0,
        pending_free: 0,
        read_only: false,
        damaged: false,
    })
}

/// Places of bitmaps and inode tables: for each flexible group in a row, in its first group behind
/// the copies of superblock and descriptors.
fn place_groups(shape: &Shape, superblock: &Superblock) -> Result<Vec<Group>, MountError> {
    let table = u64::from(shape.table_blocks());
    let mut all = Vec::new();
    for group in 0..shape.groups {
        let first = group - group % shape.flex_groups;
        let (member, members) = (u64::from(group - first), u64::from(shape.flex_groups.min(shape.groups - first)));
        let copies = u64::from(shape.backup_blocks(first, superblock));
        let start = shape.group_start(first) + copies;
        if copies + members * (2 + table) + 8 > shape.group_len(first).into() {
            return Err(MountError::Failed(Error::NoSpace));
        }
        all.push(Group {
            block_bitmap: start + member,
            inode_bitmap: start + members + member,
            inode_table: start + 2 * members + member * table,
            free_inodes: shape.inodes_per_group,
            itable_unused: shape.inodes_per_group,
            flags: INODE_UNINIT | BLOCK_UNINIT,
            ..Group::default()
        });
    }
    Ok(all)
}

impl Core {
    fn populate(&mut self, disk: &Arc<dyn Disk>, options: &FormatOptions) -> Result<()> {
        let (superblock_block, _) = self.shape.superblock_place();
        self.cache.create(superblock_block, Role::Parts)?;
        for number in 0..self.shape.descriptor_blocks() {
            let block = self.shape.descriptor_block(number, &self.superblock);
            self.cache.create(block, Role::Parts)?;
        }
        self.init_groups()?;
        self.reserve_inodes()?;
        self.init_inode(ROOT, &NewInode { mode: mode::DIRECTORY | 0o755, uid: 0, gid: 0 })?;
        self.inode_mut(ROOT)?.links = 2;
        self.init_dir(ROOT, ROOT)?;
        self.group_mut(0)?.desc.used_dirs += 1;
        let new = NewInode { mode: mode::DIRECTORY | 0o700, uid: 0, gid: 0 };
        self.create(ROOT, b"lost+found", &new, Content::Empty)?;
        if self.shape.compat.contains(Compat::HAS_JOURNAL) {
            self.create_journal(&**disk, options)?;
        }
        Ok(())
    }

    /// Counts what is free, and makes the block bitmaps that others would make up differently: of
    /// groups with metadata, and of the last one.
    fn init_groups(&mut self) -> Result<()> {
        let last = self.shape.groups - 1;
        let mut total = 0;
        for group in 0..=last {
            let mut bytes = alloc::vec![0; self.block_size()];
            self.fill_block_bitmap(group, &mut bytes)?;
            let used: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
            let free = self.block_size() as u32 * 8 - used;
            let state = self.group_mut(group)?;
            (state.desc.free_blocks, state.longest) = (free, free);
            total += u64::from(free);
            if group % self.shape.flex_groups == 0 || group == last {
                self.block_bitmap_mut(group)?;
            }
        }
        self.groups.free_blocks = total;
        self.groups.free_inodes = self.shape.inodes.into();
        Ok(())
    }

    fn reserve_inodes(&mut self) -> Result<()> {
        let reserved = FIRST - 1;
        bits::change(self.inode_bitmap_mut(0)?, 0, reserved, true);
        let state = self.group_mut(0)?;
        state.desc.free_inodes -= reserved;
        state.desc.itable_unused -= reserved;
        self.groups.free_inodes -= u64::from(reserved);
        for ino in 1..=reserved {
            let (block, offset) = self.inode_place(ino)?;
            if offset == 0 {
                self.cache.create(block, Role::Parts)?;
            }
        }
        Ok(())
    }

    fn create_journal(&mut self, disk: &dyn Disk, options: &FormatOptions) -> Result<()> {
        let blocks = journal_blocks(self.shape.blocks);
        self.require(u64::from(blocks) + 8)?;
        self.init_inode(JOURNAL, &NewInode { mode: mode::REGULAR | 0o600, uid: 0, gid: 0 })?;
        let goal = self.shape.group_start(self.shape.groups / 2);
        let mut at = 0;
        let mut first = None;
        while at < blocks {
            let run = self.claim(first.map_or(goal, |first| first + u64::from(at)), blocks - at)?;
            self.take(run)?;
            let extent = Extent { logical: at, len: run.len, physical: run.start, unwritten: false };
            self.insert_extent(JOURNAL, extent)?;
            self.count_blocks(JOURNAL, run.len.into())?;
            first = first.or(Some(run.start));
            at += run.len;
        }
        let size = u64::from(blocks) * self.block_size() as u64;
        let found = self.inode_data_mut(JOURNAL)?;
        (found.size, found.links) = (size, 1);
        let copy = found.block.0;
        // A copy of what is needed to find the journal, should its inode be damaged.
        self.superblock.journal_inum = U32::new(JOURNAL);
        self.superblock.jnl_backup_type = 1;
        let words = copy.as_chunks::<4>().0.iter().map(|word| U32::from_bytes(*word));
        let sizes = [U32::new((size >> 32) as u32), U32::new(size as u32)];
        self.superblock.jnl_blocks.iter_mut().zip(words.chain(sizes)).for_each(|(place, word)| *place = word);
        let block = journal_superblock(self, blocks, &options.uuid);
        Ok(disk.write(first.unwrap_or(0) * self.block_size() as u64, &block)?)
    }

    /// Writes copies of superblock and descriptors to the groups that have them.
    fn write_backups(&mut self, disk: &dyn Disk) -> Result<()> {
        let size = self.block_size();
        let shape = self.shape.clone();
        let mut descriptors = Vec::new();
        for number in 0..shape.descriptor_blocks() {
            descriptors.push(self.block(shape.descriptor_block(number, &self.superblock))?);
        }
        for group in (1..shape.groups).filter(|group| self.superblock.has_backup(*group)) {
            let mut copy = self.superblock.clone();
            copy.block_group_nr = U16::new(group as u16);
            copy.checksum = U32::new(if shape.seed.is_some() { copy.sum() } else { 0 });
            let mut block = alloc::vec![0; size];
            if let Some(place) = block.get_mut(..LEN) {
                place.copy_from_slice(copy.as_bytes());
            }
            let start = shape.group_start(group);
            disk.write(start * size as u64, &block)?;
            for (number, bytes) in (1..).zip(&descriptors) {
                disk.write((start + number) * size as u64, bytes)?;
            }
        }
        Ok(())
    }
}

/// Blocks of a journal, by blocks of the file system, as mke2fs has it.
fn journal_blocks(blocks: u64) -> u32 {
    let steps = [(32_768, 1024), (262_144, 4096), (524_288, 8192), (4_194_304, 16_384), (8_388_608, 32_768)];
    steps.iter().find(|(below, _)| blocks < *below).map_or(65_536, |(_, journal)| *journal)
}

fn journal_superblock(core: &Core, blocks: u32, uuid: &[u8; 16]) -> Vec<u8> {
    use big_endian::U32;
    let features = own_features(core.shape.incompat, core.shape.ro_compat);
    let mut made = jbd2::Superblock::new_zeroed();
    made.header = jbd2::BlockHeader::new(jbd2::kind::SUPERBLOCK_2, 0);
    made.blocksize = U32::new(core.block_size() as u32);
    made.maxlen = U32::new(blocks);
    made.first = U32::new(1);
    made.sequence = U32::new(1);
    made.feature_incompat = U32::new(features.bits());
    made.uuid = *uuid;
    made.nr_users = U32::new(1);
    if features.checksums() {
        made.checksum_type = jbd2::CHECKSUM_CRC32C;
        made.checksum = U32::new(made.sum());
    }
    let mut block = alloc::vec![0; core.block_size()];
    let _ = made.write_to_prefix(&mut block);
    block
}
