//! The Linux system-call ABI of x86-64: error numbers as a type; everything else (call numbers,
//! flags, structures) re-exported from `linux-raw-sys`, which is generated from the kernel's headers.
#![no_std]
#![forbid(unsafe_code)]

mod errno;

pub use errno::{Errno, Result};
pub use linux_raw_sys::{auxvec, elf, general, ioctl, net, netlink, prctl};

/// Bytes a page.
pub const PAGE_SIZE: usize = 4096;

/// Rounds up to a multiple of the page size; `None` on overflow.
pub const fn page_up(n: usize) -> Option<usize> {
    n.checked_next_multiple_of(PAGE_SIZE)
}

/// Rounds down to a multiple of the page size.
pub const fn page_down(n: usize) -> usize {
    n & !(PAGE_SIZE - 1)
}
