//! The page cache of one file: folios by offset, with what of them is there and what was written.
//!
//! A folio of length 2^n lies at a multiple of its length. A folio that is mapped (its `Arc` is held
//! elsewhere) is never replaced or dropped while the file lives: mapping and file stay one memory.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
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
}

/// The bits of pages that `[from, to)` of a folio touches.
fn mask(from: u64, to: u64) -> u32 {
    let (first, end) = (from / PAGE, to.div_ceil(PAGE));
    let below = |n: u64| if n >= 32 { u32::MAX } else { (1u32 << n) - 1 };
    below(end) & !below(first)
}

/// A place in the file whose content is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Offset in the file of the folio that it is for.
    pub start: u64,
    /// Length of that folio.
    pub len: u64,
}

/// A run of pages to be written back.
pub struct Run {
    /// Offset in the file.
    pub offset: u64,
    /// Content: whole pages.
    pub bytes: Vec<u8>,
}

/// The folios.
#[derive(Default)]
pub struct Pages {
    folios: BTreeMap<u64, Page>,
    /// Bytes of folios.
    held: u64,
}

impl Pages {
    fn find(&self, at: u64) -> Option<(u64, &Page)> {
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
        self.folios.values().map(|page| u64::from(page.dirty.count_ones()) * PAGE).sum()
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
            let page = Page { folio: Arc::new(folio), present: 0, dirty: 0, mapped: false };
            self.folios.insert(place.start, page);
        }
        self.folios.get_mut(&place.start).ok_or(Errno::EIO)
    }

    /// Enters content from the disk at a place, but for pages that are there already.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn fill(&mut self, place: Missing, offset: u64, bytes: &[u8]) -> Result<()> {
        let page = self.ensure(place)?;
        for (at, content) in (offset..).step_by(PAGE as usize).zip(bytes.chunks(PAGE as usize)) {
            let Some(within) = at.checked_sub(place.start) else { continue };
            let bit = mask(within, within + 1);
            if within < page.len() && page.present & bit == 0 {
                page.folio.copy_in(within as usize, content).map_err(|_| Errno::EIO)?;
                page.present |= bit;
            }
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
        let touched = mask(offset, offset + want);
        // What no one has written, and the file does not have, is zero.
        for fresh in (0..place.len / PAGE).filter(|nth| (touched & !page.present) >> nth & 1 == 1) {
            page.folio.zero((fresh * PAGE) as usize, PAGE as usize).map_err(|_| Errno::EIO)?;
        }
        let moved = from.take_folio(&page.folio, offset as usize, want as usize)?;
        let bits = mask(offset, offset + moved as u64);
        if moved > 0 {
            page.present |= bits;
            page.dirty |= bits;
        }
        Ok(moved)
    }

    /// Pages of `[from, to)` that are not dirty, which writing there would make so.
    pub fn clean_pages(&self, from: u64, to: u64) -> u64 {
        (from / PAGE..to.div_ceil(PAGE))
            .filter(|nth| {
                let at = nth * PAGE;
                self.find(at).is_none_or(|(start, page)| page.dirty & mask(at - start, at - start + 1) == 0)
            })
            .count() as u64
    }

    /// The folio for a mapping, all of whose pages have their content.
    pub fn map(&mut self, at: u64) -> Option<(u64, Arc<Folio>)> {
        let (start, page) = self.find_mut(at)?;
        page.mapped = true;
        (page.present == page.all()).then(|| (start, page.folio.clone()))
    }

    /// Counts what mappings may have written as dirty.
    pub fn dirty_mapped(&mut self, size: u64) {
        for (start, page) in self.folios.iter_mut().filter(|(_, page)| page.mapped) {
            page.dirty |= page.present & mask(0, size.saturating_sub(*start).min(page.len()));
        }
    }

    /// Takes a run of dirty pages, from `from` on and of about `most` bytes at most, out for writing back;
    /// they count as clean from now.
    pub fn take_dirty(&mut self, from: u64, most: usize) -> Option<Run> {
        let (offset, len) = self.dirty_run(from)?;
        let mut run = Run { offset, bytes: Vec::new() };
        let mut next = Some((offset, len));
        while let Some((at, len)) = next.filter(|&(at, _)| at == offset + run.bytes.len() as u64) {
            self.take_out(at, len, &mut run.bytes);
            let end = offset + run.bytes.len() as u64;
            next = if run.bytes.len() < most { self.dirty_run(end) } else { None };
        }
        Some(run)
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

    /// Copies dirty pages of one folio out and counts them as clean.
    fn take_out(&mut self, at: u64, len: u64, into: &mut Vec<u8>) {
        let Some((start, page)) = self.find_mut(at) else { return };
        let (low, before) = (at - start, into.len());
        page.dirty &= !mask(low, low + len);
        into.resize(before + len as usize, 0);
        // The range lies in the folio.
        let _ = page.folio.copy_out(low as usize, into.get_mut(before..).unwrap_or_default());
    }

    /// A run could not be written: it is dirty again.
    pub fn put_back(&mut self, offset: u64, len: u64) {
        let end = offset.saturating_add(len);
        let first = self.find(offset).map_or(offset, |(start, _)| start);
        for (&start, page) in self.folios.range_mut(first..end) {
            page.dirty |= page.present & mask(offset.saturating_sub(start), (end - start).min(page.len()));
        }
    }

    /// The file ends at `size`: what is behind is gone, and reads as zeroes if the file grows again.
    pub fn truncate(&mut self, size: u64) {
        let first = self.find(size).map_or(size, |(start, _)| start);
        let mut gone = Vec::new();
        for (&start, page) in self.folios.range_mut(first..) {
            let kept = size.saturating_sub(start).min(page.len());
            let behind = page.all() & !mask(0, kept);
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

    /// Forgets the content of `[from, to)`, as the disk has another there now. Mapped pages take it over
    /// when they are filled anew.
    pub fn forget(&mut self, from: u64, to: u64) {
        let first = self.find(from).map_or(from, |(start, _)| start);
        let mut gone = Vec::new();
        for (&start, page) in self.folios.range_mut(first..to) {
            let touched = mask(from.saturating_sub(start), (to - start).min(page.len()));
            page.present &= !touched;
            page.dirty &= !touched;
            if page.present == 0 && !page.in_use() {
                gone.push((start, page.len()));
            }
        }
        for (start, len) in gone {
            self.folios.remove(&start);
            self.held -= len;
        }
    }

    /// Drops folios that are clean and not mapped; gives the bytes that this freed.
    pub fn shrink(&mut self) -> u64 {
        let before = self.held;
        let mut held = 0;
        self.folios.retain(|_, page| {
            let kept = page.dirty != 0 || page.in_use();
            held += if kept { page.len() } else { 0 };
            kept
        });
        self.held = held;
        before - held
    }
}
