//! Directories: finding, changing and removing names.

mod add;
mod inline;
mod list;
mod tree;

pub use list::DirEntry;

use crate::cache::{Bytes, Role};
use crate::core::Core;
use crate::error::{Error, Result, bad_block, bad_inode};
use crate::inodes::mode;
use crate::map::State;
use alloc::vec::Vec;
use rkt_ext4_format::dir::{self, NAME_MAX, TAIL_LEN};
use rkt_ext4_format::extent::Extent;
use rkt_ext4_format::features::{Compat, Incompat};
use rkt_ext4_format::inode::Flags;

/// An entry that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Inode that it leads to.
    pub ino: u32,
    /// Block of the disk, and what kind of block that is.
    block: u64,
    role: Role,
    /// Where in the block.
    at: usize,
}

/// Checks a name that is to be made.
pub(crate) fn check_name(name: &[u8]) -> Result<()> {
    if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') || name.contains(&0) {
        return Err(Error::Invalid);
    }
    if name.len() > NAME_MAX { Err(Error::NameTooLong) } else { Ok(()) }
}

impl Core {
    /// Whether blocks of entries end with a checksum.
    fn dir_tail(&self) -> bool {
        self.shape.seed.is_some()
    }

    /// Bytes of a block that hold entries.
    fn dir_body(&self) -> usize {
        self.block_size() - if self.dir_tail() { TAIL_LEN } else { 0 }
    }

    /// Number of blocks of a directory.
    fn dir_blocks(&mut self, dir: u32) -> Result<u32> {
        let block_size = self.block_size() as u64;
        let found = self.live_inode(dir)?;
        if found.mode & mode::FORMAT != mode::DIRECTORY {
            return Err(Error::NotDirectory);
        }
        let blocks = found.size / block_size;
        u32::try_from(blocks).map_err(|_| bad_inode("directory is too large", dir))
    }

    fn is_indexed(&mut self, dir: u32) -> Result<bool> {
        let indexes = self.shape.compat.contains(Compat::DIR_INDEX);
        Ok(self.inode(dir)?.flags.contains(Flags::INDEX) && indexes)
    }

    fn is_inline(&mut self, dir: u32) -> Result<bool> {
        Ok(self.inode(dir)?.flags.contains(Flags::INLINE_DATA))
    }

    /// Place of a block of a directory on the disk.
    fn dir_place(&mut self, dir: u32, logical: u32) -> Result<u64> {
        match self.map(dir, logical, 1)?.state {
            State::Written(block) => Ok(block),
            _ => Err(bad_inode("directory has a hole", dir)),
        }
    }

    fn entries_role(&mut self, dir: u32) -> Result<Role> {
        Ok(Role::Entries(self.inode_seed(dir)?))
    }

    /// A block of entries, and its place.
    fn dir_block(&mut self, dir: u32, logical: u32) -> Result<(u64, Role, Bytes)> {
        let (block, role) = (self.dir_place(dir, logical)?, self.entries_role(dir)?);
        Ok((block, role, self.cache.get(block, role)?))
    }

    /// Finds a name, "." and ".." not among them.
    pub fn find(&mut self, dir: u32, name: &[u8]) -> Result<Option<Found>> {
        if name.len() > NAME_MAX {
            return Err(Error::NameTooLong);
        }
        let blocks = self.dir_blocks(dir)?;
        if self.is_inline(dir)? {
            return Err(bad_inode("inline directory was not converted", dir));
        }
        if self.is_indexed(dir)? {
            return self.find_in_tree(dir, name);
        }
        for logical in 0..blocks {
            let (block, role, bytes) = self.dir_block(dir, logical)?;
            if let Some(found) = self.find_in(&bytes, block, role, name)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn find_in(&self, bytes: &[u8], block: u64, role: Role, name: &[u8]) -> Result<Option<Found>> {
        let body = bytes.get(..self.dir_body()).unwrap_or_default();
        let entry = dir::find(body, name).map_err(|what| bad_block(what, block))?;
        Ok(entry.map(|entry| Found { ino: entry.ino, block, role, at: entry.at }))
    }

    /// Inode of a name.
    ///
    /// # Errors
    /// `NotFound` if there is no such name.
    pub fn lookup(&mut self, dir: u32, name: &[u8]) -> Result<u32> {
        self.dir_blocks(dir)?;
        let found = if self.is_inline(dir)? {
            self.find_inline(dir, name)?
        } else {
            self.find(dir, name)?.map(|found| found.ino)
        };
        let ino = found.ok_or(Error::NotFound)?;
        let reserved = ino < self.shape.first_ino && ino != rkt_ext4_format::inode::ROOT;
        if reserved || ino > self.shape.inodes {
            return Err(bad_inode("name leads to a reserved inode", ino));
        }
        Ok(ino)
    }

    fn entry_kind(&self, mode: u16) -> u8 {
        if self.shape.incompat.contains(Incompat::FILETYPE) { dir::file_type::of_mode(mode) } else { 0 }
    }

    /// Lets an entry lead elsewhere.
    pub fn set_entry(&mut self, found: &Found, ino: u32, kind: u16) -> Result<()> {
        let kind = self.entry_kind(kind);
        dir::set_inode(self.cache.get_mut(found.block, found.role)?, found.at, ino, kind);
        Ok(())
    }

    /// Removes an entry.
    pub fn remove_entry(&mut self, found: &Found) -> Result<()> {
        let body = self.dir_body();
        let bytes = self.cache.get_mut(found.block, found.role)?.get_mut(..body).unwrap_or_default();
        dir::remove(bytes, found.at).map_err(|what| bad_block(what, found.block))
    }

    /// The entry "..", which is in the first block whatever kind that is.
    pub fn find_parent(&mut self, dir: u32) -> Result<Found> {
        if self.is_inline(dir)? {
            return Err(bad_inode("inline directory was not converted", dir));
        }
        let block = self.dir_place(dir, 0)?;
        let seed = self.inode_seed(dir)?;
        let role = if self.is_indexed(dir)? { Role::TreeRoot(seed) } else { Role::Entries(seed) };
        let bytes = self.cache.get(block, role)?;
        let entry = dir::find(&bytes, b"..").ok().flatten().ok_or(bad_block("directory without a parent", block))?;
        Ok(Found { ino: entry.ino, block, role, at: entry.at })
    }

    /// The directory above.
    pub fn parent(&mut self, dir: u32) -> Result<u32> {
        if self.is_inline(dir)? {
            return self.inline_parent(dir);
        }
        self.find_parent(dir).map(|found| found.ino)
    }

    /// Whether a directory has no names.
    pub fn is_empty_dir(&mut self, dir: u32) -> Result<bool> {
        let blocks = self.dir_blocks(dir)?;
        if self.is_inline(dir)? {
            return Ok(self.inline_entries(dir)?.is_empty());
        }
        let tree = self.is_indexed(dir)?;
        let leaves: Vec<u32> = if tree { self.tree_leaves(dir)? } else { (0..blocks).collect() };
        for logical in leaves {
            let (block, _, bytes) = self.dir_block(dir, logical)?;
            for entry in dir::entries(bytes.get(..self.dir_body()).unwrap_or_default()) {
                let entry = entry.map_err(|what| bad_block(what, block))?;
                if entry.ino != 0 && entry.name != b"." && entry.name != b".." {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Makes the first block of a new directory.
    pub fn init_dir(&mut self, dir: u32, parent: u32) -> Result<()> {
        let block = self.append_dir_block(dir)?;
        let role = self.entries_role(dir)?;
        let (tail, body) = (self.dir_tail(), self.dir_body());
        let kind = self.entry_kind(mode::DIRECTORY);
        let bytes = self.cache.create(block, role)?;
        dir::clear(bytes, tail);
        let own = dir::needed(1);
        dir::write(bytes, 0, own, dir, kind, b".");
        dir::write(bytes, own, body - own, parent, kind, b"..");
        Ok(())
    }

    /// Adds a block to the end of a directory and gives its place. The caller fills it.
    fn append_dir_block(&mut self, dir: u32) -> Result<u64> {
        let block_size = self.block_size() as u64;
        self.make_extents(dir)?;
        let logical = u32::try_from(self.inode(dir)?.size / block_size).map_err(|_| Error::NoSpace)?;
        let goal = match logical.checked_sub(1) {
            Some(last) => self.dir_place(dir, last)? + 1,
            None => self.goal_of(dir)?,
        };
        let block = self.allocate_block(goal)?;
        self.insert_extent(dir, Extent { logical, len: 1, physical: block, unwritten: false })?;
        self.count_blocks(dir, 1)?;
        self.inode_data_mut(dir)?.size += block_size;
        Ok(block)
    }
}
