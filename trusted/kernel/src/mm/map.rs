//! mmap(2), munmap(2), mprotect(2), brk(2), madvise(2).

use super::area::{Area, Backing, Marks};
use super::space::{Inner, Mm, map_errno};
use super::view::View;
use alloc::sync::Arc;
use rkt_linux_abi::{Errno, PAGE_SIZE, Result};
use rkt_platform::{Protection, USER_END, USER_START};
use rkt_user::{IoSink, UserSlice};
use rkt_vfs::{Mappable, OpenFile};

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
        // What was shown there is held until it is replaced.
        let _replaced = fixed.then(|| inner.remove(start, end));
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
        let area = self.show(area).inspect_err(|_| {
            // The place may be half mapped: leave nothing behind.
            let _ = rkt_platform::unmap(start, len);
        })?;
        inner.insert(area)?;
        drop(inner);
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
        // What is shown is held until it is unmapped.
        let _removed = inner.remove(start, end);
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
        let mut inner = self.lock();
        if start == end {
            return Ok(());
        }
        let covered = inner.is_covered(start, end);
        let denied = protection.write
            && inner
                .overlapping(start, end)
                .any(|area| area.shared && matches!(&area.backing, Backing::File(view) if !view.file.writable()));
        if denied {
            return Err(Errno::EACCES);
        }
        let becomes_data = |area: &Area| Area { protection, ..area.part(start, end) }.is_data() && !area.is_data();
        let more: u64 =
            inner.overlapping(start, end).filter(|area| becomes_data(area)).map(|a| a.part(start, end).len()).sum();
        if more > 0 && !inner.may_grow(more, true) && inner.may_grow(more, false) {
            return Err(Errno::ENOMEM);
        }
        for mut area in inner.remove(start, end) {
            if protection.write && !area.shared && matches!(area.backing, Backing::File(_)) {
                area = self.show(copy_of(area, protection))?;
            } else if area.backing.view().is_some() && self.hides() {
                // The stand-ins keep having no rights.
                area = self.show(Area { protection, ..area })?;
            } else {
                rkt_platform::protect(area.start, area.len(), protection).map_err(map_errno)?;
                area.protection = protection;
            }
            inner.insert(area)?;
        }
        if covered { Ok(()) } else { Err(Errno::ENOMEM) }
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
            let _removed = inner.remove(new, old);
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

    /// Makes the platform's mappings for an area that is not shown yet.
    pub(super) fn show(&self, mut area: Area) -> Result<Area> {
        let place = area.place();
        let (start, end, protection) = (area.start, area.end, area.protection);
        match &mut area.backing {
            Backing::Anonymous => rkt_platform::map_anon(start, end - start, protection).map_err(map_errno)?,
            Backing::Copy { file, offset } => copy_file(file, *offset, start, end, protection)?,
            Backing::File(view) | Backing::Shared(view) => {
                if view.show(place)? {
                    self.note_hidden();
                }
            }
            Backing::Reserved => {}
        }
        Ok(area)
    }

    /// Unmaps everything: execve, exit. Runs in the address space.
    pub fn clear(&self) {
        let areas = self.lock().clear();
        for area in &areas {
            let _ = rkt_platform::unmap(area.start, area.len());
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
    let file = rkt_vfs::tmpfs::memfd(b"dev/zero", 0, Arc::default())?;
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
    let writes = request.shared && file.writable();
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

/// Fills fresh private memory with a file's bytes.
fn copy_file(file: &Arc<OpenFile>, offset: u64, start: u64, end: u64, protection: Protection) -> Result<()> {
    let writable = Protection { read: true, write: true, execute: false };
    rkt_platform::map_anon(start, end - start, writable).map_err(map_errno)?;
    let object = file.ops().map(file)?;
    let len = object.len().saturating_sub(offset).min(end - start);
    // The file may have been opened without O_RDONLY checks being due: mapping implies reading.
    let mut sink = IoSink::mapped(UserSlice::new(start, len as usize)?);
    let mut at = offset;
    while sink.remaining() > 0 {
        let piece = object.folio(at)?;
        let within = (at - piece.start) as usize;
        let n = sink.put_folio(&piece.folio, within, piece.folio.size().saturating_sub(within))?;
        if n == 0 {
            break;
        }
        at += n as u64;
    }
    hide_beyond(object.as_ref(), offset, start, end)?;
    if protection == writable {
        Ok(())
    } else {
        rkt_platform::protect(start, end - start, protection).map_err(map_errno)
    }
}

/// Pages behind the file's last one are mapped without any right: touching them is SIGBUS.
fn hide_beyond(object: &dyn Mappable, offset: u64, start: u64, end: u64) -> Result<()> {
    let shown = start.saturating_add(page_up(object.len().saturating_sub(offset)));
    if shown >= end {
        return Ok(());
    }
    rkt_platform::map_anon(shown, end - shown, Protection::default()).map_err(map_errno)
}
