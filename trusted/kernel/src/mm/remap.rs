//! mremap(2) and madvise(2).

use super::area::{Area, Backing};
use super::map::{drop_areas, range, show};
use super::space::{Inner, Mm, map_errno};
use rkt_linux_abi::general::{
    MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE,
    MADV_NOHUGEPAGE, MADV_NORMAL, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_RANDOM,
    MADV_SEQUENTIAL, MADV_WILLNEED, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE,
};
use rkt_linux_abi::{Errno, Result};
use rkt_platform::{USER_END, USER_START};

impl Mm {
    /// mremap(2); gives the new address.
    ///
    /// # Errors
    /// As mremap(2).
    pub fn remap(&self, addr: u64, old_len: u64, new_len: u64, flags: u32, new_addr: u64) -> Result<u64> {
        let fixed = flags & MREMAP_FIXED != 0;
        if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) != 0 || new_len == 0 {
            return Err(Errno::EINVAL);
        }
        if fixed && flags & MREMAP_MAYMOVE == 0 || flags & MREMAP_DONTUNMAP != 0 {
            return Err(Errno::EINVAL);
        }
        let (start, end) = range(addr, old_len).map_err(|_| Errno::EINVAL)?;
        let new_len = new_len.checked_next_multiple_of(4096).ok_or(Errno::EINVAL)?;
        let mut inner = self.lock();
        let area = inner.find(start).ok_or(Errno::EFAULT)?.clone();
        if matches!(area.backing, Backing::Reserved) || end > area.end {
            return Err(Errno::EFAULT);
        }
        if start == end {
            return Err(Errno::EINVAL);
        }
        if fixed {
            return move_area(&mut inner, area.part(start, end), new_len, check_target(start, end, new_addr, new_len)?);
        }
        if new_len <= end - start {
            let removed = inner.remove(start + new_len, end);
            if start + new_len < end {
                rkt_platform::unmap(start + new_len, end - start - new_len).map_err(map_errno)?;
            }
            drop_areas(removed);
            return Ok(start);
        }
        let grown = start.checked_add(new_len).filter(|&grown| grown <= USER_END).ok_or(Errno::ENOMEM)?;
        if area.end == end && inner.is_free(end, grown) {
            grow(&mut inner, &area, end, grown)?;
            return Ok(start);
        }
        if flags & MREMAP_MAYMOVE == 0 {
            return Err(Errno::ENOMEM);
        }
        let target = inner.place(0, new_len)?;
        move_area(&mut inner, area.part(start, end), new_len, target)
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
                    let part = area.part(start, end);
                    discard(&part, advice)?;
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

fn discard(part: &Area, advice: u32) -> Result<()> {
    match &part.backing {
        Backing::Anonymous if !part.shared => rkt_platform::discard(part.start, part.len()).map_err(map_errno),
        // A private copy of a file goes back to the file's bytes.
        Backing::Copy { .. } if advice == MADV_DONTNEED => show(part.clone()).map(drop),
        Backing::Reserved => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}

fn check_target(start: u64, end: u64, new_addr: u64, new_len: u64) -> Result<u64> {
    let new_end = new_addr.checked_add(new_len).ok_or(Errno::EINVAL)?;
    let overlaps = new_addr < end && start < new_end;
    if !new_addr.is_multiple_of(4096) || new_end > USER_END || overlaps {
        return Err(Errno::EINVAL);
    }
    if new_addr < USER_START { Err(Errno::EPERM) } else { Ok(new_addr) }
}

fn grow(inner: &mut Inner, area: &Area, end: u64, grown: u64) -> Result<()> {
    let mut more = area.part(area.start, area.end);
    more.start = end;
    more.end = grown;
    match &mut more.backing {
        Backing::File { offset, folios, .. } | Backing::Shared { offset, folios, .. } => {
            *offset += end - area.start;
            folios.clear();
        }
        Backing::Copy { offset, .. } => *offset += end - area.start,
        Backing::Anonymous | Backing::Reserved => {}
    }
    let more = show(more)?;
    inner.insert(more)
}

/// Moves an area, which is not part of the tree's answer any more afterwards at its old place.
fn move_area(inner: &mut Inner, area: Area, new_len: u64, target: u64) -> Result<u64> {
    drop_areas(inner.remove(target, target + new_len));
    if inner.unreserved(target, target + new_len) != [(target, target + new_len)] {
        return Err(Errno::ENOMEM);
    }
    let mut moved = area.clone();
    moved.start = target;
    moved.end = target + new_len;
    match area.backing {
        // Pages of the space's own move.
        Backing::Anonymous | Backing::Copy { .. } => {
            rkt_platform::move_pages(area.start, area.len().min(new_len), new_len, target).map_err(map_errno)?;
        }
        // Aliases are made anew.
        _ => moved = show(moved)?,
    }
    drop_areas(inner.remove(area.start, area.end));
    rkt_platform::unmap(area.start, area.len()).map_err(map_errno)?;
    inner.insert(moved)?;
    Ok(target)
}
