//! Blocks of metadata in memory: those that a transaction changed, those that the journal has and
//! their places on the disk do not yet, and as many others as the bound allows.

use crate::disk::Disk;
use crate::error::{Error, Result, bad_block};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hashbrown::HashMap;
use rkt_ext4_format::{Seed, dir, dx, extent, xattr};

/// The content of a block. Whoever changes it while others hold it gets a copy.
pub(crate) type Bytes = Arc<[u8]>;

/// What a block is: how it is checked when it is read, and sealed before it is written. Seeds are
/// those of the owning inode, if the file system has checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Bitmaps, inode tables, descriptors: checked and sealed by whoever knows their parts.
    Parts,
    /// Entries of a directory.
    Entries(Option<Seed>),
    /// Root of a directory tree.
    TreeRoot(Option<Seed>),
    /// Inner node of a directory tree.
    TreeNode(Option<Seed>),
    /// Node of an extent tree, so far from the leaves.
    Extents(Option<Seed>, u16),
    /// Extended attributes; the seed is that of the file system.
    Attributes(Option<Seed>),
}

impl Role {
    fn verify(self, block: u64, bytes: &[u8], blocks: u64) -> Result<()> {
        let sum_is_right = match self {
            Self::Entries(Some(seed)) => dir::verify(seed, bytes),
            Self::TreeRoot(Some(seed)) => dx::verify(seed, bytes, dx::ROOT_HEAD),
            Self::TreeNode(Some(seed)) => dx::verify(seed, bytes, dx::NODE_HEAD),
            Self::Extents(Some(seed), _) => extent::verify(seed, bytes),
            Self::Attributes(Some(seed)) => xattr::verify(seed, block, bytes),
            _ => true,
        };
        if !sum_is_right {
            return Err(bad_block("wrong checksum", block));
        }
        let flaw = match self {
            Self::Extents(_, depth) => extent::check(bytes, depth, blocks).err(),
            Self::Attributes(_) => xattr::header(bytes).err(),
            _ => None,
        };
        flaw.map_or(Ok(()), |what| Err(bad_block(what, block)))
    }

    fn seal(self, block: u64, bytes: &mut [u8]) {
        match self {
            Self::Entries(Some(seed)) => dir::seal(seed, bytes),
            Self::TreeRoot(Some(seed)) => dx::seal(seed, bytes, dx::ROOT_HEAD),
            Self::TreeNode(Some(seed)) => dx::seal(seed, bytes, dx::NODE_HEAD),
            Self::Extents(Some(seed), _) => extent::seal(seed, bytes),
            Self::Attributes(Some(seed)) => xattr::seal(seed, block, bytes),
            _ => (),
        }
    }
}

struct Entry {
    bytes: Bytes,
    role: Role,
    /// Changed by the running transaction.
    dirty: bool,
    /// The last transaction that took it, until that is checkpointed.
    logged: Option<u32>,
    /// Used since the hand of the clock last came by.
    used: bool,
}

/// The cache.
pub(crate) struct Cache {
    disk: Arc<dyn Disk>,
    block_size: usize,
    blocks: u64,
    bound: usize,
    entries: HashMap<u64, Entry>,
    /// The clock: every block, and some that were forgotten.
    clock: VecDeque<u64>,
    /// Those that are dirty, and some that no longer are.
    dirty: Vec<u64>,
    dirty_count: usize,
}

impl Cache {
    /// An empty cache of at most `bound` blocks that could be read again.
    pub fn new(disk: Arc<dyn Disk>, block_size: usize, blocks: u64, bound: usize) -> Self {
        let (entries, clock, dirty) = (HashMap::new(), VecDeque::new(), Vec::new());
        Self { disk, block_size, blocks, bound, entries, clock, dirty, dirty_count: 0 }
    }

    /// The content of a block.
    ///
    /// # Errors
    /// If it cannot be read or is not what `role` says.
    pub fn get(&mut self, block: u64, role: Role) -> Result<Bytes> {
        self.load(block, role).map(|entry| entry.bytes.clone())
    }

    fn load(&mut self, block: u64, role: Role) -> Result<&mut Entry> {
        if !self.entries.contains_key(&block) {
            if block >= self.blocks {
                return Err(bad_block("block outside of the disk", block));
            }
            let mut bytes = Bytes::from(alloc::vec![0; self.block_size]);
            let place = Arc::get_mut(&mut bytes).ok_or(Error::Disk)?;
            self.disk.read(block * self.block_size as u64, place)?;
            role.verify(block, &bytes, self.blocks)?;
            self.insert(block, bytes, role);
        }
        let blocks = self.blocks;
        let entry = self.entries.get_mut(&block).ok_or(Error::Disk)?;
        if entry.role != role {
            // Only on a damaged disk a block is two things.
            if entry.dirty || entry.logged.is_some() {
                return Err(bad_block("block is used twice", block));
            }
            role.verify(block, &entry.bytes, blocks)?;
            entry.role = role;
        }
        entry.used = true;
        Ok(entry)
    }

    fn insert(&mut self, block: u64, bytes: Bytes, role: Role) {
        self.shrink();
        let entry = Entry { bytes, role, dirty: false, logged: None, used: true };
        if self.entries.insert(block, entry).is_none() {
            self.clock.push_back(block);
        }
        // Forgotten blocks stay on the clock until they are too many.
        if self.clock.len() > 2 * self.entries.len() + 1024 {
            self.clock = self.entries.keys().copied().collect();
        }
    }

    /// Drops blocks that could be read again while there are too many; one look at each suffices
    /// for a clock whose hand goes round at most twice.
    fn shrink(&mut self) {
        for _ in 0..16 {
            if self.entries.len() < self.bound {
                return;
            }
            let Some(block) = self.clock.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(&block) else { continue };
            if entry.dirty || entry.logged.is_some() || entry.used {
                entry.used = false;
                self.clock.push_back(block);
            } else {
                self.entries.remove(&block);
            }
        }
    }

    /// The content of a block, to be changed as part of the running transaction.
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub fn get_mut(&mut self, block: u64, role: Role) -> Result<&mut [u8]> {
        self.load(block, role)?;
        let entry = self.entries.get_mut(&block).ok_or(Error::Disk)?;
        if !entry.dirty {
            entry.dirty = true;
            self.dirty.push(block);
            self.dirty_count += 1;
        }
        Ok(Arc::make_mut(&mut entry.bytes))
    }

    /// A block of zeroes in the place of whatever is on the disk.
    ///
    /// # Errors
    /// If the block is in use as something else.
    pub fn create(&mut self, block: u64, role: Role) -> Result<&mut [u8]> {
        self.forget(block);
        self.insert(block, Bytes::from(alloc::vec![0; self.block_size]), role);
        self.get_mut(block, role)
    }

    /// Changes what a block is, before its content changes to match.
    pub fn set_role(&mut self, block: u64, role: Role) {
        if let Some(entry) = self.entries.get_mut(&block) {
            entry.role = role;
        }
    }

    /// Drops a block whatever its state.
    pub fn forget(&mut self, block: u64) {
        if let Some(entry) = self.entries.remove(&block) {
            self.dirty_count -= usize::from(entry.dirty);
        }
    }

    /// Blocks that the running transaction changed.
    pub fn dirty_count(&self) -> usize {
        self.dirty_count
    }

    /// Ends the running transaction, number `tid`: seals what it changed and gives it, in order.
    pub fn take_dirty(&mut self, tid: u32) -> Vec<(u64, Bytes)> {
        let mut blocks = core::mem::take(&mut self.dirty);
        blocks.sort_unstable();
        blocks.dedup();
        self.dirty_count = 0;
        let mut taken = Vec::with_capacity(blocks.len());
        for block in blocks {
            let Some(entry) = self.entries.get_mut(&block).filter(|entry| entry.dirty) else { continue };
            entry.role.seal(block, Arc::make_mut(&mut entry.bytes));
            entry.dirty = false;
            entry.logged = Some(tid);
            taken.push((block, entry.bytes.clone()));
        }
        taken
    }

    /// Transactions up to `tid` are in their places on the disk.
    pub fn checkpointed(&mut self, tid: u32, blocks: impl Iterator<Item = u64>) {
        for block in blocks {
            if let Some(entry) = self.entries.get_mut(&block)
                && entry.logged.is_some_and(|logged| logged.wrapping_sub(tid).cast_signed() <= 0)
            {
                entry.logged = None;
            }
        }
    }
}
