//! The way through a directory's hash tree.

use super::Found;
use crate::cache::{Bytes, Role};
use crate::core::Core;
use crate::error::{Result, bad_block, bad_inode};
use alloc::vec::Vec;
use rkt_ext4_format::dx::{self, Entry, NODE_HEAD, ROOT_HEAD};
use rkt_ext4_format::hash::{Hash, Hasher, Kind};

/// A node on the way to a leaf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Block of the disk.
    pub block: u64,
    pub role: Role,
    /// Bytes before its entries.
    pub head: usize,
    /// Which entry leads on.
    pub at: usize,
    /// How many there are.
    pub count: usize,
}

/// The way from the root to a leaf.
pub(super) struct Way {
    pub steps: Vec<Step>,
    /// The leaf, as a block of the directory.
    pub leaf: u32,
}

impl Core {
    fn tree_root(&mut self, dir: u32) -> Result<(u64, Role, Bytes)> {
        let role = Role::TreeRoot(self.inode_seed(dir)?);
        let block = self.dir_place(dir, 0)?;
        Ok((block, role, self.cache.get(block, role)?))
    }

    /// What the root says: how names are hashed, and the levels below it.
    pub(super) fn tree_info(&mut self, dir: u32) -> Result<(Hasher, dx::Info)> {
        let (block, _, root) = self.tree_root(dir)?;
        let info = dx::info(&root).map_err(|what| bad_block(what, block))?;
        let flaw = bad_block("directory tree has an unknown hash", block);
        let (kind, unsigned) = Kind::from_version(info.hash_version).ok_or(flaw)?;
        let signed = self.shape.hasher.signed && !unsigned;
        Ok((Hasher { kind, signed, ..self.shape.hasher }, info))
    }

    /// The entries of a node.
    pub(super) fn tree_entries(&mut self, step: &Step) -> Result<Vec<Entry>> {
        let bytes = self.cache.get(step.block, step.role)?;
        Ok((0..step.count).filter_map(|at| dx::entry(&bytes, step.head, at)).collect())
    }

    /// The way to the leaf of a hash.
    pub(super) fn tree_way(&mut self, dir: u32, major: u32) -> Result<Way> {
        let (_, info) = self.tree_info(dir)?;
        let (mut block, mut role, mut bytes) = self.tree_root(dir)?;
        let mut head = ROOT_HEAD;
        let mut steps = Vec::new();
        for level in 0..=info.levels {
            let flaw = |what| bad_block(what, block);
            let count = dx::count(&bytes, head, self.dir_tail()).map_err(flaw)?;
            let key = |at: usize| dx::entry(&bytes, head, at).map_or(u32::MAX, |entry| entry.hash);
            let (mut low, mut high) = (1, count);
            while low < high {
                let middle = low.midpoint(high);
                if key(middle) <= major { low = middle + 1 } else { high = middle }
            }
            let at = low - 1;
            let next = dx::entry(&bytes, head, at).ok_or(flaw("directory node is too small"))?.block;
            steps.push(Step { block, role, head, at, count });
            if level == info.levels {
                return Ok(Way { steps, leaf: next });
            }
            (head, role) = (NODE_HEAD, Role::TreeNode(self.inode_seed(dir)?));
            block = self.dir_place(dir, next)?;
            bytes = self.cache.get(block, role)?;
        }
        Err(bad_inode("directory tree has no leaves", dir))
    }

    /// Moves to the next leaf in the order of hashes; gives the lowest hash in it as the tree
    /// has it, whose bit 0 says that the last hash of the leaf before goes on.
    pub(super) fn next_leaf(&mut self, dir: u32, way: &mut Way) -> Result<Option<u32>> {
        let levels = way.steps.len();
        let Some(turn) = way.steps.iter().rposition(|step| step.at + 1 < step.count) else { return Ok(None) };
        way.steps.truncate(turn + 1);
        let Some(step) = way.steps.last_mut() else { return Ok(None) };
        step.at += 1;
        let (block, role, head, at) = (step.block, step.role, step.head, step.at);
        let bytes = self.cache.get(block, role)?;
        let entry = dx::entry(&bytes, head, at).ok_or(bad_block("directory node is too small", block))?;
        let mut next = entry.block;
        while way.steps.len() < levels {
            let role = Role::TreeNode(self.inode_seed(dir)?);
            let block = self.dir_place(dir, next)?;
            let bytes = self.cache.get(block, role)?;
            let count = dx::count(&bytes, NODE_HEAD, self.dir_tail()).map_err(|what| bad_block(what, block))?;
            next = dx::entry(&bytes, NODE_HEAD, 0).map_or(0, |entry| entry.block);
            way.steps.push(Step { block, role, head: NODE_HEAD, at: 0, count });
        }
        way.leaf = next;
        Ok(Some(entry.hash))
    }

    pub(super) fn find_in_tree(&mut self, dir: u32, name: &[u8]) -> Result<Option<Found>> {
        let (hasher, _) = self.tree_info(dir)?;
        let Hash { major, .. } = hasher.hash(name);
        let mut way = self.tree_way(dir, major)?;
        // Names with one hash may fill several leaves; no more than the directory has.
        for _ in 0..self.dir_blocks(dir)? {
            let (block, role, bytes) = self.dir_block(dir, way.leaf)?;
            if let Some(found) = self.find_in(&bytes, block, role, name)? {
                return Ok(Some(found));
            }
            match self.next_leaf(dir, &mut way)? {
                Some(hash) if hash == major | 1 => (),
                _ => break,
            }
        }
        Ok(None)
    }

    /// All leaves in the order of hashes, as blocks of the directory.
    pub(super) fn tree_leaves(&mut self, dir: u32) -> Result<Vec<u32>> {
        let mut way = self.tree_way(dir, 0)?;
        let mut leaves = alloc::vec![way.leaf];
        let blocks = self.dir_blocks(dir)? as usize;
        while self.next_leaf(dir, &mut way)?.is_some() {
            leaves.push(way.leaf);
            if leaves.len() > blocks {
                return Err(bad_inode("directory tree has more leaves than blocks", dir));
            }
        }
        Ok(leaves)
    }
}
