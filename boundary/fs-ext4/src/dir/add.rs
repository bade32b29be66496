//! Adding names. A directory that outgrows its first block gets a hash tree; full leaves of the
//! tree are split, then full nodes, then the tree becomes deeper.

use super::tree::{Step, Way};
use crate::cache::Role;
use crate::core::Core;
use crate::error::{Error, Result, bad_block, bad_inode};
use alloc::vec::Vec;
use rkt_ext4_format::dir;
use rkt_ext4_format::dx::{self, Entry, Info, NODE_HEAD, ROOT_HEAD};
use rkt_ext4_format::features::{Compat, Incompat};
use rkt_ext4_format::hash::Hasher;
use rkt_ext4_format::inode::Flags;

/// An entry of a leaf that is being split.
struct Name {
    hash: u32,
    ino: u32,
    kind: u8,
    name: Vec<u8>,
}

impl Core {
    /// Adds a name that is not there, leading to an inode of that mode.
    pub fn add_entry(&mut self, dir: u32, name: &[u8], ino: u32, mode: u16) -> Result<()> {
        let kind = self.entry_kind(mode);
        if self.is_indexed(dir)? {
            return self.add_to_tree(dir, name, ino, kind);
        }
        // The last block is the one that may have room: earlier ones filled up before it was
        // made, and only removals made gaps in them, which are found after it.
        let blocks = self.dir_blocks(dir)?;
        for logical in (0..blocks).rev() {
            if self.add_to_block(dir, logical, name, ino, kind)? {
                return Ok(());
            }
        }
        if blocks == 1 && self.shape.compat.contains(Compat::DIR_INDEX) {
            self.make_tree(dir)?;
            return self.add_to_tree(dir, name, ino, kind);
        }
        let block = self.append_dir_block(dir)?;
        let role = self.entries_role(dir)?;
        let tail = self.dir_tail();
        dir::clear(self.cache.create(block, role)?, tail);
        if self.add_to_block(dir, blocks, name, ino, kind)? { Ok(()) } else { Err(Error::NoSpace) }
    }

    fn add_to_block(&mut self, dir: u32, logical: u32, name: &[u8], ino: u32, kind: u8) -> Result<bool> {
        let (block, role, bytes) = self.dir_block(dir, logical)?;
        let body = self.dir_body();
        let wanted = dir::needed(name.len());
        // Looks first: a full block must not become part of the transaction.
        let fits = dir::entries(bytes.get(..body).unwrap_or_default()).any(|entry| {
            entry.is_ok_and(|entry| {
                let used = if entry.ino == 0 { 0 } else { dir::needed(entry.name.len()) };
                entry.len >= used + wanted
            })
        });
        drop(bytes);
        if !fits {
            return Ok(false);
        }
        let bytes = self.cache.get_mut(block, role)?.get_mut(..body).unwrap_or_default();
        dir::insert(bytes, ino, kind, name).map_err(|what| bad_block(what, block))
    }

    /// Moves the names of a directory of one block to a second, the first leaf of its tree.
    fn make_tree(&mut self, dir: u32) -> Result<()> {
        let (block, role, bytes) = self.dir_block(dir, 0)?;
        let parent = self.find_parent(dir)?.ino;
        let leaf = self.append_dir_block(dir)?;
        let (tail, body) = (self.dir_tail(), self.dir_body());
        let names = dir::entries(bytes.get(..body).unwrap_or_default());
        let leaf_bytes = self.cache.create(leaf, role)?;
        dir::clear(leaf_bytes, tail);
        for entry in names {
            let entry = entry.map_err(|what| bad_block(what, block))?;
            if entry.ino != 0 && entry.name != b"." && entry.name != b".." {
                let place = leaf_bytes.get_mut(..body).unwrap_or_default();
                dir::insert(place, entry.ino, entry.kind, entry.name).map_err(|what| bad_block(what, leaf))?;
            }
        }
        drop(bytes);
        let kind = self.entry_kind(crate::inodes::mode::DIRECTORY);
        let (seed, hash_version) = (self.inode_seed(dir)?, self.shape.hash_version);
        let root = self.cache.get_mut(block, role)?;
        root.fill(0);
        let own = dir::needed(1);
        dir::write(root, 0, own, dir, kind, b".");
        dir::write(root, own, root.len() - own, parent, kind, b"..");
        dx::set_info(root, Info { hash_version, levels: 0 });
        dx::set_entries(root, ROOT_HEAD, tail, &[Entry { hash: 0, block: 1 }]);
        self.cache.set_role(block, Role::TreeRoot(seed));
        self.inode_data_mut(dir)?.flags.insert(Flags::INDEX);
        Ok(())
    }

    fn add_to_tree(&mut self, dir: u32, name: &[u8], ino: u32, kind: u8) -> Result<()> {
        let (hasher, _) = self.tree_info(dir)?;
        let hash = hasher.hash(name).major;
        // Each round that does not end makes room on one level, or splits the leaf.
        for _ in 0..16 {
            let way = self.tree_way(dir, hash)?;
            if self.add_to_block(dir, way.leaf, name, ino, kind)? {
                return Ok(());
            }
            let full =
                |step: &Step, core: &Self| step.count >= dx::capacity(core.block_size(), step.head, core.dir_tail());
            match way.steps.last() {
                Some(last) if !full(last, self) => self.split_leaf(dir, &way, *last, &hasher)?,
                _ => match way.steps.iter().rposition(|step| !full(step, self)) {
                    Some(parent) => self.split_node(dir, &way, parent)?,
                    None => self.deepen_tree(dir, &way)?,
                },
            }
        }
        Err(Error::NoSpace)
    }

    fn insert_in_node(&mut self, step: &Step, new: Entry) -> Result<()> {
        let mut all = self.tree_entries(step)?;
        all.insert((step.at + 1).min(all.len()), new);
        let tail = self.dir_tail();
        dx::set_entries(self.cache.get_mut(step.block, step.role)?, step.head, tail, &all);
        Ok(())
    }

    /// Moves the names with the higher hashes of a leaf to a new one.
    fn split_leaf(&mut self, dir: u32, way: &Way, parent: Step, hasher: &Hasher) -> Result<()> {
        let (block, role, bytes) = self.dir_block(dir, way.leaf)?;
        let (tail, body) = (self.dir_tail(), self.dir_body());
        let mut names = Vec::new();
        for entry in dir::entries(bytes.get(..body).unwrap_or_default()) {
            let entry = entry.map_err(|what| bad_block(what, block))?;
            if entry.ino != 0 {
                let (hash, name) = (hasher.hash(entry.name).major, entry.name.to_vec());
                names.push(Name { hash, ino: entry.ino, kind: entry.kind, name });
            }
        }
        drop(bytes);
        names.sort_by_key(|name| name.hash);
        // Half of the bytes stay.
        let total: usize = names.iter().map(|name| dir::needed(name.name.len())).sum();
        let mut kept = 0;
        let mut at = 0;
        while at < names.len() && kept < total / 2 {
            kept += names.get(at).map_or(0, |name| dir::needed(name.name.len()));
            at += 1;
        }
        let upper = names.split_off(at.clamp(1, names.len().saturating_sub(1).max(1)));
        let Some(first) = upper.first() else { return Err(Error::NoSpace) };
        let goes_on = names.last().is_some_and(|last| last.hash == first.hash);
        let hash = first.hash | u32::from(goes_on);
        let logical = self.dir_blocks(dir)?;
        let new_block = self.append_dir_block(dir)?;
        for (place, names) in [(new_block, &upper), (block, &names)] {
            let bytes =
                if place == block { self.cache.get_mut(place, role)? } else { self.cache.create(place, role)? };
            dir::clear(bytes, tail);
            fill(bytes.get_mut(..body).unwrap_or_default(), names);
        }
        self.insert_in_node(&parent, Entry { hash, block: logical })
    }

    /// Moves the upper half of the entries of the full node below `parent` to a new node.
    fn split_node(&mut self, dir: u32, way: &Way, parent: usize) -> Result<()> {
        let (Some(above), Some(full)) = (way.steps.get(parent), way.steps.get(parent + 1)) else {
            return Err(bad_inode("directory tree has no such node", dir));
        };
        let mut lower = self.tree_entries(full)?;
        let upper = lower.split_off(lower.len() / 2);
        let hash = upper.first().map_or(0, |entry| entry.hash);
        let logical = self.new_node(dir, &upper)?;
        let tail = self.dir_tail();
        dx::set_entries(self.cache.get_mut(full.block, full.role)?, full.head, tail, &lower);
        self.insert_in_node(above, Entry { hash, block: logical })
    }

    fn new_node(&mut self, dir: u32, entries: &[Entry]) -> Result<u32> {
        let logical = self.dir_blocks(dir)?;
        let block = self.append_dir_block(dir)?;
        let (role, tail) = (Role::TreeNode(self.inode_seed(dir)?), self.dir_tail());
        let node = self.cache.create(block, role)?;
        dx::clear_node(node);
        dx::set_entries(node, NODE_HEAD, tail, entries);
        Ok(logical)
    }

    /// Moves all entries of the root to a new node below it.
    fn deepen_tree(&mut self, dir: u32, way: &Way) -> Result<()> {
        let root = *way.steps.first().ok_or(bad_inode("directory tree has no root", dir))?;
        let (_, info) = self.tree_info(dir)?;
        // Without `large_dir` the tree has one level of inner nodes.
        let deepest = if self.shape.incompat.contains(Incompat::LARGEDIR) { dx::MAX_LEVELS } else { 1 };
        if info.levels >= deepest {
            return Err(Error::NoSpace);
        }
        let all = self.tree_entries(&root)?;
        let logical = self.new_node(dir, &all)?;
        let tail = self.dir_tail();
        let bytes = self.cache.get_mut(root.block, root.role)?;
        dx::set_entries(bytes, ROOT_HEAD, tail, &[Entry { hash: 0, block: logical }]);
        dx::set_info(bytes, Info { levels: info.levels + 1, ..info });
        Ok(())
    }
}

/// Fills an empty block with names, one behind the other; the last one gets what is left.
fn fill(body: &mut [u8], names: &[Name]) {
    let mut at = 0;
    for (number, name) in names.iter().enumerate() {
        let needed = dir::needed(name.name.len());
        let len = if number + 1 == names.len() { body.len() - at } else { needed };
        dir::write(body, at, len, name.ino, name.kind, &name.name);
        at += needed;
    }
}
