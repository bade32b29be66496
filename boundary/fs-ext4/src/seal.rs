//! The end of a transaction: what is kept in other form in memory is written into blocks, and
//! these get their checksums.

use crate::cache::Bytes;
use crate::core::{Core, Run, Running};
use crate::disk::{Disk, read_vec};
use crate::error::Result;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use rkt_ext4_format::superblock::{LEN, Superblock};
use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

/// A transaction on its way to the journal.
pub(crate) struct Sealed {
    pub tid: u32,
    /// Blocks changed, in order.
    pub blocks: Vec<(u64, Bytes)>,
    /// Blocks whose older copies must not be replayed.
    pub revoked: BTreeSet<u64>,
    /// To be released for use when this is durable.
    pub freed: Vec<Run>,
}

impl Core {
    /// Ends the running transaction and begins the next. `None` if it changed nothing.
    pub fn seal(&mut self) -> Result<Option<Sealed>> {
        self.link_orphans()?;
        for ino in core::mem::take(&mut self.inodes.dirty) {
            self.seal_inode(ino)?;
        }
        let dirty: Vec<u32> = self.groups.iter_mut().filter(|(_, group)| group.dirty).map(|(group, _)| group).collect();
        for group in dirty {
            self.seal_group(group)?;
        }
        if self.running.superblock {
            self.seal_superblock()?;
        }
        if self.cache.dirty_count() == 0 {
            return Ok(None);
        }
        let tid = self.running.tid;
        let blocks = self.cache.take_dirty(tid);
        let next = Running { tid: tid.wrapping_add(1), ..Running::default() };
        let Running { revoked, freed, .. } = core::mem::replace(&mut self.running, next);
        Ok(Some(Sealed { tid, blocks, revoked, freed }))
    }

    fn seal_superblock(&mut self) -> Result<()> {
        self.update_superblock();
        let (block, offset) = self.shape.superblock_place();
        let image: Superblock = self.superblock.clone();
        if let Some(place) = self.block_mut(block)?.get_mut(offset..offset + LEN) {
            place.copy_from_slice(image.as_bytes());
        }
        Ok(())
    }

    fn update_superblock(&mut self) {
        let free_inodes = u32::try_from(self.groups.free_inodes).unwrap_or(u32::MAX);
        let seconds = self.seconds();
        self.superblock.set_free_blocks(self.groups.free_blocks);
        self.superblock.free_inodes_count = U32::new(free_inodes);
        self.superblock.set_wtime(seconds);
        self.superblock.checksum = U32::new(if self.shape.seed.is_some() { self.superblock.sum() } else { 0 });
    }

    /// Writes the superblock to its place, past the journal: when that is empty, to say whether it
    /// may hold something from now on.
    pub fn write_superblock(&mut self, disk: &dyn Disk) -> Result<()> {
        self.update_superblock();
        let (block, offset) = self.shape.superblock_place();
        let start = block * self.block_size() as u64;
        let mut bytes = read_vec(disk, start, self.block_size())?;
        if let Some(place) = bytes.get_mut(offset..offset + LEN) {
            place.copy_from_slice(self.superblock.as_bytes());
        }
        Ok(disk.write_durably(start, &bytes)?)
    }

    /// The wall clock in seconds.
    pub fn seconds(&self) -> u64 {
        u64::try_from(self.now() / 1_000_000_000).unwrap_or(0)
    }

    /// Writes the list of orphans: each inode names the next in `i_dtime`, the superblock the
    /// first ("Orphan list").
    fn link_orphans(&mut self) -> Result<()> {
        if core::mem::take(&mut self.orphans_changed) == 0 {
            return Ok(());
        }
        let members: Vec<u32> = self.orphans.keys().copied().collect();
        let successors = members.iter().skip(1).copied().chain([0]);
        let linked: BTreeMap<u32, u32> = members.iter().copied().zip(successors).collect();
        for (ino, next) in &linked {
            if self.orphans.get(ino) != Some(next) || self.inode(*ino)?.dtime != *next {
                self.inode_mut(*ino)?.dtime = *next;
            }
        }
        self.superblock.last_orphan = U32::new(members.first().copied().unwrap_or(0));
        self.orphans = linked;
        self.touch_superblock()
    }

    /// A transaction is durable: blocks that it freed can be used again.
    pub fn finish(&mut self, tid: u32, freed: &[Run]) -> Result<()> {
        self.committed = tid;
        let blocks: u64 = freed.iter().map(|run| u64::from(run.len)).sum();
        self.pending_free = self.pending_free.saturating_sub(blocks);
        freed.iter().try_for_each(|run| self.unclaim(*run))
    }
}
