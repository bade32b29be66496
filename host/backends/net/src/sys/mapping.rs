//! A window of another process, mapped for as long as its port lives.

use rkt_window::Region;
use rkt_window::layout::MIN_LEN;
use rustix::fs::SealFlags;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous};
use std::io;
use std::os::fd::OwnedFd;

/// A mapped window.
pub(crate) struct Mapping(Region);

/// Largest window.
const MAX_LEN: usize = 1 << 40;

impl Mapping {
    /// Maps a window, whose length nobody can change: else the other process could make us fault.
    ///
    /// # Errors
    /// `InvalidData` if the descriptor is no sealed window; those of `mmap(2)`.
    pub(crate) fn new(memfd: &OwnedFd) -> io::Result<Self> {
        let sealed = rustix::fs::fcntl_get_seals(memfd)?.contains(SealFlags::SHRINK);
        let len = usize::try_from(rustix::fs::fstat(memfd)?.st_size).unwrap_or(0);
        if !sealed || !(MIN_LEN..=MAX_LEN).contains(&len) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // SAFETY: a new mapping, placed by the kernel.
        let base =
            unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, memfd, 0)? };
        // SAFETY: the addresses stay mapped until the process ends (see `drop`), and are reached through
        // the region alone.
        Ok(Self(unsafe { Region::from_raw(base.cast(), len) }))
    }

    /// The window.
    pub(crate) fn window(&self) -> Region {
        self.0
    }
}

impl Drop for Mapping {
    /// Lets the memory go but not the addresses: copies of the region may still exist, and then
    /// find empty memory of our own.
    fn drop(&mut self) {
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: it replaces the mapping of this region by another one that is as accessible. If the
        // kernel refuses, the old one stays.
        let _ = unsafe { mmap_anonymous(self.0.address() as *mut _, self.0.len(), protection, flags) };
    }
}
