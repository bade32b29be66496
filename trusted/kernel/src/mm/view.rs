//! How an area shows a file: folios of its page cache, aliased where they have been touched.
//!
//! What is not shown has a stand-in without any right, so that the first touch faults and the
//! folio is shown then: large and sparse mappings cost nothing until they are used, and what lies
//! behind the end of the file faults for good (SIGBUS) until the file grows.

use super::content::{self, Lack};
use super::map::page_up;
use super::space::map_errno;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use rkt_heap::Folio;
use rkt_linux_abi::{Errno, Result};
use rkt_platform::Protection;
use rkt_vfs::{Mappable, OpenFile};

/// Areas up to this length are shown at once as far as their file is at hand: an alias costs less than a fault.
const EAGER_MAX: u64 = 512 << 10;
/// The same for program text, of which much is used.
const EAGER_TEXT_MAX: u64 = 8 << 20;
/// Folios are no smaller, and aligned to their offset.
const FOLIO_MIN: u64 = 64 << 10;
/// How an alias can be used before it is protected.
const AS_IN_THE_CACHE: Protection = Protection { read: true, write: true, execute: false };

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

/// Neighbouring memory of the page cache, and where it is to be shown.
struct Piece {
    addr: u64,
    source: usize,
    len: u64,
}

impl Piece {
    fn end(&self) -> u64 {
        self.addr + self.len
    }

    fn map(&self, protection: Protection) -> Result<()> {
        rkt_platform::map_folio(self.addr, self.source, self.len, protection).map_err(map_errno)
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

    /// Makes the platform's mappings: of what the file has at hand from its beginning on, unless the area is
    /// large. Says whether pages are hidden.
    ///
    /// # Errors
    /// `ENOMEM`, and what the file says.
    pub fn show(&mut self, place: Place) -> Result<bool> {
        self.shown.clear();
        let at = if Self::is_eager(place) { self.show_run(place)? } else { place.start };
        self.hide(at, place.end)
    }

    fn is_eager(place: Place) -> bool {
        place.end - place.start <= if place.protection.execute { EAGER_TEXT_MAX } else { EAGER_MAX }
    }

    /// Whether the rest of the area is worth reading at once: it is not large, and the file has half of it.
    pub fn is_mostly_at_hand(&self, place: Place) -> bool {
        let end = self.offset + (self.file_end(place) - place.start);
        let (mut at, mut present) = (self.offset, 0u64);
        while Self::is_eager(place) && at < end {
            let next = self.object.present(at, end);
            present += next.saturating_sub(at);
            at = (next.max(at) / FOLIO_MIN + 1).saturating_mul(FOLIO_MIN);
        }
        present.saturating_mul(2) >= end - self.offset && present > 0
    }

    /// The address behind the page of the file's last byte, within the area.
    fn file_end(&self, place: Place) -> u64 {
        let len = page_up(self.object.len()).saturating_sub(self.offset);
        place.start.saturating_add(len).min(place.end)
    }

    fn hide(&self, from: u64, to: u64) -> Result<bool> {
        if from >= to {
            return Ok(false);
        }
        rkt_platform::map_anon(from, to - from, Protection::default()).map_err(map_errno)?;
        Ok(true)
    }

    /// Shows the folios that are at hand from the area's beginning on, neighbours in the page cache in one go;
    /// gives the address behind.
    fn show_run(&mut self, place: Place) -> Result<u64> {
        let to = self.file_end(place);
        let (mut at, mut run): (u64, Option<Piece>) = (place.start, None);
        while at < to {
            let next = match self.next_piece(place, at, to) {
                Ok(next) => next,
                Err(Lack::Content(_)) => break,
                Err(Lack::Failed(error)) => return Err(error),
            };
            at = next.end();
            match &mut run {
                Some(run) if run.end() == next.addr && run.source + run.len as usize == next.source => {
                    run.len += next.len;
                }
                _ => run.replace(next).map_or(Ok(()), |done| done.map(AS_IN_THE_CACHE))?,
            }
        }
        run.map_or(Ok(()), |run| run.map(AS_IN_THE_CACHE))?;
        if at > place.start && place.protection != AS_IN_THE_CACHE {
            rkt_platform::protect(place.start, at - place.start, place.protection).map_err(map_errno)?;
        }
        Ok(at)
    }

    /// The folio under an address of the area, as far as it is to be shown; it counts as shown from now on.
    /// If it is not at hand, content is missing up to `wanted`.
    ///
    /// # Errors
    /// `EFAULT` behind the file's end; `ENOSPC`, `EIO`, `ENOMEM`.
    fn next_piece(&mut self, place: Place, addr: u64, wanted: u64) -> Result<Piece, Lack> {
        let at = self.offset + (addr - place.start);
        let piece = content::at_hand(&self.object, at, at + wanted.saturating_sub(addr))?;
        let first = piece.start.max(self.offset);
        let from = place.start + (first - self.offset);
        let rest = (piece.folio.size() as u64).saturating_sub(first - piece.start);
        let to = from.saturating_add(rest).min(self.file_end(place));
        if to <= addr {
            return Err(Errno::EFAULT.into());
        }
        let source = piece.folio.addr() + (first - piece.start) as usize;
        self.shown.insert(first, Shown { end: first + (to - from), _folio: piece.folio });
        Ok(Piece { addr: from, source, len: to - from })
    }

    /// Whether the byte at this offset in the object is shown.
    pub fn is_shown(&self, offset: u64) -> bool {
        self.shown.range(..=offset).next_back().is_some_and(|(_, shown)| shown.end > offset)
    }

    /// The application touched this address: shows it, unless it is shown already.
    ///
    /// # Errors
    /// `EFAULT` behind the file's end; `ENOSPC`, `EIO`, `ENOMEM`; content that is missing.
    pub fn touch(&mut self, place: Place, addr: u64) -> Result<(), Lack> {
        if addr >= self.file_end(place) { Err(Errno::EFAULT.into()) } else { self.show_range(place, addr, addr + 1) }
    }

    /// Shows what is not shown yet of `from..to`, as far as the file goes.
    ///
    /// # Errors
    /// As [`View::touch`].
    pub fn show_range(&mut self, place: Place, from: u64, to: u64) -> Result<(), Lack> {
        let to = to.min(self.file_end(place));
        let mut at = from;
        while at < to {
            let offset = self.offset + (at - place.start);
            let shown = self.shown.range(..=offset).next_back().map(|(_, shown)| shown.end);
            at = match shown.filter(|&end| end > offset) {
                Some(end) => place.start + (end - self.offset),
                None => {
                    let piece = self.next_piece(place, at, to)?;
                    piece.map(place.protection)?;
                    piece.end()
                }
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
        self.hide(self.file_end(place).max(place.start), place.end).map(drop)
    }
}
