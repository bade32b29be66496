//! mremap(2).

use super::area::{Area, Backing};
use super::content::{Held, Lack, with_content};
use super::map::{PAGE, content_of};
use super::space::{Inner, Mm, map_errno};
use rkt_linux_abi::general::{MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{USER_END, USER_START};

impl Mm {
    /// mremap(2); gives the new address.
    ///
    /// # Errors
    /// As mremap(2).
    pub fn remap(
        &self,
        addr: u64,
        old_len: u64,
        new_len: u64,
        flags: u32,
        new_addr: u64,
        lock_limit: u64,
    ) -> Result<u64> {
        let has = |flag| flags & flag != 0;
        let (moves, fixed, stays) = (has(MREMAP_MAYMOVE), has(MREMAP_FIXED), has(MREMAP_DONTUNMAP));
        if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) != 0
            || (fixed || stays) && !moves
            || stays && old_len != new_len
            || new_len == 0
            || !addr.is_multiple_of(PAGE)
        {
            return Err(Errno::EINVAL);
        }
        let new_len = new_len.checked_next_multiple_of(PAGE).filter(|&len| len <= USER_END).ok_or(Errno::EINVAL)?;
        let old_len = old_len.checked_next_multiple_of(PAGE).ok_or(Errno::EINVAL)?;
        let (start, end) = (addr, addr.checked_add(old_len).ok_or(Errno::EINVAL)?);
        let target = if fixed { Some(check_target(start, end, new_addr, new_len)?) } else { None };
        with_content(|| self.try_remap((start, end), new_len, target, (moves, stays), lock_limit))
    }

    fn try_remap(
        &self,
        (start, end): (u64, u64),
        new_len: u64,
        target: Option<u64>,
        (moves, stays): (bool, bool),
        lock_limit: u64,
    ) -> Result<u64, Lack> {
        let mut inner = self.lock();
        let area = inner.find(start).ok_or(Errno::EFAULT)?.clone();
        if matches!(area.backing, Backing::Reserved) {
            return Err(Errno::EFAULT.into());
        }
        // An old length of 0 asks for a second mapping of shared memory.
        let twice = start == end;
        if twice && !(area.shared && moves) {
            return Err(Errno::EINVAL.into());
        }
        let in_place = target.is_none() && !twice && !stays;
        if in_place && new_len <= end - start {
            self.shrink(&mut inner, start + new_len, end)?;
            return Ok(start);
        }
        if end > area.end {
            return Err(Errno::EFAULT.into());
        }
        if in_place {
            may_grow(&inner, &area, new_len - (end - start), lock_limit)?;
            let grown = start.checked_add(new_len).filter(|&grown| grown <= USER_END).ok_or(Errno::ENOMEM)?;
            if area.end == end && inner.is_free(end, grown) {
                let more = part_anew(&area, end, grown);
                let content = content_of(&more)?;
                inner.insert(self.show(more, &content)?)?;
                return Ok(start);
            }
            if !moves {
                return Err(Errno::ENOMEM.into());
            }
        }
        if new_len > end - start && (target.is_some() || twice) || stays {
            may_grow(&inner, &area, if stays { new_len } else { new_len - (end - start) }, lock_limit)?;
        }
        let target = target.map_or_else(|| inner.place(0, new_len), Ok)?;
        let old = if twice { area.part(start, area.end) } else { area.part(start, end) };
        self.move_area(&mut inner, old, new_len, target, twice || stays)
    }

    fn shrink(&self, inner: &mut Inner, start: u64, end: u64) -> Result<()> {
        if end > USER_END {
            return Err(Errno::EINVAL);
        }
        inner.forget(start, end);
        for (start, end) in inner.unreserved(start, end) {
            rkt_platform::unmap(start, end - start).map_err(map_errno)?;
        }
        Ok(())
    }

    /// Moves an area, or with `stays` makes it anew at its new place: private pages move there,
    /// too, and the old place reads as zeroes.
    fn move_area(&self, inner: &mut Inner, area: Area, new_len: u64, target: u64, stays: bool) -> Result<u64, Lack> {
        let more = (new_len > area.len()).then(|| part_anew(&area, area.end, area.start + new_len));
        let content = more.as_ref().map_or_else(|| Ok(Held::new()), content_of)?;
        inner.forget(target, target + new_len);
        if inner.unreserved(target, target + new_len) != [(target, target + new_len)] {
            return Err(Errno::ENOMEM.into());
        }
        let mut moved = Area { start: target, end: target + new_len, ..area.part(area.start, area.end) };
        if area.backing.view().is_some() {
            // Aliases are made anew.
            moved = self.show(moved, &content)?;
        } else if let Some(more) = more.filter(|more| matches!(more.backing, Backing::Copy { .. })) {
            // What is new of a private mapping shows the file.
            rkt_platform::move_pages(area.start, area.len(), area.len(), target).map_err(map_errno)?;
            self.show(more.moved_to(target + area.len()), &content)?;
        } else {
            rkt_platform::move_pages(area.start, area.len().min(new_len), new_len, target).map_err(map_errno)?;
        }
        if !stays {
            inner.forget(area.start, area.end);
            rkt_platform::unmap(area.start, area.len()).map_err(map_errno)?;
        } else if area.backing.view().is_none() {
            rkt_platform::map_anon(area.start, area.len(), area.protection).map_err(map_errno)?;
        }
        inner.insert(moved)?;
        Ok(target)
    }
}

/// Whether the limits allow that an area becomes longer.
fn may_grow(inner: &Inner, area: &Area, more: u64, lock_limit: u64) -> Result<()> {
    if area.marks.locked && !inner.may_lock(more, lock_limit) {
        return Err(Errno::EAGAIN);
    }
    if inner.may_grow(more, area.is_data()) { Ok(()) } else { Err(Errno::ENOMEM) }
}

fn check_target(start: u64, end: u64, new_addr: u64, new_len: u64) -> Result<u64> {
    let new_end = new_addr.checked_add(new_len).ok_or(Errno::EINVAL)?;
    let overlaps = new_addr < end && start < new_end;
    if !new_addr.is_multiple_of(4096) || new_end > USER_END || overlaps {
        return Err(Errno::EINVAL);
    }
    if new_addr < USER_START { Err(Errno::EPERM) } else { Ok(new_addr) }
}

/// What lies behind an area that is to grow, not shown yet.
fn part_anew(area: &Area, end: u64, grown: u64) -> Area {
    let skipped = end - area.start;
    let mut more = area.part(area.start, area.end);
    match &mut more.backing {
        Backing::File(view) | Backing::Shared(view) => *view = view.part(skipped, 0),
        Backing::Copy { offset, .. } => *offset += skipped,
        Backing::Anonymous | Backing::Reserved => {}
    }
    Area { start: end, end: grown, ..more }
}
