//! Directories that lie in their inodes ("Inline Data"): read as they are, moved to a block before
//! they change.

use crate::core::Core;
use crate::error::{Error, Result, bad_inode};
use alloc::vec::Vec;
use rkt_ext4_format::dir;
use rkt_ext4_format::extent::{self, Header};
use rkt_ext4_format::inode::{BLOCK_LEN, Block, Flags};

/// A name of an inline directory.
pub(super) struct InlineEntry {
    pub ino: u32,
    pub kind: u8,
    pub name: Vec<u8>,
}

/// Bytes of `i_block` before the entries: the inode of the parent.
const PARENT_LEN: usize = 4;

impl Core {
    /// The directory above.
    pub(super) fn inline_parent(&mut self, dir: u32) -> Result<u32> {
        let block = self.inode(dir)?.block.0;
        Ok(block.first_chunk().map_or(0, |parent| u32::from_le_bytes(*parent)))
    }

    /// All names: those in `i_block`, then those behind the inode's attributes.
    pub(super) fn inline_entries(&mut self, dir: u32) -> Result<Vec<InlineEntry>> {
        let data = self.inline_data(dir)?;
        let (front, back) = data.split_at(BLOCK_LEN.min(data.len()));
        let mut all = Vec::new();
        for part in [front.get(PARENT_LEN..).unwrap_or_default(), back] {
            for entry in dir::entries(part) {
                let entry = entry.map_err(|what| bad_inode(what, dir))?;
                if entry.ino != 0 {
                    all.push(InlineEntry { ino: entry.ino, kind: entry.kind, name: entry.name.to_vec() });
                }
            }
        }
        Ok(all)
    }

    pub(super) fn find_inline(&mut self, dir: u32, name: &[u8]) -> Result<Option<u32>> {
        let all = self.inline_entries(dir)?;
        Ok(all.iter().find(|entry| entry.name == name).map(|entry| entry.ino))
    }

    /// Moves the names of an inline directory to a block.
    pub fn make_dir_block(&mut self, dir: u32) -> Result<()> {
        if !self.is_inline(dir)? {
            return Ok(());
        }
        let (entries, parent) = (self.inline_entries(dir)?, self.inline_parent(dir)?);
        self.drop_inline_data(dir)?;
        self.init_dir(dir, parent)?;
        let (block, role, _) = self.dir_block(dir, 0)?;
        let body = self.dir_body();
        let bytes = self.cache.get_mut(block, role)?.get_mut(..body).unwrap_or_default();
        for entry in entries {
            if !dir::insert(bytes, entry.ino, entry.kind, &entry.name).map_err(|what| bad_inode(what, dir))? {
                return Err(Error::NoSpace);
            }
        }
        Ok(())
    }

    /// Makes an inode whose data was inline an empty one with extents.
    pub fn drop_inline_data(&mut self, ino: u32) -> Result<()> {
        self.remove_inline_attribute(ino)?;
        let found = self.inode_data_mut(ino)?;
        found.flags.remove(Flags::INLINE_DATA);
        found.flags.insert(Flags::EXTENTS);
        (found.block, found.size) = (Block::default(), 0);
        extent::set_header(&mut found.block.0, Header { entries: 0, max: extent::capacity(BLOCK_LEN), depth: 0 });
        Ok(())
    }
}
