//! Extents that were found lately, so that reading a file whose map is known needs neither its
//! tree nor the lock of the file system.

use alloc::vec::Vec;
use lock_api::{Mutex, RawMutex};
use rkt_ext4_format::extent::Extent;

/// Inodes are spread over so many lists.
const LISTS: usize = 64;
/// Extents that a list remembers.
const LEN: usize = 16;

/// Extents of one or several inodes, the oldest overwritten first.
struct List {
    extents: [Option<(u32, Extent)>; LEN],
    next: usize,
}

/// What is remembered, whatever the locks.
pub(crate) trait Recent: Send + Sync {
    /// The extent of an inode that holds a block.
    fn find(&self, ino: u32, logical: u32) -> Option<Extent>;

    /// Remembers an extent; only while the lock of the file system is held, so that it is still
    /// true.
    fn add(&self, ino: u32, extent: Extent);

    /// The map of an inode changes.
    fn forget(&self, ino: u32);
}

/// Lists behind locks of this kind.
pub(crate) struct Lists<L: RawMutex>(Vec<Mutex<L, List>>);

impl<L: RawMutex> Lists<L> {
    /// Nothing is known.
    pub fn new() -> Self {
        // One by one: together they are longer than a stack of the kernel's has room for.
        Self((0..LISTS).map(|_| Mutex::new(List { extents: [None; LEN], next: 0 })).collect())
    }

    fn list(&self, ino: u32) -> Option<&Mutex<L, List>> {
        self.0.get(ino as usize % LISTS)
    }
}

impl<L: RawMutex + Send + Sync> Recent for Lists<L> {
    fn find(&self, ino: u32, logical: u32) -> Option<Extent> {
        let list = self.list(ino)?.lock();
        let holds = |extent: &Extent| extent.logical <= logical && extent.end() > logical.into();
        list.extents.iter().flatten().find(|(owner, extent)| *owner == ino && holds(extent)).map(|(_, extent)| *extent)
    }

    fn add(&self, ino: u32, extent: Extent) {
        let Some(list) = self.list(ino) else { return };
        let mut list = list.lock();
        let at = list.next;
        list.next = (at + 1) % LEN;
        if let Some(place) = list.extents.get_mut(at) {
            *place = Some((ino, extent));
        }
    }

    fn forget(&self, ino: u32) {
        let Some(list) = self.list(ino) else { return };
        let mut list = list.lock();
        let ours = |known: &&mut Option<(u32, Extent)>| known.is_some_and(|(owner, _)| owner == ino);
        list.extents.iter_mut().filter(ours).for_each(|known| *known = None);
    }
}

/// Nothing is remembered: nobody reads while a file system is made.
pub(crate) struct Nothing;

impl Recent for Nothing {
    fn find(&self, _: u32, _: u32) -> Option<Extent> {
        None
    }

    fn add(&self, _: u32, _: Extent) {}

    fn forget(&self, _: u32) {}
}
