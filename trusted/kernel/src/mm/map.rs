//! mmap(2), munmap(2), mprotect(2), brk(2), madvise(2).

use super::area::{Area, Backing, Marks};
use super::content::{Held, Lack, all_at_hand, with_content};
use super::fault;
use super::space::{Inner, Mm, map_errno};
use super::view::{Place, View};
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{F_SEAL_FUTURE_WRITE, F_SEAL_WRITE};
use rkt_linux_abi::{Errno, PAGE_SIZE, Result};
use rkt_platform::{Protection, USER_END, USER_START};
use rkt_user::{IoSink, UserSlice};
use rkt_vfs::{Mappable, MappedFolio, OpenFile, tmpfs};

/// Bytes of a page.
pub const PAGE: u64 = PAGE_SIZE as u64;

/// Where a mapping goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Anywhere; here if it is free (0 = no wish).
    Hint(u64),
    /// Here, replacing what is there (MAP_FIXED).
    Fixed(u64),
    /// Here, or `EEXIST` (MAP_FIXED_NOREPLACE).
    FixedNoReplace(u64),
    /// Anywhere in the second GiB (MAP_32BIT).
    Low,
}

/// What mmap(2) is to do.
pub struct MapRequest {
    /// Where.
    pub placement: Placement,
    /// Bytes; rounded up to pages.
    pub len: u64,
    /// What the application may do there.
    pub protection: Protection,
    /// MAP_SHARED.
    pub shared: bool,
    /// File and offset; none for anonymous memory.
    pub file: Option<(Arc<OpenFile>, u64)>,
    /// MAP_POPULATE, MAP_LOCKED.
    pub populate: bool,
    /// What it is marked with.
    pub marks: Marks,
    /// Name in /proc/self/maps.
    pub name: Option<&'static str>,
}

/// Checks a range that the application named and rounds its length up to pages.
pub fn range(addr: u64, len: u64) -> Result<(u64, u64)> {
    if !addr.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let len = len.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
    let end = addr.checked_add(len).filter(|&end| end <= USER_END).ok_or(Errno::ENOMEM)?;
    Ok((addr, end))
}

/// Private memory that is unmapped with what lies beside it, bytes: one call costs more.
const LITTLE: u64 = 128 << 10;

impl Mm {
    /// mmap(2); gives the address.
    ///
    /// # Errors
    /// As mmap(2).
    pub fn map(&self, request: MapRequest) -> Result<u64> {
        let len = request.len.checked_next_multiple_of(PAGE).filter(|&len| len > 0);
        let len = len.ok_or(if request.len == 0 { Errno::EINVAL } else { Errno::ENOMEM })?;
        let mut inner = self.lock();
        let start = find_place(&mut inner, request.placement, len)?;
        let end = start + len;
        let fixed = matches!(request.placement, Placement::Fixed(_));
        let is_data = request.protection.write && !request.shared && request.name != Some("[stack]");
        if !inner.may_grow(len.saturating_sub(inner.mapped_within(start, end)), is_data) {
            return Err(Errno::ENOMEM);
        }
        if fixed {
            inner.forget(start, end);
        }
        if fixed && inner.unreserved(start, end) != [(start, end)] {
            return Err(Errno::ENOMEM);
        }
        let backing = match &request.file {
            None if request.shared => shared_memory(len)?,
            None => Backing::Anonymous,
            Some((file, offset)) => file_backing(file, *offset, &request)?,
        };
        let area = Area {
            start,
            end,
            protection: request.protection,
            backing,
            name: request.name,
            shared: request.shared,
            marks: request.marks,
        };
        let area = self.show(area, &Held::new()).inspect_err(|_| {
            // The place may be half mapped: leave nothing behind.
            let _ = rkt_platform::unmap(start, len);
        })?;
        let rest = match &area.backing {
            Backing::Copy { file, .. } => Rest::Copy(file.ops().map(file)?),
            Backing::File(view) if view.is_mostly_at_hand(area.place()) => Rest::Show,
            _ => Rest::Nothing,
        };
        inner.insert(area)?;
        drop(inner);
        match (rest, request.file) {
            (Rest::Copy(object), Some((_, offset))) => {
                fill_copy(&object, offset, start, end).inspect_err(|_| {
                    let _ = self.unmap(start, len);
                })?;
            }
            (Rest::Show, _) => fault::show_for_copy(self, start, len as usize),
            _ => {}
        }
        if request.populate && request.protection.read {
            rkt_platform::populate(start, len, request.protection.write);
        }
        Ok(start)
    }

    /// munmap(2).
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn unmap(&self, addr: u64, len: u64) -> Result<()> {
        let (start, end) = range(addr, len).map_err(|_| Errno::EINVAL)?;
        if start == end {
            return Err(Errno::EINVAL);
        }
        let mut inner = self.lock();
        inner.forget(start, end);
        for (start, end) in inner.unreserved(start, end) {
            rkt_platform::unmap(start, end - start).map_err(map_errno)?;
        }
        Ok(())
    }

    /// mprotect(2).
    ///
    /// # Errors
    /// `EINVAL`, `ENOMEM` if a page is not mapped, `EACCES` for a shared file not open for writing.
    pub fn protect(&self, addr: u64, len: u64, protection: Protection) -> Result<()> {
        let (start, end) = range(addr, len)?;
        if start == end {
            return Ok(());
        }
        with_content(|| self.try_protect(start, end, protection))
    }

    fn try_protect(&self, start: u64, end: u64, protection: Protection) -> Result<(), Lack> {
        let mut inner = self.lock();
        let covered = inner.is_covered(start, end);
        let denied = protection.write
            && inner
                .overlapping(start, end)
                .any(|area| area.shared && matches!(&area.backing, Backing::File(view) if !view.may_write()));
        if denied {
            return Err(Errno::EACCES.into());
        }
        let becomes_data = |area: &Area| Area { protection, ..area.part(start, end) }.is_data() && !area.is_data();
        let more: u64 =
            inner.overlapping(start, end).filter(|area| becomes_data(area)).map(|a| a.part(start, end).len()).sum();
        if more > 0 && !inner.may_grow(more, true) && inner.may_grow(more, false) {
            return Err(Errno::ENOMEM.into());
        }
        let copies = |area: &Area| protection.write && !area.shared && matches!(area.backing, Backing::File(_));
        let content: Vec<Held> = inner
            .overlapping(start, end)
            .filter(|area| copies(area))
            .map(|area| content_of(&copy_of(area.part(start, end), protection)))
            .collect::<Result<_, _>>()?;
        let mut content = content.iter();
        for mut area in inner.remove(start, end) {
            if copies(&area) {
                area = self.show(copy_of(area, protection), content.next().unwrap_or(&Held::new()))?;
            } else if area.backing.view().is_some() && self.hides() {
                // The stand-ins keep having no rights.
                area = self.show(Area { protection, ..area }, &Held::new())?;
            } else {
                rkt_platform::protect(area.start, area.len(), protection).map_err(map_errno)?;
                area.protection = protection;
            }
            inner.insert(area)?;
        }
        if covered { Ok(()) } else { Err(Errno::ENOMEM.into()) }
    }

    /// brk(2): moves the end of the heap if possible; gives where it is then.
    pub fn set_brk(&self, wanted: u64) -> u64 {
        let mut inner = self.lock();
        let layout = inner.layout;
        let (old, new) = (page_up(layout.brk), page_up(wanted));
        if wanted < layout.brk_start || new > USER_END {
            return layout.brk;
        }
        if new < old {
            inner.forget(new, old);
            if rkt_platform::unmap(new, old - new).is_err() {
                return layout.brk;
            }
        } else if new > old {
            let within = new - layout.brk_start <= inner.limits.data;
            if !within || !inner.may_grow(new - old, true) {
                return layout.brk;
            }
            let protection = Protection { read: true, write: true, execute: false };
            let area = Area {
                start: old,
                end: new,
                protection,
                backing: Backing::Anonymous,
                name: Some("[heap]"),
                shared: false,
                marks: Marks { locked: inner.lock_future, ..Marks::default() },
            };
            let free = inner.is_free(old, new.saturating_add(PAGE));
            if !free || rkt_platform::map_anon(old, new - old, protection).is_err() || inner.insert(area).is_err() {
                return layout.brk;
            }
        }
        inner.layout.brk = wanted;
        wanted
    }

    /// Makes the platform's mappings for an area that is not shown yet. A private copy of a file gets the
    /// bytes that are held for it ([`content_of`]), else zeroes.
    pub(super) fn show(&self, mut area: Area, content: &Held) -> Result<Area> {
        let place = area.place();
        let (start, end, protection) = (area.start, area.end, area.protection);
        match &mut area.backing {
            Backing::Anonymous => rkt_platform::map_anon(start, end - start, protection).map_err(map_errno)?,
            Backing::Copy { file, offset } => show_copy(file, *offset, place, content)?,
            Backing::File(view) | Backing::Shared(view) => {
                if view.show(place)? {
                    self.note_hidden();
                }
            }
            Backing::Reserved => {}
        }
        Ok(area)
    }

    /// Unmaps what must be gone before the address space is: the aliases of folios. Private memory goes
    /// with the space, when its host process ends and nobody waits any more. Runs in the address space.
    pub fn leave(&self) {
        let areas = self.lock().clear();
        let is_private = |area: &Area| matches!(area.backing, Backing::Anonymous | Backing::Copy { .. });
        for run in areas.split(|area| is_private(area) && area.len() > LITTLE) {
            if let (Some(first), Some(last)) = (run.iter().find(|area| !is_private(area)), run.last()) {
                let _ = rkt_platform::unmap(first.start, last.end - first.start);
            }
        }
    }

    /// Unmaps everything: execve. Runs in the address space.
    pub fn clear(&self) {
        let areas = self.lock().clear();
        // In one go: nothing but areas lies in the application's range.
        if let (Some(first), Some(last)) = (areas.first(), areas.last()) {
            let _ = rkt_platform::unmap(first.start, last.end - first.start);
        }
    }
}

/// The next page's first address.
pub fn page_up(addr: u64) -> u64 {
    addr.saturating_add(PAGE - 1) & !(PAGE - 1)
}

fn find_place(inner: &mut Inner, placement: Placement, len: u64) -> Result<u64> {
    match placement {
        Placement::Hint(hint) => inner.place(hint, len),
        Placement::Low => inner.place_low(len),
        Placement::Fixed(addr) | Placement::FixedNoReplace(addr) => {
            let end = addr.checked_add(len).filter(|&end| end <= USER_END).ok_or(Errno::ENOMEM)?;
            if !addr.is_multiple_of(PAGE) {
                return Err(Errno::EINVAL);
            }
            if addr < USER_START {
                return Err(Errno::EPERM);
            }
            if matches!(placement, Placement::FixedNoReplace(_)) && !inner.is_free(addr, end) {
                return Err(Errno::EEXIST);
            }
            Ok(addr)
        }
    }
}

fn shared_memory(len: u64) -> Result<Backing> {
    let file = tmpfs::memfd(b"dev/zero", 0, Arc::default())?;
    file.truncate(i64::try_from(len).map_err(|_| Errno::ENOMEM)?)?;
    let object = file.ops().map(&file)?;
    Ok(Backing::Shared(View::new(file, object, 0, false)?))
}

fn file_backing(file: &Arc<OpenFile>, offset: u64, request: &MapRequest) -> Result<Backing> {
    if !offset.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    offset.checked_add(request.len).filter(|&end| end <= i64::MAX as u64).ok_or(Errno::EOVERFLOW)?;
    if file.is_path_only() {
        return Err(Errno::EBADF);
    }
    if !file.readable() || request.shared && request.protection.write && !file.writable() {
        return Err(Errno::EACCES);
    }
    let object = file.ops().map(file)?;
    if !request.shared && request.protection.write {
        return Ok(Backing::Copy { file: file.clone(), offset });
    }
    // A file that is sealed against writes can still be looked at (fcntl(2), F_SEAL_WRITE).
    let sealed = tmpfs::seals(file).is_ok_and(|seals| seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0);
    let writes = request.shared && file.writable() && (request.protection.write || !sealed);
    Ok(Backing::File(View::new(file.clone(), object, offset, writes)?))
}

/// A private file area that is to become writable: its bytes are copied.
fn copy_of(area: Area, protection: Protection) -> Area {
    let backing = match area.backing {
        Backing::File(view) => Backing::Copy { file: view.file, offset: view.offset },
        other => other,
    };
    Area { backing, protection, ..area }
}

/// What a private copy of a file is made of; of other areas nothing.
///
/// # Errors
/// Content that is missing; `EIO`, `ENOMEM`.
pub(super) fn content_of(area: &Area) -> Result<Held, Lack> {
    match &area.backing {
        Backing::Copy { file, offset } => {
            all_at_hand(&file.ops().map(file)?, *offset, offset.saturating_add(area.len()))
        }
        _ => Ok(Held::new()),
    }
}

/// Fresh private memory with the bytes of a file that are at hand.
fn show_copy(file: &Arc<OpenFile>, offset: u64, place: Place, content: &Held) -> Result<()> {
    let writable = Protection { read: true, write: true, execute: false };
    let (start, end, protection) = (place.start, place.end, place.protection);
    let first = if content.is_empty() { protection } else { writable };
    rkt_platform::map_anon(start, end - start, first).map_err(map_errno)?;
    let object = file.ops().map(file)?;
    let mut sink = IoSink::mapped(UserSlice::new(start, copied(object.as_ref(), offset, end - start))?);
    for mapped in content {
        put(&mut sink, mapped, offset.max(mapped.start))?;
    }
    if first != protection {
        rkt_platform::protect(start, end - start, protection).map_err(map_errno)?;
    }
    hide_beyond(object.as_ref(), offset, start, end)
}

/// Bytes of a file from an offset on, but not more than `most`.
fn copied(object: &dyn Mappable, offset: u64, most: u64) -> usize {
    object.len().saturating_sub(offset).min(most) as usize
}

fn put(sink: &mut IoSink<'_>, mapped: &MappedFolio, at: u64) -> Result<usize> {
    let within = (at - mapped.start) as usize;
    sink.put_folio(&mapped.folio, within, mapped.folio.size().saturating_sub(within))
}

/// Fills fresh private memory that may be written with a file's bytes, reading them if need be.
fn fill_copy(object: &Arc<dyn Mappable>, offset: u64, start: u64, end: u64) -> Result<()> {
    let mut sink = IoSink::mapped(UserSlice::new(start, copied(object.as_ref(), offset, end - start))?);
    let mut at = offset;
    while sink.remaining() > 0 {
        let n = put(&mut sink, &object.folio(at)?, at)?;
        if n == 0 {
            break;
        }
        at += n as u64;
    }
    Ok(())
}

/// What is still to be done for a new mapping when the areas are no longer locked.
enum Rest {
    Nothing,
    /// A private copy gets the file's bytes.
    Copy(Arc<dyn Mappable>),
    /// What the file has not at hand is read and shown.
    Show,
}

/// Pages behind the file's last one are mapped without any right: touching them is SIGBUS.
fn hide_beyond(object: &dyn Mappable, offset: u64, start: u64, end: u64) -> Result<()> {
    let shown = start.saturating_add(page_up(object.len().saturating_sub(offset)));
    if shown >= end {
        return Ok(());
    }
    rkt_platform::map_anon(shown, end - shown, Protection::default()).map_err(map_errno)
}
