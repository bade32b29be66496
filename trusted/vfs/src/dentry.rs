//! The tree of names: which inode has which name where. Only names that exist are kept.

use crate::attr::FileType;
use crate::inode::Inode;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use hashbrown::HashMap;
use rkt_linux_abi::{Errno, Result};
use rkt_sched::{ParkGuard, ParkLock};
use rkt_sync::{Mutex, RwLock};

/// Fewest cached names of a directory at which unused ones are dropped.
const PRUNE_AT: usize = 1024;

/// A name in the tree, with its inode. A directory has exactly one at a time.
pub struct Dentry {
    inode: Arc<dyn Inode>,
    place: RwLock<Place>,
    deleted: AtomicBool,
    /// Number of mounts on top of it: a hint that saves looking for one.
    mounts: AtomicU32,
    directory: Option<Box<Directory>>,
}

#[derive(Clone)]
struct Place {
    /// None for the root of a file system and for what has no name.
    parent: Option<Arc<Dentry>>,
    name: Arc<[u8]>,
}

struct Directory {
    /// Held while names are added, removed, or looked up in the file system itself, so that
    /// the tree and the file system agree.
    lock: ParkLock,
    children: Mutex<Children>,
}

struct Children {
    by_name: HashMap<Arc<[u8]>, Arc<Dentry>>,
    prune_at: usize,
}

impl Drop for Dentry {
    fn drop(&mut self) {
        if self.is_deleted() {
            crate::notify::forgotten(&self.inode);
        }
    }
}

impl Dentry {
    fn new(inode: Arc<dyn Inode>, parent: Option<Arc<Dentry>>, name: &[u8]) -> Arc<Self> {
        let directory = (inode.kind() == FileType::Directory).then(|| {
            let children = Children { by_name: HashMap::new(), prune_at: PRUNE_AT };
            Box::new(Directory { lock: ParkLock::new(), children: Mutex::new(children) })
        });
        Arc::new(Self {
            inode,
            place: RwLock::new(Place { parent, name: name.into() }),
            deleted: AtomicBool::new(false),
            mounts: AtomicU32::new(0),
            directory,
        })
    }

    /// The root of a file system.
    pub fn root(inode: Arc<dyn Inode>) -> Arc<Self> {
        Self::new(inode, None, b"/")
    }

    /// Something that is in no directory; `name` is what /proc/self/fd shows.
    pub fn detached(inode: Arc<dyn Inode>, name: &[u8]) -> Arc<Self> {
        Self::new(inode, None, name)
    }

    /// A file that has no name yet in the directory it belongs to (`O_TMPFILE`).
    pub(crate) fn unnamed(inode: Arc<dyn Inode>, directory: Arc<Dentry>, name: &[u8]) -> Arc<Self> {
        let dentry = Self::new(inode, Some(directory), name);
        dentry.deleted.store(true, Ordering::Release);
        dentry
    }

    /// The inode.
    pub fn inode(&self) -> &Arc<dyn Inode> {
        &self.inode
    }

    /// The name within the parent.
    pub fn name(&self) -> Arc<[u8]> {
        self.place.read().name.clone()
    }

    /// The directory it is in.
    pub fn parent(&self) -> Option<Arc<Dentry>> {
        self.place.read().parent.clone()
    }

    /// Whether the name was removed.
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// The path from the root of the file system.
    pub(crate) fn path_in_fs(self: &Arc<Self>) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = self.clone();
        while let Some(parent) = at.parent() {
            names.push(at.name());
            at = parent;
        }
        if names.is_empty() {
            return b"/".to_vec();
        }
        names.iter().rev().flat_map(|name| [b"/".as_slice(), name].concat()).collect()
    }

    /// Whether it is `other` or below it.
    pub fn is_within(self: &Arc<Self>, other: &Arc<Dentry>) -> bool {
        let mut at = Some(self.clone());
        while let Some(dentry) = at {
            if Arc::ptr_eq(&dentry, other) {
                return true;
            }
            at = dentry.parent();
        }
        false
    }

    pub(crate) fn add_mount(&self) {
        self.mounts.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn remove_mount(&self) {
        self.mounts.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether something may be mounted here.
    pub(crate) fn has_mounts(&self) -> bool {
        self.mounts.load(Ordering::Acquire) > 0
    }

    fn directory(&self) -> Result<&Directory> {
        self.directory.as_deref().ok_or(Errno::ENOTDIR)
    }

    /// Keeps others from changing the directory.
    ///
    /// # Errors
    /// `ENOTDIR`.
    pub(crate) fn lock(&self) -> Result<ParkGuard<'_>> {
        Ok(self.directory()?.lock.lock())
    }

    fn cached(&self, name: &[u8]) -> Result<Option<Arc<Dentry>>> {
        Ok(self.directory()?.children.lock().by_name.get(name).cloned())
    }

    /// Finds a name.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EIO`.
    pub fn lookup(self: &Arc<Self>, name: &[u8]) -> Result<Arc<Dentry>> {
        if let Some(found) = self.cached(name)? {
            return Ok(found);
        }
        let _guard = self.lock()?;
        self.lookup_locked(name)
    }

    /// As [`Dentry::lookup`], for who holds the directory's lock.
    pub(crate) fn lookup_locked(self: &Arc<Self>, name: &[u8]) -> Result<Arc<Dentry>> {
        if let Some(found) = self.cached(name)? {
            return Ok(found);
        }
        let inode = self.inode.lookup(name)?;
        if self.inode.caches_names() { self.add(name, inode) } else { Ok(Self::new(inode, Some(self.clone()), name)) }
    }

    /// Enters a name that the file system has just got. The directory is locked.
    pub(crate) fn add(self: &Arc<Self>, name: &[u8], inode: Arc<dyn Inode>) -> Result<Arc<Dentry>> {
        let dentry = Self::new(inode, Some(self.clone()), name);
        self.insert(dentry.clone())?;
        Ok(dentry)
    }

    fn insert(&self, dentry: Arc<Dentry>) -> Result<()> {
        let name = dentry.name();
        let mut children = self.directory()?.children.lock();
        if children.by_name.len() >= children.prune_at {
            // One count is the table's; a directory with cached names is counted by those.
            children.by_name.retain(|_, child| Arc::strong_count(child) > 1);
            children.prune_at = PRUNE_AT.max(children.by_name.len().saturating_mul(2));
        }
        let replaced = children.by_name.insert(name, dentry);
        drop(children);
        drop(replaced);
        Ok(())
    }

    /// Takes a name out that the file system has just removed. The directory is locked.
    pub(crate) fn remove(&self, dentry: &Arc<Dentry>) -> Result<()> {
        dentry.deleted.store(true, Ordering::Release);
        let removed = self.directory()?.children.lock().by_name.remove(&*dentry.name());
        drop(removed);
        Ok(())
    }

    /// Moves a name, after the file system did, on top of what was there. Both directories are
    /// locked.
    pub(crate) fn move_to(self: &Arc<Self>, to: &Arc<Dentry>, name: &[u8]) -> Result<()> {
        let old = self.place.read().clone();
        if let Some(parent) = &old.parent {
            let removed = parent.directory()?.children.lock().by_name.remove(&*old.name);
            drop(removed);
        }
        *self.place.write() = Place { parent: Some(to.clone()), name: name.into() };
        to.insert(self.clone())
    }

    /// Exchanges the places of two names, after the file system did.
    pub(crate) fn exchange(self: &Arc<Self>, other: &Arc<Dentry>) -> Result<()> {
        let (mine, theirs) = (self.place.read().clone(), other.place.read().clone());
        *self.place.write() = theirs.clone();
        *other.place.write() = mine.clone();
        if let Some(parent) = &theirs.parent {
            parent.insert(self.clone())?;
        }
        if let Some(parent) = &mine.parent {
            parent.insert(other.clone())?;
        }
        Ok(())
    }

    /// Forgets every cached name below: parents and children hold each other.
    pub(crate) fn forget_children(&self) {
        let mut all = self.take_children();
        let mut next = 0;
        while let Some(dentry) = all.get(next) {
            let children = dentry.take_children();
            all.extend(children);
            next += 1;
        }
        // From below: each is dropped while its parent is still held, without recursion.
        while all.pop().is_some() {}
    }

    fn take_children(&self) -> Vec<Arc<Dentry>> {
        let Some(directory) = self.directory.as_deref() else { return Vec::new() };
        let children = core::mem::take(&mut directory.children.lock().by_name);
        children.into_values().collect()
    }
}
