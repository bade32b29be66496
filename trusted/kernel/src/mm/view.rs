//! How an area shows a file: folios of its page cache, aliased where they have been touched.
//!
//! What is not shown has a stand-in without any right, so that the first touch faults and the
//! folio is shown then: large and sparse mappings cost nothing until they are used, and what lies
//! behind the end of the file faults for good (SIGBUS) until the file grows.

use super::map::page_up;
use super::space::map_errno;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use rkt_heap::Folio;
use rkt_linux_abi::{Errno, Result};
use rkt_platform::Protection;
use rkt_vfs::{Mappable, OpenFile};

/// Areas up to this length are shown whole at once: an alias costs less than a fault.
const EAGER_MAX: u64 = 512 << 10;

/// A folio that is shown; holding it keeps mapping and file the same memory.
#[derive(Clone)]
struct Shown {
    /// Offset in the object behind the last byte that is shown.
    end: u64,
    _folio: Arc<Folio>,
}

/// A file as an area shows it.
#[derive(Clone)]
pub struct View {
    /// The open file, for /proc/self/maps and for madvise(2).
    pub file: Arc<OpenFile>,
    /// What is mapped.
    pub object: Arc<dyn Mappable>,
    /// Offset in the object of the area's first byte.
    pub offset: u64,
    /// MAP_SHARED and opened for writing: stores reach the file.
    writes: Option<Arc<Writes>>,
    /// By offset in the object of the first byte that is shown.
    shown: BTreeMap<u64, Shown>,
}

/// Lets the file know of a shared mapping that may write, as long as this is held.
struct Writes(Arc<dyn Mappable>);

impl Writes {
    fn new(object: &Arc<dyn Mappable>) -> Result<Self> {
        object.map_writable(true)?;
        Ok(Self(object.clone()))
    }
}

impl Drop for Writes {
    fn drop(&mut self) {
        let _ = self.0.map_writable(false);
    }
}

/// Where an area lies and what is allowed there.
#[derive(Clone, Copy)]
pub struct Place {
    /// First address.
    pub start: u64,
    /// Behind the last address.
    pub end: u64,
    /// What the application may do.
    pub protection: Protection,
}

impl View {
    /// A view that shows nothing yet.
    ///
    /// # Errors
    /// `EPERM` if it is to write and the file is sealed.
    pub fn new(file: Arc<OpenFile>, object: Arc<dyn Mappable>, offset: u64, writes: bool) -> Result<Self> {
        let writes = if writes { Some(Arc::new(Writes::new(&object)?)) } else { None };
        Ok(Self { file, object, offset, writes, shown: BTreeMap::new() })
    }

    /// Whether `next`, which begins `len` bytes further on, simply goes on in the same file.
    pub fn continues_in(&self, len: u64, next: &View) -> bool {
        Arc::ptr_eq(&self.file, &next.file)
            && self.writes.is_some() == next.writes.is_some()
            && self.offset.checked_add(len) == Some(next.offset)
    }

    /// Whether the application may store into the file.
    pub fn may_write(&self) -> bool {
        self.writes.is_some()
    }

    /// Stores of the application may have changed the file.
    pub fn note_written(&self) {
        if self.writes.is_some() {
            self.object.written();
        }
    }

    /// Takes in what a view that this one continues in shows.
    pub fn join(&mut self, next: View) {
        self.shown.extend(next.shown);
    }

    /// The view of a part of the area: `skipped` bytes further on, `len` bytes long.
    pub fn part(&self, skipped: u64, len: u64) -> View {
        let offset = self.offset.saturating_add(skipped);
        let behind = offset.saturating_add(len);
        let within = self.shown.range(..behind).filter(|(_, shown)| shown.end > offset);
        Self {
            file: self.file.clone(),
            object: self.object.clone(),
            offset,
            writes: self.writes.clone(),
            shown: within.map(|(&start, shown)| (start, shown.clone())).collect(),
        }
    }

    /// Makes the platform's mappings: in a small area of all that is at hand, of nothing in a large
    /// one. Says whether pages are hidden.
    ///
    /// # Errors
    /// `ENOMEM`, and what the file says.
    pub fn show(&mut self, place: Place) -> Result<bool> {
        self.shown.clear();
        let mut behind = place.start;
        if place.end - place.start <= EAGER_MAX {
            let len = self.file_end(place) - place.start;
            behind += page_up(self.object.present(self.offset, self.offset + len) - self.offset);
        }
        let mut at = place.start;
        while at < behind {
            at = self.show_at(place, at)?;
        }
        self.hide(place, at)
    }

    /// The address behind the page of the file's last byte, within the area.
    fn file_end(&self, place: Place) -> u64 {
        let len = page_up(self.object.len()).saturating_sub(self.offset);
        place.start.saturating_add(len).min(place.end)
    }

    fn hide(&self, place: Place, from: u64) -> Result<bool> {
        if from >= place.end {
            return Ok(false);
        }
        rkt_platform::map_anon(from, place.end - from, Protection::default()).map_err(map_errno)?;
        Ok(true)
    }

    /// Shows the folio under an address of the area; gives the address behind what is shown.
    ///
    /// # Errors
    /// `EFAULT` behind the file's end; `ENOSPC`, `EIO`, `ENOMEM`.
    fn show_at(&mut self, place: Place, addr: u64) -> Result<u64> {
        let at = self.offset + (addr - place.start);
        let piece = self.object.folio(at)?;
        let first = piece.start.max(self.offset);
        let from = place.start + (first - self.offset);
        let rest = (piece.folio.size() as u64).saturating_sub(first - piece.start);
        let to = from.saturating_add(rest).min(self.file_end(place));
        if to <= addr {
            return Err(Errno::EFAULT);
        }
        let source = piece.folio.addr() + (first - piece.start) as usize;
        rkt_platform::map_folio(from, source, to - from, place.protection).map_err(map_errno)?;
        self.shown.insert(first, Shown { end: first + (to - from), _folio: piece.folio });
        Ok(to)
    }

    /// The application touched this address: shows it, unless it is shown already.
    ///
    /// # Errors
    /// As [`View::show_at`].
    pub fn touch(&mut self, place: Place, addr: u64) -> Result<()> {
        if addr >= self.file_end(place) { Err(Errno::EFAULT) } else { self.show_range(place, addr, addr + 1) }
    }

    /// Shows what is not shown yet of `from..to`, as far as the file goes.
    ///
    /// # Errors
    /// As [`View::show_at`].
    pub fn show_range(&mut self, place: Place, from: u64, to: u64) -> Result<()> {
        let mut at = from;
        while at < to.min(self.file_end(place)) {
            let offset = self.offset + (at - place.start);
            let shown = self.shown.range(..=offset).next_back().map(|(_, shown)| shown.end);
            at = match shown.filter(|&end| end > offset) {
                Some(end) => place.start + (end - self.offset),
                None => self.show_at(place, at)?,
            };
        }
        Ok(())
    }

    /// The file has become shorter: hides what lies behind its end.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn shorten(&mut self, place: Place) -> Result<()> {
        let end = page_up(self.object.len());
        self.shown.retain(|&start, shown| {
            shown.end = shown.end.min(end);
            start < end
        });
        self.hide(place, self.file_end(place).max(place.start)).map(drop)
    }
}
