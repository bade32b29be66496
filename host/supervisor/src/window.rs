//! Makes the window and fills its header.

use crate::clock::Clock;
use crate::sys;
use anyhow::{Context, Result, ensure};
use rkt_window::{Region, layout, layout::header};
use rustix::fs::{MemfdFlags, SealFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes of window by default: room for rings and buffers of a few network queues.
pub const DEFAULT_LEN: usize = 64 << 20;

/// What the header tells the enclave besides the time. All of it is untrusted launch input.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// Number of vCPUs, 1 to [`layout::MAX_VCPUS`].
    pub vcpus: u32,
    /// Bytes of trusted memory.
    pub memory: u64,
    /// Poll busily instead of adaptively.
    pub busy_poll: bool,
    /// Bits of [`layout::without`].
    pub without: u32,
    /// Number of device slots in use.
    pub devices: u32,
    /// Bit n set: stream n is a terminal.
    pub terminals: u32,
    /// The canonical manifest.
    pub manifest: &'a [u8],
}

/// The window, mapped here and ready to be handed over.
pub struct SharedWindow {
    memfd: OwnedFd,
    region: Region,
}

impl SharedWindow {
    /// Makes a zeroed window of `len` bytes whose length nobody can change.
    ///
    /// # Errors
    /// If `len` is below [`layout::MIN_LEN`] or no multiple of 4096, or the host refuses.
    pub fn create(len: usize) -> Result<Self> {
        ensure!(len >= layout::MIN_LEN && len.is_multiple_of(4096), "a window of {len} bytes is not possible");
        let memfd = rustix::fs::memfd_create("rkt-window", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
            .context("cannot make the window (memfd_create)")?;
        rustix::fs::ftruncate(&memfd, len as u64).context("cannot size the window")?;
        rustix::fs::fcntl_add_seals(&memfd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
            .context("cannot seal the window's length")?;
        let region = sys::map_window(&memfd, len).context("cannot map the window")?;
        Ok(Self { memfd, region })
    }

    /// The window as this process maps it; stays valid to the end of the process.
    pub fn region(&self) -> Region {
        self.region
    }

    /// The descriptor for the enclave.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.memfd.as_fd()
    }

    /// Fills header and manifest.
    ///
    /// # Errors
    /// If a value is outside the limits of [`layout`].
    pub fn fill(&self, header: &Header<'_>, clock: Clock) -> Result<()> {
        let w = &self.region;
        ensure!(
            (1..=layout::MAX_VCPUS as u32).contains(&header.vcpus),
            "1 to {} vCPUs are possible",
            layout::MAX_VCPUS
        );
        ensure!(header.devices as usize <= layout::MAX_DEVICES, "at most {} devices are possible", layout::MAX_DEVICES);
        ensure!(
            header.manifest.len() <= layout::MANIFEST_MAX,
            "the manifest has {} bytes and may have {}: shorten arguments or environment",
            header.manifest.len(),
            layout::MANIFEST_MAX
        );
        w.write_u64(header::LEN, w.len() as u64)?;
        w.write_u32(header::VCPUS, header.vcpus)?;
        w.write_u64(header::MEMORY, header.memory)?;
        w.write_u64(header::TSC, clock.tsc)?;
        w.write_u64(header::WALL_NS, clock.wall_ns)?;
        w.write_u64(header::TSC_HZ, clock.tsc_hz)?;
        w.write_u32(header::TTYS, header.terminals)?;
        w.write_u32(header::POLL, header.busy_poll.into())?;
        w.write_u32(header::WITHOUT, header.without)?;
        w.write_u32(header::DEVICES, header.devices)?;
        w.write_u32(header::LARGE_PAGES, large_pages().into())?;
        w.write(layout::MANIFEST, header.manifest)?;
        w.write_u32(header::MANIFEST_LEN, header.manifest.len() as u32)?;
        w.write_u64(header::MAGIC, layout::MAGIC)?;
        Ok(())
    }
}

/// Whether transparent large pages are to be had (Documentation/admin-guide/mm/transhuge.rst of Linux).
fn large_pages() -> bool {
    let setting = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    setting.contains("[always]") || setting.contains("[madvise]")
}
