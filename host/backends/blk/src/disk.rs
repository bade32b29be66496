//! The file under a block device.

use rkt_virtio::blk::SECTOR_LEN;
use rkt_virtio_device::Parts;
use rkt_window::Region;
use rustix::fs::{FallocateFlags, FlockOperation};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How a disk is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskOptions {
    /// A regular file or a block device.
    pub path: PathBuf,
    /// Whether the guest may only read it.
    pub read_only: bool,
}

/// Why a disk cannot be opened. Each says what to do.
#[derive(Debug)]
pub enum DiskError {
    /// The file cannot be opened.
    Open(PathBuf, io::Error),
    /// Another program has locked it, another enclave say.
    InUse(PathBuf),
    /// The size is no multiple of 512 bytes, or 0.
    Size(PathBuf, u64),
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(path, e) => write!(f, "cannot open disk {}: {e}", path.display()),
            Self::InUse(path) => write!(
                f,
                "disk {} is in use by another program: stop it, or open the disk read-only on both sides",
                path.display()
            ),
            Self::Size(path, size) => write!(
                f,
                "disk {} has {size} bytes, and a disk has a multiple of {SECTOR_LEN}: see whether it is the right file",
                path.display()
            ),
        }
    }
}

impl std::error::Error for DiskError {}

/// An open disk. It is locked (flock(2)): exclusively, or shared if read-only.
#[derive(Debug)]
pub struct Disk {
    file: File,
    len: u64,
    read_only: bool,
}

impl Disk {
    /// Opens a disk.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn open(options: &DiskOptions) -> Result<Self, DiskError> {
        let path = || options.path.clone();
        let mut file = open(&options.path, options.read_only).map_err(|e| DiskError::Open(path(), e))?;
        let lock = match options.read_only {
            true => FlockOperation::NonBlockingLockShared,
            false => FlockOperation::NonBlockingLockExclusive,
        };
        // Other errors come from file systems without locks: there, care is the user's.
        if rustix::fs::flock(&file, lock) == Err(rustix::io::Errno::WOULDBLOCK) {
            return Err(DiskError::InUse(path()));
        }
        // The metadata of a block device does not tell its size; its end does.
        let len = file.seek(SeekFrom::End(0)).map_err(|e| DiskError::Open(path(), e))?;
        if len == 0 || !len.is_multiple_of(SECTOR_LEN as u64) {
            return Err(DiskError::Size(path(), len));
        }
        Ok(Self { file, len, read_only: options.read_only })
    }

    /// Whether writes are refused.
    pub fn read_only(&self) -> bool {
        self.read_only
    }

    /// The open file, for back ends that move data in their own way.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Size in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no byte; such a disk cannot be opened.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Looks at the size again; whether it is another one. A size that no disk can have is passed over.
    ///
    /// # Errors
    /// Those of `lseek(2)`.
    pub fn measure_again(&mut self) -> io::Result<bool> {
        let len = (&self.file).seek(SeekFrom::End(0))?;
        let changed = len != self.len && len.is_multiple_of(SECTOR_LEN as u64);
        if changed {
            self.len = len;
        }
        Ok(changed)
    }

    /// Size in sectors of 512 bytes.
    pub fn sectors(&self) -> u64 {
        self.len / SECTOR_LEN as u64
    }

    /// The byte offset of a range of whole sectors that lies on the disk.
    pub(crate) fn locate(&self, sector: u64, len: u64) -> Option<u64> {
        let start = sector.checked_mul(SECTOR_LEN as u64)?;
        let fits = len.is_multiple_of(SECTOR_LEN as u64) && start.checked_add(len)? <= self.len;
        fits.then_some(start)
    }

    /// Fills the parts; fewer bytes mean that the file was cut short behind our back.
    pub(crate) fn read(&self, parts: &[Region], at: u64) -> io::Result<usize> {
        Parts::of(parts)?.read_at(self.file.as_fd(), at)
    }

    pub(crate) fn write(&self, parts: &[Region], at: u64) -> io::Result<usize> {
        Parts::of(parts)?.write_at(self.file.as_fd(), at)
    }

    /// Makes all completed writes durable: `fdatasync(2)`.
    ///
    /// # Errors
    /// Those of the call.
    pub fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Gives the space of a range back; it reads as zeroes.
    ///
    /// # Errors
    /// Those of `fallocate(2)`.
    pub fn discard(&self, at: u64, len: u64) -> io::Result<()> {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(rustix::fs::fallocate(&self.file, hole, at, len)?)
    }

    /// Zeroes a range, its space kept where the file system can do so.
    ///
    /// # Errors
    /// Those of `fallocate(2)` and `write(2)`.
    pub fn zero(&self, at: u64, len: u64) -> io::Result<()> {
        let zero = FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.file, zero, at, len) {
            Err(rustix::io::Errno::OPNOTSUPP) => self.write_zeroes(at, len),
            done => Ok(done?),
        }
    }

    fn write_zeroes(&self, mut at: u64, mut len: u64) -> io::Result<()> {
        static ZEROES: [u8; 64 << 10] = [0; 64 << 10];
        while len > 0 {
            let chunk = ZEROES.split_at(len.min(ZEROES.len() as u64) as usize).0;
            self.file.write_all_at(chunk, at)?;
            at += chunk.len() as u64;
            len -= chunk.len() as u64;
        }
        Ok(())
    }
}

fn open(path: &Path, read_only: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(!read_only).open(path)
}
