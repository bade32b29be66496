//! madvise(2).

use super::area::{Area, Backing};
use super::content::{Lack, with_content};
use super::map::{content_of, range};
use super::space::{Inner, Mm, map_errno};
use alloc::vec::Vec;
use rkt_linux_abi::general::{
    FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK,
    MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE, MADV_HUGEPAGE, MADV_KEEPONFORK, MADV_NOHUGEPAGE, MADV_NORMAL,
    MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL, MADV_WILLNEED,
    MADV_WIPEONFORK,
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
            | MADV_DONTNEED_LOCKED
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
        let covered = match advice {
            MADV_POPULATE_READ | MADV_POPULATE_WRITE => {
                return populate(&self.lock(), start, end, advice == MADV_POPULATE_WRITE);
            }
            MADV_REMOVE => {
                let (parts, covered) = parts(&self.lock_to_look(), start, end);
                parts.iter().try_for_each(punch)?;
                covered
            }
            _ => with_content(|| self.try_advise(start, end, advice))?,
        };
        if covered { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// mbind(2).
    ///
    /// # Errors
    /// `EFAULT` if a page is not mapped, `ENOMEM`.
    pub fn set_memory_policy(&self, start: u64, end: u64, policy: u32) -> Result<()> {
        let mut inner = self.lock();
        if !inner.is_covered(start, end) {
            return Err(Errno::EFAULT);
        }
        for mut area in inner.remove(start, end) {
            area.marks.memory_policy = policy;
            inner.insert(area)?;
        }
        Ok(())
    }

    /// Says whether all of the range is mapped.
    fn try_advise(&self, start: u64, end: u64, advice: u32) -> Result<bool, Lack> {
        let mut inner = self.lock();
        let (parts, covered) = parts(&inner, start, end);
        for part in parts {
            self.advise_part(&mut inner, part, advice)?;
        }
        Ok(covered)
    }

    fn advise_part(&self, inner: &mut Inner, part: Area, advice: u32) -> Result<(), Lack> {
        match advice {
            MADV_DONTNEED | MADV_DONTNEED_LOCKED | MADV_FREE => self.discard(&part, advice),
            MADV_DONTFORK | MADV_DOFORK => {
                Ok(mark(inner, &part, |area| area.marks.dont_fork = advice == MADV_DONTFORK)?)
            }
            MADV_DONTDUMP | MADV_DODUMP => {
                Ok(mark(inner, &part, |area| area.marks.dont_dump = advice == MADV_DONTDUMP)?)
            }
            MADV_WIPEONFORK if !part.is_anonymous() => Err(Errno::EINVAL.into()),
            MADV_WIPEONFORK | MADV_KEEPONFORK => {
                Ok(mark(inner, &part, |area| area.marks.wipe_on_fork = advice == MADV_WIPEONFORK)?)
            }
            // Which pages are resident is the host's affair; the others are hints.
            _ => Ok(()),
        }
    }

    fn discard(&self, part: &Area, advice: u32) -> Result<(), Lack> {
        if part.marks.locked && advice != MADV_DONTNEED_LOCKED {
            return Err(Errno::EINVAL.into());
        }
        match &part.backing {
            Backing::Anonymous => Ok(rkt_platform::discard(part.start, part.len()).map_err(map_errno)?),
            _ if advice == MADV_FREE => Err(Errno::EINVAL.into()),
            // A private copy of a file goes back to the file's bytes.
            Backing::Copy { .. } => {
                let content = content_of(part)?;
                Ok(self.show(part.clone(), &content).map(drop)?)
            }
            Backing::Reserved => Err(Errno::EINVAL.into()),
            Backing::File(_) | Backing::Shared(_) => Ok(()),
        }
    }
}

/// The parts of areas that lie within `start..end`, and whether they cover it.
fn parts(inner: &Inner, start: u64, end: u64) -> (Vec<Area>, bool) {
    (inner.overlapping(start, end).map(|area| area.part(start, end)).collect(), inner.is_covered(start, end))
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
