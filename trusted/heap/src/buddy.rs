//! The buddy allocator (Knuth, TAOCP 2.5): free memory as blocks of 2^n pages at multiples of their
//! size, one list for each n. A block that becomes free joins its buddy if that is free too.
//!
//! Only numbers of pages occur here. The lists run through an array beside the pages, never through
//! the pages themselves.

use crate::dirty::DirtyMap;

/// Largest block: 2^18 pages, 1 GiB.
pub(crate) const MAX_ORDER: usize = 18;

const NONE: u32 = u32::MAX;

/// What is kept for each page; valid when all zero.
#[repr(C)]
#[derive(Clone, Debug)]
pub(crate) struct PageInfo {
    /// One more than the order of the free block that starts here; 0 if none does.
    head: u32,
    /// Dirty pages in that block.
    dirty: u32,
    /// Neighbours in the list of that order.
    next: u32,
    prev: u32,
}

/// 2^`order` pages from `index` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) index: usize,
    pub(crate) order: usize,
    /// How many of its pages hold data.
    pub(crate) dirty: usize,
}

impl Block {
    pub(crate) fn pages(self) -> usize {
        1 << self.order
    }
}

#[derive(Debug)]
pub(crate) struct Buddy {
    info: &'static mut [PageInfo],
    map: DirtyMap,
    lists: [u32; MAX_ORDER + 1],
    free: usize,
    dirty: usize,
}

impl Buddy {
    /// No page is free at first. `info` is all zero.
    pub(crate) fn new(info: &'static mut [PageInfo], map: DirtyMap) -> Self {
        Self { info, map, lists: [NONE; MAX_ORDER + 1], free: 0, dirty: 0 }
    }

    /// Free pages.
    pub(crate) fn free(&self) -> usize {
        self.free
    }

    /// Free pages that hold data.
    pub(crate) fn dirty(&self) -> usize {
        self.dirty
    }

    /// Takes a block of just this order, splitting a larger one if need be.
    pub(crate) fn take(&mut self, order: usize) -> Option<Block> {
        let from = (order..=MAX_ORDER).find(|&order| self.lists[order] != NONE)?;
        let mut block = self.unlink(self.lists[from] as usize);
        while block.order > order {
            let order = block.order - 1;
            let index = block.index + (1 << order);
            let upper = Block { index, order, dirty: self.dirty_in_half(block, index) };
            self.link(upper);
            block = Block { order, dirty: block.dirty - upper.dirty, ..block };
        }
        Some(block)
    }

    /// Takes a free block out, as it is.
    pub(crate) fn take_whole(&mut self, block: Block) -> Block {
        self.unlink(block.index)
    }

    /// Makes a block free. Returns the block that it is part of now.
    pub(crate) fn put(&mut self, mut block: Block) -> Block {
        debug_assert_eq!(self.info[block.index].head, 0, "page {} is free already", block.index);
        while block.order < MAX_ORDER {
            let buddy = block.index ^ block.pages();
            if self.info.get(buddy).is_none_or(|info| info.head != block.order as u32 + 1) {
                break;
            }
            let dirty = block.dirty + self.unlink(buddy).dirty;
            block = Block { index: block.index.min(buddy), order: block.order + 1, dirty };
        }
        self.link(block);
        block
    }

    /// First block of a list, for looking around.
    pub(crate) fn first(&self, order: usize) -> Option<Block> {
        self.at(self.lists[order])
    }

    /// The block after this one in its list.
    pub(crate) fn after(&self, block: Block) -> Option<Block> {
        self.at(self.info[block.index].next)
    }

    fn at(&self, link: u32) -> Option<Block> {
        let info = self.info.get(link as usize)?;
        Some(Block { index: link as usize, order: info.head as usize - 1, dirty: info.dirty as usize })
    }

    /// Dirty pages in that half of the block which starts at `index`.
    fn dirty_in_half(&self, block: Block, index: usize) -> usize {
        let half = block.pages() / 2;
        match block.dirty {
            0 => 0,
            dirty if dirty == block.pages() => half,
            _ => self.map.count(index, half),
        }
    }

    fn link(&mut self, block: Block) {
        let next = self.lists[block.order];
        let link = block.index as u32;
        self.info[block.index] = PageInfo { head: block.order as u32 + 1, dirty: block.dirty as u32, next, prev: NONE };
        if next != NONE {
            self.info[next as usize].prev = link;
        }
        self.lists[block.order] = link;
        self.free += block.pages();
        self.dirty += block.dirty;
    }

    /// The page is the head of a free block.
    fn unlink(&mut self, index: usize) -> Block {
        let PageInfo { head, dirty, next, prev } = self.info[index].clone();
        let block = Block { index, order: head as usize - 1, dirty: dirty as usize };
        self.info[index].head = 0;
        if next != NONE {
            self.info[next as usize].prev = prev;
        }
        if prev == NONE {
            self.lists[block.order] = next;
        } else {
            self.info[prev as usize].next = next;
        }
        self.free -= block.pages();
        self.dirty -= block.dirty;
        block
    }
}

/// Cuts a range of pages into blocks, as (index, order).
pub(crate) fn pieces(mut start: usize, mut pages: usize) -> impl Iterator<Item = (usize, usize)> {
    core::iter::from_fn(move || {
        let largest = pages.checked_ilog2()? as usize;
        let piece = (start, largest.min(start.trailing_zeros() as usize).min(MAX_ORDER));
        start += 1 << piece.1;
        pages -= 1 << piece.1;
        Some(piece)
    })
}
