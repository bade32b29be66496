//! Extents that were found lately, so that reading a file whose map is known needs neither its
//! tree nor the lock of the file system.

use rkt_ext4_format::extent::Extent;
use rkt_sync::Mutex;

/// Inodes are spread over so many lists.
const LISTS: usize = 64;
/// Extents that a list remembers.
const LEN: usize = 16;

/// Extents of one or several inodes, the oldest overwritten first.
struct List {
    extents: [Option<(u32, Extent)>; LEN],
    next: usize,
}

/// See the module.
pub(crate) struct Recent([Mutex<List>; LISTS]);

impl Recent {
    /// Nothing is known.
    pub fn new() -> Self {
        Self([const { Mutex::new(List { extents: [None; LEN], next: 0 }) }; LISTS])
    }

    fn list(&self, ino: u32) -> Option<&Mutex<List>> {
        self.0.get(ino as usize % LISTS)
    }

    /// The extent of an inode that holds a block.
    pub fn find(&self, ino: u32, logical: u32) -> Option<Extent> {
        let list = self.list(ino)?.lock();
        let holds = |extent: &Extent| extent.logical <= logical && extent.end() > logical.into();
        list.extents.iter().flatten().find(|(owner, extent)| *owner == ino && holds(extent)).map(|(_, extent)| *extent)
    }

    /// Remembers an extent; only while the lock of the file system is held, so that it is still
    /// true.
    pub fn add(&self, ino: u32, extent: Extent) {
        let Some(list) = self.list(ino) else { return };
        let mut list = list.lock();
        let at = list.next;
        list.next = (at + 1) % LEN;
        if let Some(place) = list.extents.get_mut(at) {
            *place = Some((ino, extent));
        }
    }

    /// The map of an inode changes.
    pub fn forget(&self, ino: u32) {
        let Some(list) = self.list(ino) else { return };
        let mut list = list.lock();
        let ours = |known: &&mut Option<(u32, Extent)>| known.is_some_and(|(owner, _)| owner == ino);
        list.extents.iter_mut().filter(ours).for_each(|known| *known = None);
    }
}
