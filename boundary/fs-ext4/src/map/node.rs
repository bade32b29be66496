//! Nodes of extent trees, in the inode and in blocks, and the way down to a leaf.

use super::{Mapping, State};
use crate::cache::{Bytes, Role};
use crate::core::Core;
use crate::error::{Result, bad_inode};
use alloc::vec::Vec;
use core::ops::Deref;
use rkt_ext4_format::extent::{self, Extent, Header, Index};
use rkt_ext4_format::inode::BLOCK_LEN;

/// Where a node is: in the inode, or in a block.
pub(super) type Place = Option<u64>;

/// The content of a node.
pub(super) enum Node {
    Root([u8; BLOCK_LEN]),
    Block(Bytes),
}

impl Deref for Node {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Root(bytes) => bytes,
            Self::Block(bytes) => bytes,
        }
    }
}

/// A node on the way to a leaf.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub place: Place,
    /// Which entry leads on; for a leaf the last entry at or before what is looked for, or 0.
    pub at: usize,
}

/// The way from the root to a leaf.
pub(super) struct Path {
    pub steps: Vec<Step>,
    /// Where the next leaf begins, or 2^32.
    pub next_leaf: u64,
}

impl Path {
    /// The leaf.
    pub fn leaf(&self) -> Place {
        self.steps.last().and_then(|step| step.place)
    }
}

impl Core {
    fn node_role(&mut self, ino: u32, depth: u16) -> Result<Role> {
        Ok(Role::Extents(self.inode_seed(ino)?, depth))
    }

    /// The content of a node that is `depth` from the leaves.
    pub(super) fn node(&mut self, ino: u32, place: Place, depth: u16) -> Result<Node> {
        let Some(block) = place else { return Ok(Node::Root(self.inode(ino)?.block.0)) };
        let role = self.node_role(ino, depth)?;
        self.cache.get(block, role).map(Node::Block)
    }

    /// Replaces the entries of a node.
    pub(super) fn set_node<E: extent::Entry>(
        &mut self,
        ino: u32,
        place: Place,
        header: Header,
        all: &[E],
    ) -> Result<()> {
        if usize::from(header.max) < all.len() {
            return Err(bad_inode("extent node overflows", ino));
        }
        self.recent.forget(ino);
        match place {
            None => extent::set_entries(&mut self.inode_data_mut(ino)?.block.0, header, all),
            Some(block) => {
                let role = self.node_role(ino, header.depth)?;
                // The inode counts as changed with its map, for fsync.
                self.inode_data_mut(ino)?;
                extent::set_entries(self.cache.get_mut(block, role)?, header, all);
            }
        }
        Ok(())
    }

    /// Makes a block a node with those entries.
    pub(super) fn create_node<E: extent::Entry>(&mut self, ino: u32, depth: u16, all: &[E], goal: u64) -> Result<u64> {
        let block = self.allocate_block(goal)?;
        let role = self.node_role(ino, depth)?;
        let max = extent::capacity(self.block_size() - size_of::<u32>());
        extent::set_entries(self.cache.create(block, role)?, Header { entries: 0, max, depth }, all);
        self.count_blocks(ino, 1)?;
        Ok(block)
    }

    /// Depth of the tree.
    pub(super) fn tree_depth(&mut self, ino: u32) -> Result<u16> {
        let root = self.inode(ino)?.block.0;
        extent::header(&root).map(|header| header.depth).map_err(|what| bad_inode(what, ino))
    }

    /// The way to the leaf where `logical` is or would be.
    pub(super) fn path(&mut self, ino: u32, logical: u32) -> Result<Path> {
        let mut depth = self.tree_depth(ino)?;
        let mut path = Path { steps: Vec::with_capacity(usize::from(depth) + 1), next_leaf: 1 << 32 };
        let mut place = None;
        loop {
            let node = self.node(ino, place, depth)?;
            if depth == 0 {
                let at = extent::find::<Extent>(&node, logical).unwrap_or(0);
                path.steps.push(Step { place, at });
                return Ok(path);
            }
            let at = extent::find::<Index>(&node, logical).unwrap_or(0);
            let index = extent::entry::<Index>(&node, at).ok_or(bad_inode("inner extent node is empty", ino))?;
            if let Some(next) = extent::entry::<Index>(&node, at + 1) {
                path.next_leaf = next.logical.into();
            }
            path.steps.push(Step { place, at });
            place = Some(index.child);
            depth -= 1;
        }
    }

    /// See [`Core::map`].
    pub(super) fn map_extents(&mut self, ino: u32, logical: u32) -> Result<Mapping> {
        if let Some(found) = self.recent.find(ino, logical) {
            return Ok(mapping(&found));
        }
        let path = self.path(ino, logical)?;
        let leaf = self.node(ino, path.leaf(), 0)?;
        let at = extent::find::<Extent>(&leaf, logical);
        if let Some(found) = at.and_then(|at| extent::entry::<Extent>(&leaf, at))
            && found.end() > logical.into()
        {
            self.recent.add(ino, found);
            return Ok(mapping(&found));
        }
        let next = extent::entry::<Extent>(&leaf, at.map_or(0, |at| at + 1));
        let end = next.map_or(path.next_leaf, |next| next.logical.into());
        let len = u32::try_from(end.saturating_sub(logical.into())).unwrap_or(u32::MAX).max(1);
        Ok(Mapping { logical, len, state: State::Hole })
    }
}

/// What an extent says.
pub(super) fn mapping(found: &Extent) -> Mapping {
    let state = if found.unwritten { State::Unwritten(found.physical) } else { State::Written(found.physical) };
    Mapping { logical: found.logical, len: found.len, state }
}
