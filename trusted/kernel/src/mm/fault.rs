//! What a fault of the application means.

use super::PlainRanges;
use super::area::{Area, Backing};
use super::content::{Held, Lack, with_content};
use super::space::{Inner, Mm};
use crate::{process, task};
use alloc::sync::Arc;
use rkt_linux_abi::Result;
use rkt_platform::{Protection, USER_END};
use rkt_vfs::Inode;

/// What is wrong with an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultCause {
    /// Nothing is mapped there: SIGSEGV, SEGV_MAPERR.
    NotMapped,
    /// The area does not allow it: SIGSEGV, SEGV_ACCERR.
    NotAllowed,
    /// The page lies behind the end of the file: SIGBUS, BUS_ADRERR.
    BehindEnd,
    /// Nothing any more: the page is shown now, another thread changed the mapping, or the host
    /// replaced the page.
    Allowed,
}

/// Bits of the processor's page-fault error code (Intel SDM volume 3, §4.7).
const WRITE: u64 = 2;
const EXECUTE: u64 = 16;

/// Looks up why an access at `addr` faulted; shows the page if that is all that is missing.
pub fn classify(mm: &Mm, addr: u64, error: u64) -> FaultCause {
    // Content that cannot be read is SIGBUS, as no room for a hole's folio is.
    with_content(|| look_up(mm, addr, error)).unwrap_or(FaultCause::BehindEnd)
}

fn look_up(mm: &Mm, addr: u64, error: u64) -> Result<FaultCause, Lack> {
    let mut inner = mm.lock();
    let Some(area) = inner.find_mut(addr) else {
        let grown = grow_down(mm, &mut inner, addr);
        return Ok(if grown { FaultCause::Allowed } else { FaultCause::NotMapped });
    };
    let Protection { read, write, execute } = area.protection;
    let allowed = match error {
        error if error & WRITE != 0 => write,
        error if error & EXECUTE != 0 => execute,
        _ => read || write || execute,
    };
    if !allowed {
        return Ok(FaultCause::NotAllowed);
    }
    let place = area.place();
    Ok(match &mut area.backing {
        Backing::File(view) | Backing::Shared(view) => {
            view.touch(place, addr)?;
            FaultCause::Allowed
        }
        Backing::Copy { file, offset } => {
            let at = *offset + (addr - place.start);
            let behind = file.ops().map(file).is_ok_and(|object| at >= object.len().next_multiple_of(4096));
            if behind { FaultCause::BehindEnd } else { FaultCause::Allowed }
        }
        Backing::Anonymous | Backing::Reserved => FaultCause::Allowed,
    })
}

/// Bytes that stay free below an area that grows down (stack_guard_gap of the kernel).
const GUARD: u64 = 256 * 4096;

/// Extends the area above an address down to it, if it grows down (MAP_GROWSDOWN) and limits and
/// neighbours let it.
fn grow_down(mm: &Mm, inner: &mut Inner, addr: u64) -> bool {
    let start = addr & !4095;
    let Some(above) = inner.overlapping(start, USER_END).next().filter(|area| area.marks.grows_down) else {
        return false;
    };
    let grown = Area { start, end: above.start, ..above.clone() };
    let too_near =
        |area: &Area| area.end > start.saturating_sub(GUARD) && !area.marks.grows_down && area.is_accessible();
    let blocked = inner.overlapping(start.saturating_sub(GUARD), start).any(too_near);
    if blocked || above.end - start > inner.limits.stack || !inner.may_grow(grown.len(), grown.is_data()) {
        return false;
    }
    mm.show(grown, &Held::new()).and_then(|grown| inner.insert(grown)).is_ok()
}

/// Most bytes that are shown ahead of one copy: the copy ends there, if it is longer.
const PREFAULT_MAX: u64 = 64 << 20;

/// Shows what the kernel is about to copy from or to: its own accesses do not fault pages in.
/// What cannot be shown is `EFAULT` in the copy.
pub fn prefault(addr: u64, len: usize) {
    let end = addr.saturating_add((len as u64).min(PREFAULT_MAX));
    let _ = task::with_current(|task, _| {
        if task.plain.contain(addr, end) {
            return;
        }
        let mm = task.process.mm();
        if mm.space() == rkt_platform::space() {
            show(&mm, addr, end, |generation, start, end| task.plain.remember(generation, start, end));
        }
    });
}

/// The same in the memory of another process, in which the running thread is.
pub fn show_for_copy(mm: &Mm, addr: u64, len: usize) {
    show(mm, addr, addr.saturating_add(len as u64), |_, _, _| {});
}

fn show(mm: &Mm, start: u64, end: u64, plain: impl Fn(u64, u64, u64)) {
    if mm.hides() {
        let _ = with_content(|| try_show(mm, start, end, &plain));
    }
}

fn try_show(mm: &Mm, start: u64, end: u64, plain: impl Fn(u64, u64, u64)) -> Result<(), Lack> {
    let generation = PlainRanges::generation();
    let mut inner = mm.lock_to_look();
    let mut at = start;
    while at < end {
        let Some(area) = inner.find_mut(at) else { return Ok(()) };
        let place = area.place();
        match area.backing.view_mut() {
            Some(view) => view.show_range(place, at, end.min(place.end))?,
            None => plain(generation, place.start, place.end),
        }
        at = place.end;
    }
    Ok(())
}

/// A file became shorter: mappings of what is gone fault from now on. Those of other address
/// spaces are changed on their own next way out of the kernel.
pub fn shortened(inode: &Arc<dyn Inode>) {
    let own = task::try_current().map(|task| task.process.mm());
    for process in process::all() {
        let mm = process.mm();
        if !mm.shows(inode) {
            continue;
        }
        mm.note_shortened();
        if own.as_ref().is_some_and(|own| Arc::ptr_eq(own, &mm)) {
            mm.settle();
        } else {
            process.tasks().iter().for_each(|task| task.kick());
        }
    }
}
