//! Puts the image's text into large pages of private memory. A fork copies one entry of the
//! page table for each of them; pages of the file would come back into every child one fault after the other.
//!
//! It costs milliseconds, which the start of a small program would feel: it is done at the first fork, or
//! when the program has run for a while. Other vCPUs may run the text meanwhile: the host changes a mapping
//! as one step for whoever executes it.

use crate::host::{self, HostError, mm, nr};
use crate::map;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bytes of a large page.
pub const LARGE: usize = 2 << 20;
/// Ticks after which a program has run for a while.
const A_WHILE: u64 = 25;

static START: AtomicUsize = AtomicUsize::new(0);
static USED: AtomicUsize = AtomicUsize::new(0);
/// Bytes, in large pages; 0 = nothing is to be done.
static LEN: AtomicUsize = AtomicUsize::new(0);
static TICKS: AtomicU64 = AtomicU64::new(0);

/// Has the text that begins a large page and is `used` replaced later. Nothing else may lie in its large pages.
pub fn plan(used: Range<usize>) {
    START.store(used.start, Ordering::Relaxed);
    USED.store(used.len(), Ordering::Relaxed);
    LEN.store(used.len().next_multiple_of(LARGE), Ordering::Release);
}

/// A tick came.
pub fn tick() {
    if LEN.load(Ordering::Relaxed) > 0 && TICKS.fetch_add(1, Ordering::Relaxed) >= A_WHILE {
        enlarge();
    }
}

/// Replaces the text by a copy in large pages, unless that has been done. Without the host's help
/// it stays as it is.
pub fn enlarge() {
    let len = LEN.swap(0, Ordering::AcqRel);
    if len > 0 {
        let _ = replace(START.load(Ordering::Relaxed), USED.load(Ordering::Relaxed), len);
    }
}

fn replace(start: usize, used: usize, len: usize) -> Result<(), HostError> {
    let rights = mm::PROT_READ | mm::PROT_WRITE;
    let flags = mm::MAP_PRIVATE | mm::MAP_NORESERVE | mm::MAP_FIXED_NOREPLACE;
    // SAFETY: an address that nothing else uses (`map`); what is copied is mapped for ever, and the copy, which
    // is the same, is moved over it at once.
    unsafe {
        host::map_fixed(map::TEXT_COPY, len, rights, flags)?;
        host::call(nr::MADVISE, [map::TEXT_COPY, len, mm::MADV_HUGEPAGE, 0, 0, 0])?;
        core::ptr::copy_nonoverlapping(start as *const u8, map::TEXT_COPY as *mut u8, used);
        host::call(nr::MPROTECT, [map::TEXT_COPY, len, mm::PROT_READ | mm::PROT_EXEC, 0, 0, 0])?;
        host::call(nr::MREMAP, [map::TEXT_COPY, len, len, mm::MREMAP_MAYMOVE | mm::MREMAP_FIXED, start, 0])?;
    }
    Ok(())
}
