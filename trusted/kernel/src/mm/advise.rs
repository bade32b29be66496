//! madvise(2).

use super::area::{Area, Backing};
use super::map::range;
use super::space::{Inner, Mm, map_errno};
use rkt_linux_abi::general::{
    FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK,
    MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_KEEPONFORK, MADV_NOHUGEPAGE, MADV_NORMAL, MADV_PAGEOUT,
    MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_WIPEONFORK,
};
use rkt_linux_abi::{Errno, Result};

fn is_known(advice: u32) -> bool {
    matches!(
        advice,
        MADV_NORMAL
            | MADV_RANDOM
            | MADV_SEQUENTIAL
            | MADV_WILLNEED
            | MADV_DONTNEED
            | MADV_FREE
            | MADV_REMOVE
            | MADV_DONTFORK
            | MADV_DOFORK
            | MADV_HUGEPAGE
            | MADV_NOHUGEPAGE
            | MADV_DONTDUMP
            | MADV_DODUMP
            | MADV_WIPEONFORK
            | MADV_KEEPONFORK
            | MADV_COLD
            | MADV_PAGEOUT
            | MADV_POPULATE_READ
            | MADV_POPULATE_WRITE
    )
}

impl Mm {
    /// madvise(2). Area by area, to the first error; where nothing is mapped the rest is done
    /// nonetheless.
    ///
    /// # Errors
    /// `EINVAL`, `EACCES`, `ENOMEM` if a page is not mapped.
    pub fn advise(&self, addr: u64, len: u64, advice: u32) -> Result<()> {
        if !is_known(advice) {
            return Err(Errno::EINVAL);
        }
        let (start, end) = range(addr, len).map_err(|_| Errno::EINVAL)?;
        if start == end {
            return Ok(());
        }
        let mut inner = self.lock();
        if matches!(advice, MADV_POPULATE_READ | MADV_POPULATE_WRITE) {
            return populate(&inner, start, end, advice == MADV_POPULATE_WRITE);
        }
        let covered = inner.is_covered(start, end);
        let parts: alloc::vec::Vec<Area> = inner.overlapping(start, end).map(|area| area.part(start, end)).collect();
        for part in parts {
            self.advise_part(&mut inner, part, advice)?;
        }
        if covered { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    fn advise_part(&self, inner: &mut Inner, part: Area, advice: u32) -> Result<()> {
        match advice {
            MADV_DONTNEED | MADV_FREE => self.discard(&part, advice),
            MADV_REMOVE => punch(&part),
            MADV_DONTFORK | MADV_DOFORK => mark(inner, &part, |area| area.marks.dont_fork = advice == MADV_DONTFORK),
            MADV_WIPEONFORK if !part.is_anonymous() => Err(Errno::EINVAL),
            MADV_WIPEONFORK | MADV_KEEPONFORK => {
                mark(inner, &part, |area| area.marks.wipe_on_fork = advice == MADV_WIPEONFORK)
            }
            // Which pages are resident is the host's affair; the others are hints.
            _ => Ok(()),
        }
    }

    fn discard(&self, part: &Area, advice: u32) -> Result<()> {
        if part.marks.locked {
            return Err(Errno::EINVAL);
        }
        match &part.backing {
            Backing::Anonymous => rkt_platform::discard(part.start, part.len()).map_err(map_errno),
            _ if advice == MADV_FREE => Err(Errno::EINVAL),
            // A private copy of a file goes back to the file's bytes.
            Backing::Copy { .. } => self.show(part.clone()).map(drop),
            Backing::Reserved => Err(Errno::EINVAL),
            Backing::File(_) | Backing::Shared(_) => Ok(()),
        }
    }
}

/// Changes how the areas of a range are marked.
fn mark(inner: &mut Inner, part: &Area, change: impl Fn(&mut Area)) -> Result<()> {
    for mut area in inner.remove(part.start, part.end) {
        change(&mut area);
        inner.insert(area)?;
    }
    Ok(())
}

fn populate(inner: &Inner, start: u64, end: u64, write: bool) -> Result<()> {
    if !inner.is_covered(start, end) {
        return Err(Errno::ENOMEM);
    }
    let allowed = |area: &Area| area.protection.write || !write && (area.protection.read || area.protection.execute);
    if !inner.overlapping(start, end).all(allowed) {
        return Err(Errno::EINVAL);
    }
    rkt_platform::populate(start, end - start, write);
    Ok(())
}

/// Gives shared memory back, and makes a hole in what it is of.
fn punch(part: &Area) -> Result<()> {
    if part.marks.locked {
        return Err(Errno::EINVAL);
    }
    let view = part.backing.view().filter(|_| part.shared).ok_or(Errno::EINVAL)?;
    if !part.protection.write {
        return Err(Errno::EACCES);
    }
    let (offset, len) = (view.offset.try_into(), part.len().try_into());
    let (offset, len) = (offset.map_err(|_| Errno::EINVAL)?, len.map_err(|_| Errno::EINVAL)?);
    view.file.allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len)
}
