//! Reading an archive that lies in memory.

use core::fmt;

use crate::{Entry, HEADER_LEN, MAGIC, TRAILER, padding};

/// Why the archive cannot be read. Offsets count from the start of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpioError {
    /// The archive ends inside the entry at `offset`, or before a trailer.
    Truncated {
        /// Where the entry begins.
        offset: usize,
    },
    /// The entry at `offset` does not begin with the newc magic `070701`.
    BadMagic {
        /// Where the entry begins.
        offset: usize,
    },
    /// A header field of the entry at `offset` is not eight hexadecimal digits.
    BadNumber {
        /// Where the entry begins.
        offset: usize,
    },
    /// The name of the entry at `offset` is empty or not ended by its only NUL.
    BadName {
        /// Where the entry begins.
        offset: usize,
    },
}

impl fmt::Display for CpioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, offset) = match self {
            Self::Truncated { offset } => ("archive ends inside the entry", offset),
            Self::BadMagic { offset } => ("no newc magic in the entry", offset),
            Self::BadNumber { offset } => ("field without eight hexadecimal digits in the entry", offset),
            Self::BadName { offset } => ("unterminated or empty name in the entry", offset),
        };
        write!(f, "cpio: {what} at byte {offset}")
    }
}

impl core::error::Error for CpioError {}

/// Iterates over the entries of an archive, up to the trailer or the first error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    archive: &'a [u8],
    position: usize,
    ended: bool,
}

impl<'a> Reader<'a> {
    /// Reads the archive that starts at the first byte of `archive`.
    pub fn new(archive: &'a [u8]) -> Self {
        Self { archive, position: 0, ended: false }
    }

    /// Offset of the next entry; after the last one, of the first byte behind the trailer.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Takes the next `len` bytes and the padding behind them. The padding of the last
    /// entry may be cut off, as some writers do.
    fn take(&mut self, offset: usize, len: usize, padding: usize) -> Result<&'a [u8], CpioError> {
        let truncated = CpioError::Truncated { offset };
        let end = self.position.checked_add(len).ok_or(truncated)?;
        let bytes = self.archive.get(self.position..end).ok_or(truncated)?;
        self.position = end.saturating_add(padding).min(self.archive.len());
        Ok(bytes)
    }

    fn entry(&mut self) -> Result<Entry<'a>, CpioError> {
        let offset = self.position;
        let header = self.take(offset, HEADER_LEN, 0)?;
        let fields = header.strip_prefix(MAGIC).ok_or(CpioError::BadMagic { offset })?;

        let mut numbers = [0u32; 13];
        for (number, digits) in numbers.iter_mut().zip(fields.chunks_exact(8)) {
            *number = parse_hex(digits).ok_or(CpioError::BadNumber { offset })?;
        }
        // The device of the file itself and the checksum (zero in newc) mean nothing here.
        let [ino, mode, uid, gid, nlink, mtime, size, _, _, rdev_major, rdev_minor, name_size, _] = numbers;

        let name_size = name_size as usize;
        let name = self.take(offset, name_size, padding(HEADER_LEN.wrapping_add(name_size)))?;
        let name = match name.split_last() {
            Some((0, name)) if !name.is_empty() && !name.contains(&0) => name,
            _ => return Err(CpioError::BadName { offset }),
        };
        let data = self.take(offset, size as usize, padding(size as usize))?;
        Ok(Entry { ino, mode, uid, gid, nlink, mtime, rdev_major, rdev_minor, name, data })
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Entry<'a>, CpioError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let entry = self.entry();
        match entry {
            Ok(entry) if entry.name == TRAILER => {
                self.ended = true;
                None
            }
            Ok(_) => Some(entry),
            Err(_) => {
                self.ended = true;
                Some(entry)
            }
        }
    }
}

/// Eight hexadecimal digits of either case; no sign, no prefix.
fn parse_hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
}
