//! Block maps of ext2 and ext3 ("Direct/Indirect Block Addressing"): read as they are, turned into
//! extents before the file changes.

use super::{Mapping, State};
use crate::core::Core;
use crate::error::{Error, Result, bad_inode};
use alloc::vec::Vec;
use rkt_ext4_format::extent::{self, Extent, Header};
use rkt_ext4_format::inode::{BLOCK_LEN, Block, Flags};

/// Blocks that the inode itself names.
const DIRECT: u64 = 12;
/// Most blocks of a file that is turned into extents; its map is walked in one transaction.
const LONGEST: u64 = 1 << 22;

fn pointer(bytes: &[u8], at: u64) -> Option<u32> {
    bytes.as_chunks::<4>().0.get(usize::try_from(at).ok()?).map(|word| u32::from_le_bytes(*word))
}

/// How many pointers from `at` on lead to blocks in a row, or nowhere.
fn run_length(bytes: &[u8], at: u64, limit: u64) -> u32 {
    let first = pointer(bytes, at).unwrap_or(0);
    let follows = |distance: u32| {
        let expected = if first == 0 { Some(0) } else { first.checked_add(distance) };
        u64::from(distance) + at < limit && pointer(bytes, at + u64::from(distance)) == expected
    };
    (1..=bytes.len() as u32 / 4).find(|distance| !follows(*distance)).unwrap_or(1)
}

impl Core {
    /// See [`Core::map`].
    pub(super) fn map_indirect(&mut self, ino: u32, logical: u32) -> Result<Mapping> {
        let root = self.inode(ino)?.block.0;
        let per_block = (self.block_size() / 4) as u64;
        let mut rest = u64::from(logical);
        if rest < DIRECT {
            return self.direct(ino, &root, rest, DIRECT, logical);
        }
        rest -= DIRECT;
        // The last three pointers lead to blocks of pointers, of pointers to such, and so on.
        let mut reach = per_block;
        for level in 1..=3_u32 {
            if rest < reach {
                let start = pointer(&root, DIRECT + u64::from(level) - 1).unwrap_or(0);
                return self.descend(ino, start, rest, level, logical);
            }
            rest -= reach;
            reach = reach.saturating_mul(per_block);
        }
        Err(bad_inode("file is too large for a block map", ino))
    }

    fn descend(&mut self, ino: u32, start: u32, rest: u64, level: u32, logical: u32) -> Result<Mapping> {
        let per_block = (self.block_size() / 4) as u64;
        let mut reach = per_block.pow(level);
        let (mut block, mut rest) = (start, rest);
        loop {
            if block == 0 {
                let len = u32::try_from(reach - rest).unwrap_or(u32::MAX).min(u32::MAX - logical).max(1);
                return Ok(Mapping { logical, len, state: State::Hole });
            }
            let bytes = self.pointers(ino, block)?;
            reach /= per_block;
            if reach == 1 {
                return self.direct(ino, &bytes, rest, per_block, logical);
            }
            block = pointer(&bytes, rest / reach).unwrap_or(0);
            rest %= reach;
        }
    }

    fn pointers(&mut self, ino: u32, block: u32) -> Result<crate::cache::Bytes> {
        if !self.shape.contains(block.into(), 1) {
            return Err(bad_inode("block map leads outside of the disk", ino));
        }
        self.block(block.into())
    }

    fn direct(&self, ino: u32, bytes: &[u8], at: u64, limit: u64, logical: u32) -> Result<Mapping> {
        let len = run_length(bytes, at, limit);
        let start = u64::from(pointer(bytes, at).unwrap_or(0));
        if start != 0 && !self.shape.contains(start, len.into()) {
            return Err(bad_inode("block map leads outside of the disk", ino));
        }
        Ok(Mapping { logical, len, state: if start == 0 { State::Hole } else { State::Written(start) } })
    }

    /// Turns the block map of a file into extents, so that it can be changed.
    ///
    /// # Errors
    /// `Unsupported` if it is so large that one transaction does not do.
    pub fn make_extents(&mut self, ino: u32) -> Result<()> {
        let found = self.inode(ino)?;
        if found.flags.contains(Flags::EXTENTS) {
            return Ok(());
        }
        let (size, root) = (found.size, found.block.0);
        let blocks = size.div_ceil(self.block_size() as u64);
        if blocks > LONGEST {
            return Err(Error::Unsupported);
        }
        let mut extents: Vec<Extent> = Vec::new();
        let mut at = 0;
        while u64::from(at) < blocks {
            let found = self.map(ino, at, extent::MAX_LEN)?;
            if let Some(run) = found.run() {
                extents.push(Extent { logical: at, len: run.len, physical: run.start, unwritten: false });
            }
            at = at.saturating_add(found.len);
        }
        let levels = [(12, 1), (13, 2), (14, 3)];
        for (at, level) in levels {
            self.free_pointers(ino, pointer(&root, at).unwrap_or(0), level)?;
        }
        let found = self.inode_data_mut(ino)?;
        found.flags.insert(Flags::EXTENTS);
        found.block = Block::default();
        extent::set_header(&mut found.block.0, Header { entries: 0, max: extent::capacity(BLOCK_LEN), depth: 0 });
        extents.into_iter().try_for_each(|extent| self.insert_extent(ino, extent))
    }

    /// Frees the blocks of pointers from `block` on, which is `level` from the data.
    fn free_pointers(&mut self, ino: u32, block: u32, level: u32) -> Result<()> {
        if block == 0 {
            return Ok(());
        }
        if level > 1 {
            let bytes = self.pointers(ino, block)?;
            for at in 0..(self.block_size() / 4) as u64 {
                self.free_pointers(ino, pointer(&bytes, at).unwrap_or(0), level - 1)?;
            }
        }
        self.free_metadata(block.into())?;
        self.count_blocks(ino, -1)
    }
}
