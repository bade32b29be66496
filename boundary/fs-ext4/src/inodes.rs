//! Inodes in memory, and their allocation.

use crate::bits;
use crate::cache::Role;
use crate::core::Core;
use crate::error::{Error, Result, bad_inode};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hashbrown::HashMap;
use rkt_ext4_format::features::RoCompat;
use rkt_ext4_format::group::INODE_UNINIT;
use rkt_ext4_format::inode::{self, Flags, Inode};
use rkt_ext4_format::{Seed, extent};

/// `S_IFDIR` and so on, of inode(7).
pub(crate) mod mode {
    pub const FORMAT: u16 = 0o170_000;
    pub const DIRECTORY: u16 = 0o040_000;
    pub const REGULAR: u16 = 0o100_000;
    pub const SYMLINK: u16 = 0o120_000;
}

/// Flags that an inode of this mode can be given, by ioctl or by its directory.
pub(crate) fn changeable(mode: u16) -> Flags {
    match mode & mode::FORMAT {
        mode::DIRECTORY => Flags::CHANGEABLE_OF_DIRECTORIES,
        mode::REGULAR => Flags::CHANGEABLE_OF_FILES,
        _ => Flags::CHANGEABLE,
    }
}

/// An inode in memory.
pub(crate) struct Slot {
    pub inode: Inode,
    pub dirty: bool,
    /// How many hold it: it is not deleted while there are any.
    pub holds: u32,
    /// The last transaction that changed it.
    pub tid: u32,
    /// The last transaction that changed what `fdatasync` must make durable.
    pub data_tid: u32,
    /// Of checksums of all that belongs to it.
    pub seed: Option<Seed>,
    used: bool,
}

/// The inodes in memory.
pub(crate) struct Inodes {
    slots: HashMap<u32, Box<Slot>>,
    clock: VecDeque<u32>,
    bound: usize,
    pub dirty: Vec<u32>,
    /// Where to look for a free inode, by group.
    cursors: HashMap<u32, u32>,
}

impl Inodes {
    /// None yet, and at most `bound` that could be read again.
    pub fn new(bound: usize) -> Self {
        let (slots, clock) = (HashMap::new(), VecDeque::new());
        Self { slots, clock, bound, dirty: Vec::new(), cursors: HashMap::new() }
    }

    /// One that is in memory.
    pub fn peek(&mut self, ino: u32) -> Option<&mut Slot> {
        self.slots.get_mut(&ino).map(|slot| &mut **slot)
    }

    fn insert(&mut self, ino: u32, inode: Inode, seed: Option<Seed>) {
        for _ in 0..4 {
            if self.slots.len() < self.bound {
                break;
            }
            let Some(old) = self.clock.pop_front() else { break };
            let Some(slot) = self.slots.get_mut(&old) else { continue };
            if slot.dirty || slot.holds > 0 || slot.used {
                slot.used = false;
                self.clock.push_back(old);
            } else {
                self.slots.remove(&old);
            }
        }
        let seed = seed.map(|seed| seed.of_inode(ino, inode.generation));
        let slot = Slot { inode, dirty: false, holds: 0, tid: 0, data_tid: 0, seed, used: true };
        if self.slots.insert(ino, Box::new(slot)).is_none() {
            self.clock.push_back(ino);
        }
        // Removed ones stay on the clock until they are too many.
        if self.clock.len() > 2 * self.slots.len() + 1024 {
            self.clock = self.slots.keys().copied().collect();
        }
    }
}

/// What an inode is made with.
#[derive(Clone, Copy, Debug)]
pub struct NewInode {
    /// Type and permissions.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Core {
    /// Block of an inode, and where it begins in that.
    pub fn inode_place(&self, ino: u32) -> Result<(u64, usize)> {
        if ino == 0 || ino > self.shape.inodes {
            return Err(bad_inode("there is no such inode", ino));
        }
        let table = self.groups.get(self.shape.group_of_inode(ino))?.desc.inode_table;
        let offset = ((ino - 1) % self.shape.inodes_per_group) as usize * self.shape.inode_size;
        Ok((table + (offset / self.block_size()) as u64, offset % self.block_size()))
    }

    /// Seed of checksums of all that belongs to an inode.
    pub fn inode_seed(&mut self, ino: u32) -> Result<Option<Seed>> {
        self.slot(ino).map(|slot| slot.seed)
    }

    /// An inode.
    pub fn inode(&mut self, ino: u32) -> Result<&Inode> {
        self.slot(ino).map(|slot| &slot.inode)
    }

    /// The slot of an inode, read if need be.
    pub fn slot(&mut self, ino: u32) -> Result<&mut Slot> {
        if !self.inodes.slots.contains_key(&ino) {
            let inode = self.read_inode(ino)?;
            self.inodes.insert(ino, inode, self.shape.seed);
        }
        let slot = self.inodes.peek(ino).ok_or(bad_inode("inode is gone", ino))?;
        slot.used = true;
        Ok(slot)
    }

    fn read_inode(&mut self, ino: u32) -> Result<Inode> {
        let (block, offset) = self.inode_place(ino)?;
        let size = self.shape.inode_size;
        let bytes = self.block(block)?;
        let bytes = bytes.get(offset..offset + size).unwrap_or_default();
        let found = Inode::parse(bytes).ok_or(bad_inode("inode has fields of a wrong length", ino))?;
        let unused = found.mode == 0 && found.links == 0;
        if let Some(seed) = self.shape.seed.filter(|_| !unused)
            && !inode::verify(seed.of_inode(ino, found.generation), bytes)
        {
            return Err(bad_inode("inode has a wrong checksum", ino));
        }
        if found.size > self.shape.max_size() {
            return Err(bad_inode("file is too large", ino));
        }
        let mapped = found.flags.contains(Flags::EXTENTS) && !found.flags.contains(Flags::INLINE_DATA);
        if mapped && !unused {
            let depth = extent::header(&found.block.0).map_err(|what| bad_inode(what, ino))?.depth;
            extent::check(&found.block.0, depth, self.shape.blocks).map_err(|what| bad_inode(what, ino))?;
        }
        Ok(found)
    }

    /// An inode that is in use, as found through a directory or a handle.
    pub fn live_inode(&mut self, ino: u32) -> Result<&Inode> {
        // An inode without names lives as long as it is on the list of orphans.
        let unnamed = self.orphans.contains_key(&ino);
        let found = self.inode(ino)?;
        if found.mode == 0 || (found.links == 0 && !unnamed) {
            return Err(bad_inode("inode is not in use", ino));
        }
        Ok(found)
    }

    /// An inode, to be changed as part of the running transaction.
    pub fn inode_mut(&mut self, ino: u32) -> Result<&mut Inode> {
        self.touch(ino).map(|slot| &mut slot.inode)
    }

    fn touch(&mut self, ino: u32) -> Result<&mut Slot> {
        let tid = self.running.tid;
        if !self.slot(ino)?.dirty {
            let (block, _) = self.inode_place(ino)?;
            self.block_mut(block)?;
            self.inodes.dirty.push(ino);
        }
        let slot = self.slot(ino)?;
        (slot.dirty, slot.tid) = (true, tid);
        Ok(slot)
    }

    /// As [`Core::inode_mut`], for changes that `fdatasync` must make durable: sizes and blocks.
    pub fn inode_data_mut(&mut self, ino: u32) -> Result<&mut Inode> {
        let tid = self.running.tid;
        let slot = self.touch(ino)?;
        slot.data_tid = tid;
        Ok(&mut slot.inode)
    }

    /// Writes a changed inode to its block, when the transaction ends.
    pub fn seal_inode(&mut self, ino: u32) -> Result<()> {
        let Some(slot) = self.inodes.peek(ino).filter(|slot| slot.dirty) else { return Ok(()) };
        slot.dirty = false;
        let (found, seed) = (slot.inode.clone(), slot.seed);
        let (block, offset) = self.inode_place(ino)?;
        let size = self.shape.inode_size;
        if let Some(place) = self.block_mut(block)?.get_mut(offset..offset + size) {
            found.emit(place);
            if let Some(seed) = seed {
                inode::seal(seed, place);
            }
        }
        Ok(())
    }

    /// Makes an inode, in the group of `parent` if there is room, or for directories in a group
    /// that has much.
    pub fn allocate_inode(&mut self, parent: u32, new: &NewInode) -> Result<u32> {
        if self.groups.free_inodes == 0 {
            return Err(Error::NoSpace);
        }
        let directory = new.mode & mode::FORMAT == mode::DIRECTORY;
        let home = self.shape.group_of_inode(parent);
        let first = if directory { self.group_for_directory(parent, home)? } else { home };
        for group in (first..self.shape.groups).chain(0..first) {
            if self.groups.get(group)?.desc.free_inodes > 0
                && let Some(ino) = self.allocate_inode_in(group, directory)?
            {
                self.init_inode(ino, new)?;
                return Ok(ino);
            }
        }
        Err(Error::NoSpace)
    }

    /// Directories below the root are spread over the disk, others stay near their parents
    /// (Orlov): in the first group, from the parent's on, where not much less is free than on
    /// average.
    fn group_for_directory(&mut self, parent: u32, home: u32) -> Result<u32> {
        let count = self.shape.groups;
        let least = |free: u64, each: u32| (free / u64::from(count)).saturating_sub(u64::from(each / 4));
        let least_inodes = least(self.groups.free_inodes, self.shape.inodes_per_group).max(1);
        let least_blocks = least(self.groups.free_blocks, self.shape.blocks_per_group);
        let start = if parent == inode::ROOT { self.emptiest_group() } else { home };
        for group in (start..count).chain(0..start) {
            let desc = &self.groups.get(group)?.desc;
            if u64::from(desc.free_inodes) >= least_inodes && u64::from(desc.free_blocks) >= least_blocks {
                return Ok(group);
            }
        }
        Ok(home)
    }

    fn emptiest_group(&self) -> u32 {
        let fewest = (0..).zip(self.groups.iter()).min_by_key(|(_, group)| group.desc.used_dirs);
        fewest.map_or(0, |(group, _)| group)
    }

    fn allocate_inode_in(&mut self, group: u32, directory: bool) -> Result<Option<u32>> {
        let (first_ino, per_group) = (self.shape.first_ino, self.shape.inodes_per_group);
        let lowest = if group == 0 { first_ino - 1 } else { 0 };
        let cursor = self.inodes.cursors.get(&group).copied().unwrap_or(lowest).max(lowest);
        let bitmap = self.inode_bitmap(group)?;
        let found = bits::find_clear(&bitmap, cursor, per_group).or_else(|| bits::find_clear(&bitmap, lowest, cursor));
        let Some(at) = found else { return Ok(None) };
        let ino = group * per_group + at + 1;
        let fresh = self.table_block_is_unused(group, at, &bitmap);
        drop(bitmap);
        bits::change(self.inode_bitmap_mut(group)?, at, 1, true);
        let state = self.group_mut(group)?;
        state.desc.flags &= !INODE_UNINIT;
        state.desc.free_inodes = state.desc.free_inodes.saturating_sub(1);
        state.desc.used_dirs += u32::from(directory);
        // What was never used lies behind; without lazy initialisation this stays 0.
        state.desc.itable_unused = state.desc.itable_unused.min(per_group - at - 1);
        self.groups.free_inodes = self.groups.free_inodes.saturating_sub(1);
        self.inodes.cursors.insert(group, at + 1);
        let (block, _) = self.inode_place(ino)?;
        if fresh {
            self.cache.create(block, Role::Parts)?;
        }
        Ok(Some(ino))
    }

    /// Whether no inode of the block of the table that holds number `at` is in use, so that the
    /// block need not be read.
    fn table_block_is_unused(&self, group: u32, at: u32, bitmap: &[u8]) -> bool {
        let per_block = (self.block_size() / self.shape.inode_size) as u32;
        let first = at - at % per_block;
        let reserved = group == 0 && first < self.shape.first_ino;
        !reserved && (first..first + per_block).all(|other| !bits::is_set(bitmap, other))
    }

    /// Fills an inode that is marked as in use.
    pub fn init_inode(&mut self, ino: u32, new: &NewInode) -> Result<()> {
        let now = self.now();
        let (block, offset) = self.inode_place(ino)?;
        let size = self.shape.inode_size;
        let place = self.block_mut(block)?.get_mut(offset..offset + size).unwrap_or_default();
        // Another generation than that of whoever had the number before.
        let old = Inode::parse(place).map_or(0, |old| old.generation);
        place.fill(0);
        let seed = self.shape.seed.unwrap_or(Seed::of_uuid(&self.shape.uuid));
        let extra_isize = if size > inode::BASE_LEN { self.shape.want_extra_isize.max(inode::EXTRA_LEN) } else { 0 };
        let room = (size - inode::BASE_LEN) as u16;
        let mut made = Inode {
            mode: new.mode,
            uid: new.uid,
            gid: new.gid,
            atime: now,
            ctime: now,
            mtime: now,
            crtime: now,
            generation: seed.of_inode(ino, old).0,
            extra_isize: extra_isize.min(room),
            ..Inode::default()
        };
        let format = new.mode & mode::FORMAT;
        if [mode::REGULAR, mode::DIRECTORY, mode::SYMLINK].contains(&format) {
            made.flags = Flags::EXTENTS;
            extent::set_header(
                &mut made.block.0,
                extent::Header { entries: 0, max: extent::capacity(inode::BLOCK_LEN), depth: 0 },
            );
        }
        self.recent.forget(ino);
        self.inodes.insert(ino, made, self.shape.seed);
        self.inode_data_mut(ino).map(|_| ())
    }

    /// Frees an inode that has neither names nor blocks left.
    pub fn free_inode(&mut self, ino: u32) -> Result<()> {
        let (group, per_group) = (self.shape.group_of_inode(ino), self.shape.inodes_per_group);
        let at = (ino - 1) % per_group;
        let now = self.now();
        let found = self.inode_mut(ino)?;
        let directory = found.mode & mode::FORMAT == mode::DIRECTORY;
        found.dtime = u32::try_from(now / 1_000_000_000).unwrap_or(u32::MAX);
        found.size = 0;
        if !bits::change(self.inode_bitmap_mut(group)?, at, 1, false) {
            return Err(bad_inode("freed inode is not in use", ino));
        }
        let state = self.group_mut(group)?;
        state.desc.free_inodes += 1;
        state.desc.used_dirs = state.desc.used_dirs.saturating_sub(u32::from(directory));
        self.groups.free_inodes += 1;
        self.inodes.cursors.insert(group, self.inodes.cursors.get(&group).map_or(0, |cursor| (*cursor).min(at)));
        self.seal_inode(ino)?;
        self.inodes.slots.remove(&ino);
        Ok(())
    }

    /// Counts blocks of an inode; `i_blocks` is in sectors of 512 bytes but for huge files.
    pub fn count_blocks(&mut self, ino: u32, added: i64) -> Result<()> {
        let sectors = (self.block_size() / 512) as i64;
        let huge = self.shape.ro_compat.contains(RoCompat::HUGE_FILE);
        let found = self.inode_data_mut(ino)?;
        let unit = if huge && found.flags.contains(Flags::HUGE_FILE) { 1 } else { sectors };
        found.blocks = found.blocks.saturating_add_signed(added * unit);
        Ok(())
    }
}
