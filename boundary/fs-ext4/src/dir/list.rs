//! Listing directories: in the order of hashes where the directory has or may get a tree, so that
//! positions stay valid when it does; else in the order of the disk.

use crate::core::Core;
use crate::error::{Result, bad_block};
use alloc::vec::Vec;
use rkt_ext4_format::dir;
use rkt_ext4_format::features::Compat;
use rkt_ext4_format::hash::{Hash, Hasher};

/// A name in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirEntry<'a> {
    /// The name.
    pub name: &'a [u8],
    /// Inode number.
    pub ino: u32,
    /// Kind of inode, one of [`rkt_ext4_format::dir::file_type`]; 0 if the directory does not say.
    pub kind: u8,
    /// Position to go on from behind this entry.
    pub next: u64,
}

/// Takes entries until it returns false: that entry was not taken, nor will be more.
type Sink<'a> = &'a mut dyn FnMut(&DirEntry<'_>) -> bool;

/// A name with its position.
struct Placed {
    position: u64,
    ino: u32,
    kind: u8,
    name: Vec<u8>,
}

/// Position of a hash, as Linux has it: bit 0 of the major hash is always 0.
fn position(hash: Hash) -> u64 {
    u64::from(hash.major >> 1) << 32 | u64::from(hash.minor)
}

/// Sorts entries and passes those from `from` on to the sink; false when that has enough.
fn emit(mut all: Vec<Placed>, from: u64, sink: Sink<'_>) -> bool {
    all.sort_by_key(|entry| entry.position);
    let nexts: Vec<u64> = all.iter().skip(1).map(|entry| entry.position).collect();
    for (number, entry) in all.iter().enumerate().filter(|(_, entry)| entry.position >= from) {
        // Names with one hash share a position; a listing cut between them shows some twice.
        let shared = nexts.get(number) == Some(&entry.position);
        let next = if shared { entry.position } else { entry.position + 1 };
        if !sink(&DirEntry { name: &entry.name, ino: entry.ino, kind: entry.kind, next }) {
            return false;
        }
    }
    true
}

impl Core {
    /// Lists a directory, without "." and "..", from a position (0 = start).
    pub fn read_dir(&mut self, dir: u32, from: u64, sink: Sink<'_>) -> Result<()> {
        let blocks = self.dir_blocks(dir)?;
        if self.is_inline(dir)? {
            let hasher = self.shape.hasher;
            let all = self.inline_entries(dir)?.into_iter().map(|entry| {
                let position = position(hasher.hash(&entry.name));
                Placed { position, ino: entry.ino, kind: entry.kind, name: entry.name }
            });
            emit(all.collect(), from, sink);
            return Ok(());
        }
        if self.is_indexed(dir)? {
            return self.read_tree(dir, from, sink);
        }
        if blocks == 1 && self.shape.compat.contains(Compat::DIR_INDEX) {
            let hasher = self.shape.hasher;
            let all = self.placed(dir, 0, Some(&hasher))?;
            emit(all, from, sink);
            return Ok(());
        }
        let first = u32::try_from(from / self.block_size() as u64).unwrap_or(u32::MAX);
        for logical in first..blocks {
            let all = self.placed(dir, logical, None)?;
            if !emit(all, from, sink) {
                break;
            }
        }
        Ok(())
    }

    fn read_tree(&mut self, dir: u32, from: u64, sink: Sink<'_>) -> Result<()> {
        let (hasher, _) = self.tree_info(dir)?;
        let start = ((from >> 31) as u32) & !1;
        let mut way = self.tree_way(dir, start)?;
        let mut all = self.placed(dir, way.leaf, Some(&hasher))?;
        for _ in 0..self.dir_blocks(dir)? {
            match self.next_leaf(dir, &mut way)? {
                // Names with the hash that the last leaf ended with: sorted together with it.
                Some(hash) if hash & 1 != 0 => all.extend(self.placed(dir, way.leaf, Some(&hasher))?),
                Some(_) => {
                    if !emit(all, from, sink) {
                        return Ok(());
                    }
                    all = self.placed(dir, way.leaf, Some(&hasher))?;
                }
                None => break,
            }
        }
        emit(all, from, sink);
        Ok(())
    }

    /// The names in a block of a directory, placed by hash or, without a hasher, by where they are.
    fn placed(&mut self, dir: u32, logical: u32, hasher: Option<&Hasher>) -> Result<Vec<Placed>> {
        let (block, _, bytes) = self.dir_block(dir, logical)?;
        let start = u64::from(logical) * self.block_size() as u64;
        let mut all = Vec::new();
        for entry in dir::entries(bytes.get(..self.dir_body()).unwrap_or_default()) {
            let entry = entry.map_err(|what| bad_block(what, block))?;
            if entry.ino == 0 || entry.name == b"." || entry.name == b".." {
                continue;
            }
            let at = hasher.map_or(start + entry.at as u64, |hasher| position(hasher.hash(entry.name)));
            all.push(Placed { position: at, ino: entry.ino, kind: entry.kind, name: entry.name.to_vec() });
        }
        Ok(all)
    }
}
