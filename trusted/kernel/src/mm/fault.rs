//! What a fault of the application means.

use super::PlainRanges;
use super::area::Backing;
use super::space::Mm;
use crate::task::Task;
use crate::{process, task};
use alloc::sync::Arc;
use rkt_platform::Protection;
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
    let mut inner = mm.lock();
    let Some(area) = inner.find_mut(addr) else { return FaultCause::NotMapped };
    let Protection { read, write, execute } = area.protection;
    let allowed = match error {
        error if error & WRITE != 0 => write,
        error if error & EXECUTE != 0 => execute,
        _ => read || write || execute,
    };
    if !allowed {
        return FaultCause::NotAllowed;
    }
    let place = area.place();
    match &mut area.backing {
        // No room for a hole's folio is SIGBUS as well.
        Backing::File(view) | Backing::Shared(view) => match view.touch(place, addr) {
            Ok(()) => FaultCause::Allowed,
            Err(_) => FaultCause::BehindEnd,
        },
        Backing::Copy { file, offset } => {
            let at = *offset + (addr - place.start);
            let behind = file.ops().map(file).is_ok_and(|object| at >= object.len().next_multiple_of(4096));
            if behind { FaultCause::BehindEnd } else { FaultCause::Allowed }
        }
        Backing::Anonymous | Backing::Reserved => FaultCause::Allowed,
    }
}

/// Most bytes that are shown ahead of one copy: the copy ends there, if it is longer.
const PREFAULT_MAX: u64 = 64 << 20;

/// Shows what the kernel is about to copy from or to: its own accesses do not fault pages in.
/// What cannot be shown is `EFAULT` in the copy.
pub fn prefault(addr: u64, len: usize) {
    let end = addr.saturating_add((len as u64).min(PREFAULT_MAX));
    let _ = task::with_current(|task, _| {
        if !task.plain.contain(addr, end) {
            show(task, addr, end);
        }
    });
}

fn show(task: &Task, start: u64, end: u64) {
    let mm = task.process.mm();
    if !mm.hides() {
        return;
    }
    let generation = PlainRanges::generation();
    let mut inner = mm.lock_to_look();
    let mut at = start;
    while at < end {
        let Some(area) = inner.find_mut(at) else { return };
        let place = area.place();
        match area.backing.view_mut() {
            Some(view) => {
                if view.show_range(place, at, end.min(place.end)).is_err() {
                    return;
                }
            }
            None => task.plain.remember(generation, place.start, place.end),
        }
        at = place.end;
    }
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
