//! The page cache of one file: folios by offset, with what of them is there and what was written.
//!
//! A folio of length 2^n lies at a multiple of its length. A folio that is mapped (its `Arc` is held
//! elsewhere) is never replaced or dropped while the file lives: mapping and file stay one memory.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::sync::atomic::{AtomicBool, Ordering};
use hashbrown::DefaultHashBuilder;
use rkt_heap::Folio;
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSink, IoSource};

/// Smallest folio, and what a bit stands for.
pub const PAGE: u64 = 4096;
/// Largest folio.
pub const FOLIO: u64 = 64 << 10;

/// A folio of the file.
struct Page {
    folio: Arc<Folio>,
    /// Which pages of it have their content.
    present: u32,
    /// Which have content that the disk does not.
    dirty: u32,
    /// It was shown in a mapping.
    mapped: bool,
    /// It was read or written since the last look for folios to drop.
    used: AtomicBool,
    /// What the disk has of each page, as a checksum: so stores through mappings are found.
    sums: Option<Box<[u64]>>,
}

impl Page {
    fn len(&self) -> u64 {
        self.folio.size() as u64
    }

    fn all(&self) -> u32 {
        mask(0, self.len())
    }

    fn in_use(&self) -> bool {
        Arc::strong_count(&self.folio) > 1
    }

    /// Sets these pages to zero.
    fn clear(&self, bits: u32) -> Result<()> {
        for nth in (0..self.len() / PAGE).filter(|nth| bits >> nth & 1 == 1) {
            self.folio.zero((nth * PAGE) as usize, PAGE as usize).map_err(|_| Errno::EIO)?;
        }
        Ok(())
    }

    /// Remembers what these pages hold now.
    fn remember(&mut self, bits: u32, hasher: &impl BuildHasher) {
        let pages = (self.len() / PAGE) as usize;
        let sums = self.sums.get_or_insert_with(|| vec![0; pages].into_boxed_slice());
        for (nth, sum) in sums.iter_mut().enumerate().filter(|(nth, _)| bits >> nth & 1 == 1) {
            *sum = checksum(&self.folio, nth, hasher);
        }
    }

    /// Which of these pages hold something else than what was remembered.
    fn changed(&self, bits: u32, hasher: &impl BuildHasher) -> u32 {
        let Some(sums) = &self.sums else { return bits };
        let differs = |(nth, sum): (usize, &u64)| {
            let changed = bits >> nth & 1 == 1 && checksum(&self.folio, nth, hasher) != *sum;
            u32::from(changed) << nth
        };
        sums.iter().enumerate().map(differs).fold(0, |all, bit| all | bit)
    }
}

/// A keyed checksum of a page; a program may be changing it.
fn checksum(folio: &Folio, nth: usize, hasher: &impl BuildHasher) -> u64 {
    let mut bytes = [0; PAGE as usize];
    // The page lies in the folio.
    let _ = folio.copy_out(nth * PAGE as usize, &mut bytes);
    hasher.hash_one(bytes.as_slice())
}

/// The bits of pages that `[from, to)` of a folio touches.
fn mask(from: u64, to: u64) -> u32 {
    let (first, end) = (from / PAGE, to.div_ceil(PAGE));
    let below = |n: u64| if n >= 32 { u32::MAX } else { (1u32 << n) - 1 };
    below(end) & !below(first)
}

/// The bits of pages that lie wholly in `[from, to)`.
fn whole(from: u64, to: u64) -> u32 {
    mask(from.next_multiple_of(PAGE), (to / PAGE * PAGE).max(from.next_multiple_of(PAGE)))
}

/// A place in the file whose content is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Offset in the file of the folio that it is for.
    pub start: u64,
    /// Length of that folio.
    pub len: u64,
}

/// The folios.
#[derive(Default)]
pub struct Pages {
    folios: BTreeMap<u64, Page>,
    /// Bytes of folios.
    held: u64,
    /// Dirty pages.
    dirty: u64,
    hasher: DefaultHashBuilder,
}

impl Pages {
    fn find(&self, at: u64) -> Option<(u64, &Page)> {
        // Most are folios of full length, which one look finds.
        let aligned = at / FOLIO * FOLIO;
        if let Some(page) = self.folios.get(&aligned).filter(|page| at - aligned < page.len()) {
            return Some((aligned, page));
        }
        let (&start, page) = self.folios.range(..=at).next_back()?;
        (at < start + page.len()).then_some((start, page))
    }

    fn find_mut(&mut self, at: u64) -> Option<(u64, &mut Page)> {
        let (&start, page) = self.folios.range_mut(..=at).next_back()?;
        (at < start + page.len()).then_some((start, page))
    }

    /// Bytes of memory that the folios take.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Bytes that the disk does not have.
    pub fn dirty(&self) -> u64 {
        self.dirty * PAGE
    }

    /// Reads from `at` as long as content is there, up to `end`; gives the bytes moved. Fewer than wanted:
    /// content is missing behind them, or the sink is full.
    ///
    /// # Errors
    /// `EFAULT` if not one byte could be stored.
    pub fn read(&self, mut at: u64, end: u64, into: &mut IoSink<'_>) -> Result<usize> {
        let mut done = 0;
        while at < end && !into.is_full() {
            let Some((start, page)) = self.find(at) else { break };
            let offset = at - start;
            let ready = page.present >> (offset / PAGE);
            if ready & 1 == 0 {
                break;
            }
            let run = (offset / PAGE + u64::from(ready.trailing_ones())) * PAGE;
            let want = (run.min(page.len()) - offset).min(end - at).min(into.remaining() as u64) as usize;
            let moved = match into.put_folio(&page.folio, offset as usize, want) {
                Ok(moved) => moved,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            };
            if !page.used.load(Ordering::Relaxed) {
                page.used.store(true, Ordering::Relaxed);
            }
            done += moved;
            at += moved as u64;
            if moved < want {
                break;
            }
        }
        Ok(done)
    }

    /// Whether all pages that `[from, to)` touches have their content.
    pub fn is_present(&self, from: u64, to: u64) -> bool {
        let mut at = from;
        while at < to {
            let Some((start, page)) = self.find(at) else { return false };
            let end = to.min(start + page.len());
            let wanted = mask(at - start, end - start);
            if page.present & wanted != wanted {
                return false;
            }
            at = end;
        }
        true
    }

    /// The first run of pages of `[from, to)` that have no content. Both are at borders of pages.
    pub fn missing(&self, from: u64, to: u64) -> Option<(u64, u64)> {
        let mut start = from;
        while let Some((first, page)) = self.find(start).filter(|_| start < to) {
            let nth = (start - first) / PAGE;
            let ready = u64::from((page.present >> nth).trailing_ones()).min(page.len() / PAGE - nth);
            if ready == 0 {
                break;
            }
            start += ready * PAGE;
        }
        let mut end = start;
        while end < to {
            end = match self.find(end) {
                None => self.folios.range(end..).next().map_or(to, |(&next, _)| next),
                Some((first, page)) => {
                    let nth = (end - first) / PAGE;
                    let absent = u64::from((page.present >> nth).trailing_zeros()).min(page.len() / PAGE - nth);
                    if absent == 0 {
                        break;
                    }
                    end + absent * PAGE
                }
            };
        }
        (start < to).then_some((start, end.min(to)))
    }

    /// Where the folio for `at` lies, or would lie in a file of this length.
    pub fn place(&self, at: u64, size: u64) -> Missing {
        if let Some((start, page)) = self.find(at) {
            return Missing { start, len: page.len() };
        }
        let wanted = if size <= FOLIO { size.max(at + 1).next_power_of_two() } else { FOLIO };
        let mut len = wanted.clamp(PAGE, FOLIO);
        while len > PAGE && !self.is_free(at / len * len, len) {
            len /= 2;
        }
        Missing { start: at / len * len, len }
    }

    fn is_free(&self, start: u64, len: u64) -> bool {
        let below = self.folios.range(..start + len).next_back();
        below.is_none_or(|(&other, page)| other + page.len() <= start)
    }

    /// The folio at a place, made if there is none.
    fn ensure(&mut self, place: Missing) -> Result<&mut Page> {
        if !self.folios.contains_key(&place.start) {
            let folio = Folio::new(&rkt_heap::REGION, (place.len / PAGE) as usize).ok_or(Errno::ENOMEM)?;
            self.held += place.len;
            let page = Page {
                folio: Arc::new(folio),
                present: 0,
                dirty: 0,
                mapped: false,
                used: AtomicBool::new(true),
                sums: None,
            };
            self.folios.insert(place.start, page);
        }
        self.folios.get_mut(&place.start).ok_or(Errno::EIO)
    }

    /// Enters content from the disk, but for pages that are there already. `size` is the file's length.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn fill(&mut self, offset: u64, size: u64, bytes: &[u8]) -> Result<()> {
        let hasher = self.hasher.clone();
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let place = self.place(at, size);
            let page = self.ensure(place)?;
            let within = at - place.start;
            let (part, behind) = rest.split_at((page.len() - within).min(rest.len() as u64) as usize);
            for (nth, content) in (within / PAGE..).zip(part.chunks(PAGE as usize)) {
                let bit = 1 << nth;
                if page.present & bit == 0 {
                    page.folio.copy_in((nth * PAGE) as usize, content).map_err(|_| Errno::EIO)?;
                    page.present |= bit;
                    if page.sums.is_some() {
                        page.remember(bit, &hasher);
                    }
                }
            }
            (at, rest) = (at + part.len() as u64, behind);
        }
        Ok(())
    }

    /// Writes at `at` into the folio there, which is made if need be; gives the bytes moved, and the pages
    /// that have become dirty. Partly written pages have their content, or none in the file.
    ///
    /// # Errors
    /// `EFAULT` if not one byte could be loaded, `ENOMEM`.
    pub fn write(&mut self, at: u64, size: u64, from: &mut IoSource<'_>) -> Result<usize> {
        let place = self.place(at, size);
        let page = self.ensure(place)?;
        let offset = at - place.start;
        let want = (page.len() - offset).min(from.remaining() as u64);
        let fresh = mask(offset, offset + want) & !page.present;
        // What no one has written, and the file does not have, is zero.
        page.clear(fresh & !whole(offset, offset + want))?;
        let moved = from.take_folio(&page.folio, offset as usize, want as usize)? as u64;
        let end = offset + moved;
        if moved < want && fresh & mask(end, end + 1) != 0 {
            // A page that was to be written whole was not.
            let rest = end.next_multiple_of(PAGE) - end;
            page.folio.zero(end as usize, rest as usize).map_err(|_| Errno::EIO)?;
        }
        let bits = mask(offset, end);
        let fresh = bits & !page.dirty;
        page.present |= bits;
        page.dirty |= bits;
        self.dirty += u64::from(fresh.count_ones());
        Ok(moved as usize)
    }

    /// Replaces what is there of `[at, at + bytes.len())` by what the disk has now; pages that are not there
    /// stay so. A page that is dirty keeps the rest of its content.
    pub fn overwrite(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        let first = self.find(at).map_or(at, |(start, _)| start);
        let hasher = self.hasher.clone();
        for (&start, page) in self.folios.range_mut(first..end) {
            let mut from = at.max(start);
            while from < end.min(start + page.len()) {
                let to = (from / PAGE * PAGE + PAGE).min(end);
                let bit = mask(from - start, from - start + 1);
                let part = bytes.get((from - at) as usize..(to - at) as usize).unwrap_or_default();
                // The range lies in the folio.
                if page.present & bit != 0
                    && page.folio.copy_in((from - start) as usize, part).is_ok()
                    && page.sums.is_some()
                {
                    page.remember(bit, &hasher);
                }
                from = to;
            }
        }
    }

    /// Pages of `[from, to)` that are not dirty, which writing there would make so.
    pub fn clean_pages(&self, from: u64, to: u64) -> u64 {
        let mut clean = to.div_ceil(PAGE) - from / PAGE;
        let first = self.find(from).map_or(from, |(start, _)| start);
        for (&start, page) in self.folios.range(first..to) {
            let touched = mask(from.saturating_sub(start), (to - start).min(page.len()));
            clean -= u64::from((page.dirty & touched).count_ones());
        }
        clean
    }

    /// Whether there is a folio for a part of `[from, to)`.
    pub fn has_any(&self, from: u64, to: u64) -> bool {
        self.find(from).is_some() || self.folios.range(from..to).next().is_some()
    }

    /// Whether a page of `[from, to)` is dirty, or may be written by a mapping.
    pub fn may_be_dirty(&self, from: u64, to: u64) -> bool {
        let first = self.find(from).map_or(from, |(start, _)| start);
        self.folios.range(first..to).any(|(&start, page)| {
            page.dirty & mask(from.saturating_sub(start), (to - start).min(page.len())) != 0 || page.mapped
        })
    }

    /// The folio for a mapping, if all of its pages have their content. If somebody may write through
    /// mappings, what it holds is remembered.
    pub fn map(&mut self, at: u64, writable: bool) -> Option<(u64, Arc<Folio>)> {
        let hasher = self.hasher.clone();
        let (start, page) = self.find_mut(at).filter(|(_, page)| page.present == page.all())?;
        page.mapped = true;
        if writable && page.sums.is_none() {
            page.remember(page.all(), &hasher);
        }
        Some((start, page.folio.clone()))
    }

    /// From now on somebody may write through mappings: remembers what those that are there show.
    pub fn watch_mapped(&mut self) {
        for page in self.folios.values_mut().filter(|page| page.mapped && page.sums.is_none()) {
            page.remember(page.all(), &self.hasher);
        }
    }

    /// Counts what mappings have written as dirty.
    pub fn find_mapped_stores(&mut self, size: u64) {
        for (start, page) in self.folios.iter_mut().filter(|(_, page)| page.mapped) {
            let clean = page.present & mask(0, size.saturating_sub(*start).min(page.len())) & !page.dirty;
            let found = page.changed(clean, &self.hasher);
            page.dirty |= found;
            self.dirty += u64::from(found.count_ones());
        }
    }

    /// The first dirty pages from `from` on, of about `most` bytes at most: where, and how many bytes.
    pub fn dirty_span(&self, from: u64, most: u64) -> Option<(u64, u64)> {
        let (offset, mut len) = self.dirty_run(from)?;
        while len < most {
            match self.dirty_run(offset + len) {
                Some((at, more)) if at == offset + len => len += more,
                _ => break,
            }
        }
        Some((offset, len))
    }

    /// The first run of dirty pages in one folio from `from` on: where, and how long.
    fn dirty_run(&self, from: u64) -> Option<(u64, u64)> {
        let first = self.find(from).map_or(from, |(start, _)| start);
        self.folios.range(first..).find_map(|(&start, page)| {
            let skipped = from.saturating_sub(start) / PAGE;
            let dirty = page.dirty & u32::MAX.checked_shl(skipped as u32).unwrap_or(0);
            let nth = dirty.trailing_zeros();
            (dirty != 0).then(|| (start + u64::from(nth) * PAGE, u64::from((dirty >> nth).trailing_ones()) * PAGE))
        })
    }

    /// Copies content out to be written back: its pages count as clean from now.
    pub fn take_out(&mut self, at: u64, into: &mut [u8]) {
        let hasher = self.hasher.clone();
        let (mut at, mut rest) = (at, into);
        while let Some((start, page)) = self.find_mut(at).filter(|_| !rest.is_empty()) {
            let low = at - start;
            let len = (page.len() - low).min(rest.len() as u64);
            let (part, behind) = rest.split_at_mut(len as usize);
            let taken = page.dirty & mask(low, low + len);
            page.dirty &= !taken;
            if page.sums.is_some() {
                // Before the copy: what is stored meanwhile is found later.
                page.remember(taken, &hasher);
            }
            // The range lies in the folio.
            let _ = page.folio.copy_out(low as usize, part);
            self.dirty -= u64::from(taken.count_ones());
            (at, rest) = (at + len, behind);
        }
    }

    /// A run could not be written: it is dirty again.
    pub fn put_back(&mut self, offset: u64, len: u64) {
        let end = offset.saturating_add(len);
        let first = self.find(offset).map_or(offset, |(start, _)| start);
        for (&start, page) in self.folios.range_mut(first..end) {
            let bits = page.present & mask(offset.saturating_sub(start), (end - start).min(page.len()));
            self.dirty += u64::from((bits & !page.dirty).count_ones());
            page.dirty |= bits;
        }
    }

    /// The file ends at `size`: what is behind is gone, and reads as zeroes if the file grows again.
    pub fn truncate(&mut self, size: u64) {
        let first = self.find(size).map_or(size, |(start, _)| start);
        let mut gone = Vec::new();
        for (&start, page) in self.folios.range_mut(first..) {
            let kept = size.saturating_sub(start).min(page.len());
            let behind = page.all() & !mask(0, kept);
            self.dirty -= u64::from((page.dirty & behind).count_ones());
            page.dirty &= !behind;
            // The folio is this long, and zeroing what nobody maps is cheaper than knowing.
            let _ = page.folio.zero(kept as usize, (page.len() - kept) as usize);
            if page.in_use() {
                page.present |= behind;
            } else {
                page.present &= !behind;
                if kept == 0 {
                    gone.push((start, page.len()));
                }
            }
        }
        for (start, len) in gone {
            self.folios.remove(&start);
            self.held -= len;
        }
    }

    /// The file is about to grow from `size`: what mappings have stored behind its end, in its last page, was
    /// never in it.
    pub fn clear_behind(&mut self, size: u64) {
        let behind = size.next_multiple_of(PAGE) - size;
        if let Some((start, page)) = self.find_mut(size).filter(|_| behind > 0) {
            // The page lies in the folio.
            let _ = page.folio.zero((size - start) as usize, behind as usize);
        }
    }

    /// Forgets the content of `[from, to)`, as the disk has another there now. Gives what somebody still
    /// holds, in mappings: it is to be filled anew.
    pub fn forget(&mut self, from: u64, to: u64) -> Vec<(u64, u64)> {
        let first = self.find(from).map_or(from, |(start, _)| start);
        let mut gone = Vec::new();
        let mut held = Vec::new();
        for (&start, page) in self.folios.range_mut(first..to) {
            let touched = mask(from.saturating_sub(start), (to - start).min(page.len()));
            self.dirty -= u64::from((page.dirty & touched).count_ones());
            page.present &= !touched;
            page.dirty &= !touched;
            if page.in_use() {
                held.push((from.max(start), to.min(start + page.len())));
            } else if page.present == 0 {
                gone.push((start, page.len()));
            }
        }
        for (start, len) in gone {
            self.folios.remove(&start);
            self.held -= len;
        }
        held
    }

    /// Drops about so many bytes of folios that are clean, not mapped, and not used since the last call;
    /// gives the bytes that this freed.
    pub fn shrink(&mut self, most: u64) -> u64 {
        let mut freed = 0;
        self.folios.retain(|_, page| {
            if freed >= most || page.dirty != 0 || page.in_use() || page.used.swap(false, Ordering::Relaxed) {
                return true;
            }
            freed += page.len();
            false
        });
        self.held -= freed;
        freed
    }
}
