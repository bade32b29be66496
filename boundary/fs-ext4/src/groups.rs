//! Block groups: their descriptors, and what is in use in them beyond what the disk says.

use crate::bits::{self, Bits};
use crate::core::Core;
use crate::error::{MountError, Result, bad_block};
use crate::shape::Shape;
use crate::{cache::Bytes, error::Corruption};
use alloc::vec::Vec;
use rkt_ext4_format::features::Incompat;
use rkt_ext4_format::group::{BLOCK_UNINIT, Group, INODE_UNINIT, LEN_64};
use rkt_ext4_format::superblock::Superblock;

/// A group.
pub(crate) struct GroupState {
    pub desc: Group,
    /// The block of its descriptor, and where in that.
    pub place: (u64, usize),
    pub dirty: bool,
    /// Blocks that must not be allocated: those in use on the disk, those promised to writes in
    /// flight, those whose freeing is not yet durable. Made when it is first needed.
    pub in_use: Option<Bits>,
    /// The inode bitmap was read and is right.
    pub inodes_checked: bool,
    /// Where to look for free blocks first.
    pub cursor: u32,
    /// No free run is longer than this.
    pub longest: u32,
}

/// All groups.
pub(crate) struct Groups {
    all: Vec<GroupState>,
    /// Sum of free blocks.
    pub free_blocks: u64,
    /// Sum of free inodes.
    pub free_inodes: u64,
}

impl Groups {
    /// From descriptors that are not yet on the disk.
    pub fn new(shape: &Shape, found: &Superblock, all: Vec<Group>) -> Self {
        let state = |(group, desc): (u32, Group)| {
            let (number, at) = (group / shape.descriptors_per_block(), group % shape.descriptors_per_block());
            let place = (shape.descriptor_block(number, found), at as usize * shape.desc_size);
            GroupState {
                desc,
                place,
                dirty: false,
                in_use: None,
                inodes_checked: false,
                cursor: 0,
                longest: desc.free_blocks,
            }
        };
        Self { all: (0..).zip(all).map(state).collect(), free_blocks: 0, free_inodes: 0 }
    }

    /// From descriptor blocks as they are on the disk.
    pub fn load(
        shape: &Shape,
        found: &Superblock,
        mut read: impl FnMut(u64) -> Result<Bytes>,
    ) -> Result<Self, MountError> {
        let mut all = Vec::new();
        for number in 0..shape.descriptor_blocks() {
            let block = shape.descriptor_block(number, found);
            if !shape.contains(block, 1) {
                return Err(MountError::Corrupt(Corruption {
                    what: "group descriptors lie outside of the disk",
                    ino: None,
                    block: Some(block),
                }));
            }
            let bytes = read(block)?;
            let first = number * shape.descriptors_per_block();
            for (group, desc) in (first..shape.groups).zip(bytes.chunks_exact(shape.desc_size)) {
                let corrupt = |what| MountError::Corrupt(Corruption { what, ino: None, block: Some(block) });
                if !shape.group_checksum.verify(group, desc) {
                    return Err(corrupt("group descriptor has a wrong checksum"));
                }
                let parsed = Group::parse(desc).ok_or(corrupt("group descriptor is too short"))?;
                check(shape, group, &parsed).map_err(corrupt)?;
                let offset = (group - first) as usize * shape.desc_size;
                let (place, longest) = ((block, offset), parsed.free_blocks);
                all.push(GroupState {
                    desc: parsed,
                    place,
                    dirty: false,
                    in_use: None,
                    inodes_checked: false,
                    cursor: 0,
                    longest,
                });
            }
        }
        let free_blocks = all.iter().map(|group| u64::from(group.desc.free_blocks)).sum();
        let free_inodes = all.iter().map(|group| u64::from(group.desc.free_inodes)).sum();
        Ok(Self { all, free_blocks, free_inodes })
    }

    /// A group.
    pub fn get(&self, group: u32) -> Result<&GroupState> {
        self.all.get(group as usize).ok_or(bad_block("there is no such group", group.into()))
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, group: u32) -> Result<&mut GroupState> {
        self.all.get_mut(group as usize).ok_or(bad_block("there is no such group", group.into()))
    }

    /// All.
    pub fn iter(&self) -> impl Iterator<Item = &GroupState> {
        self.all.iter()
    }

    /// All, with their numbers, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut GroupState)> {
        (0..).zip(self.all.iter_mut())
    }
}

fn check(shape: &Shape, group: u32, desc: &Group) -> Result<(), &'static str> {
    let (start, len) = (shape.group_start(group), u64::from(shape.group_len(group)));
    let flexible = shape.incompat.contains(Incompat::FLEX_BG);
    for (block, count) in
        [(desc.block_bitmap, 1), (desc.inode_bitmap, 1), (desc.inode_table, u64::from(shape.table_blocks()))]
    {
        if !shape.contains(block, count) || (!flexible && !(start..start + len).contains(&block)) {
            return Err("bitmap or inode table lies outside of the disk or group");
        }
    }
    if u64::from(desc.free_blocks) > len
        || desc.free_inodes > shape.inodes_per_group
        || desc.itable_unused > shape.inodes_per_group
    {
        return Err("group has more free blocks or inodes than it has");
    }
    Ok(())
}

impl Core {
    /// A descriptor, to be changed as part of the running transaction.
    pub fn group_mut(&mut self, group: u32) -> Result<&mut GroupState> {
        let state = self.groups.get_mut(group)?;
        if !state.dirty {
            state.dirty = true;
            let (block, _) = state.place;
            self.block_mut(block)?;
            self.touch_superblock()?;
        }
        self.groups.get_mut(group)
    }

    /// The block bitmap of a group; one that is not initialised is made up.
    pub fn block_bitmap(&mut self, group: u32) -> Result<Bytes> {
        let desc = self.groups.get(group)?.desc;
        if desc.flags & BLOCK_UNINIT != 0 {
            let mut bytes = alloc::vec![0; self.block_size()];
            self.fill_block_bitmap(group, &mut bytes)?;
            return Ok(bytes.into());
        }
        let bytes = self.block(desc.block_bitmap)?;
        // Once its bits are in memory the bitmap was checked, and may have changed.
        let fresh = self.groups.get(group)?.in_use.is_none();
        if fresh && !self.bitmap_is_right(&bytes, self.shape.blocks_per_group, desc.block_bitmap_csum) {
            return Err(bad_block("block bitmap has a wrong checksum", desc.block_bitmap));
        }
        Ok(bytes)
    }

    fn bitmap_is_right(&self, bytes: &[u8], bits: u32, stored: u32) -> bool {
        let Some(seed) = self.shape.seed else { return true };
        let sum = seed.sum(bytes.get(..bits as usize / 8).unwrap_or_default());
        // Descriptors of 32 bytes keep half a checksum.
        if self.shape.desc_size >= LEN_64 { sum == stored } else { sum as u16 == stored as u16 }
    }

    /// What the block bitmap of a group holds when nothing is allocated in it: its own metadata
    /// and, in flexible groups, that of others, and what lies behind the end.
    pub fn fill_block_bitmap(&self, group: u32, bytes: &mut [u8]) -> Result<()> {
        let shape = &self.shape;
        bits::change(bytes, 0, shape.backup_blocks(group, &self.superblock), true);
        let (start, len) = (shape.group_start(group), shape.group_len(group));
        // Metadata lies in the group, or in the first one of its flexible group.
        let first = group - group % shape.flex_groups;
        let last = first.saturating_add(shape.flex_groups).min(shape.groups);
        for other in first..last {
            let desc = self.groups.get(other)?.desc;
            for (block, count) in
                [(desc.block_bitmap, 1), (desc.inode_bitmap, 1), (desc.inode_table, shape.table_blocks())]
            {
                let (from, to) = (block.max(start), (block + u64::from(count)).min(start + u64::from(len)));
                if from < to {
                    bits::change(bytes, (from - start) as u32, (to - from) as u32, true);
                }
            }
        }
        let capacity = shape.block_size as u32 * 8;
        bits::change(bytes, len, capacity - len, true);
        Ok(())
    }

    /// The block bitmap of a group, to be changed.
    pub fn block_bitmap_mut(&mut self, group: u32) -> Result<&mut [u8]> {
        self.in_use(group)?;
        let desc = self.groups.get(group)?.desc;
        if desc.flags & BLOCK_UNINIT == 0 {
            return self.block_mut(desc.block_bitmap);
        }
        let bytes = self.block_bitmap(group)?;
        self.group_mut(group)?.desc.flags &= !BLOCK_UNINIT;
        let place = self.cache.create(desc.block_bitmap, crate::cache::Role::Parts)?;
        place.copy_from_slice(&bytes);
        Ok(place)
    }

    /// The inode bitmap of a group, to be changed.
    pub fn inode_bitmap_mut(&mut self, group: u32) -> Result<&mut [u8]> {
        let desc = self.groups.get(group)?.desc;
        if desc.flags & INODE_UNINIT == 0 {
            self.inode_bitmap(group)?;
            return self.block_mut(desc.inode_bitmap);
        }
        let (used, capacity) = (self.shape.inodes_per_group, self.shape.block_size as u32 * 8);
        let state = self.group_mut(group)?;
        state.desc.flags &= !INODE_UNINIT;
        state.inodes_checked = true;
        let place = self.cache.create(desc.inode_bitmap, crate::cache::Role::Parts)?;
        bits::change(place, used, capacity - used, true);
        Ok(place)
    }

    /// The inode bitmap of a group; one that is not initialised is made up.
    pub fn inode_bitmap(&mut self, group: u32) -> Result<Bytes> {
        let desc = self.groups.get(group)?.desc;
        let (used, capacity) = (self.shape.inodes_per_group, self.shape.block_size as u32 * 8);
        if desc.flags & INODE_UNINIT != 0 {
            let mut bytes = alloc::vec![0; self.block_size()];
            bits::change(&mut bytes, used, capacity - used, true);
            return Ok(bytes.into());
        }
        let bytes = self.block(desc.inode_bitmap)?;
        if !self.groups.get(group)?.inodes_checked {
            if !self.bitmap_is_right(&bytes, used, desc.inode_bitmap_csum) {
                return Err(bad_block("inode bitmap has a wrong checksum", desc.inode_bitmap));
            }
            self.groups.get_mut(group)?.inodes_checked = true;
        }
        Ok(bytes)
    }

    /// The bitmaps of a group changed: their checksums go into the descriptor, when the
    /// transaction ends.
    pub fn seal_group(&mut self, group: u32) -> Result<()> {
        let state = self.groups.get(group)?;
        let (mut desc, blocks_used, inodes_used) = (state.desc, state.in_use.is_some(), state.inodes_checked);
        let (shape, seed) = (self.shape.clone(), self.shape.seed);
        if let Some(seed) = seed {
            // A bitmap that was never looked at is as it was.
            if desc.flags & BLOCK_UNINIT == 0 && blocks_used {
                let bytes = self.block(desc.block_bitmap)?;
                desc.block_bitmap_csum = seed.sum(bytes.get(..shape.blocks_per_group as usize / 8).unwrap_or_default());
            }
            if desc.flags & INODE_UNINIT == 0 && inodes_used {
                let bytes = self.block(desc.inode_bitmap)?;
                desc.inode_bitmap_csum = seed.sum(bytes.get(..shape.inodes_per_group as usize / 8).unwrap_or_default());
            }
        }
        let state = self.groups.get_mut(group)?;
        (state.desc, state.dirty) = (desc, false);
        let (block, offset) = state.place;
        let bytes = self.block_mut(block)?;
        if let Some(place) = bytes.get_mut(offset..offset + shape.desc_size) {
            desc.emit(place);
            shape.group_checksum.seal(group, place);
        }
        Ok(())
    }
}
