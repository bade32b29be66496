//! Putting extents into a tree.

use super::node::{Path, Place, Step};
use crate::core::Core;
use crate::error::{Error, Result, bad_inode};
use alloc::vec::Vec;
use rkt_ext4_format::extent::{self, Entry, Extent, Header, Index, MAX_DEPTH};

impl Core {
    /// Puts an extent where there is a hole, joined with its neighbours if it can be.
    pub fn insert_extent(&mut self, ino: u32, new: Extent) -> Result<()> {
        // Each round makes room on one level.
        for _ in 0..2 * (MAX_DEPTH + 1) {
            let path = self.path(ino, new.logical)?;
            let leaf = self.node(ino, path.leaf(), 0)?;
            let header = extent::header(&leaf).map_err(|what| bad_inode(what, ino))?;
            let mut all: Vec<Extent> = extent::entries(&leaf).collect();
            drop(leaf);
            let at = all.partition_point(|extent| extent.logical < new.logical);
            add(&mut all, at, new);
            if all.len() <= header.max.into() {
                let first = all.first().map_or(0, |extent| extent.logical);
                self.set_node(ino, path.leaf(), header, &all)?;
                return self.set_first(ino, &path.steps, 0, first);
            }
            self.make_room(ino, &path, new.logical)?;
        }
        Err(Error::TooLarge)
    }

    /// The last node of `steps`, which is `depth` from the leaves, now begins at `first`: tells
    /// the nodes above it.
    pub(super) fn set_first(&mut self, ino: u32, steps: &[Step], depth: u16, first: u32) -> Result<()> {
        let mut depth = depth;
        for step in steps.iter().rev().skip(1) {
            depth += 1;
            let node = self.node(ino, step.place, depth)?;
            let header = extent::header(&node).map_err(|what| bad_inode(what, ino))?;
            let mut all: Vec<Index> = extent::entries(&node).collect();
            drop(node);
            let index = all.get_mut(step.at).ok_or(bad_inode("extent index is gone", ino))?;
            if index.logical == first {
                return Ok(());
            }
            index.logical = first;
            self.set_node(ino, step.place, header, &all)?;
            if step.at > 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Splits the lowest full node on the way whose parent has room, or makes the tree deeper.
    fn make_room(&mut self, ino: u32, path: &Path, logical: u32) -> Result<()> {
        let depth = self.tree_depth(ino)?;
        let steps = path.steps.iter().rev();
        for (level, (child, parent)) in (0..depth).zip(steps.clone().zip(steps.skip(1))) {
            let node = self.node(ino, parent.place, level + 1)?;
            let header = extent::header(&node).map_err(|what| bad_inode(what, ino))?;
            if header.entries < header.max {
                return match level {
                    0 => self.split::<Extent>(ino, *child, *parent, level, logical),
                    _ => self.split::<Index>(ino, *child, *parent, level, logical),
                };
            }
        }
        self.deepen(ino, depth)
    }

    /// Moves the upper entries of a node to a new one.
    fn split<E: Entry>(&mut self, ino: u32, child: Step, parent: Step, level: u16, logical: u32) -> Result<()> {
        let node = self.node(ino, child.place, level)?;
        let header = extent::header(&node).map_err(|what| bad_inode(what, ino))?;
        let mut lower: Vec<E> = extent::entries(&node).collect();
        drop(node);
        // Files that grow at their end leave full nodes behind.
        let grows = lower.last().is_some_and(|last| last.logical() < logical);
        let keep = if grows { lower.len().saturating_sub(1) } else { lower.len() / 2 };
        let upper = lower.split_off(keep);
        let first = upper.first().ok_or(bad_inode("extent node is empty", ino))?.logical();
        let block = self.create_node(ino, level, &upper, child.place.unwrap_or(0))?;
        self.set_node(ino, child.place, header, &lower)?;

        let node = self.node(ino, parent.place, level + 1)?;
        let header = extent::header(&node).map_err(|what| bad_inode(what, ino))?;
        let mut all: Vec<Index> = extent::entries(&node).collect();
        drop(node);
        all.insert((parent.at + 1).min(all.len()), Index { logical: first, child: block });
        self.set_node(ino, parent.place, header, &all)
    }

    /// Moves the entries of the root to a new block, the only child of the root from now on.
    fn deepen(&mut self, ino: u32, depth: u16) -> Result<()> {
        if depth >= MAX_DEPTH {
            return Err(Error::TooLarge);
        }
        let root = self.node(ino, None, depth)?;
        let header = extent::header(&root).map_err(|what| bad_inode(what, ino))?;
        let goal = self.goal_of(ino)?;
        let (first, block) = if depth == 0 {
            let all: Vec<Extent> = extent::entries(&root).collect();
            (all.first().map(Entry::logical), self.create_node(ino, depth, &all, goal)?)
        } else {
            let all: Vec<Index> = extent::entries(&root).collect();
            (all.first().map(Entry::logical), self.create_node(ino, depth, &all, goal)?)
        };
        let only = Index { logical: first.unwrap_or(0), child: block };
        self.set_node(ino, None, Header { depth: depth + 1, ..header }, &[only])
    }

    /// The tree became smaller: a root with one child takes that child's entries if they fit.
    pub(super) fn flatten(&mut self, ino: u32) -> Result<()> {
        for _ in 0..MAX_DEPTH {
            let depth = self.tree_depth(ino)?;
            let root = self.node(ino, None, depth)?;
            let header = extent::header(&root).map_err(|what| bad_inode(what, ino))?;
            let only = extent::entry::<Index>(&root, 0).filter(|_| depth > 0 && header.entries == 1);
            let Some(only) = only else { return Ok(()) };
            let child: Place = Some(only.child);
            let node = self.node(ino, child, depth - 1)?;
            let count = extent::header(&node).map_or(u16::MAX, |header| header.entries);
            if count > header.max {
                return Ok(());
            }
            let header = Header { depth: depth - 1, ..header };
            if depth == 1 {
                let all: Vec<Extent> = extent::entries(&node).collect();
                self.set_node(ino, None, header, &all)?;
            } else {
                let all: Vec<Index> = extent::entries(&node).collect();
                self.set_node(ino, None, header, &all)?;
            }
            drop(node);
            self.free_metadata(only.child)?;
            self.count_blocks(ino, -1)?;
        }
        Ok(())
    }
}

/// Puts `new` at `at`, joined with what is before and behind it.
fn add(all: &mut Vec<Extent>, at: usize, new: Extent) {
    let mut new = new;
    let mut place = at;
    if let Some(before) = at.checked_sub(1).and_then(|before| all.get(before)).copied()
        && before.joins(&new)
    {
        new = Extent { len: before.len + new.len, ..before };
        place -= 1;
        all.remove(place);
    }
    if let Some(behind) = all.get(place).copied()
        && new.joins(&behind)
    {
        new.len += behind.len;
        all.remove(place);
    }
    all.insert(place, new);
}
