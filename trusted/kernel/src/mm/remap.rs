//! mremap(2) and madvise(2).

use super::area::{Area, Backing};
use super::map::{PAGE, range};
use super::space::{Inner, Mm, map_errno};
use rkt_linux_abi::general::{
    FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK,
    MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_NORMAL, MADV_PAGEOUT, MADV_POPULATE_READ,
    MADV_POPULATE_WRITE, MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL, MADV_WILLNEED, MREMAP_DONTUNMAP, MREMAP_FIXED,
    MREMAP_MAYMOVE,
};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{USER_END, USER_START};

impl Mm {
    /// mremap(2); gives the new address.
    ///
    /// # Errors
    /// As mremap(2).
    pub fn remap(&self, addr: u64, old_len: u64, new_len: u64, flags: u32, new_addr: u64) -> Result<u64> {
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
        let (start, end) = range(addr, old_len).map_err(|_| Errno::EFAULT)?;
        let new_len = new_len.checked_next_multiple_of(PAGE).ok_or(Errno::EINVAL)?;
        let target = if fixed { Some(check_target(start, end, new_addr, new_len)?) } else { None };
        let mut inner = self.lock();
        let area = inner.find(start).ok_or(Errno::EFAULT)?.clone();
        if matches!(area.backing, Backing::Reserved) {
            return Err(Errno::EFAULT);
        }
        // An old length of 0 asks for a second mapping of shared memory.
        let twice = start == end;
        if twice && !(area.shared && moves) {
            return Err(Errno::EINVAL);
        }
        if end > area.end {
            return Err(Errno::EFAULT);
        }
        if target.is_none() && !twice && !stays {
            if new_len <= end - start {
                self.shrink(&mut inner, start + new_len, end)?;
                return Ok(start);
            }
            let grown = start.checked_add(new_len).filter(|&grown| grown <= USER_END).ok_or(Errno::ENOMEM)?;
            if area.end == end && inner.is_free(end, grown) {
                let more = self.show(part_anew(&area, end, grown))?;
                inner.insert(more)?;
                return Ok(start);
            }
            if !moves {
                return Err(Errno::ENOMEM);
            }
        }
        let target = target.map_or_else(|| inner.place(0, new_len), Ok)?;
        let old = if twice { area.part(start, area.end) } else { area.part(start, end) };
        self.move_area(&mut inner, old, new_len, target, twice || stays)
    }

    fn shrink(&self, inner: &mut Inner, start: u64, end: u64) -> Result<()> {
        let _removed = inner.remove(start, end);
        if start < end {
            rkt_platform::unmap(start, end - start).map_err(map_errno)?;
        }
        Ok(())
    }

    /// Moves an area, or with `stays` makes it anew at its new place: private pages move there,
    /// too, and the old place reads as zeroes.
    fn move_area(&self, inner: &mut Inner, area: Area, new_len: u64, target: u64, stays: bool) -> Result<u64> {
        let _replaced = inner.remove(target, target + new_len);
        if inner.unreserved(target, target + new_len) != [(target, target + new_len)] {
            return Err(Errno::ENOMEM);
        }
        let mut moved = Area { start: target, end: target + new_len, ..area.part(area.start, area.end) };
        if area.backing.view().is_some() {
            // Aliases are made anew.
            moved = self.show(moved)?;
        } else {
            rkt_platform::move_pages(area.start, area.len().min(new_len), new_len, target).map_err(map_errno)?;
        }
        if !stays {
            let _removed = inner.remove(area.start, area.end);
            rkt_platform::unmap(area.start, area.len()).map_err(map_errno)?;
        } else if area.backing.view().is_none() {
            rkt_platform::map_anon(area.start, area.len(), area.protection).map_err(map_errno)?;
        }
        inner.insert(moved)?;
        Ok(target)
    }

    fn discard(&self, part: &Area, advice: u32) -> Result<()> {
        match &part.backing {
            Backing::Anonymous => rkt_platform::discard(part.start, part.len()).map_err(map_errno),
            _ if advice == MADV_FREE => Err(Errno::EINVAL),
            // A private copy of a file goes back to the file's bytes.
            Backing::Copy { .. } => self.show(part.clone()).map(drop),
            Backing::Reserved => Err(Errno::EINVAL),
            Backing::File(_) | Backing::Shared(_) => Ok(()),
        }
    }

    /// madvise(2).
    ///
    /// # Errors
    /// `EINVAL`, `ENOMEM` if a page is not mapped.
    pub fn advise(&self, addr: u64, len: u64, advice: u32) -> Result<()> {
        let (start, end) = range(addr, len).map_err(|_| Errno::EINVAL)?;
        if start == end {
            return Ok(());
        }
        let mut inner = self.lock();
        let covered = inner.is_covered(start, end);
        match advice {
            MADV_DONTNEED | MADV_FREE => {
                for area in inner.overlapping(start, end) {
                    self.discard(&area.part(start, end), advice)?;
                }
            }
            MADV_REMOVE => {
                for area in inner.overlapping(start, end) {
                    punch(&area.part(start, end))?;
                }
            }
            MADV_DONTFORK | MADV_DOFORK => {
                for mut area in inner.remove(start, end) {
                    area.dont_fork = advice == MADV_DONTFORK;
                    inner.insert(area)?;
                }
            }
            MADV_POPULATE_READ | MADV_POPULATE_WRITE => {
                rkt_platform::populate(start, end - start, advice == MADV_POPULATE_WRITE);
            }
            MADV_NORMAL | MADV_RANDOM | MADV_SEQUENTIAL | MADV_WILLNEED | MADV_HUGEPAGE | MADV_NOHUGEPAGE
            | MADV_DONTDUMP | MADV_DODUMP | MADV_COLD | MADV_PAGEOUT => {}
            _ => return Err(Errno::EINVAL),
        }
        if covered { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}

/// Gives shared memory back, and makes a hole in what it is of.
fn punch(part: &Area) -> Result<()> {
    let view = part.backing.view().filter(|_| part.shared).ok_or(Errno::EINVAL)?;
    if !part.protection.write {
        return Err(Errno::EACCES);
    }
    let (offset, len) = (view.offset.try_into(), part.len().try_into());
    let (offset, len) = (offset.map_err(|_| Errno::EINVAL)?, len.map_err(|_| Errno::EINVAL)?);
    view.file.allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len)
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
