//! How much memory a tmpfs may use.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use rkt_linux_abi::{Errno, Result};

/// The limits of a tmpfs (its `size` and `nr_inodes` options) and what is used of them.
pub struct Space {
    max_bytes: u64,
    bytes: AtomicU64,
    max_inodes: u64,
    inodes: AtomicU64,
}

impl Space {
    pub fn new(max_bytes: u64, max_inodes: u64) -> Self {
        Self { max_bytes, bytes: AtomicU64::new(0), max_inodes, inodes: AtomicU64::new(0) }
    }

    /// Bytes in all, and free.
    pub fn bytes(&self) -> (u64, u64) {
        (self.max_bytes, self.max_bytes.saturating_sub(self.bytes.load(Ordering::Relaxed)))
    }

    /// Inodes in all, and free.
    pub fn inodes(&self) -> (u64, u64) {
        (self.max_inodes, self.max_inodes.saturating_sub(self.inodes.load(Ordering::Relaxed)))
    }

    /// Counts an inode.
    ///
    /// # Errors
    /// `ENOSPC`.
    pub fn add_inode(&self) -> Result<()> {
        take(&self.inodes, 1, self.max_inodes)
    }

    /// Counts an inode no more.
    pub fn remove_inode(&self) {
        self.inodes.fetch_sub(1, Ordering::Relaxed);
    }
}

fn take(used: &AtomicU64, n: u64, max: u64) -> Result<()> {
    let before = used.fetch_add(n, Ordering::Relaxed);
    if before.saturating_add(n) > max {
        used.fetch_sub(n, Ordering::Relaxed);
        return Err(Errno::ENOSPC);
    }
    Ok(())
}

/// Bytes taken from a [`Space`]; given back on drop.
pub struct Charge {
    space: Arc<Space>,
    bytes: u64,
}

impl Charge {
    /// # Errors
    /// `ENOSPC`.
    pub fn new(space: &Arc<Space>, bytes: u64) -> Result<Self> {
        take(&space.bytes, bytes, space.max_bytes)?;
        Ok(Self { space: space.clone(), bytes })
    }

    /// Nothing taken.
    pub fn none(space: &Arc<Space>) -> Self {
        Self { space: space.clone(), bytes: 0 }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.space.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
