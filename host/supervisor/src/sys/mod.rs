//! The crate's unsafe code: what neither std nor rustix offers in a safe form.

mod clone;
mod signals;

pub(crate) use clone::{Enclave, Handover, launch};
pub(crate) use signals::{block, wait_for_signal};

use rkt_window::Region;
use rustix::fd::{AsFd, AsRawFd};
use rustix::mm::{MapFlags, ProtFlags};
use std::io;

/// Size of `struct termios` in the kernel's ABI (asm-generic/termbits.h; libc's is larger).
pub(crate) const TERMIOS_LEN: usize = 36;

/// Maps a window of `len` bytes for as long as this process lives.
pub(crate) fn map_window(memfd: impl AsFd, len: usize) -> io::Result<Region> {
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a fresh mapping at an address that the kernel chooses; it is never unmapped, and
    // the memfd is sealed against shrinking, so every byte stays there.
    let base = unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, protection, flags, memfd, 0)? };
    // SAFETY: mapped above, never unmapped, and known to nobody else.
    Ok(unsafe { Region::from_raw(base.cast(), len) })
}

/// The time-stamp counter.
pub(crate) fn tsc() -> u64 {
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The terminal's settings as the kernel keeps them (`TCGETS`, ioctl_tty(2)).
pub(crate) fn terminal_settings(fd: impl AsFd) -> io::Result<[u8; TERMIOS_LEN]> {
    let mut settings = [0; TERMIOS_LEN];
    // SAFETY: TCGETS writes one kernel `struct termios`, for which there is room.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::TCGETS, settings.as_mut_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(settings) }
}

/// Changes the terminal's settings once its output is drained (`TCSETSW`).
pub(crate) fn set_terminal(fd: impl AsFd, settings: &[u8; TERMIOS_LEN]) -> io::Result<()> {
    // SAFETY: TCSETSW reads one kernel `struct termios`.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::TCSETSW, settings.as_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
