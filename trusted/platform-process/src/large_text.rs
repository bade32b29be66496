//! Puts the image's text into large pages of private memory. A fork copies one entry of the
//! page table for each of them; pages of the file would come back into every child one fault after the other.

use crate::host::{self, HostError, mm, nr};
use core::ops::Range;

/// Bytes of a large page.
pub const LARGE: usize = 2 << 20;

/// Replaces the text of the running image by a copy in large pages: `whole` is made of
/// multiples of [`LARGE`], and `used` is what is mapped of it.
///
/// # Errors
/// What the host said; the old mapping stays then.
///
/// # Safety
/// Nothing but the image's text may lie in the range, and no other thread may run.
pub unsafe fn enlarge(whole: Range<usize>, used: Range<usize>) -> Result<(), HostError> {
    let len = whole.len();
    let (rights, flags) = (mm::PROT_READ | mm::PROT_WRITE, mm::MAP_PRIVATE | mm::MAP_ANONYMOUS | mm::MAP_NORESERVE);
    // SAFETY: a fresh mapping where the host likes, long enough to have an aligned part; parts of it that
    // nobody uses; what is copied is mapped, and is moved over itself at once.
    unsafe {
        let raw = host::call(nr::MMAP, [0, len + LARGE, rights, flags, usize::MAX, 0])?;
        let copy = raw.next_multiple_of(LARGE);
        for (at, len) in [(raw, copy - raw), (copy + len, raw + LARGE - copy)] {
            if len > 0 {
                host::call(nr::MUNMAP, [at, len, 0, 0, 0, 0])?;
            }
        }
        host::call(nr::MADVISE, [copy, len, mm::MADV_HUGEPAGE, 0, 0, 0])?;
        let into = copy + (used.start - whole.start);
        core::ptr::copy_nonoverlapping(used.start as *const u8, into as *mut u8, used.len());
        host::call(nr::MPROTECT, [copy, len, mm::PROT_READ | mm::PROT_EXEC, 0, 0, 0])?;
        host::call(nr::MREMAP, [copy, len, len, mm::MREMAP_MAYMOVE | mm::MREMAP_FIXED, whole.start, 0])?;
    }
    Ok(())
}
