//! Character devices: a registry by number, and the memory devices (null(4), zero(4), full(4),
//! random(4)).

use crate::file::{FileOps, OpenFile};
use crate::poll::{PollTable, READABLE, WRITABLE};
use crate::{make_device, tmpfs};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use rkt_linux_abi::general::{S_IFCHR, S_IFDIR, S_IFLNK};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::RwLock;
use rkt_user::{IoSink, IoSource};

/// A driver of a character device.
pub trait CharDevice: Send + Sync {
    /// Opens the device; `flags` as in open(2).
    ///
    /// # Errors
    /// `ENXIO` if there is no such device now.
    fn open(&self, minor: u32, flags: u32) -> Result<Arc<dyn FileOps>>;
}

static DEVICES: RwLock<BTreeMap<u64, Arc<dyn CharDevice>>> = RwLock::new(BTreeMap::new());

/// Registers the driver of a device number, replacing the one before.
pub fn register(major: u32, minor: u32, device: Arc<dyn CharDevice>) {
    DEVICES.write().insert(make_device(major, minor), device);
}

/// Takes the driver of a device number back.
pub fn unregister(major: u32, minor: u32) {
    let gone = DEVICES.write().remove(&make_device(major, minor));
    drop(gone);
}

pub(crate) fn open(rdev: u64, flags: u32) -> Result<Arc<dyn FileOps>> {
    let device = DEVICES.read().get(&rdev).cloned().ok_or(Errno::ENXIO)?;
    device.open(crate::device_minor(rdev), flags)
}

/// Major number of the memory devices (Linux' devices.txt).
const MEMORY_MAJOR: u32 = 1;

/// The memory devices by name, with their minor numbers.
const MEMORY_DEVICES: [(&str, u32); 5] = [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)];

/// The driver of the memory devices.
struct Memory;

impl CharDevice for Memory {
    fn open(&self, minor: u32, _flags: u32) -> Result<Arc<dyn FileOps>> {
        Ok(match minor {
            3 => Arc::new(Null),
            5 => Arc::new(Zero { full: false }),
            7 => Arc::new(Zero { full: true }),
            8 | 9 => Arc::new(Random),
            _ => return Err(Errno::ENXIO),
        })
    }
}

/// Swallows what is written.
fn swallow(from: &mut IoSource<'_>) -> Result<usize> {
    let n = from.remaining();
    Ok(from.skip(n))
}

struct Null;

impl FileOps for Null {
    fn seekable(&self) -> bool {
        true
    }
    fn read(&self, _: &OpenFile, _: &mut u64, _: &mut IoSink<'_>) -> Result<usize> {
        Ok(0)
    }
    fn write(&self, _: &OpenFile, _: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        swallow(from)
    }
    fn seek(&self, _: &OpenFile, _: u64, _: i64, _: u32) -> Result<u64> {
        Ok(0)
    }
}

/// /dev/zero, and /dev/full, which reads the same but takes nothing.
struct Zero {
    full: bool,
}

impl FileOps for Zero {
    fn seekable(&self) -> bool {
        true
    }
    fn read(&self, _: &OpenFile, _: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        into.put_zeroes(into.remaining())
    }
    fn write(&self, _: &OpenFile, _: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        if self.full { Err(Errno::ENOSPC) } else { swallow(from) }
    }
    fn seek(&self, _: &OpenFile, _: u64, _: i64, _: u32) -> Result<u64> {
        Ok(0)
    }
}

struct Random;

impl FileOps for Random {
    fn seekable(&self) -> bool {
        true
    }
    fn read(&self, _: &OpenFile, _: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        let mut done = 0;
        let mut bytes = [0u8; 256];
        while !into.is_full() {
            let n = into.remaining().min(bytes.len());
            let part = bytes.get_mut(..n).unwrap_or(&mut []);
            rkt_platform::random(part);
            match into.put(part) {
                Ok(moved) => done += moved,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }
    fn write(&self, _: &OpenFile, _: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        swallow(from)
    }
    fn seek(&self, _: &OpenFile, _: u64, _: i64, _: u32) -> Result<u64> {
        Ok(0)
    }
    fn pollable(&self) -> bool {
        true
    }
    fn poll(&self, _: &OpenFile, _: Option<&mut PollTable>) -> u32 {
        READABLE | WRITABLE
    }
}

/// A file system for /dev: the memory devices, the links to /proc/self/fd, shm and mqueue
/// directories, and nodes for `others`: name, major and minor number, permissions.
///
/// # Errors
/// `ENOSPC`, `EEXIST` if a name comes twice.
pub fn devfs(others: &[(&str, u32, u32, u32)]) -> Result<Arc<tmpfs::TmpFs>> {
    use tmpfs::Attributes;
    const MAX_INODES: u64 = 1 << 20;
    let fs = tmpfs::TmpFs::of_type("devtmpfs", 64 << 20, MAX_INODES, 0o755)?;
    let memory: Arc<dyn CharDevice> = Arc::new(Memory);
    for (name, minor) in MEMORY_DEVICES {
        register(MEMORY_MAJOR, minor, memory.clone());
        let rdev = make_device(MEMORY_MAJOR, minor);
        fs.insert(name.as_bytes(), &Attributes { mode: S_IFCHR | 0o666, rdev, ..Attributes::default() }, None)?;
    }
    for &(name, major, minor, mode) in others {
        let rdev = make_device(major, minor);
        let attributes = Attributes { mode: S_IFCHR | mode & 0o7777, rdev, ..Attributes::default() };
        fs.insert(name.as_bytes(), &attributes, None)?;
    }
    let links: [(&str, &[u8]); 4] = [
        ("fd", b"/proc/self/fd"),
        ("stdin", b"/proc/self/fd/0"),
        ("stdout", b"/proc/self/fd/1"),
        ("stderr", b"/proc/self/fd/2"),
    ];
    for (name, target) in links {
        let attributes = Attributes { mode: S_IFLNK | 0o777, target, ..Attributes::default() };
        fs.insert(name.as_bytes(), &attributes, None)?;
    }
    for name in ["shm", "mqueue"] {
        fs.insert(name.as_bytes(), &Attributes { mode: S_IFDIR | 0o1777, ..Attributes::default() }, None)?;
    }
    Ok(fs)
}
