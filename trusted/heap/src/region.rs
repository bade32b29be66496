//! How the region is divided: the allocator's own tables first, pages to hand out after them.

use core::fmt;
use core::mem::align_of;
use core::sync::atomic::AtomicU64;

use crate::buddy::PageInfo;
use crate::dirty::DirtyMap;
use crate::magazine::{self, Magazine};
use crate::slab::{self, SlabInfo};
use crate::{MAX_ALIGN, PAGE};

/// The region cannot be used: it wraps round the address space, has 2^32 pages or more, or does not
/// even hold the allocator's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRegion;

impl fmt::Display for BadRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the memory region is too small for the heap's tables, or too large")
    }
}

impl core::error::Error for BadRegion {}

/// The divided region. Pages are numbered from `origin`, a multiple of [`MAX_ALIGN`] at or below the
/// region's start, so that an aligned number means an aligned address.
pub(crate) struct Region {
    pub(crate) origin: *mut u8,
    /// First page to hand out.
    pub(crate) first: usize,
    /// Number of pages to hand out.
    pub(crate) pages: usize,
    pub(crate) info: &'static mut [PageInfo],
    pub(crate) dirty: DirtyMap,
    pub(crate) slabs: &'static [SlabInfo],
    pub(crate) magazines: *mut Magazine,
}

impl Region {
    /// # Safety
    /// `base` is valid for reads and writes of `len` bytes for ever, all of them zero, and nobody
    /// else uses them.
    pub(crate) unsafe fn divide(base: *mut u8, len: usize) -> Result<Self, BadRegion> {
        let end = base.addr().checked_add(len).ok_or(BadRegion)?;
        let origin = base.addr() & !(MAX_ALIGN - 1);
        let pages = (end - origin) / PAGE;
        if pages >= u32::MAX as usize {
            return Err(BadRegion);
        }
        let mut cut = Cut { base, end, next: base.addr().next_multiple_of(PAGE) };
        let words = DirtyMap::words_for(pages);
        let info = cut.table::<PageInfo>(pages)?;
        let dirty = cut.table::<AtomicU64>(words)?;
        let slabs = cut.table::<SlabInfo>(pages.div_ceil(slab::PAGES))?;
        let magazines = cut.table::<Magazine>(magazine::COUNT)?;
        let first = (cut.next.next_multiple_of(PAGE) - origin) / PAGE;
        Ok(Self {
            origin: base.with_addr(origin),
            first,
            pages: pages.checked_sub(first).filter(|&pages| pages > 0).ok_or(BadRegion)?,
            // SAFETY: the tables lie in the region, apart from each other, and zero is a valid
            // value of each of the three types.
            info: unsafe { core::slice::from_raw_parts_mut(info, pages) },
            // SAFETY: as above.
            dirty: DirtyMap::new(unsafe { core::slice::from_raw_parts(dirty, words) }),
            // SAFETY: as above.
            slabs: unsafe { core::slice::from_raw_parts(slabs, pages.div_ceil(slab::PAGES)) },
            magazines,
        })
    }
}

struct Cut {
    base: *mut u8,
    end: usize,
    next: usize,
}

impl Cut {
    fn table<T>(&mut self, count: usize) -> Result<*mut T, BadRegion> {
        let start = self.next.checked_next_multiple_of(align_of::<T>()).ok_or(BadRegion)?;
        let len = count.checked_mul(size_of::<T>()).ok_or(BadRegion)?;
        self.next = start.checked_add(len).filter(|&next| next <= self.end).ok_or(BadRegion)?;
        Ok(self.base.with_addr(start).cast())
    }
}
