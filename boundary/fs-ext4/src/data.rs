//! Contents of files: reading, and writing with the blocks allocated when data is written, not
//! when it is promised. Data reaches the disk before the transaction that makes it reachable.

use crate::core::{Core, Run};
use crate::disk::{Disk, read_vec};
use crate::error::{Error, Result};
use crate::fs::Ext4;
use crate::inodes::mode;
use crate::map::{Mapping, State};
use alloc::vec::Vec;
use lock_api::RawMutex;
use rkt_ext4_format::extent::Extent;
use rkt_ext4_format::inode::Flags;

/// Blocks that mapping one run may change.
const MAPPING: usize = 24;
/// Blocks that an extent tree may need beyond the data.
const NODES: u64 = 8;
/// Bytes written at once by [`Ext4::write_at`].
const PORTION: usize = 4 << 20;

/// Blocks promised to pages that are not written yet. [`Ext4::write_blocks`] uses them up; what is
/// left is to be given back with [`Ext4::unreserve`].
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Reservation {
    blocks: u64,
}

impl Reservation {
    /// Nothing promised.
    pub fn none() -> Self {
        Self { blocks: 0 }
    }

    /// How many.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Adds those of another.
    pub fn join(&mut self, other: Self) {
        self.blocks += other.blocks;
    }

    /// Takes out what is more than so many.
    pub fn split_off(&mut self, kept: u64) -> Self {
        let surplus = self.blocks.saturating_sub(kept);
        self.blocks -= surplus;
        Self { blocks: surplus }
    }
}

/// Where content lies on the disk: offsets and lengths in bytes.
pub struct Places(Vec<(u64, usize)>);

impl Places {
    /// The first `len` bytes in pieces of `most` bytes at most, in their order in the file.
    pub fn pieces(&self, len: usize, most: usize) -> impl Iterator<Item = (u64, usize)> {
        let mut left = len;
        let runs = self.0.iter().map(move |(offset, len)| {
            let len = (*len).min(left);
            left -= len;
            (*offset, len)
        });
        let most = most.max(1);
        runs.flat_map(move |(offset, len)| {
            (0..len).step_by(most).map(move |at| (offset.saturating_add(at as u64), most.min(len - at)))
        })
    }
}

impl<L: RawMutex> Ext4<L> {
    /// Promises space for that many blocks of data, so that running out of it is known when data
    /// is taken and not when it is written.
    ///
    /// # Errors
    /// `NoSpace`.
    pub fn reserve(&self, blocks: u64) -> Result<Reservation> {
        self.change(0, |core| {
            core.require(blocks.saturating_add(NODES))?;
            core.reserved += blocks;
            Ok(Reservation { blocks })
        })
    }

    /// Gives promised space back.
    pub fn unreserve(&self, reservation: Reservation) {
        let mut core = self.core.lock();
        core.reserved = core.reserved.saturating_sub(reservation.blocks);
    }

    /// Whether blocks were freed that can be used once that is durable.
    pub fn has_pending_free(&self) -> bool {
        self.core.lock().pending_free > 0
    }

    /// Fills whole blocks of a file from `logical` on, as a page cache does; what is no data
    /// becomes zero, also behind the end. Truncating the range meanwhile is up to the caller to
    /// prevent.
    ///
    /// # Errors
    /// If the disk fails or is damaged.
    pub fn read_blocks(&self, ino: u32, logical: u32, into: &mut [u8]) -> Result<()> {
        if self.recent.find(ino, logical).is_none() && self.stat(ino)?.flags & Flags::INLINE_DATA.bits() != 0 {
            let len = self.read_at(ino, u64::from(logical) * self.shape.block_size as u64, into)?;
            into.get_mut(len..).unwrap_or_default().fill(0);
            return Ok(());
        }
        self.read_mapped(ino, u64::from(logical) * self.shape.block_size as u64, into)
    }

    /// Reads from a file, past what a page cache may have. Gives how much there was. Truncating the
    /// range meanwhile is up to the caller to prevent.
    ///
    /// # Errors
    /// If the disk fails or is damaged, or this is no regular file.
    pub fn read_at(&self, ino: u32, offset: u64, into: &mut [u8]) -> Result<usize> {
        let (size, inline) = self.look(|core| {
            let found = core.live_inode(ino)?;
            match found.mode & mode::FORMAT {
                mode::REGULAR => (),
                mode::DIRECTORY => return Err(Error::IsDirectory),
                _ => return Err(Error::Invalid),
            }
            let (size, inline) = (found.size, found.flags.contains(Flags::INLINE_DATA));
            Ok((size, if inline { Some(core.inline_data(ino)?) } else { None }))
        })?;
        let len = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX).min(into.len());
        let into = into.get_mut(..len).unwrap_or_default();
        if let Some(data) = inline {
            let source = data.get(offset as usize..).unwrap_or_default();
            into.iter_mut().zip(source).for_each(|(place, byte)| *place = *byte);
            return Ok(len);
        }
        self.read_mapped(ino, offset, into)?;
        Ok(len)
    }

    /// Fills a buffer from the blocks of a file.
    fn read_mapped(&self, ino: u32, offset: u64, into: &mut [u8]) -> Result<()> {
        let size = self.shape.block_size as u64;
        let (mut at, mut rest) = (offset, into);
        let mut whole: Vec<(u64, &mut [u8])> = Vec::new();
        while !rest.is_empty() {
            let skipped = at % size;
            let logical = u32::try_from(at / size).map_err(|_| Error::TooLarge)?;
            let wanted = (skipped + rest.len() as u64).div_ceil(size);
            let found = self.map(ino, logical, u32::try_from(wanted).unwrap_or(u32::MAX))?;
            let len = (u64::from(found.len) * size - skipped).min(rest.len() as u64);
            let (part, behind) = rest.split_at_mut(len as usize);
            match found.state {
                State::Written(start) if skipped == 0 && len.is_multiple_of(size) => whole.push((start * size, part)),
                State::Written(start) => {
                    let bytes = read_vec(&*self.disk, start * size, (skipped + len).next_multiple_of(size) as usize)?;
                    let source = bytes.get(skipped as usize..).unwrap_or_default();
                    part.iter_mut().zip(source).for_each(|(place, byte)| *place = *byte);
                }
                State::Hole | State::Unwritten(_) => part.fill(0),
            }
            (at, rest) = (at + len, behind);
        }
        Ok(self.disk.read_many(&mut whole)?)
    }

    /// Writes to a file, past what a page cache may have, and makes it longer if need be.
    ///
    /// # Errors
    /// If the disk fails, is full or damaged, or this is no regular file.
    pub fn write_at(&self, ino: u32, offset: u64, data: &[u8]) -> Result<()> {
        let size = self.shape.block_size as u64;
        let end = offset.checked_add(data.len() as u64).filter(|end| *end <= self.shape.max_size());
        let end = end.ok_or(Error::TooLarge)?;
        if data.is_empty() {
            return Ok(());
        }
        let _file = self.lock_file(ino);
        self.prepare_write(ino, offset)?;
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            // Up to a border of blocks, so that blocks in the middle are whole.
            let skipped = (at % size) as usize;
            let (part, behind) = rest.split_at(rest.len().min(PORTION - skipped));
            let logical = u32::try_from(at / size).map_err(|_| Error::TooLarge)?;
            let after = (at + part.len() as u64).max(offset).min(end);
            if skipped == 0 && part.len().is_multiple_of(size as usize) {
                self.write_bytes(ino, logical, part, after)?;
            } else {
                let mut padded = alloc::vec![0; (skipped + part.len()).next_multiple_of(size as usize)];
                self.fill_edges(ino, logical, &mut padded)?;
                if let Some(place) = padded.get_mut(skipped..skipped + part.len()) {
                    place.copy_from_slice(part);
                }
                self.write_bytes(ino, logical, &padded, after)?;
            }
            (at, rest) = (at + part.len() as u64, behind);
        }
        Ok(())
    }

    /// The disk, for whoever moves content between [`Places`] and memory.
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Where the content of a range of whole blocks lies, if all of it has its place on the disk and is
    /// written. It stays there until the file is made shorter or holes are made in it, which is up to the
    /// caller to prevent.
    ///
    /// # Errors
    /// If the disk fails or is damaged.
    pub fn places(&self, ino: u32, offset: u64, len: u64) -> Result<Option<Places>> {
        let size = self.shape.block_size as u64;
        if !offset.is_multiple_of(size) || !len.is_multiple_of(size) {
            return Ok(None);
        }
        let (mut at, mut left) = (offset / size, len / size);
        let mut runs = Vec::new();
        while left > 0 {
            let logical = u32::try_from(at).map_err(|_| Error::TooLarge)?;
            let found = self.map(ino, logical, u32::try_from(left).unwrap_or(u32::MAX))?;
            let State::Written(start) = found.state else { return Ok(None) };
            let blocks = u64::from(found.len).min(left);
            runs.push((start * size, (blocks * size) as usize));
            (at, left) = (at + blocks, left - blocks);
        }
        Ok(Some(Places(runs)))
    }

    /// Reads the first and the last block of a range that is about to be written in part.
    fn fill_edges(&self, ino: u32, logical: u32, bytes: &mut [u8]) -> Result<()> {
        let size = self.shape.block_size;
        let last = bytes.len() / size - 1;
        for at in [0, last] {
            let block = logical + at as u32;
            if let State::Written(start) = self.map(ino, block, 1)?.state {
                let place = bytes.get_mut(at * size..(at + 1) * size).unwrap_or_default();
                self.disk.read(start * size as u64, place)?;
            }
        }
        Ok(())
    }

    /// Makes a file ready for blocks at `offset`: data out of the inode, block maps to extents, and
    /// zeroes from the old end to the end of its block.
    fn prepare_write(&self, ino: u32, offset: u64) -> Result<()> {
        let inline = self.change(MAPPING, |core| {
            let found = core.live_inode(ino)?;
            if found.mode & mode::FORMAT != mode::REGULAR {
                return Err(Error::Invalid);
            }
            if found.flags.contains(Flags::IMMUTABLE) {
                return Err(Error::NotPermitted);
            }
            if found.flags.contains(Flags::INLINE_DATA) {
                core.require(NODES)?;
                let data = core.inline_data(ino)?;
                core.drop_inline_data(ino)?;
                return Ok(Some(data));
            }
            core.make_extents(ino)?;
            Ok(None)
        })?;
        if let Some(data) = inline.filter(|data| !data.is_empty()) {
            let mut block = data.clone();
            block.resize(self.shape.block_size, 0);
            self.write_bytes(ino, 0, &block, data.len() as u64)?;
        }
        self.zero_tail(ino, offset)
    }

    /// A file ends before `offset`: what lies behind its end in its last block becomes zero.
    pub(crate) fn zero_tail(&self, ino: u32, offset: u64) -> Result<()> {
        let block_size = self.shape.block_size as u64;
        let size = self.look(|core| core.inode(ino).map(|found| found.size))?;
        let kept = size % block_size;
        if kept == 0 || offset <= size {
            return Ok(());
        }
        let logical = u32::try_from(size / block_size).map_err(|_| Error::TooLarge)?;
        self.zero_in_block(ino, logical, kept as usize, block_size as usize)
    }

    /// Zeroes a part of a block, if that has data.
    pub(crate) fn zero_in_block(&self, ino: u32, logical: u32, from: usize, to: usize) -> Result<()> {
        let block_size = self.shape.block_size;
        let State::Written(start) = self.map(ino, logical, 1)?.state else { return Ok(()) };
        let mut bytes = read_vec(&*self.disk, start * block_size as u64, block_size)?;
        let place = bytes.get_mut(from..to).unwrap_or_default();
        if place.iter().any(|byte| *byte != 0) {
            place.fill(0);
            self.disk.write(start * block_size as u64, &bytes)?;
        }
        Ok(())
    }

    /// Writes `count` whole blocks of a file from `logical` on: what a page cache calls to write back.
    /// `copy` puts their bytes where the disk wants them, each of them once; it is told the number of the
    /// first byte. `size` is the length of the file as far as it is known to the caller; the file gets it, or
    /// as much of it as these blocks reach. Blocks that have no place yet use up the reservation.
    ///
    /// # Errors
    /// If the disk fails, is full or damaged. Blocks before that are written.
    pub fn write_blocks(
        &self,
        ino: u32,
        logical: u32,
        count: usize,
        copy: &dyn Fn(usize, &mut [u8]),
        size: u64,
        reservation: &mut Reservation,
    ) -> Result<()> {
        let _file = self.lock_file(ino);
        self.prepare_write(ino, u64::from(logical) * self.shape.block_size as u64)?;
        self.write_locked(ino, logical, count, copy, size, reservation)
    }

    /// Writes whole blocks that lie in one piece. The file is locked, and gets this size at least.
    pub(crate) fn write_bytes(&self, ino: u32, logical: u32, bytes: &[u8], size: u64) -> Result<()> {
        let copy = |at: usize, into: &mut [u8]| {
            if let Some(part) = bytes.get(at..).and_then(|rest| rest.get(..into.len())) {
                into.copy_from_slice(part);
            }
        };
        let count = bytes.len() / self.shape.block_size;
        self.write_locked(ino, logical, count, &copy, size, &mut Reservation::none())
    }

    fn write_locked(
        &self,
        ino: u32,
        logical: u32,
        count: usize,
        copy: &dyn Fn(usize, &mut [u8]),
        size: u64,
        reservation: &mut Reservation,
    ) -> Result<()> {
        let block_size = self.shape.block_size;
        let (mut at, mut done) = (logical, 0);
        while done < count {
            let wanted = u32::try_from(count - done).unwrap_or(u32::MAX);
            let found = self.change(0, |core| core.map_or_claim(ino, at, wanted, reservation))?;
            let blocks = found.mapping.len as usize;
            let first = done * block_size;
            let place = found.start * block_size as u64;
            let copy_part = |from: usize, into: &mut [u8]| copy(first + from, into);
            let written = self.disk.write_from(place, blocks * block_size, &copy_part).map_err(Error::from);
            let reached = (u64::from(at) + u64::from(found.mapping.len)) * block_size as u64;
            let linked = written.and_then(|()| {
                self.change(MAPPING, |core| {
                    core.link_written(ino, &found)?;
                    core.grow(ino, size.min(reached))
                })
            });
            if let Err(error) = linked {
                let mut core = self.core.lock();
                core.release_claim(&found)?;
                return Err(error);
            }
            (at, done) = (at + found.mapping.len, done + blocks);
        }
        Ok(())
    }
}

/// Where blocks of a file are to be written.
struct Target {
    mapping: Mapping,
    /// First block on the disk.
    start: u64,
    /// Claimed for this, and not yet in use on the disk.
    claimed: bool,
}

impl Core {
    /// Where blocks of a file are, or, if they have no place, one that is claimed for them.
    fn map_or_claim(&mut self, ino: u32, logical: u32, len: u32, reservation: &mut Reservation) -> Result<Target> {
        let mapping = self.map(ino, logical, len)?;
        if let Some(run) = mapping.run() {
            return Ok(Target { mapping, start: run.start, claimed: false });
        }
        let promised = u32::try_from(reservation.blocks).unwrap_or(u32::MAX);
        let wanted = if promised > 0 { mapping.len.min(promised) } else { mapping.len };
        if promised == 0 {
            self.require(1 + NODES)?;
        }
        let goal = match logical.checked_sub(1) {
            Some(before) => self.map(ino, before, 1)?.run().map(|run| run.start + 1),
            None => None,
        };
        let goal = goal.map_or_else(|| self.goal_of(ino), Ok)?;
        let run = self.claim(goal, wanted)?;
        if promised > 0 {
            // The promise goes over to the claim.
            reservation.blocks -= u64::from(run.len);
        } else {
            self.reserved += u64::from(run.len);
        }
        Ok(Target { mapping: Mapping { len: run.len, ..mapping }, start: run.start, claimed: true })
    }

    /// Data was written: makes it reachable.
    fn link_written(&mut self, ino: u32, target: &Target) -> Result<()> {
        let Mapping { logical, len, state } = target.mapping;
        match state {
            State::Written(_) => (),
            State::Unwritten(_) => self.set_unwritten(ino, logical, len, false)?,
            State::Hole => {
                self.require(NODES)?;
                self.take(Run { start: target.start, len })?;
                self.insert_extent(ino, Extent { logical, len, physical: target.start, unwritten: false })?;
                self.count_blocks(ino, len.into())?;
                self.reserved = self.reserved.saturating_sub(len.into());
            }
        }
        Ok(())
    }

    /// Gives back what was claimed for data that could not be written.
    fn release_claim(&mut self, target: &Target) -> Result<()> {
        if target.claimed {
            self.reserved = self.reserved.saturating_sub(target.mapping.len.into());
            self.unclaim(Run { start: target.start, len: target.mapping.len })?;
        }
        Ok(())
    }

    /// A file reaches to `size` at least; its contents changed now.
    fn grow(&mut self, ino: u32, size: u64) -> Result<()> {
        let now = self.now();
        if size > self.inode(ino)?.size {
            self.inode_data_mut(ino)?.size = size;
        }
        let found = self.inode_mut(ino)?;
        (found.mtime, found.ctime) = (now, now);
        Ok(())
    }
}
