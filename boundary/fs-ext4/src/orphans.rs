//! Inodes without names, and truncation: what must be finished after a crash.

use crate::core::Core;
use crate::error::{Error, Result, bad_inode};
use crate::inodes::mode;
use alloc::vec::Vec;
use rkt_ext4_format::inode::Flags;

/// Blocks that a step of truncation may change, beyond the bitmaps of what it frees.
pub(crate) const STEP: usize = 16;

impl Core {
    /// An inode is to be deleted or truncated after a crash.
    pub fn add_orphan(&mut self, ino: u32) -> Result<()> {
        if self.orphans.insert(ino, 0).is_none() {
            self.orphans_changed += 1;
            self.touch_superblock()?;
            self.inode_mut(ino)?;
        }
        Ok(())
    }

    /// It no longer is.
    pub fn remove_orphan(&mut self, ino: u32) -> Result<()> {
        if self.orphans.remove(&ino).is_some() {
            self.orphans_changed += 1;
            self.touch_superblock()?;
            self.inode_mut(ino)?.dtime = 0;
        }
        Ok(())
    }

    /// Frees blocks of a file from `from` on. False if the transaction is full: then this
    /// is to be called again in the next one.
    pub fn shorten(&mut self, ino: u32, from: u32) -> Result<bool> {
        self.remove_blocks(ino, from, 1 << 32)
    }

    /// Frees blocks `from..to` of a file, as [`Core::shorten`] does.
    pub fn remove_blocks(&mut self, ino: u32, from: u32, to: u64) -> Result<bool> {
        let found = self.inode(ino)?;
        if !found.flags.contains(Flags::EXTENTS) {
            return Ok(true);
        }
        let mut at = from;
        loop {
            let mut taken = Vec::new();
            let next = self.unmap_step(ino, at, to, &mut taken)?;
            self.free_extents(ino, &taken)?;
            match next {
                None => return Ok(true),
                Some(next) => at = next,
            }
            if !self.has_room(STEP) {
                return Ok(false);
            }
        }
    }

    /// Deletes an inode without names that nobody holds: its data, attributes and itself. False
    /// if the transaction is full.
    pub fn delete_inode(&mut self, ino: u32) -> Result<bool> {
        if self.holds_data(ino)? {
            self.make_extents(ino)?;
            if !self.shorten(ino, 0)? {
                self.add_orphan(ino)?;
                return Ok(false);
            }
        }
        self.release_attribute_block(ino)?;
        self.remove_orphan(ino)?;
        self.free_inode(ino)?;
        Ok(true)
    }

    /// Whether an inode has a map of blocks: not devices and short symbolic links.
    pub fn holds_data(&mut self, ino: u32) -> Result<bool> {
        let fast = self.is_fast_symlink(ino)?;
        let found = self.inode(ino)?;
        let format = found.mode & mode::FORMAT;
        let kind = [mode::REGULAR, mode::DIRECTORY, mode::SYMLINK].contains(&format);
        Ok(kind && !fast && !found.flags.contains(Flags::INLINE_DATA))
    }

    /// Whether an inode is a symbolic link whose target is in `i_block`.
    pub fn is_fast_symlink(&mut self, ino: u32) -> Result<bool> {
        let sectors = (self.block_size() / 512) as u64;
        let found = self.inode(ino)?;
        let own = if found.file_acl == 0 { 0 } else { sectors };
        let inline = found.flags.intersects(Flags::INLINE_DATA | Flags::EXTENTS);
        Ok(found.mode & mode::FORMAT == mode::SYMLINK && !inline && found.blocks <= own)
    }

    /// The orphans that the list on the disk names, first to last.
    pub fn listed_orphans(&mut self) -> Result<Vec<u32>> {
        let mut all: Vec<u32> = Vec::new();
        let mut next = self.superblock.last_orphan.get();
        while next != 0 {
            if next < self.shape.first_ino || next > self.shape.inodes || all.len() > self.shape.inodes as usize {
                return Err(bad_inode("list of orphans names an inode that there is not", next));
            }
            if all.contains(&next) {
                return Err(bad_inode("list of orphans is a ring", next));
            }
            all.push(next);
            next = self.inode(next)?.dtime;
        }
        Ok(all)
    }

    /// The orphans that the orphan file names ("Orphan file"): blocks of inode numbers, each with
    /// a tail of a magic number and a checksum.
    pub fn filed_orphans(&mut self) -> Result<Vec<u32>> {
        let ino = self.superblock.orphan_file_inum.get();
        let blocks = self.inode(ino)?.size / self.block_size() as u64;
        let mut all = Vec::new();
        for logical in 0..u32::try_from(blocks).map_err(|_| bad_inode("orphan file is too large", ino))? {
            let run = self.map(ino, logical, 1)?.run().ok_or(bad_inode("orphan file has a hole", ino))?;
            let bytes = self.block(run.start)?;
            let (body, _) = bytes.split_last_chunk::<8>().ok_or(Error::Invalid)?;
            let (words, _) = body.as_chunks::<4>();
            all.extend(words.iter().map(|word| u32::from_le_bytes(*word)).filter(|ino| *ino != 0));
        }
        if all.iter().any(|ino| *ino < self.shape.first_ino || *ino > self.shape.inodes) {
            return Err(bad_inode("orphan file names an inode that there is not", ino));
        }
        Ok(all)
    }

    /// Empties the orphan file.
    pub fn clear_orphan_file(&mut self) -> Result<()> {
        let ino = self.superblock.orphan_file_inum.get();
        let seed = self.inode_seed(ino)?;
        let blocks = self.inode(ino)?.size / self.block_size() as u64;
        for logical in 0..u32::try_from(blocks).unwrap_or(u32::MAX) {
            let run = self.map(ino, logical, 1)?.run().ok_or(bad_inode("orphan file has a hole", ino))?;
            let bytes = self.block_mut(run.start)?;
            let Some((body, tail)) = bytes.split_last_chunk_mut::<8>() else { continue };
            body.fill(0);
            if let (Some(seed), Some(place)) = (seed, tail.last_chunk_mut::<4>()) {
                *place = seed.sum_of(&[&run.start.to_le_bytes(), body]).to_le_bytes();
            }
        }
        Ok(())
    }
}
