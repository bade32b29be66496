//! The pages of a file that are in memory.

use crate::errno::errno;
use crate::fs::{PAGE, Shared};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_ext4::{Reservation, State};
use rkt_heap::Folio;
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSink, IoSource};

/// Pages read at once where the file is read in order.
const READ_AHEAD: u64 = 32;
/// Pages written at once.
const WRITE_AT_ONCE: usize = 256;

/// See the module. Whoever changes it holds the lock of the inode's pages, which may be held
/// while the disk works.
pub(crate) struct Pages {
    shared: Arc<Shared>,
    ino: u32,
    /// Length of the file.
    pub size: u64,
    pages: BTreeMap<u64, Arc<Folio>>,
    /// Pages that differ from the disk.
    dirty: BTreeSet<u64>,
    /// Blocks promised to dirty pages.
    promised: Reservation,
    /// Where the last read ended.
    read_up_to: u64,
    /// Shared mappings that may write: pages that are mapped count as dirty.
    pub writable_maps: u32,
}

impl Pages {
    pub fn new(shared: Arc<Shared>, ino: u32, size: u64) -> Self {
        let (pages, dirty, promised) = (BTreeMap::new(), BTreeSet::new(), Reservation::none());
        Self { shared, ino, size, pages, dirty, promised, read_up_to: 0, writable_maps: 0 }
    }

    fn blocks_per_page(&self) -> u64 {
        (PAGE / self.shared.fs.block_size()) as u64
    }

    fn insert(&mut self, index: u64, folio: Folio) -> Arc<Folio> {
        let folio = Arc::new(folio);
        if self.pages.insert(index, folio.clone()).is_none() {
            self.shared.pages.fetch_add(1, Ordering::Relaxed);
        }
        folio
    }

    /// A page with its content, read from the disk if need be, and with it some that follow.
    fn load(&mut self, index: u64, ahead: u64) -> Result<Arc<Folio>> {
        if let Some(known) = self.pages.get(&index) {
            return Ok(known.clone());
        }
        let end = self.size.div_ceil(PAGE as u64);
        let next = self.pages.range(index..).next().map_or(u64::MAX, |(next, _)| *next);
        let count = ahead.min(next - index).min(end.saturating_sub(index)).max(1);
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(count as usize * PAGE).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(count as usize * PAGE, 0);
        let first = u32::try_from(index * self.blocks_per_page()).map_err(|_| Errno::EFBIG)?;
        self.shared.fs.read_blocks(self.ino, first, &mut bytes).map_err(errno)?;
        // What lies behind the end on the disk means nothing.
        let kept = self.size.saturating_sub(index * PAGE as u64);
        bytes.get_mut(usize::try_from(kept).unwrap_or(usize::MAX)..).unwrap_or_default().fill(0);
        for (index, content) in (index..).zip(bytes.chunks(PAGE)) {
            let folio = Folio::new(&rkt_heap::REGION, 1).ok_or(Errno::ENOMEM)?;
            folio.copy_in(0, content).map_err(|_| Errno::EIO)?;
            self.insert(index, folio);
        }
        self.pages.get(&index).cloned().ok_or(Errno::EIO)
    }

    /// Reads from `at` up to the end of the file or of the sink.
    pub fn read(&mut self, at: u64, into: &mut IoSink<'_>) -> Result<usize> {
        let ahead = if at == self.read_up_to { READ_AHEAD } else { 1 };
        let mut done = 0;
        while !into.is_full() {
            let at = at.saturating_add(done as u64);
            if at >= self.size {
                break;
            }
            let (index, offset) = (at / PAGE as u64, (at % PAGE as u64) as usize);
            let wanted = (into.remaining() as u64).div_ceil(PAGE as u64).clamp(ahead, 4 * READ_AHEAD);
            let moved = self.load(index, wanted).and_then(|folio| {
                let len = (PAGE - offset).min(usize::try_from(self.size - at).unwrap_or(PAGE));
                into.put_folio(&folio, offset, len)
            });
            match moved {
                Ok(moved) => done += moved,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        self.read_up_to = at.saturating_add(done as u64);
        Ok(done)
    }

    /// Writes at `at`, and makes the file longer if need be.
    pub fn write(&mut self, at: u64, from: &mut IoSource<'_>) -> Result<usize> {
        let mut done = 0;
        while !from.is_full() {
            let at = at.saturating_add(done as u64);
            match self.write_page(at, from) {
                Ok(moved) => done += moved,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn write_page(&mut self, at: u64, from: &mut IoSource<'_>) -> Result<usize> {
        let (index, offset) = (at / PAGE as u64, (at % PAGE as u64) as usize);
        let len = (PAGE - offset).min(from.remaining());
        // A page that is all new needs no content, unless copying fails in the middle.
        let folio = if self.pages.contains_key(&index) || index * (PAGE as u64) < self.size {
            self.load(index, 1)?
        } else {
            self.insert(index, Folio::zeroed(&rkt_heap::REGION, 1).ok_or(Errno::ENOMEM)?)
        };
        self.mark_dirty(index)?;
        let moved = from.take_folio(&folio, offset, len)?;
        self.size = self.size.max(at + moved as u64);
        Ok(moved)
    }

    /// A page will differ from the disk: promises the blocks that it does not have there.
    fn mark_dirty(&mut self, index: u64) -> Result<()> {
        if self.dirty.contains(&index) {
            return Ok(());
        }
        let per_page = self.blocks_per_page();
        let first = u32::try_from(index * per_page).map_err(|_| Errno::EFBIG)?;
        let found = self.shared.fs.map(self.ino, first, per_page as u32).map_err(errno)?;
        if found.state == State::Hole || u64::from(found.len) < per_page {
            self.promised.join(self.shared.fs.reserve(per_page).map_err(errno)?);
        }
        self.dirty.insert(index);
        Ok(())
    }

    /// Whether there is something to be written.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || self.writable_maps > 0
    }

    /// Number of dirty pages.
    pub fn dirty_pages(&self) -> usize {
        self.dirty.len()
    }

    /// The folio of a page, for a mapping.
    pub fn map(&mut self, offset: u64) -> Result<Arc<Folio>> {
        if offset / PAGE as u64 >= self.size.div_ceil(PAGE as u64) {
            return Err(Errno::EFAULT);
        }
        let folio = self.load(offset / PAGE as u64, READ_AHEAD)?;
        if self.writable_maps > 0 {
            self.mark_dirty(offset / PAGE as u64)?;
        }
        Ok(folio)
    }

    /// A shared mapping that may write is made: what is mapped already may change, too.
    pub fn map_writable(&mut self) -> Result<()> {
        self.writable_maps += 1;
        self.mark_mapped()
    }

    fn mark_mapped(&mut self) -> Result<()> {
        let mapped = self.pages.iter().filter(|(_, folio)| Arc::strong_count(folio) > 1).map(|(index, _)| *index);
        let mapped: Vec<u64> = mapped.collect();
        mapped.into_iter().try_for_each(|index| self.mark_dirty(index))
    }

    /// Writes dirty pages to the disk. Those that could not be written stay dirty.
    pub fn write_back(&mut self) -> Result<()> {
        let mut rest: Vec<u64> = core::mem::take(&mut self.dirty).into_iter().collect();
        rest.retain(|index| self.pages.contains_key(index));
        let mut rest = rest.as_slice();
        while let Some(first) = rest.first() {
            let run = (*first..).zip(rest).take_while(|(expected, index)| expected == *index).count();
            let (now, behind) = rest.split_at(run.min(WRITE_AT_ONCE));
            if let Err(error) = self.write_run(*first, now) {
                self.dirty.extend(rest);
                return Err(error);
            }
            rest = behind;
        }
        if self.writable_maps > 0 {
            // The mappings may go on to change what was just written.
            return self.mark_mapped();
        }
        let spare = core::mem::replace(&mut self.promised, Reservation::none());
        self.shared.fs.unreserve(spare);
        Ok(())
    }

    /// Writes pages in a row.
    fn write_run(&mut self, first: u64, indices: &[u64]) -> Result<()> {
        let block_size = self.shared.fs.block_size();
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(indices.len() * PAGE).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(indices.len() * PAGE, 0);
        for (place, index) in bytes.chunks_mut(PAGE).zip(indices) {
            let folio = self.pages.get(index).ok_or(Errno::EIO)?;
            folio.copy_out(0, place).map_err(|_| Errno::EIO)?;
        }
        // Blocks behind the end are not written; what is behind the end in the last one is zero.
        let len = usize::try_from(self.size.saturating_sub(first * PAGE as u64)).unwrap_or(usize::MAX);
        bytes.truncate(len.next_multiple_of(block_size));
        bytes.get_mut(len..).unwrap_or_default().fill(0);
        let blocks: Vec<&[u8]> = bytes.chunks(block_size).collect();
        let logical = u32::try_from(first * self.blocks_per_page()).map_err(|_| Errno::EFBIG)?;
        let written = self.shared.fs.write_blocks(self.ino, logical, &blocks, Some(self.size), &mut self.promised);
        written.map_err(errno)
    }

    /// The file gets another length: pages behind it go, the last one ends with zeroes.
    pub fn truncate(&mut self, size: u64) {
        self.size = size;
        let gone = self.pages.split_off(&size.div_ceil(PAGE as u64));
        self.shared.pages.fetch_sub(gone.len(), Ordering::Relaxed);
        self.dirty.split_off(&size.div_ceil(PAGE as u64));
        let offset = (size % PAGE as u64) as usize;
        if let Some(last) = self.pages.get(&(size / PAGE as u64)).filter(|_| offset > 0) {
            // Within the folio.
            let _ = last.zero(offset, PAGE - offset);
        }
    }

    /// A range became zero on the disk.
    pub fn clear(&mut self, from: u64, to: u64) {
        for (index, folio) in self.pages.range(from / PAGE as u64..to.div_ceil(PAGE as u64)) {
            let start = index * PAGE as u64;
            let (first, last) = (from.max(start) - start, to.min(start + PAGE as u64) - start);
            // Within the folio.
            let _ = folio.zero(first as usize, (last - first) as usize);
        }
    }

    /// What is behind an offset moved on the disk: pages are read anew. Mappings keep what they
    /// have, since they cannot be taken away.
    pub fn forget(&mut self, from: u64) {
        let gone = self.pages.split_off(&(from / PAGE as u64));
        self.shared.pages.fetch_sub(gone.len(), Ordering::Relaxed);
        self.dirty.split_off(&(from / PAGE as u64));
    }

    /// Drops clean pages that nobody has mapped.
    pub fn shrink(&mut self) {
        let dirty = &self.dirty;
        let before = self.pages.len();
        self.pages.retain(|index, folio| dirty.contains(index) || Arc::strong_count(folio) > 1);
        self.shared.pages.fetch_sub(before - self.pages.len(), Ordering::Relaxed);
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.shared.pages.fetch_sub(self.pages.len(), Ordering::Relaxed);
        let promised = core::mem::replace(&mut self.promised, Reservation::none());
        if promised.blocks() > 0 {
            self.shared.fs.unreserve(promised);
        }
    }
}
