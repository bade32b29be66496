//! What the file system asks of a disk, and of whoever mounts it.

use crate::error::Corruption;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// The disk reported an error, or an impossible range was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskError;

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("I/O error of the disk")
    }
}

impl core::error::Error for DiskError {}

/// A disk. Calls block. Offsets and lengths are in bytes and multiples of the file system's block
/// size, but for the first 4096 bytes, which are read as a whole.
pub trait Disk: Send + Sync {
    /// Size in bytes.
    fn len(&self) -> u64;

    /// Whether there is nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `into` from `offset` on.
    ///
    /// # Errors
    /// If any of it cannot be read.
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), DiskError>;

    /// Writes `from` at `offset`. Durable after [`Disk::flush`].
    ///
    /// # Errors
    /// If any of it cannot be written.
    fn write(&self, offset: u64, from: &[u8]) -> Result<(), DiskError>;

    /// Makes all writes durable that have returned.
    ///
    /// # Errors
    /// If any of them may be lost.
    fn flush(&self) -> Result<(), DiskError>;

    /// Reads several pieces, as many at once as the disk can.
    ///
    /// # Errors
    /// If any of them cannot be read.
    fn read_many(&self, pieces: &mut [(u64, &mut [u8])]) -> Result<(), DiskError> {
        pieces.iter_mut().try_for_each(|(offset, into)| self.read(*offset, into))
    }

    /// Writes several pieces, in any order.
    ///
    /// # Errors
    /// If any of them cannot be written.
    fn write_many(&self, pieces: &[(u64, &[u8])]) -> Result<(), DiskError> {
        pieces.iter().try_for_each(|(offset, from)| self.write(*offset, from))
    }

    /// Writes `len` bytes at `offset`. `copy` puts them into buffers, each of them once; it is told the number
    /// of the first byte that is wanted.
    ///
    /// # Errors
    /// If any of it cannot be written.
    fn write_from(&self, offset: u64, len: usize, copy: &dyn Fn(usize, &mut [u8])) -> Result<(), DiskError> {
        let mut bytes = vec![0; len];
        copy(0, &mut bytes);
        self.write(offset, &bytes)
    }

    /// Most bytes of one of the pieces of [`Disk::read_buffers`] and [`Disk::write_buffers`].
    fn max_transfer(&self) -> usize {
        usize::MAX
    }

    /// A buffer for [`Disk::read_buffers`] or [`Disk::write_buffers`], with any content.
    fn buffer(&self, len: usize) -> Vec<u8> {
        vec![0; len]
    }

    /// A buffer is not needed any more.
    fn give_back(&self, buffer: Vec<u8>) {
        drop(buffer);
    }

    /// Reads into buffers, without a copy in between, and gives them back in order.
    ///
    /// # Errors
    /// If any of them cannot be read.
    fn read_buffers(&self, pieces: Vec<(u64, Vec<u8>)>) -> Result<Vec<Vec<u8>>, DiskError> {
        let read = |(offset, mut buffer): (u64, Vec<u8>)| self.read(offset, &mut buffer).map(|()| buffer);
        pieces.into_iter().map(read).collect()
    }

    /// Writes buffers, without a copy in between, in any order.
    ///
    /// # Errors
    /// If any of them cannot be written.
    fn write_buffers(&self, pieces: Vec<(u64, Vec<u8>)>) -> Result<(), DiskError> {
        pieces.iter().try_for_each(|(offset, buffer)| self.write(*offset, buffer))
    }

    /// Writes durably (force unit access). Says nothing of earlier writes.
    ///
    /// # Errors
    /// If it may not be durable.
    fn write_durably(&self, offset: u64, from: &[u8]) -> Result<(), DiskError> {
        self.write(offset, from)?;
        self.flush()
    }

    /// The range is not needed any more.
    ///
    /// # Errors
    /// If the disk reports one.
    fn discard(&self, _offset: u64, _len: u64) -> Result<(), DiskError> {
        Ok(())
    }
}

/// What the file system asks of whoever mounts it.
pub trait Environment: Send + Sync {
    /// The wall clock, in nanoseconds since the epoch.
    fn now(&self) -> i64;

    /// Something happened that the administrator should know.
    fn event(&self, event: &Event);
}

/// See [`Environment::event`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The journal was replayed: so many transactions, so many blocks.
    Replayed {
        /// Transactions.
        transactions: u32,
        /// Blocks.
        blocks: usize,
    },
    /// So many deleted or half truncated files were cleaned up.
    Orphans(usize),
    /// The disk's content is wrong.
    Corrupt(Corruption),
    /// Nothing more will be written.
    ReadOnly,
    /// The journal could not be written.
    JournalFailed,
}

/// A disk some of whose blocks are replaced, for looking at a file system as it would be after the
/// replay of its journal, without writing.
pub(crate) struct Overlay {
    disk: Arc<dyn Disk>,
    block_size: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    pub(crate) fn new(disk: Arc<dyn Disk>, block_size: usize, blocks: BTreeMap<u64, Vec<u8>>) -> Self {
        Self { disk, block_size: block_size as u64, blocks }
    }
}

impl Disk for Overlay {
    fn len(&self) -> u64 {
        self.disk.len()
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.disk.read(offset, into)?;
        let end = offset + into.len() as u64;
        for (block, bytes) in self.blocks.range(offset / self.block_size..end.div_ceil(self.block_size)) {
            // What both have, as offsets in the block and in `into`.
            let start = block * self.block_size;
            let (from, to) = (start.max(offset), (start + self.block_size).min(end));
            let source = bytes.get((from - start) as usize..(to - start) as usize);
            let place = into.get_mut((from - offset) as usize..(to - offset) as usize);
            if let (Some(place), Some(source)) = (place, source) {
                place.copy_from_slice(source);
            }
        }
        Ok(())
    }

    fn write(&self, _offset: u64, _from: &[u8]) -> Result<(), DiskError> {
        Err(DiskError)
    }

    fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }
}

/// Reads a range of the disk into a new buffer.
pub(crate) fn read_vec(disk: &dyn Disk, offset: u64, len: usize) -> Result<Vec<u8>, DiskError> {
    let mut bytes = vec![0; len];
    disk.read(offset, &mut bytes)?;
    Ok(bytes)
}
