//! Slabs: 32 KiB of pages cut into objects of one class. The magazines fetch and return objects in
//! batches, each under one lock of the class.
//!
//! A slab's record lies beside the pages. Its free objects form a list through their first two
//! bytes; objects never handed out are not in that list but behind the mark `fresh`, so a new slab
//! is not touched before its objects are used.

use core::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};

use rkt_sync::Mutex;

use crate::PAGE;
use crate::class::{self, SIZES};
use crate::pages::{Pages, Release};

/// Pages of a slab, which lies at a multiple of its size.
pub(crate) const PAGES: usize = 8;
const LEN: usize = PAGES * PAGE;
const NO_SLAB: u32 = u32::MAX;
const NO_OBJECT: u16 = u16::MAX;

/// A slab's record, touched under its class's lock only; atomic so that no `unsafe` is needed.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct SlabInfo {
    /// Neighbours in the class's list, in which are the slabs with objects to give.
    next: AtomicU32,
    prev: AtomicU32,
    /// First free object.
    head: AtomicU16,
    /// Objects handed out.
    used: AtomicU16,
    /// Objects from here on were never handed out.
    fresh: AtomicU16,
}

#[derive(Debug)]
struct Class {
    /// First slab with objects to give.
    first: u32,
    /// Slabs in the list none of whose objects is in use. One is kept.
    empty: u32,
}

#[derive(Debug)]
pub(crate) struct Slabs {
    info: &'static [SlabInfo],
    classes: [Mutex<Class>; class::COUNT],
}

impl Slabs {
    pub(crate) fn new(info: &'static [SlabInfo]) -> Self {
        Self { info, classes: [const { Mutex::new(Class { first: NO_SLAB, empty: 0 }) }; class::COUNT] }
    }

    /// Fills `objects` from the front; returns how many there were memory for.
    pub(crate) fn fetch(&self, class: usize, objects: &mut [*mut u8], pages: &Pages) -> usize {
        let mut state = self.classes[class].lock();
        let capacity = capacity(class);
        for (got, object) in objects.iter_mut().enumerate() {
            if state.first == NO_SLAB && !self.add_slab(&mut state, pages) {
                return got;
            }
            let first = state.first;
            let slab = &self.info[first as usize];
            let start = pages.address(first as usize * PAGES);
            *object = slab.pop(start, usize::from(SIZES[class]));
            match slab.used.load(Relaxed) {
                1 => state.empty -= 1,
                used if used == capacity => self.unlink(&mut state, first),
                _ => {}
            }
        }
        objects.len()
    }

    /// Takes objects back. Slabs that are empty then, but one, become free pages.
    ///
    /// # Safety
    /// The objects are of this class and nobody uses them.
    pub(crate) unsafe fn give(&self, class: usize, objects: &[*mut u8], pages: &Pages, release: Release) {
        let mut state = self.classes[class].lock();
        let mut unneeded = NO_SLAB;
        for &object in objects {
            let index = (pages.index(object) / PAGES) as u32;
            let slab = &self.info[index as usize];
            if slab.used.load(Relaxed) == capacity(class) {
                self.link(&mut state, index);
            }
            // SAFETY: the caller's promise.
            unsafe { slab.push(object, usize::from(SIZES[class])) };
            if slab.used.load(Relaxed) > 0 {
                continue;
            }
            if state.empty == 0 {
                state.empty = 1;
            } else {
                self.unlink(&mut state, index);
                slab.next.store(unneeded, Relaxed);
                unneeded = index;
            }
        }
        drop(state);
        while unneeded != NO_SLAB {
            let start = pages.address(unneeded as usize * PAGES);
            unneeded = self.info[unneeded as usize].next.load(Relaxed);
            // SAFETY: the slab is in no list and none of its objects is in use.
            unsafe { pages.free(start, PAGES, release) };
        }
    }

    fn add_slab(&self, state: &mut Class, pages: &Pages) -> bool {
        let Some(start) = pages.alloc(PAGES, LEN) else {
            return false;
        };
        let index = (pages.index(start.as_ptr()) / PAGES) as u32;
        let slab = &self.info[index as usize];
        slab.head.store(NO_OBJECT, Relaxed);
        slab.used.store(0, Relaxed);
        slab.fresh.store(0, Relaxed);
        self.link(state, index);
        state.empty += 1;
        true
    }

    fn link(&self, state: &mut Class, index: u32) {
        let slab = &self.info[index as usize];
        slab.next.store(state.first, Relaxed);
        slab.prev.store(NO_SLAB, Relaxed);
        if let Some(next) = self.info.get(state.first as usize) {
            next.prev.store(index, Relaxed);
        }
        state.first = index;
    }

    fn unlink(&self, state: &mut Class, index: u32) {
        let slab = &self.info[index as usize];
        let (next, prev) = (slab.next.load(Relaxed), slab.prev.load(Relaxed));
        if let Some(after) = self.info.get(next as usize) {
            after.prev.store(prev, Relaxed);
        }
        match self.info.get(prev as usize) {
            Some(before) => before.next.store(next, Relaxed),
            None => state.first = next,
        }
    }
}

impl SlabInfo {
    /// Takes an object out of a slab that has one.
    fn pop(&self, start: *mut u8, size: usize) -> *mut u8 {
        self.used.store(self.used.load(Relaxed) + 1, Relaxed);
        let head = self.head.load(Relaxed);
        if head == NO_OBJECT {
            let fresh = self.fresh.load(Relaxed);
            self.fresh.store(fresh + 1, Relaxed);
            return start.wrapping_add(usize::from(fresh) * size);
        }
        let object = start.wrapping_add(usize::from(head) * size);
        // SAFETY: an object in the list is free and holds its successor, see `push`.
        self.head.store(unsafe { object.cast::<u16>().read() }, Relaxed);
        object
    }

    /// # Safety
    /// The object is one of this slab's and nobody uses it.
    unsafe fn push(&self, object: *mut u8, size: usize) {
        let number = (object.addr() % LEN / size) as u16;
        // SAFETY: the caller's promise; objects are at least 16 bytes at a multiple of 16.
        unsafe { object.cast::<u16>().write(self.head.load(Relaxed)) };
        self.head.store(number, Relaxed);
        self.used.store(self.used.load(Relaxed) - 1, Relaxed);
    }
}

/// Objects in a slab.
fn capacity(class: usize) -> u16 {
    (LEN / usize::from(SIZES[class])) as u16
}
