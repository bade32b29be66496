//! User pages that have to be shown before the kernel copies.
//!
//! The application faults such pages in; a copy by the kernel would end at them, and cannot wait
//! for them either, since it may hold locks. So whoever takes a range of user memory to copy has
//! it shown first, in programs that have such pages at all.

use core::sync::atomic::{AtomicBool, Ordering};
use rkt_sync::OnceCell;

static WATCHED: AtomicBool = AtomicBool::new(false);
static SHOW: OnceCell<fn(u64, usize)> = OnceCell::new();

/// Says how pages of the current address space are shown: first address and length of the range.
pub fn set_prefault(show: fn(u64, usize)) {
    let _ = SHOW.set(show);
}

/// Some address space has pages that are not shown: copies have to look for them from now on.
pub fn watch_copies() {
    WATCHED.store(true, Ordering::Relaxed);
}

/// Shows the pages of a range that is going to be copied.
#[inline]
pub(crate) fn prefault(addr: u64, len: usize) {
    if WATCHED.load(Ordering::Relaxed)
        && let Some(show) = SHOW.get()
    {
        show(addr, len);
    }
}
