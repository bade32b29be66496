//! The mounted file system: inodes in use, those with dirty pages, and those to be let go.

use crate::errno::errno;
use crate::inode::Ext4Inode;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use rkt_ext4::{Disk, Environment, Ext4, MountError, Options};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::ParkLock;
use rkt_sync::Mutex;
use rkt_vfs::{FileSystem, FsStatistics, Inode};

/// `EXT4_SUPER_MAGIC` of linux/magic.h.
const MAGIC: u64 = 0xef53;
/// Bytes of a page, and the largest block.
pub(crate) const PAGE: usize = 4096;

/// How much the page cache of a file system holds.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// Pages in all; clean ones are dropped beyond.
    pub pages: usize,
    /// Dirty pages of one file, beyond which who writes waits for the disk.
    pub dirty_pages: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { pages: 65_536, dirty_pages: 8192 }
    }
}

/// What all inodes of a file system share.
pub(crate) struct Shared {
    pub fs: Ext4<ParkLock>,
    pub device: u64,
    pub limits: CacheLimits,
    /// Pages in memory.
    pub pages: AtomicUsize,
    /// Inodes in memory, so that each is there once.
    table: Mutex<BTreeMap<u32, Weak<Ext4Inode>>>,
    /// Those with pages to be written, which therefore stay.
    dirty: Mutex<BTreeMap<u32, Arc<Ext4Inode>>>,
    /// Those that nobody uses any more; letting them go may wait for the disk, which dropping
    /// must not.
    unused: Mutex<Vec<u32>>,
}

impl Shared {
    /// The inode with that number, which is held until it is dropped.
    pub fn inode(self: &Arc<Self>, ino: u32) -> Result<Arc<Ext4Inode>> {
        self.let_go();
        if let Some(known) = self.known(ino) {
            return Ok(known);
        }
        self.fs.hold(ino).map_err(errno)?;
        let made = Ext4Inode::new(self.clone(), ino)?;
        // Somebody else may have been faster; then the other hold ends with `made`.
        let mut table = self.table.lock();
        let other = table.get(&ino).and_then(Weak::upgrade);
        if other.is_none() {
            table.insert(ino, Arc::downgrade(&made));
        }
        drop(table);
        Ok(other.unwrap_or(made))
    }

    fn known(&self, ino: u32) -> Option<Arc<Ext4Inode>> {
        self.table.lock().get(&ino).and_then(Weak::upgrade)
    }

    /// An inode was dropped.
    pub fn dropped(&self, ino: u32) {
        self.unused.lock().push(ino);
    }

    /// Ends the holds of inodes that were dropped. What has no name is deleted then.
    pub fn let_go(&self) {
        let unused = core::mem::take(&mut *self.unused.lock());
        for ino in unused {
            let mut table = self.table.lock();
            if table.get(&ino).is_some_and(|known| known.strong_count() == 0) {
                table.remove(&ino);
            }
            drop(table);
            // The disk may fail; then the orphan is deleted by the next mount.
            let _ = self.fs.release(ino);
        }
    }

    /// An inode has pages to be written.
    pub fn mark_dirty(&self, inode: &Arc<Ext4Inode>) {
        self.dirty.lock().entry(inode.number()).or_insert_with(|| inode.clone());
    }

    /// Writes pages of all inodes. The first error is told, the others are remembered by the
    /// inodes.
    pub fn write_back(&self) -> Result<()> {
        let dirty = core::mem::take(&mut *self.dirty.lock());
        let mut result = Ok(());
        for inode in dirty.values() {
            result = result.and(inode.write_back());
        }
        result
    }

    /// Drops clean pages, of any inode, while there are too many.
    pub fn shrink(&self) {
        if self.pages.load(Ordering::Relaxed) <= self.limits.pages {
            return;
        }
        let all: Vec<Arc<Ext4Inode>> = self.table.lock().values().filter_map(Weak::upgrade).collect();
        for inode in all {
            inode.shrink();
            if self.pages.load(Ordering::Relaxed) <= self.limits.pages / 8 * 7 {
                return;
            }
        }
    }
}

/// A mounted ext4.
pub struct Ext4Fs {
    shared: Arc<Shared>,
    root: Arc<Ext4Inode>,
}

impl Ext4Fs {
    /// Mounts a disk, which programs will know by that device number.
    ///
    /// # Errors
    /// As [`Ext4::mount`]; blocks of more than 4096 bytes are refused.
    pub fn mount(
        disk: Arc<dyn Disk>,
        environment: Arc<dyn Environment>,
        options: Options,
        device: u64,
        limits: CacheLimits,
    ) -> Result<Arc<Self>, MountError> {
        let fs = Ext4::mount(disk, environment, options)?;
        if fs.block_size() > PAGE {
            return Err(MountError::Superblock("blocks are larger than pages"));
        }
        let (table, dirty, unused) = (Mutex::default(), Mutex::default(), Mutex::default());
        let pages = AtomicUsize::new(0);
        let shared = Arc::new(Shared { fs, device, limits, pages, table, dirty, unused });
        let root = shared.inode(shared.fs.root()).map_err(|_| MountError::Disk)?;
        Ok(Arc::new(Self { shared, root }))
    }

    /// To be called every second or so: writes pages back and makes old changes durable.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`.
    pub fn tick(&self) -> Result<()> {
        self.shared.write_back()?;
        // What had dirty pages alone to keep it goes now.
        self.shared.let_go();
        self.shared.fs.tick().map_err(errno)
    }

    /// Writes everything and leaves a disk that needs no replay. Nothing can be written
    /// afterwards.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`.
    pub fn unmount(&self) -> Result<()> {
        self.shared.write_back()?;
        self.shared.let_go();
        self.shared.fs.unmount().map_err(errno)
    }
}

impl FileSystem for Ext4Fs {
    fn type_name(&self) -> &'static str {
        "ext4"
    }

    fn root(&self) -> Arc<dyn Inode> {
        self.root.clone()
    }

    fn statistics(&self) -> FsStatistics {
        let found = self.shared.fs.statistics();
        FsStatistics {
            magic: MAGIC,
            block_size: found.block_size,
            blocks: found.blocks,
            free: found.available,
            inodes: found.inodes,
            free_inodes: found.free_inodes,
            name_max: 255,
        }
    }

    fn device(&self) -> u64 {
        self.shared.device
    }

    fn sync(&self) -> Result<(), Errno> {
        self.shared.write_back()?;
        self.shared.fs.sync().map_err(errno)
    }

    fn options(&self) -> Box<str> {
        Box::default()
    }
}
