//! A file of the host as a disk.

use rkt_ext4::{Disk, DiskError, Environment, Event};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The first bytes of a file.
pub struct FileDisk {
    file: File,
    len: u64,
}

impl FileDisk {
    /// So many bytes of the file are the disk.
    pub fn new(file: File, len: u64) -> Self {
        Self { file, len }
    }

    fn within(&self, offset: u64, len: usize) -> Result<(), DiskError> {
        let fits = offset.checked_add(len as u64).is_some_and(|end| end <= self.len);
        if fits { Ok(()) } else { Err(DiskError) }
    }
}

impl Disk for FileDisk {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.within(offset, into.len())?;
        self.file.read_exact_at(into, offset).map_err(|_| DiskError)
    }

    fn write(&self, offset: u64, from: &[u8]) -> Result<(), DiskError> {
        self.within(offset, from.len())?;
        self.file.write_all_at(from, offset).map_err(|_| DiskError)
    }

    /// An image that is being made need not survive anything: it gets its name when it is whole.
    fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }
}

/// What a file system hears of the world: always the same time, so that the same input makes the same image.
pub struct Still(pub i64);

impl Environment for Still {
    fn now(&self) -> i64 {
        self.0
    }

    fn event(&self, event: &Event) {
        if let Event::Corrupt(corruption) = event {
            eprintln!("rkt-io: the image is damaged: {corruption}");
        }
    }
}
