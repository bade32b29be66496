//! Building a tree.

use crate::{HASH_LEN, Hash, Pin, Superblock, Tree, hash};
use alloc::vec::Vec;

/// Builds the tree over data blocks that come one after the other.
pub struct Builder {
    superblock: Superblock,
    /// Hashes of the data blocks so far.
    hashes: Vec<u8>,
    blocks: u64,
}

/// A tree.
pub struct Built {
    /// The superblock and the tree, as they follow on the disk.
    pub bytes: Vec<u8>,
    /// What to pin.
    pub pin: Pin,
}

impl Builder {
    /// Starts a tree.
    pub fn new(superblock: Superblock) -> Self {
        Self { superblock, hashes: Vec::new(), blocks: 0 }
    }

    /// Adds the next data block; a shorter one is filled up with zeroes.
    pub fn push(&mut self, block: &[u8]) {
        let len = self.superblock.data_block_len() as usize;
        let hash = match block.len() {
            full if full == len => hash(self.superblock.salt(), block),
            _ => {
                let mut padded = block.to_vec();
                padded.resize(len, 0);
                hash(self.superblock.salt(), &padded)
            }
        };
        self.hashes.extend_from_slice(&hash);
        self.blocks = self.blocks.saturating_add(1);
    }

    /// The tree over all blocks. `None` if there were more or fewer than the superblock says, or none.
    pub fn finish(self) -> Option<Built> {
        let (superblock, salt) = (self.superblock, self.superblock.salt());
        if self.blocks != superblock.data_blocks() {
            return None;
        }
        let block_len = superblock.hash_block_len() as usize;
        let mut levels = Vec::new();
        let mut below = self.hashes;
        for _ in 0..Tree::new(&superblock).levels() {
            below.resize(below.len().next_multiple_of(block_len), 0);
            let above = below.chunks_exact(block_len).flat_map(|block| hash(salt, block)).collect();
            levels.push(core::mem::replace(&mut below, above));
        }
        let root: Hash = below.get(..HASH_LEN)?.try_into().ok()?;
        let mut bytes = superblock.encode().to_vec();
        bytes.resize(bytes.len().next_multiple_of(block_len), 0);
        levels.iter().rev().for_each(|level| bytes.extend_from_slice(level));
        Some(Built { bytes, pin: Pin { root, superblock: superblock.hash() } })
    }
}
