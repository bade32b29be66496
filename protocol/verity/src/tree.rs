//! Where the blocks of the tree lie, and which block vouches for which.

use crate::{HASH_LEN, SUPERBLOCK_LEN, Superblock};
use alloc::vec::Vec;

/// A block of the tree or of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A data block.
    Data(u64),
    /// A hash block: its level, 0 right above the data, and its number within.
    Hash(u32, u64),
}

/// Where the hash of a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voucher {
    /// It is the root hash.
    Root,
    /// In the hash block `block` of `level`, from byte `at` on.
    Entry {
        /// Level of the block.
        level: u32,
        /// Its number.
        block: u64,
        /// Byte offset.
        at: usize,
    },
}

/// The shape of a tree. Its levels lie one behind the other, the top first.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Of each level, from the bottom: first block, counted from the superblock's, and number of blocks.
    levels: Vec<(u64, u64)>,
    data_blocks: u64,
    hash_block_len: u64,
    hashes: u64,
}

impl Tree {
    /// The tree that a superblock describes.
    pub fn new(superblock: &Superblock) -> Self {
        let hash_block_len = u64::from(superblock.hash_block_len());
        let hashes = hash_block_len / HASH_LEN as u64;
        let data_blocks = superblock.data_blocks();
        let mut counts = Vec::new();
        let mut below = data_blocks;
        while below > 1 {
            below = below.div_ceil(hashes);
            counts.push(below);
        }
        let mut next = (SUPERBLOCK_LEN as u64).div_ceil(hash_block_len);
        let mut levels = Vec::new();
        for count in counts.into_iter().rev() {
            levels.push((next, count));
            next = next.saturating_add(count);
        }
        levels.reverse();
        Self { levels, data_blocks, hash_block_len, hashes }
    }

    /// Levels of hash blocks; none if there is one data block.
    pub fn levels(&self) -> u32 {
        self.levels.len() as u32
    }

    /// Hash blocks of a level.
    pub fn blocks(&self, level: u32) -> u64 {
        self.levels.get(level as usize).map_or(0, |(_, count)| *count)
    }

    /// Bytes from the start of the superblock to the end of the tree.
    pub fn len(&self) -> u64 {
        let superblock = (SUPERBLOCK_LEN as u64).next_multiple_of(self.hash_block_len);
        let blocks = self.levels.iter().fold(0u64, |sum, (_, count)| sum.saturating_add(*count));
        superblock.saturating_add(blocks.saturating_mul(self.hash_block_len))
    }

    /// Never: there is a superblock at least.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Byte offset of a hash block from the start of the superblock; `None` if there is no such block.
    pub fn offset(&self, level: u32, block: u64) -> Option<u64> {
        let (first, count) = self.levels.get(level as usize)?;
        (block < *count).then(|| first.checked_add(block)?.checked_mul(self.hash_block_len))?
    }

    /// Where the hash of a block stands; `None` if there is no such block.
    pub fn voucher(&self, place: Place) -> Option<Voucher> {
        let (number, count, level) = match place {
            Place::Data(number) => (number, self.data_blocks, 0),
            Place::Hash(level, number) => (number, self.blocks(level), level.checked_add(1)?),
        };
        if number >= count {
            return None;
        }
        if level == self.levels() {
            return Some(Voucher::Root);
        }
        let at = (number % self.hashes) as usize * HASH_LEN;
        Some(Voucher::Entry { level, block: number / self.hashes, at })
    }
}
