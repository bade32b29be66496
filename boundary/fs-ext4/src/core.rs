//! The state of a mounted file system, behind one lock. All methods of [`Core`] are done without
//! letting go of that lock, so whatever one operation changes is in one transaction.

use crate::cache::{Bytes, Cache, Role};
use crate::disk::Environment;
use crate::error::{Error, Result};
use crate::groups::Groups;
use crate::inodes::Inodes;
use crate::map::Recent;
use crate::shape::Shape;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_ext4_format::superblock::Superblock;

/// A run of blocks on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    pub start: u64,
    pub len: u32,
}

/// What the running transaction will tell the journal beyond changed blocks.
#[derive(Default)]
pub(crate) struct Running {
    /// Number.
    pub tid: u32,
    /// Blocks freed, which must not be used again before the transaction is durable.
    pub freed: Vec<Run>,
    /// Blocks of metadata freed: older copies in the journal must not be replayed.
    pub revoked: BTreeSet<u64>,
    /// The superblock has to be written.
    pub superblock: bool,
    /// When the first change was made.
    pub since: Option<i64>,
}

/// See the module.
pub(crate) struct Core {
    pub shape: Arc<Shape>,
    pub environment: Arc<dyn Environment>,
    pub cache: Cache,
    pub superblock: Superblock,
    pub groups: Groups,
    pub inodes: Inodes,
    /// Shared with those who look without the lock.
    pub recent: Arc<dyn Recent>,
    pub running: Running,
    /// The last transaction that is durable.
    pub committed: u32,
    /// Blocks that a transaction may change.
    pub largest: usize,
    /// Inodes without a name that somebody holds, or that are being truncated, with the successor
    /// that is stored in each.
    pub orphans: BTreeMap<u32, u32>,
    /// Changes of `orphans` that the list on the disk does not have.
    pub orphans_changed: usize,
    /// Blocks promised to delayed allocation, and to writes in flight.
    pub reserved: u64,
    /// Blocks freed by transactions that are not durable yet; they count as free.
    pub pending_free: u64,
    /// Nothing may be written, by wish or after an error.
    pub read_only: bool,
    /// Damage was found.
    pub damaged: bool,
}

impl Core {
    /// The wall clock, in nanoseconds.
    pub fn now(&self) -> i64 {
        self.environment.now()
    }

    /// Whether an operation that changes so many blocks fits into the running transaction.
    pub fn has_room(&self, blocks: usize) -> bool {
        let revocations = self.running.revoked.len() / (self.shape.block_size / 16);
        // Each change of the list of orphans is one more inode that names another successor.
        self.cache.dirty_count() + self.orphans_changed + revocations + blocks < self.largest
    }

    /// A block of metadata whose parts somebody else checks.
    pub fn block(&mut self, block: u64) -> Result<Bytes> {
        self.cache.get(block, Role::Parts)
    }

    /// The same, to be changed.
    pub fn block_mut(&mut self, block: u64) -> Result<&mut [u8]> {
        self.cache.get_mut(block, Role::Parts)
    }

    /// Whether changes are allowed.
    pub fn check_writable(&self) -> Result<()> {
        if self.read_only { Err(Error::ReadOnly) } else { Ok(()) }
    }

    /// The superblock will be written with the running transaction.
    pub fn touch_superblock(&mut self) -> Result<()> {
        let (block, _) = self.shape.superblock_place();
        self.running.superblock = true;
        self.block_mut(block).map(|_| ())
    }

    /// Size of a block.
    pub fn block_size(&self) -> usize {
        self.shape.block_size
    }
}
