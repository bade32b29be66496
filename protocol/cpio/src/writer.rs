//! Emitting an archive into memory.

use alloc::vec::Vec;
use core::fmt;

use crate::{Entry, HEADER_LEN, MAGIC, TRAILER, padding};

/// Why an entry cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The name is empty, holds a NUL or is the trailer's.
    BadName,
    /// Name or body exceed the 32 bits of their size fields.
    TooLarge,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadName => "cpio: name is empty, holds a NUL or is TRAILER!!!",
            Self::TooLarge => "cpio: name or body of 4 GiB or more",
        })
    }
}

impl core::error::Error for WriteError {}

/// Collects an archive. Equal entries in equal order give equal bytes.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    archive: Vec<u8>,
}

impl Writer {
    /// An archive without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an entry.
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<(), WriteError> {
        if entry.name.is_empty() || entry.name.contains(&0) || entry.name == TRAILER {
            return Err(WriteError::BadName);
        }
        self.append(entry)
    }

    /// Appends the trailer and returns the archive, its length a multiple of four.
    pub fn finish(mut self) -> Vec<u8> {
        self.append(&Entry { nlink: 1, name: TRAILER, ..Entry::default() }).expect("the trailer fits");
        self.archive
    }

    fn append(&mut self, entry: &Entry<'_>) -> Result<(), WriteError> {
        let size = u32::try_from(entry.data.len()).map_err(|_| WriteError::TooLarge)?;
        let name_size = entry.name.len().checked_add(1).ok_or(WriteError::TooLarge)?;
        let name_size_field = u32::try_from(name_size).map_err(|_| WriteError::TooLarge)?;
        self.archive.extend_from_slice(MAGIC);
        let Entry { ino, mode, uid, gid, nlink, mtime, rdev_major, rdev_minor, .. } = *entry;
        for field in [ino, mode, uid, gid, nlink, mtime, size, 0, 0, rdev_major, rdev_minor, name_size_field, 0] {
            self.append_hex(field);
        }
        self.archive.extend_from_slice(entry.name);
        self.append_zeros(1 + padding(HEADER_LEN + name_size));
        self.archive.extend_from_slice(entry.data);
        self.append_zeros(padding(entry.data.len()));
        Ok(())
    }

    fn append_hex(&mut self, value: u32) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        self.archive.extend((0..8).rev().map(|digit| DIGITS[(value >> (4 * digit)) as usize % 16]));
    }

    fn append_zeros(&mut self, count: usize) {
        self.archive.resize(self.archive.len() + count, 0);
    }
}
