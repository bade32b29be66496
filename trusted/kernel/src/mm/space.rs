//! The tree of areas of one address space.

use super::area::{Area, Backing, Marks};
use crate::users::Users;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{MapError, Protection, SpaceId, USER_END, USER_START};
use rkt_sync::{Mutex, MutexGuard};
use rkt_vfs::Inode;

/// Top of the area that mmap(2) fills downwards; the stack lies above.
const MMAP_TOP: u64 = USER_END - (64 << 30);
/// Most areas, as /proc/sys/vm/max_map_count says. The host allows 65,530 mappings by default: the rest is for files
/// that are shown in pieces, which must not fail when a page is touched.
const MAX_AREAS: usize = 57_344;

/// Where the parts of a program lie.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// Start of the heap.
    pub brk_start: u64,
    /// Current end of the heap.
    pub brk: u64,
    /// Lowest and highest address of the first stack.
    pub stack: (u64, u64),
    /// First and behind the last address of arguments.
    pub args: (u64, u64),
    /// First and behind the last address of the environment.
    pub env: (u64, u64),
    /// First and behind the last address of the program's text.
    pub code: (u64, u64),
}

/// Limits in bytes (getrlimit(2)); `u64::MAX` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// RLIMIT_AS: everything.
    pub space: u64,
    /// RLIMIT_DATA: private memory that may be written.
    pub data: u64,
    /// RLIMIT_STACK: areas that grow down.
    pub stack: u64,
}

impl Limits {
    const NONE: Limits = Limits { space: u64::MAX, data: u64::MAX, stack: u64::MAX };
}

/// Memory of a process.
pub struct Mm {
    space: SpaceId,
    /// Processes that run in it.
    pub users: Users,
    inner: Mutex<Inner>,
    /// Commands of membarrier(2) that it was registered for.
    pub barriers: AtomicU32,
    /// Whether pages may be hidden that the application may touch.
    hides: AtomicBool,
    /// Whether a file that is mapped here became shorter since the last [`Mm::settle`].
    shortened: AtomicBool,
    /// How many sites of system calls were known when the text was last brought up to date.
    pub(super) sites_known: AtomicU64,
}

/// What the lock guards.
pub struct Inner {
    areas: BTreeMap<u64, Area>,
    /// Areas that were taken out for good, until the lock is free.
    gone: Vec<Area>,
    full: Full,
    top: u64,
    /// Bytes mapped, without what the platform reserved.
    pub total: u64,
    /// The most that was mapped at once.
    peak: u64,
    /// How many of the bytes mapped RLIMIT_DATA counts.
    data: u64,
    /// How many are locked (mlock(2)).
    pub locked: u64,
    /// New mappings are locked, too (MCL_FUTURE).
    pub lock_future: bool,
    /// What the limits say.
    pub limits: Limits,
    /// Where things lie.
    pub layout: Layout,
}

/// What the last search learned: at and above `above`, up to the top of the mmap area, there is no
/// gap of `len` bytes. It keeps placing cheap in a space of many areas.
#[derive(Clone, Copy)]
struct Full {
    above: u64,
    len: u64,
}

/// The tree, locked while this lives. What was taken out of it for good goes after that: the last
/// user of a file may have to wait for its disk.
pub struct Locked<'a> {
    inner: MutexGuard<'a, Inner>,
    /// Dropped behind the lock, in the order of declaration.
    gone: Vec<Area>,
}

impl Deref for Locked<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.gone = core::mem::take(&mut self.inner.gone);
    }
}

/// The host's answer as an error number.
pub fn map_errno(error: MapError) -> Errno {
    match error {
        MapError::NoMemory => Errno::ENOMEM,
        MapError::Unsupported => Errno::ENODEV,
        MapError::Host | MapError::Busy => Errno::EFAULT,
    }
}

impl Mm {
    /// An empty address space with a random layout.
    pub fn new(space: SpaceId) -> Mm {
        let mut bytes = [0; 8];
        rkt_platform::random(&mut bytes);
        // 28 random bits of pages, as Linux (vm.mmap_rnd_bits).
        let slide = (u64::from_le_bytes(bytes) & ((1 << 28) - 1)) << 12;
        let top = MMAP_TOP - slide;
        Mm {
            space,
            users: Users::default(),
            inner: Mutex::new(Inner::new(top)),
            barriers: AtomicU32::new(0),
            hides: AtomicBool::new(false),
            shortened: AtomicBool::new(false),
            sites_known: AtomicU64::new(0),
        }
    }

    /// A copy; `copy_pages` has the platform copy the pages and gives the name of the new address
    /// space. The areas stay locked meanwhile: other tasks change none of them between the two
    /// halves, and the copy's mappings are those that it knows of.
    ///
    /// # Errors
    /// What `copy_pages` says.
    pub fn fork(&self, copy_pages: impl FnOnce() -> Result<SpaceId>) -> Result<Mm> {
        let inner = self.inner.lock();
        let space = copy_pages()?;
        let mut areas = inner.areas.clone();
        areas.values_mut().for_each(|area| area.marks.locked = false); // locks are not inherited
        let copy = Inner { areas, gone: Vec::new(), peak: inner.total, locked: 0, lock_future: false, ..*inner };
        Ok(Mm {
            space,
            users: Users::default(),
            inner: Mutex::new(copy),
            barriers: AtomicU32::new(self.barriers.load(Ordering::Relaxed)),
            hides: AtomicBool::new(self.hides()),
            shortened: AtomicBool::new(self.shortened.load(Ordering::SeqCst)),
            sites_known: AtomicU64::new(self.sites_known.load(Ordering::Relaxed)),
        })
    }

    /// Whether pages may be hidden that the application may touch.
    pub fn hides(&self) -> bool {
        self.hides.load(Ordering::Relaxed)
    }

    /// Pages are hidden from now on.
    pub fn note_hidden(&self) {
        self.hides.store(true, Ordering::Relaxed);
        rkt_user::watch_copies();
    }

    /// Whether some area shows this file.
    pub fn shows(&self, inode: &Arc<dyn Inode>) -> bool {
        let inner = self.lock();
        inner.iter().filter_map(|area| area.backing.view()).any(|view| Arc::ptr_eq(view.file.inode(), inode))
    }

    /// A file that is mapped here became shorter.
    pub fn note_shortened(&self) {
        self.shortened.store(true, Ordering::SeqCst);
    }

    /// Hides what lies behind the ends of files that became shorter. Runs in the address space.
    pub fn settle(&self) {
        if !self.shortened.swap(false, Ordering::SeqCst) {
            return;
        }
        self.note_hidden();
        let mut inner = self.lock();
        for area in inner.areas.values_mut() {
            let place = area.place();
            if let Some(view) = area.backing.view_mut() {
                // Without memory for the stand-in the pages stay, as zeroes.
                let _ = view.shorten(place);
            }
        }
    }

    /// Bytes that are mapped.
    pub fn mapped(&self) -> u64 {
        self.inner.lock().total
    }

    /// The most bytes that were mapped at once.
    pub fn peak(&self) -> u64 {
        self.inner.lock().peak
    }

    /// Sets the limits.
    pub fn set_limits(&self, limits: Limits) {
        self.inner.lock().limits = limits;
    }

    /// Takes from a child's memory what its parent wanted it not to have. Runs in the child's
    /// address space, before its program goes on.
    pub fn begin_child(&self) {
        let mut inner = self.lock();
        let marked: Vec<Area> =
            inner.iter().filter(|area| area.marks.dont_fork || area.marks.wipe_on_fork).cloned().collect();
        for area in marked {
            if area.marks.dont_fork {
                inner.forget(area.start, area.end);
                let _ = rkt_platform::unmap(area.start, area.len());
            } else {
                let _ = rkt_platform::discard(area.start, area.len());
            }
        }
    }

    /// The platform's name for the address space.
    pub fn space(&self) -> SpaceId {
        self.space
    }

    /// Locks the tree.
    pub fn lock(&self) -> Locked<'_> {
        super::plain::note_change();
        self.lock_to_look()
    }

    /// Locks the tree for someone who changes no area.
    pub fn lock_to_look(&self) -> Locked<'_> {
        Locked { inner: self.inner.lock(), gone: Vec::new() }
    }

    /// Where things lie.
    pub fn layout(&self) -> Layout {
        self.inner.lock().layout
    }
}

impl Inner {
    fn new(top: u64) -> Self {
        Self {
            areas: BTreeMap::new(),
            gone: Vec::new(),
            full: Full { above: top, len: 0 },
            top,
            total: 0,
            peak: 0,
            data: 0,
            locked: 0,
            lock_future: false,
            limits: Limits::NONE,
            layout: Layout::default(),
        }
    }

    /// The area with this address.
    pub fn find(&self, addr: u64) -> Option<&Area> {
        self.areas.range(..=addr).next_back().map(|(_, area)| area).filter(|area| addr < area.end)
    }

    /// The area with this address, to be changed.
    pub fn find_mut(&mut self, addr: u64) -> Option<&mut Area> {
        self.areas.range_mut(..=addr).next_back().map(|(_, area)| area).filter(|area| addr < area.end)
    }

    /// All areas that overlap `start..end`, in order.
    pub fn overlapping(&self, start: u64, end: u64) -> impl Iterator<Item = &Area> {
        let first = self.find(start).map_or(start, |area| area.start);
        self.areas.range(first..end.max(first)).map(|(_, area)| area)
    }

    /// All areas in order.
    pub fn iter(&self) -> impl Iterator<Item = &Area> {
        self.areas.values()
    }

    /// Number of areas.
    pub fn count(&self) -> usize {
        self.areas.len()
    }

    /// Whether the limits allow so many bytes more.
    pub fn may_grow(&self, len: u64, is_data: bool) -> bool {
        let data = if is_data { len } else { 0 };
        let fits = |used: u64, more: u64, limit| more == 0 || used.saturating_add(more) <= limit;
        fits(self.total, len, self.limits.space) && fits(self.data, data, self.limits.data)
    }

    /// Bytes of `start..end` that are mapped, without what the platform reserved.
    pub fn mapped_within(&self, start: u64, end: u64) -> u64 {
        let all = self.overlapping(start, end).filter(|area| !matches!(area.backing, Backing::Reserved));
        all.map(|area| area.end.min(end) - area.start.max(start)).sum()
    }

    /// Whether `start..end` holds no area.
    pub fn is_free(&self, start: u64, end: u64) -> bool {
        self.overlapping(start, end).next().is_none()
    }

    /// Whether every page of `start..end` belongs to some area.
    pub fn is_covered(&self, start: u64, end: u64) -> bool {
        let mut at = start;
        for area in self.overlapping(start, end) {
            if area.start > at {
                return false;
            }
            at = area.end;
        }
        at >= end
    }

    /// A free place of this length: the hint if it is one, else the mmap area from the top down.
    pub fn place(&mut self, hint: u64, len: u64) -> Result<u64> {
        let hint = hint & !4095;
        let end = hint.checked_add(len);
        if hint >= USER_START && end.is_some_and(|end| end <= USER_END && self.is_free(hint, end)) {
            return Ok(hint);
        }
        let below = if len >= self.full.len { self.full.above } else { self.top };
        let start = self.search(below, len)?;
        self.full = Full { above: start, len };
        Ok(start)
    }

    /// A free place of this length in the second GiB (MAP_32BIT).
    pub fn place_low(&self, len: u64) -> Result<u64> {
        let start = self.search(2 << 30, len)?;
        if start >= 1 << 30 { Ok(start) } else { Err(Errno::ENOMEM) }
    }

    /// The highest gap of this length below `below`.
    pub fn search(&self, below: u64, len: u64) -> Result<u64> {
        let mut end = below;
        for area in self.areas.range(..below).rev().map(|(_, area)| area) {
            if area.end <= end && end - area.end >= len {
                return Ok(end - len);
            }
            end = end.min(area.start);
        }
        if end >= USER_START + len { Ok(end - len) } else { Err(Errno::ENOMEM) }
    }

    /// A free place within `reach` bytes of an address, above it if possible, and at some distance: a
    /// program's heap grows behind its end.
    pub fn place_near(&self, near: u64, len: u64, reach: u64) -> Option<u64> {
        let end = near.saturating_add(reach).min(USER_END);
        let apart = near.saturating_add(reach / 4) & !4095;
        let above = self.lowest_free(apart, end, len).or_else(|| self.lowest_free(near, end, len));
        above.or_else(|| self.search(near, len).ok().filter(|&at| near - at <= reach))
    }

    fn lowest_free(&self, from: u64, until: u64, len: u64) -> Option<u64> {
        let mut at = from;
        for area in self.overlapping(from, until) {
            if area.start >= at && area.start - at >= len {
                break;
            }
            at = area.end;
        }
        at.checked_add(len).filter(|&end| end <= until).map(|_| at)
    }

    /// Adds an area, merged with its neighbours where they are alike. The range must be free.
    pub fn insert(&mut self, mut area: Area) -> Result<()> {
        if self.areas.len() >= MAX_AREAS {
            return Err(Errno::ENOMEM);
        }
        self.total += area.len();
        self.peak = self.peak.max(self.total);
        self.data += if area.is_data() { area.len() } else { 0 };
        self.locked += if area.marks.locked { area.len() } else { 0 };
        if let Some((&start, before)) = self.areas.range(..area.start).next_back()
            && before.continues_in(&area)
            && let Some(before) = self.areas.remove(&start)
        {
            area = before.join(area);
        }
        if let Some(next) = self.areas.get(&area.end)
            && area.continues_in(next)
            && let Some(next) = self.areas.remove(&area.end)
        {
            area = area.join(next);
        }
        self.areas.insert(area.start, area);
        Ok(())
    }

    /// Takes the areas within `start..end` out of the tree, cutting those that reach over its
    /// edges. The platform's mappings stay as they are. What the platform reserved stays, too.
    pub fn remove(&mut self, start: u64, end: u64) -> Vec<Area> {
        let keys: Vec<u64> = self
            .overlapping(start, end)
            .filter(|area| !matches!(area.backing, Backing::Reserved))
            .map(|area| area.start)
            .collect();
        let mut removed = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(area) = self.areas.remove(&key) else { continue };
            if area.start < start {
                let part = area.part(area.start, start);
                self.areas.insert(part.start, part);
            }
            if area.end > end {
                let part = area.part(end, area.end);
                self.areas.insert(part.start, part);
            }
            let part = area.part(start, end);
            self.total -= part.len();
            self.data -= if part.is_data() { part.len() } else { 0 };
            self.locked -= if part.marks.locked { part.len() } else { 0 };
            removed.push(part);
        }
        self.note_gap(end);
        removed
    }

    /// The same for good: what the areas show is held until the lock is free.
    pub fn forget(&mut self, start: u64, end: u64) {
        let mut removed = self.remove(start, end);
        self.gone.append(&mut removed);
    }

    /// What lies below `end` has become free.
    fn note_gap(&mut self, end: u64) {
        let gap_end = self.areas.range(end..).next().map_or(self.top, |(&next, _)| next.min(self.top));
        if end > self.full.above {
            self.full.above = self.full.above.max(gap_end);
        }
    }

    /// Ranges of `start..end` that the platform did not reserve.
    pub fn unreserved(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut ranges = Vec::new();
        let mut at = start;
        for area in self.overlapping(start, end).filter(|area| matches!(area.backing, Backing::Reserved)) {
            if area.start > at {
                ranges.push((at, area.start));
            }
            at = area.end;
        }
        if at < end {
            ranges.push((at, end));
        }
        ranges
    }

    /// Forgets everything.
    pub fn clear(&mut self) -> Vec<Area> {
        (self.total, self.data, self.locked) = (0, 0, 0);
        self.full = Full { above: self.top, len: 0 };
        core::mem::take(&mut self.areas).into_values().collect()
    }

    /// An area of the platform's own.
    pub fn reserve(&mut self, start: u64, len: u64) {
        let protection = Protection { read: true, write: false, execute: true };
        let area = Area {
            start,
            end: start + len,
            protection,
            backing: Backing::Reserved,
            name: Some("[rkt-io]"),
            shared: false,
            marks: Marks::default(),
        };
        self.areas.insert(start, area);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;

    fn area(start: u64, len: u64, name: &'static str) -> Area {
        let protection = Protection::default();
        let backing = Backing::Anonymous;
        Area { start, end: start + len, protection, backing, name: Some(name), shared: false, marks: Marks::default() }
    }

    /// What is remembered of earlier searches never changes which place is found.
    #[test]
    fn the_highest_gap_is_found() {
        let mut inner = Inner::new(MMAP_TOP);
        let mut seed = 1u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        let mut placed = Vec::new();
        for step in 0..20_000 {
            if random(5) < 3 || placed.is_empty() {
                let len = (1 + random(8)) * PAGE;
                let exact = inner.search(MMAP_TOP, len).unwrap();
                let start = inner.place(0, len).unwrap();
                assert_eq!(start, exact, "step {step}");
                // Neighbours with different names stay apart.
                inner.insert(area(start, len, if step % 2 == 0 { "a" } else { "b" })).unwrap();
                placed.push((start, len));
            } else {
                let (start, len) = placed.swap_remove(random(placed.len() as u64) as usize);
                inner.remove(start, start + len);
            }
        }
    }
}
