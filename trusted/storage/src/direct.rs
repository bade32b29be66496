//! Reading and writing past the page cache: `O_DIRECT` of open(2), coherent with what the cache has.

use crate::convert::result;
use crate::file::PORTION;
use crate::node::Node;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_ext4::Places;
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSink, IoSource};

/// Offsets and lengths are multiples of this: a disk's sector.
pub const SECTOR: u64 = 512;

/// Checks a range as the kernel does before it asks the disk.
fn check(offset: u64, len: usize) -> Result<()> {
    let aligned = offset.is_multiple_of(SECTOR) && (len as u64).is_multiple_of(SECTOR);
    if aligned { Ok(()) } else { Err(Errno::EINVAL) }
}

impl Node {
    /// Reads at an offset from the disk.
    pub fn read_direct(&self, offset: u64, into: &mut IoSink<'_>) -> Result<usize> {
        let content = self.regular()?;
        if offset >= content.size.load(Ordering::Acquire) || into.is_full() {
            return Ok(0);
        }
        check(offset, into.remaining())?;
        let end = offset.saturating_add(into.remaining() as u64);
        if content.pages.read().may_be_dirty(offset, end) {
            self.write_back()?;
        }
        let _work = content.work.read();
        let mut done = 0;
        loop {
            let at = offset + done as u64;
            let left = content.size.load(Ordering::Acquire).saturating_sub(at);
            let len = left.min(into.remaining() as u64).min(PORTION) as usize;
            if len == 0 {
                return Ok(done);
            }
            let moved = match self.read_some(at, len, into) {
                Err(error) if done == 0 => return Err(error),
                Err(_) => return Ok(done),
                Ok(moved) => moved,
            };
            done += moved;
            if moved < len {
                return Ok(done);
            }
        }
    }

    /// Reads a part. The work lock is held.
    fn read_some(&self, at: u64, len: usize, into: &mut IoSink<'_>) -> Result<usize> {
        let fs = &self.shared.fs;
        let whole = (len as u64).next_multiple_of(fs.block_size() as u64);
        let Some(places) = result(fs.places(self.ino, at, whole))? else {
            // What the disk does not know of yet is a hole.
            let mut bytes = vec![0; len];
            result(fs.read_at(self.ino, at, &mut bytes))?;
            return into.put(&bytes);
        };
        let disk = fs.disk();
        let pieces = places.pieces(whole as usize, disk.max_transfer());
        let read = disk.read_buffers(pieces.map(|(offset, len)| (offset, disk.buffer(len))).collect());
        let mut done = 0;
        for buffer in read.map_err(|_| Errno::EIO)? {
            let part = buffer.get(..len - done).unwrap_or(&buffer);
            let moved = match into.put(part) {
                Err(error) if done == 0 => return Err(error),
                moved => moved.unwrap_or(0),
            };
            done += moved;
            if moved < part.len() {
                break;
            }
            disk.give_back(buffer);
        }
        Ok(done)
    }

    /// Writes at an offset, or at the end if there is none, to the disk; gives the bytes moved and the
    /// position behind.
    pub fn write_direct(&self, offset: Option<u64>, from: &mut IoSource<'_>) -> Result<(usize, u64)> {
        if from.is_full() {
            return Ok((0, 0));
        }
        let mut done = 0;
        let mut at = offset;
        loop {
            match self.write_directly(at, from) {
                Err(error) if done == 0 => return Err(error),
                Err(_) | Ok((0, _)) => break,
                Ok((moved, behind)) => (done, at) = (done + moved, Some(behind)),
            }
            if from.is_full() {
                break;
            }
        }
        if done > 0 {
            let content = self.regular()?;
            self.touch_written(content.size.load(Ordering::Acquire));
            self.shared.note_dirty(self);
        }
        Ok((done, at.unwrap_or(0)))
    }

    fn write_directly(&self, offset: Option<u64>, from: &mut IoSource<'_>) -> Result<(usize, u64)> {
        let content = self.regular()?;
        // Whoever only replaces what is on the disk, and nowhere else, shares the file with others who do.
        if let Some(at) = offset {
            let _work = content.work.read();
            self.start_of_write(content, offset, from)?;
            check(at, from.remaining())?;
            let end = at.saturating_add((from.remaining() as u64).min(PORTION));
            let elsewhere = end > content.size.load(Ordering::Acquire) || content.pages.read().has_any(at, end);
            let places = if elsewhere { None } else { result(self.shared.fs.places(self.ino, at, end - at))? };
            if let Some(places) = places {
                let done = self.write_places(&places, (end - at) as usize, from)?;
                return Ok((done, at + done as u64));
            }
        }
        let _work = content.work.write();
        let at = self.start_of_write(content, offset, from)?;
        check(at, from.remaining())?;
        let mut bytes = vec![0; (from.remaining() as u64).min(PORTION) as usize];
        let taken = take(from, &mut bytes, SECTOR as usize)?;
        bytes.truncate(taken);
        result(self.shared.fs.write_at(self.ino, at, &bytes))?;
        content.pages.write().overwrite(at, &bytes);
        let end = at + bytes.len() as u64;
        content.size.fetch_max(end, Ordering::AcqRel);
        Ok((bytes.len(), end))
    }
}

impl Node {
    /// Writes the next `len` bytes of a write to their places.
    fn write_places(&self, places: &Places, len: usize, from: &mut IoSource<'_>) -> Result<usize> {
        let disk = self.shared.fs.disk();
        let mut pieces = Vec::new();
        let mut done = 0;
        for (offset, len) in places.pieces(len, disk.max_transfer()) {
            let mut buffer = disk.buffer(len);
            let taken = match take(from, &mut buffer, self.shared.fs.block_size()) {
                Err(error) if done == 0 => return Err(error),
                taken => taken.unwrap_or(0),
            };
            buffer.truncate(taken);
            if taken > 0 {
                pieces.push((offset, buffer));
            }
            done += taken;
            if taken < len {
                break;
            }
        }
        disk.write_buffers(pieces).map_err(|_| Errno::EIO)?;
        Ok(done)
    }
}

/// Takes the next bytes of a write, whole units of them: a fault in the middle of one is one before it.
fn take(from: &mut IoSource<'_>, into: &mut [u8], unit: usize) -> Result<usize> {
    let taken = from.take(into)?;
    let whole = taken / unit * unit;
    if whole == 0 && taken > 0 { Err(Errno::EFAULT) } else { Ok(whole) }
}
