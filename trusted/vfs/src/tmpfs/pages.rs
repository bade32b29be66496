//! The content of a regular file: folios by offset.
//!
//! A folio of length 2^n lies at a multiple of its length. What no folio covers is a hole, or,
//! below `backed`, still to be filled from the file's backing. A folio that is mapped (its `Arc`
//! is held elsewhere) is never replaced, shortened or dropped while the file lives: mapping and
//! file stay one memory.

use super::space::{Charge, Space};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use rkt_heap::Folio;
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSink, IoSource};

/// Smallest folio.
pub const PAGE: u64 = 4096;
/// Folio of a file that is longer than this.
pub const MIDDLE: u64 = 64 << 10;
/// Folio of a long file that grows at its end.
const LARGE: u64 = 2 << 20;
/// From this offset on a file is long.
const LONG: u64 = 4 << 20;

/// Folios of a backed file that lie side by side in memory, so that one alias shows them all.
const ROW: u64 = 2 << 20;

/// Source of a file's first content.
pub trait Backing: Send + Sync {
    /// Bytes of content.
    fn len(&self) -> u64;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the content at `offset`; the range lies within the length. May park.
    ///
    /// # Errors
    /// `EIO` if the content cannot be had or is not authentic.
    fn fill(&self, offset: u64, into: &mut [u8]) -> Result<()>;
}

/// What to do before an operation can go on: the content of `[start, start + len)` has to be
/// got from the backing, without the lock.
pub struct NeedFill {
    /// Offset in the file, a multiple of `len`.
    pub start: u64,
    /// Length of the folio.
    pub len: u64,
}

/// Why an operation on pages stopped.
pub enum Stop {
    /// Content is missing.
    Fill(NeedFill),
    /// It failed.
    Error(Errno),
}

impl From<Errno> for Stop {
    fn from(error: Errno) -> Self {
        Self::Error(error)
    }
}

struct Block {
    folio: Arc<Folio>,
    /// Which 64ths (but at least pages) of the folio have content; the others read as zeroes
    /// and hold garbage.
    valid: u64,
    /// A mapping may have left bytes behind the end of the file.
    was_mapped: bool,
    _charge: Charge,
}

impl Block {
    fn new(folio: Folio, valid: u64, charge: Charge) -> Self {
        Self { folio: Arc::new(folio), valid, was_mapped: false, _charge: charge }
    }

    /// Bytes that have content.
    fn held(&self) -> u64 {
        u64::from(self.valid.count_ones()) * self.grain()
    }

    fn len(&self) -> u64 {
        self.folio.size() as u64
    }

    /// Bytes that a bit of `valid` stands for.
    fn grain(&self) -> u64 {
        (self.len() / 64).max(PAGE)
    }

    fn all(&self) -> u64 {
        mask(self.len() / self.grain())
    }

    /// Bits of the grains that `[from, to)` touches.
    fn bits(&self, from: u64, to: u64) -> u64 {
        if to <= from {
            return 0;
        }
        let grain = self.grain();
        mask(to.div_ceil(grain)) & !mask(from / grain)
    }

    fn is_valid(&self, at: u64) -> bool {
        self.valid >> (at / self.grain()) & 1 != 0
    }

    /// End of the run of grains that are as valid as the one at `at`.
    fn run_end(&self, at: u64) -> u64 {
        let grain = self.grain();
        let first = at / grain;
        let rest = self.valid >> first;
        let same = if rest & 1 != 0 { rest.trailing_ones() } else { rest.trailing_zeros() };
        ((first + u64::from(same)) * grain).min(self.len())
    }

    fn mapped(&self) -> bool {
        Arc::strong_count(&self.folio) > 1
    }

    fn zero(&self, from: u64, to: u64) {
        // Within the folio, by how callers compute the range.
        let _ = self.folio.zero(from as usize, to.saturating_sub(from) as usize);
    }

    /// Clears what has no content, so that all of the folio may be seen.
    fn complete(&mut self) {
        let grain = self.grain();
        for i in 0..self.len() / grain {
            if self.valid >> i & 1 == 0 {
                self.zero(i * grain, (i + 1) * grain);
            }
        }
        self.valid = self.all();
    }

    /// Makes `[from, to)` read as zeroes and gives up the grains within it, if nobody sees them.
    fn clear(&mut self, from: u64, to: u64) {
        if self.mapped() {
            self.zero(from, to);
            return;
        }
        let grain = self.grain();
        // The whole grains in the middle lie in `first..last`, if there are any.
        let (first, last) = (from.next_multiple_of(grain), to / grain * grain);
        self.zero_valid(from, first.min(to));
        self.zero_valid(last.max(first).min(to), to);
        if first < last {
            self.valid &= !self.bits(first, last);
        }
    }

    /// Clears a range within one grain.
    fn zero_valid(&self, from: u64, to: u64) {
        if from < to && self.is_valid(from) {
            self.zero(from, to);
        }
    }
}

/// The lowest `n` bits.
fn mask(n: u64) -> u64 {
    if n >= 64 { u64::MAX } else { (1 << n) - 1 }
}

/// The share of all memory that files never take, so that the kernel itself goes on.
const RESERVE_SHARE: usize = 16;

/// A folio with whatever was in its memory.
pub fn new_folio(len: u64) -> Result<Folio> {
    let memory = rkt_heap::REGION.stats();
    let pages = (len / PAGE) as usize;
    if memory.free < pages.saturating_add(memory.total / RESERVE_SHARE) {
        return Err(Errno::ENOSPC);
    }
    Folio::new(&rkt_heap::REGION, pages).ok_or(Errno::ENOSPC)
}

/// Folios by offset, and the length of the file.
#[derive(Default)]
pub struct Pages {
    /// Length of the file.
    pub size: u64,
    /// What lies below and in no folio has its content in the backing.
    backed: u64,
    blocks: BTreeMap<u64, Block>,
    /// Memory for content that is still in the backing, beside what was filled.
    waiting: BTreeMap<u64, Folio>,
    /// Bytes that have content.
    held: u64,
}

impl Pages {
    /// The pages of a file whose content comes from elsewhere at first.
    pub fn backed(len: u64) -> Self {
        Self { size: len, backed: len, ..Self::default() }
    }

    fn block(&self, at: u64) -> Option<(u64, &Block)> {
        let (&start, block) = self.blocks.range(..=at).next_back()?;
        (at < start + block.len()).then_some((start, block))
    }

    fn block_mut(&mut self, at: u64) -> Option<(u64, &mut Block)> {
        let (&start, block) = self.blocks.range_mut(..=at).next_back()?;
        (at < start + block.len()).then_some((start, block))
    }

    /// The folio to be filled for an offset that no folio covers, if it needs filling.
    fn need_fill(&self, at: u64) -> Option<NeedFill> {
        let len = self.fill_len();
        let start = at / len * len;
        (start < self.backed).then_some(NeedFill { start, len })
    }

    /// Length of the folios that are filled from the backing.
    fn fill_len(&self) -> u64 {
        self.backed.next_power_of_two().clamp(PAGE, MIDDLE)
    }

    /// Reads from `at` up to the end of the file or the sink; gives the bytes moved before it
    /// stopped.
    pub fn read(&self, mut at: u64, into: &mut IoSink<'_>) -> (usize, Result<(), Stop>) {
        let mut done = 0;
        while at < self.size && !into.is_full() {
            let limit = (self.size - at).min(into.remaining() as u64);
            let moved = match self.block(at) {
                Some((start, block)) => {
                    let offset = at - start;
                    let n = (block.run_end(offset) - offset).min(limit) as usize;
                    let moved = if block.is_valid(offset) {
                        into.put_folio(&block.folio, offset as usize, n)
                    } else {
                        into.put_zeroes(n)
                    };
                    moved.map(|moved| (moved, n))
                }
                None => {
                    if let Some(need) = self.need_fill(at) {
                        return (done, Err(Stop::Fill(need)));
                    }
                    let next = self.blocks.range(at..).next().map_or(self.size, |(&start, _)| start);
                    let n = (next - at).min(limit) as usize;
                    into.put_zeroes(n).map(|moved| (moved, n))
                }
            };
            match moved {
                Ok((moved, wanted)) => {
                    done += moved;
                    at += moved as u64;
                    if moved < wanted {
                        break;
                    }
                }
                Err(error) => return (done, Err(error.into())),
            }
        }
        (done, Ok(()))
    }

    /// Writes at `at` until the source is empty; gives the bytes moved before it stopped.
    pub fn write(&mut self, mut at: u64, from: &mut IoSource<'_>, space: &Arc<Space>) -> (usize, Result<(), Stop>) {
        let mut done = 0;
        self.clear_tail(at);
        while !from.is_full() {
            match self.write_some(at, from, space) {
                Ok((moved, wanted)) => {
                    done += moved;
                    at += moved as u64;
                    self.size = self.size.max(at);
                    if moved < wanted {
                        break;
                    }
                }
                Err(stop) => return (done, Err(stop)),
            }
        }
        (done, Ok(()))
    }

    fn write_some(&mut self, at: u64, from: &mut IoSource<'_>, space: &Arc<Space>) -> Result<(usize, usize), Stop> {
        let end = at.saturating_add(from.remaining() as u64);
        let (start, block) = self.ensure(at, end, space)?;
        let offset = at - start;
        let n = (block.len() - offset).min(from.remaining() as u64);
        let grain = block.grain();
        if !block.is_valid(offset) {
            block.zero(offset / grain * grain, offset);
        }
        let moved = from.take_folio(&block.folio, offset as usize, n as usize)?;
        let reached = offset + moved as u64;
        if !reached.is_multiple_of(grain) && !block.is_valid(reached) {
            block.zero(reached, reached.next_multiple_of(grain));
        }
        let before = block.held();
        block.valid |= block.bits(offset, reached);
        let gained = block.held() - before;
        self.held += gained;
        Ok((moved, n as usize))
    }

    /// The folio that covers `at`, made if there is none; `end` is where the write goes to.
    fn ensure(&mut self, at: u64, end: u64, space: &Arc<Space>) -> Result<(u64, &mut Block), Stop> {
        if self.block(at).is_none() {
            if let Some(need) = self.need_fill(at) {
                return Err(Stop::Fill(need));
            }
            self.make(at, end, space)?;
        }
        self.block_mut(at).ok_or(Stop::Error(Errno::EIO))
    }

    fn make(&mut self, at: u64, end: u64, space: &Arc<Space>) -> Result<()> {
        if self.grow_first(at, end, space)? {
            return Ok(());
        }
        let mut len = if at >= LONG && at >= self.size {
            LARGE
        } else if at >= MIDDLE || end > MIDDLE {
            MIDDLE
        } else {
            end.next_power_of_two().clamp(PAGE, MIDDLE)
        };
        while len > PAGE && !self.is_free(at / len * len, len) {
            len /= 2;
        }
        // A shorter one will do where memory is short or in pieces.
        let (folio, charge) = loop {
            match Charge::new(space, len).and_then(|charge| Ok((new_folio(len)?, charge))) {
                Ok(made) => break made,
                Err(_) if len > PAGE => len /= 2,
                Err(error) => return Err(error),
            }
        };
        self.blocks.insert(at / len * len, Block::new(folio, 0, charge));
        Ok(())
    }

    fn is_free(&self, start: u64, len: u64) -> bool {
        let below = self.blocks.range(..start + len).next_back();
        start >= self.backed.next_multiple_of(self.fill_len())
            && below.is_none_or(|(&other, block)| other + block.len() <= start)
    }

    /// A small file has one folio that is replaced by a larger one, while nobody maps it.
    fn grow_first(&mut self, at: u64, end: u64, space: &Arc<Space>) -> Result<bool> {
        let Some((0, first)) = self.blocks.first_key_value().map(|(&start, block)| (start, block)) else {
            return Ok(false);
        };
        let len = end.min(MIDDLE).next_power_of_two().max(PAGE);
        if at >= len || self.blocks.len() != 1 || first.mapped() || first.len() >= len || self.backed > first.len() {
            return Ok(false);
        }
        let charge = Charge::new(space, len)?;
        let folio = new_folio(len)?;
        copy(&first.folio, &folio, first.len())?;
        let block = Block { was_mapped: first.was_mapped, ..Block::new(folio, first.valid, charge) };
        self.blocks.insert(0, block);
        Ok(true)
    }

    /// A folio to be filled from the backing: the one that waits beside its neighbours.
    ///
    /// # Errors
    /// `ENOSPC`.
    pub fn folio_to_fill(&mut self, need: &NeedFill) -> Result<Folio> {
        if need.len == MIDDLE && !self.waiting.contains_key(&need.start) {
            self.make_row(need.start);
        }
        let waiting = self.waiting.remove(&need.start).filter(|folio| folio.size() as u64 == need.len);
        waiting.map_or_else(|| new_folio(need.len), Ok)
    }

    /// Sets memory aside for the row that an offset lies in, if there is plenty and nothing of it is there yet.
    fn make_row(&mut self, at: u64) {
        let start = at / ROW * ROW;
        let end = start.saturating_add(ROW).min(self.backed.next_multiple_of(MIDDLE));
        let memory = rkt_heap::REGION.stats();
        let begun = self.blocks.range(start..end).next().is_some() || self.waiting.range(start..end).next().is_some();
        if begun || end - start <= MIDDLE || memory.free < memory.total / 2 {
            return;
        }
        let Ok(mut row) = new_folio(end - start) else { return };
        let mut next = start;
        while let Some(folio) = row.split_first((MIDDLE / PAGE) as usize) {
            self.waiting.insert(next, folio);
            next += MIDDLE;
        }
        self.waiting.insert(next, row);
    }

    /// Enters a folio with content from the backing, unless there is one by now.
    pub fn fill(&mut self, need: &NeedFill, folio: Folio, charge: Charge) {
        let still = self.need_fill(need.start).is_some_and(|now| now.len == need.len);
        if still && self.block(need.start).is_none() {
            let mut block = Block::new(folio, 0, charge);
            block.valid = block.all();
            self.held += block.held();
            self.blocks.insert(need.start, block);
        }
    }

    /// Where filling has to go on so that all content below `end` is in folios.
    pub fn unfilled(&self, from: u64, end: u64) -> Option<NeedFill> {
        let mut at = from;
        let end = end.min(self.backed);
        while at < end {
            match self.block(at) {
                Some((start, block)) => at = start + block.len(),
                None => return self.need_fill(at),
            }
        }
        None
    }

    /// The folio with the byte at `at`, complete and to be shared with a mapping.
    pub fn map(&mut self, at: u64, space: &Arc<Space>) -> Result<(u64, Arc<Folio>), Stop> {
        if at >= self.size.next_multiple_of(PAGE) {
            return Err(Errno::EFAULT.into());
        }
        let end = self.size.max(at + 1);
        let (start, block) = self.ensure(at, end, space)?;
        let before = block.held();
        block.complete();
        block.was_mapped = true;
        let (folio, gained) = (block.folio.clone(), block.held() - before);
        self.held += gained;
        Ok((start, folio))
    }

    /// Sets the length. Content behind the end is gone for good.
    pub fn truncate(&mut self, size: u64) {
        if size < self.size {
            self.backed = self.backed.min(size);
            drop(self.waiting.split_off(&size));
            self.clear(size, u64::MAX);
        } else {
            self.clear_tail(size);
        }
        self.size = size;
    }

    /// Mappings may have written behind the end: that is no content when the file grows over it.
    fn clear_tail(&mut self, new_size: u64) {
        let old = self.size;
        if new_size <= old {
            return;
        }
        let first = self.block(old).map_or(old, |(start, _)| start);
        for (&start, block) in self.blocks.range(first..new_size).filter(|(_, block)| block.was_mapped) {
            block.zero(old.max(start) - start, new_size.min(start + block.len()) - start);
        }
    }

    /// Makes `[from, to)` read as zeroes and gives folios back. The content of partly cleared
    /// folios must be there: see [`Pages::unfilled`].
    pub fn clear(&mut self, from: u64, to: u64) {
        let first = self.block(from).map_or(from, |(start, _)| start);
        let mut gone = alloc::vec::Vec::new();
        for (&start, block) in self.blocks.range_mut(first..to) {
            let (low, high) = (from.max(start) - start, to.min(start + block.len()) - start);
            let before = block.held();
            block.clear(low, high);
            self.held -= before - block.held();
            // A folio that went would be filled from the backing again.
            if block.valid == 0 && !block.mapped() && start >= self.backed {
                gone.push(start);
            }
        }
        for start in gone {
            self.blocks.remove(&start);
        }
    }

    /// Gives `[from, to)` memory, reading as zeroes where it was a hole.
    pub fn allocate(&mut self, from: u64, to: u64, space: &Arc<Space>) -> Result<(), Stop> {
        let mut at = from;
        while at < to {
            let (start, block) = self.ensure(at, to, space)?;
            let end = (to - start).min(block.len());
            let (grain, before) = (block.grain(), block.held());
            for i in (at - start) / grain..end.div_ceil(grain) {
                if block.valid >> i & 1 == 0 {
                    block.zero(i * grain, (i + 1) * grain);
                    block.valid |= 1 << i;
                }
            }
            at = start + block.len();
            let gained = block.held() - before;
            self.held += gained;
        }
        Ok(())
    }

    /// `SEEK_DATA` (`data`) and `SEEK_HOLE`: the first such offset from `at`; none if `at` is not
    /// within the file, or no data follows.
    pub fn seek(&self, at: u64, data: bool) -> Option<u64> {
        let mut at = at;
        while at < self.size {
            let (has_data, end) = match self.block(at) {
                Some((start, block)) => (block.is_valid(at - start), start + block.run_end(at - start)),
                None if at < self.backed => (true, self.backed),
                None => (false, self.blocks.range(at..).next().map_or(self.size, |(&start, _)| start)),
            };
            if has_data == data {
                return Some(at);
            }
            at = end;
        }
        (!data).then_some(self.size)
    }

    /// Bytes of memory that have content.
    pub fn bytes_in_use(&self) -> u64 {
        self.held.max(self.backed.next_multiple_of(PAGE))
    }
}

/// Copies the first `len` bytes of a folio to another one that is not shorter.
fn copy(from: &Folio, to: &Folio, len: u64) -> Result<()> {
    let mut page = [0u8; PAGE as usize];
    for at in (0..len as usize).step_by(page.len()) {
        from.copy_out(at, &mut page).map_err(|_| Errno::EIO)?;
        to.copy_in(at, &page).map_err(|_| Errno::EIO)?;
    }
    Ok(())
}
