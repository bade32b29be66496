//! Taking extents out of a tree, and changing what they say.

use super::node::{Path, Step};
use crate::core::{Core, Run};
use crate::error::{Error, Result, bad_inode};
use crate::inodes::mode;
use alloc::vec::Vec;
use rkt_ext4_format::extent::{self, Extent, Header, Index, MAX_DEPTH};
use rkt_ext4_format::inode::BLOCK_LEN;

impl Core {
    /// Takes blocks `from..to` of a file out of one leaf of its tree and adds them to `taken`, in
    /// order. Gives where to go on, or `None` when there is nothing left to take. Frees
    /// nothing but nodes.
    pub fn unmap_step(&mut self, ino: u32, from: u32, to: u64, taken: &mut Vec<Extent>) -> Result<Option<u32>> {
        let path = self.path(ino, from)?;
        let leaf = self.node(ino, path.leaf(), 0)?;
        let header = extent::header(&leaf).map_err(|what| bad_inode(what, ino))?;
        let before: Vec<Extent> = extent::entries(&leaf).collect();
        drop(leaf);
        let mut kept = Vec::with_capacity(before.len() + 1);
        let first_taken = taken.len();
        for extent in &before {
            let (start, end) = (u64::from(extent.logical).max(from.into()), extent.end().min(to));
            if start >= end {
                kept.push(*extent);
                continue;
            }
            let part = |from: u64, to: u64| Extent {
                logical: from as u32,
                len: (to - from) as u32,
                physical: extent.physical + (from - u64::from(extent.logical)),
                unwritten: extent.unwritten,
            };
            if u64::from(extent.logical) < start {
                kept.push(part(extent.logical.into(), start));
            }
            taken.push(part(start, end));
            if end < extent.end() {
                kept.push(part(end, extent.end()));
            }
        }
        // A hole in the middle of an extent makes two of it, for the second of which there may be
        // no room: then that is inserted like any other.
        let spare = if kept.len() > header.max.into() { kept.pop() } else { None };
        if spare.is_some() && self.available() <= MAX_DEPTH.into() {
            return Err(Error::NoSpace);
        }
        if taken.len() > first_taken {
            self.replace_leaf(ino, &path, header, &kept)?;
        }
        if let Some(spare) = spare {
            self.insert_extent(ino, spare)?;
        }
        Ok(u32::try_from(path.next_leaf).ok().filter(|next| u64::from(*next) < to))
    }

    fn replace_leaf(&mut self, ino: u32, path: &Path, header: Header, kept: &[Extent]) -> Result<()> {
        match kept.first() {
            Some(first) => {
                self.set_node(ino, path.leaf(), header, kept)?;
                self.set_first(ino, &path.steps, 0, first.logical)?;
            }
            None => self.remove_leaf(ino, path)?,
        }
        self.flatten(ino)
    }

    /// A leaf is empty: frees it, and the nodes above it that become empty, too. A root becomes an
    /// empty leaf.
    fn remove_leaf(&mut self, ino: u32, path: &Path) -> Result<()> {
        let mut steps = path.steps.as_slice();
        let mut depth = 0;
        while let Some((Step { place: Some(block), .. }, above)) = steps.split_last() {
            self.free_metadata(*block)?;
            self.count_blocks(ino, -1)?;
            let parent = above.last().ok_or(bad_inode("extent tree has no root", ino))?;
            depth += 1;
            let node = self.node(ino, parent.place, depth)?;
            let header = extent::header(&node).map_err(|what| bad_inode(what, ino))?;
            let mut all: Vec<Index> = extent::entries(&node).collect();
            drop(node);
            if parent.at < all.len() {
                all.remove(parent.at);
            }
            if let Some(first) = all.first().map(|first| first.logical) {
                self.set_node(ino, parent.place, header, &all)?;
                return self.set_first(ino, above, depth, first);
            }
            steps = above;
        }
        let max = extent::capacity(BLOCK_LEN);
        self.set_node::<Extent>(ino, None, Header { entries: 0, max, depth: 0 }, &[])
    }

    /// Frees blocks that were taken out of a file's map. Those of directories and symbolic links
    /// went through the journal.
    pub fn free_extents(&mut self, ino: u32, taken: &[Extent]) -> Result<()> {
        let journaled = self.inode(ino)?.mode & mode::FORMAT != mode::REGULAR;
        for extent in taken {
            if journaled {
                let blocks = extent.physical..extent.physical + u64::from(extent.len);
                blocks.for_each(|block| self.revoke(block));
            }
            self.free(Run { start: extent.physical, len: extent.len })?;
            self.count_blocks(ino, -i64::from(extent.len))?;
        }
        Ok(())
    }

    /// Sets whether blocks that a file has, all in one extent, are unwritten.
    pub fn set_unwritten(&mut self, ino: u32, logical: u32, len: u32, unwritten: bool) -> Result<()> {
        let mut taken = Vec::new();
        self.unmap_step(ino, logical, u64::from(logical) + u64::from(len), &mut taken)?;
        for extent in taken {
            self.insert_extent(ino, Extent { unwritten, ..extent })?;
        }
        Ok(())
    }
}
