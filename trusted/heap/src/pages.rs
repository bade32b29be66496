//! The page allocator: the buddy under a lock, the knowledge which pages are zero, and giving free
//! memory back to the host.

use core::ptr::NonNull;

use rkt_sync::Mutex;

use crate::buddy::{Block, Buddy, MAX_ORDER, PageInfo, pieces};
use crate::dirty::DirtyMap;
use crate::{MAX_ALIGN, PAGE};

/// Gives a range of pages back; see [`crate::Hooks::release`].
pub(crate) type Release = fn(*mut u8, usize) -> bool;

/// A block is worth a call of the host only with so many dirty pages (64 KiB).
const RELEASE_MIN: usize = 16;
const RELEASE_MIN_ORDER: usize = RELEASE_MIN.ilog2() as usize;

/// Dirty pages that are kept for the next user: 64 MiB, or 1/16 of a larger memory.
pub(crate) fn keep_of(pages: usize) -> usize {
    (pages / 16).max((64 << 20) / PAGE)
}

/// Where the memory is, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// All that can be handed out.
    pub total: usize,
    /// Free.
    pub free: usize,
    /// Handed out, or being given back to the host.
    pub used: usize,
    /// Free, but holding data: the host must keep memory for them.
    pub dirty: usize,
}

#[derive(Debug)]
pub(crate) struct Pages {
    origin: *mut u8,
    total: usize,
    keep: usize,
    map: DirtyMap,
    buddy: Mutex<Buddy>,
}

// SAFETY: the pointer is only the base of address arithmetic; all else is safe to share.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    /// Hands out the pages `first..first + count`, which are all zero. `keep` is the number of
    /// dirty free pages from which on memory goes back to the host.
    pub(crate) fn new(
        origin: *mut u8,
        (first, count): (usize, usize),
        keep: usize,
        info: &'static mut [PageInfo],
        map: DirtyMap,
    ) -> Self {
        let mut buddy = Buddy::new(info, map);
        for (index, order) in pieces(first, count) {
            buddy.put(Block { index, order, dirty: 0 });
        }
        Self { origin, total: count, keep, map, buddy: Mutex::new(buddy) }
    }

    pub(crate) fn stats(&self) -> Stats {
        let buddy = self.buddy.lock();
        let free = buddy.free();
        Stats { total: self.total, free, used: self.total - free, dirty: buddy.dirty() }
    }

    /// Address of a page.
    pub(crate) fn address(&self, index: usize) -> *mut u8 {
        self.origin.wrapping_add(index * PAGE)
    }

    /// Number of the page that holds an address.
    pub(crate) fn index(&self, address: *const u8) -> usize {
        (address.addr() - self.origin.addr()) / PAGE
    }

    /// Pages with whatever is in them. `align` is a power of two, in bytes.
    pub(crate) fn alloc(&self, pages: usize, align: usize) -> Option<NonNull<u8>> {
        let block = self.take(pages, align)?;
        NonNull::new(self.address(block.index))
    }

    /// Pages full of zeros; clears only those that need it.
    pub(crate) fn alloc_zeroed(&self, pages: usize, align: usize) -> Option<NonNull<u8>> {
        let block = self.take(pages, align)?;
        if block.dirty > 0 {
            for page in (block.index..block.index + pages).filter(|&page| self.map.is_set(page)) {
                // SAFETY: the page has just become ours.
                unsafe { self.address(page).write_bytes(0, PAGE) };
            }
        }
        NonNull::new(self.address(block.index))
    }

    /// Takes a block that is large enough and puts back what lies behind the pages asked for.
    fn take(&self, pages: usize, align: usize) -> Option<Block> {
        if pages == 0 || pages > 1 << MAX_ORDER || align > MAX_ALIGN {
            return None;
        }
        let order = pages.max(align / PAGE).next_power_of_two().ilog2() as usize;
        let mut buddy = self.buddy.lock();
        let block = buddy.take(order)?;
        for (index, order) in pieces(block.index + pages, block.pages() - pages) {
            let dirty = if block.dirty == 0 { 0 } else { self.map.count(index, 1 << order) };
            buddy.put(Block { index, order, dirty });
        }
        Some(block)
    }

    /// Frees pages.
    ///
    /// # Safety
    /// The pages were handed out, maybe as parts of several allocations, and nobody uses them.
    pub(crate) unsafe fn free(&self, address: *mut u8, pages: usize, release: Release) {
        for (index, order) in pieces(self.index(address), pages) {
            let mut buddy = self.buddy.lock();
            self.map.set(index, 1 << order);
            let block = buddy.put(Block { index, order, dirty: 1 << order });
            if buddy.dirty() > self.keep && block.dirty >= RELEASE_MIN {
                let block = buddy.take_whole(block);
                drop(buddy);
                self.give_back(block, release);
            }
        }
    }

    /// Gives all free blocks of 64 KiB and more back to the host, but for clean ones.
    pub(crate) fn trim(&self, release: Release) {
        for order in RELEASE_MIN_ORDER..=MAX_ORDER {
            while let Some(block) = self.take_dirty(order) {
                if !self.give_back(block, release) {
                    return;
                }
            }
        }
    }

    fn take_dirty(&self, order: usize) -> Option<Block> {
        let mut buddy = self.buddy.lock();
        let mut blocks = core::iter::successors(buddy.first(order), |&block| buddy.after(block));
        let block = blocks.find(|block| block.dirty > 0)?;
        Some(buddy.take_whole(block))
    }

    /// Gives a block back that is in no list: the host may take its time, so the lock is free
    /// meanwhile. Returns whether the block is clean now.
    fn give_back(&self, block: Block, release: Release) -> bool {
        let Some((start, pages)) = self.map.span(block.index, block.pages()) else {
            self.buddy.lock().put(block);
            return true;
        };
        let released = release(self.address(start), pages * PAGE);
        let mut buddy = self.buddy.lock();
        if released {
            self.map.clear(start, pages);
            buddy.put(Block { dirty: 0, ..block });
        } else {
            buddy.put(block);
        }
        released
    }
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
