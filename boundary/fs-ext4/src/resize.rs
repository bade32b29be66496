//! Lengths of files and blocks without data: truncate(2), fallocate(2), and where data is.

use crate::error::{Error, Result};
use crate::fs::Ext4;
use crate::inodes::mode;
use crate::map::{Mapping, State};
use crate::orphans::STEP;
use alloc::vec::Vec;
use lock_api::RawMutex;
use rkt_ext4_format::extent::{Extent, MAX_UNWRITTEN_LEN};
use rkt_ext4_format::inode::Flags;

/// What [`Ext4::fallocate`] does with a range, as the modes of fallocate(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocate {
    /// Makes sure that there are blocks; the file grows to the end of the range.
    Grow,
    /// The same, but the length stays.
    KeepSize,
    /// Takes blocks away.
    Punch,
    /// Makes the range read as zeroes, with blocks; the file grows unless told not to.
    Zero {
        /// The length stays.
        keep_size: bool,
    },
    /// Removes the range from the file: what is behind moves down.
    Collapse,
    /// Puts a hole at the start of the range: what was there moves up.
    Insert,
}

/// What [`Ext4::seek`] looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// `SEEK_DATA`.
    Data,
    /// `SEEK_HOLE`.
    Hole,
}

impl<L: RawMutex> Ext4<L> {
    /// Makes a file shorter or longer.
    ///
    /// # Errors
    /// `TooLarge`, `IsDirectory`, `Invalid` if it is no file, or if the disk fails.
    pub fn set_size(&self, ino: u32, size: u64) -> Result<()> {
        if size > self.shape.max_size() {
            return Err(Error::TooLarge);
        }
        let _file = self.lock_file(ino);
        self.ready(ino)?;
        self.zero_tail(ino, size)?;
        let shorter = self.change(STEP, |core| {
            let now = core.now();
            let old = core.inode(ino)?.size;
            let found = core.inode_data_mut(ino)?;
            (found.size, found.mtime, found.ctime) = (size, now, now);
            // Blocks behind the end may exist even where the length does not change.
            if size <= old {
                core.add_orphan(ino)?;
            }
            Ok(size <= old)
        })?;
        if shorter { self.cut_locked(ino, size) } else { Ok(()) }
    }

    /// A file of which blocks are about to change: with extents, and no data in the inode.
    fn ready(&self, ino: u32) -> Result<()> {
        let inline = self.look(|core| {
            let found = core.live_inode(ino)?;
            match found.mode & mode::FORMAT {
                mode::REGULAR => (),
                mode::DIRECTORY => return Err(Error::IsDirectory),
                _ => return Err(Error::Invalid),
            }
            if found.flags.contains(Flags::IMMUTABLE) {
                return Err(Error::NotPermitted);
            }
            Ok(found.flags.contains(Flags::INLINE_DATA))
        })?;
        if inline {
            let data = self.look(|core| core.inline_data(ino))?;
            self.change(STEP, |core| core.drop_inline_data(ino))?;
            let mut block = data.clone();
            block.resize(self.shape.block_size, 0);
            self.write_bytes(ino, 0, &block, data.len() as u64)?;
        }
        self.change(STEP, |core| core.make_extents(ino))
    }

    /// Frees the blocks behind the end of an orphan, which then is none any more.
    pub(crate) fn cut(&self, ino: u32, size: u64) -> Result<()> {
        let _file = self.lock_file(ino);
        self.cut_locked(ino, size)
    }

    fn cut_locked(&self, ino: u32, size: u64) -> Result<()> {
        let first = u32::try_from(size.div_ceil(self.shape.block_size as u64)).map_err(|_| Error::TooLarge)?;
        loop {
            let done = self.change(4 * STEP, |core| {
                let done = !core.holds_data(ino)? || core.shorten(ino, first)?;
                if done && core.inode(ino)?.links > 0 {
                    core.remove_orphan(ino)?;
                }
                Ok(done)
            })?;
            if done {
                return Ok(());
            }
        }
    }

    /// Deletes an inode that has no names and that nobody holds.
    pub(crate) fn delete(&self, ino: u32) -> Result<()> {
        loop {
            let done = self.change(4 * STEP, |core| {
                // Who is not on the list of orphans has a name, or was deleted already.
                let orphan = core.orphans.contains_key(&ino);
                let wanted = orphan && core.inode(ino)?.links == 0 && core.slot(ino)?.holds == 0;
                if wanted { core.delete_inode(ino) } else { Ok(true) }
            })?;
            if done {
                return Ok(());
            }
        }
    }

    /// Allocates, frees, zeroes or moves blocks of a file, from byte `offset` on.
    ///
    /// # Errors
    /// As fallocate(2).
    pub fn fallocate(&self, ino: u32, what: Allocate, offset: u64, len: u64) -> Result<()> {
        let end = offset.checked_add(len).filter(|end| *end <= self.shape.max_size()).ok_or(Error::TooLarge)?;
        if len == 0 {
            return Err(Error::Invalid);
        }
        let _file = self.lock_file(ino);
        self.ready(ino)?;
        let size = self.look(|core| core.inode(ino).map(|found| found.size))?;
        match what {
            Allocate::Grow => {
                self.zero_tail(ino, end)?;
                self.preallocate(ino, offset, end)?;
                self.set_size_at_least(ino, end)
            }
            Allocate::KeepSize => self.preallocate(ino, offset, end),
            Allocate::Punch => self.punch(ino, offset, end),
            Allocate::Zero { keep_size } => {
                self.punch(ino, offset, end)?;
                self.preallocate(ino, offset, end)?;
                if keep_size { Ok(()) } else { self.set_size_at_least(ino, end) }
            }
            Allocate::Collapse if end >= size => Err(Error::Invalid),
            Allocate::Collapse => self.collapse(ino, offset, len, size),
            Allocate::Insert if offset >= size => Err(Error::Invalid),
            Allocate::Insert => self.insert(ino, offset, len, size),
        }
    }

    fn set_size_at_least(&self, ino: u32, size: u64) -> Result<()> {
        self.change(STEP, |core| {
            let now = core.now();
            let found = core.inode_data_mut(ino)?;
            found.size = found.size.max(size);
            (found.mtime, found.ctime) = (now, now);
            Ok(())
        })
    }

    /// First block that lies wholly behind `offset`, and the block behind the last that lies wholly
    /// before `end`.
    fn whole_blocks(&self, offset: u64, end: u64) -> Result<(u32, u32)> {
        let size = self.shape.block_size as u64;
        let block = |number: u64| u32::try_from(number).map_err(|_| Error::TooLarge);
        Ok((block(offset.div_ceil(size))?, block(end / size)?))
    }

    fn preallocate(&self, ino: u32, offset: u64, end: u64) -> Result<()> {
        let size = self.shape.block_size as u64;
        let last = u32::try_from(end.div_ceil(size)).map_err(|_| Error::TooLarge)?;
        let mut at = u32::try_from(offset / size).map_err(|_| Error::TooLarge)?;
        while at < last {
            at = self.change(2 * STEP, |core| {
                let found = core.map(ino, at, last - at)?;
                if found.state != State::Hole {
                    return Ok(at + found.len);
                }
                core.require(STEP as u64)?;
                let goal = core.goal_of(ino)?;
                let spare = u32::try_from(core.available()).unwrap_or(u32::MAX) - STEP as u32 / 2;
                let run = core.claim(goal, found.len.min(MAX_UNWRITTEN_LEN).min(spare))?;
                core.take(run)?;
                core.insert_extent(ino, Extent { logical: at, len: run.len, physical: run.start, unwritten: true })?;
                core.count_blocks(ino, run.len.into())?;
                Ok(at + run.len)
            })?;
        }
        Ok(())
    }

    fn punch(&self, ino: u32, offset: u64, end: u64) -> Result<()> {
        let block_size = self.shape.block_size as u64;
        let (first, last) = self.whole_blocks(offset, end)?;
        let (head, tail) = ((offset % block_size) as usize, (end % block_size) as usize);
        let (start_block, end_block) = ((offset / block_size) as u32, (end / block_size) as u32);
        if start_block == end_block {
            return self.zero_in_block(ino, start_block, head, tail);
        }
        if head > 0 {
            self.zero_in_block(ino, start_block, head, block_size as usize)?;
        }
        if tail > 0 {
            self.zero_in_block(ino, end_block, 0, tail)?;
        }
        while first < last && !self.change(4 * STEP, |core| core.remove_blocks(ino, first, last.into()))? {}
        self.set_size_at_least(ino, 0)
    }

    /// Blocks of a range that must consist of whole ones.
    fn aligned(&self, offset: u64, len: u64) -> Result<(u32, u32)> {
        let size = self.shape.block_size as u64;
        if !offset.is_multiple_of(size) || !len.is_multiple_of(size) {
            return Err(Error::Invalid);
        }
        Ok(((offset / size) as u32, (len / size) as u32))
    }

    fn collapse(&self, ino: u32, offset: u64, len: u64, size: u64) -> Result<()> {
        let (first, count) = self.aligned(offset, len)?;
        self.punch(ino, offset, offset + len)?;
        let mut from = first + count;
        while let Some(extent) = self.next_extent(ino, from)? {
            self.change(4 * STEP, |core| core.move_extent(ino, &extent, extent.logical - count))?;
            from = extent.logical + extent.len;
        }
        self.change(STEP, |core| {
            core.inode_data_mut(ino)?.size = size - len;
            Ok(())
        })
    }

    fn insert(&self, ino: u32, offset: u64, len: u64, size: u64) -> Result<()> {
        let (first, count) = self.aligned(offset, len)?;
        if size.checked_add(len).is_none_or(|size| size > self.shape.max_size()) {
            return Err(Error::TooLarge);
        }
        // From the last extent on, so that each moves into a hole.
        let mut all = Vec::new();
        let mut from = first;
        while let Some(extent) = self.next_extent(ino, from)? {
            from = extent.logical + extent.len;
            all.push(extent);
        }
        for extent in all.iter().rev() {
            self.change(4 * STEP, |core| {
                core.require(STEP as u64)?;
                core.move_extent(ino, extent, extent.logical.checked_add(count).ok_or(Error::TooLarge)?)
            })?;
        }
        self.change(STEP, |core| {
            core.inode_data_mut(ino)?.size = size + len;
            Ok(())
        })
    }

    /// The first extent, or part of one, from `from` on.
    fn next_extent(&self, ino: u32, from: u32) -> Result<Option<Extent>> {
        let mut at = from;
        while at < u32::MAX {
            let Mapping { logical, len, state } = self.map(ino, at, u32::MAX - at)?;
            let (physical, unwritten) = match state {
                State::Hole => {
                    at = logical.saturating_add(len);
                    continue;
                }
                State::Written(start) => (start, false),
                State::Unwritten(start) => (start, true),
            };
            return Ok(Some(Extent { logical, len, physical, unwritten }));
        }
        Ok(None)
    }

    /// The next byte from `offset` on that is data, or that is none; the end of the file counts as
    /// a hole.
    ///
    /// # Errors
    /// `PastEnd` if there is none before the end.
    pub fn seek(&self, ino: u32, what: Seek, offset: u64) -> Result<u64> {
        let block_size = self.shape.block_size as u64;
        let (size, inline) = self.look(|core| {
            let found = core.live_inode(ino)?;
            Ok((found.size, found.flags.contains(Flags::INLINE_DATA)))
        })?;
        if offset >= size {
            return Err(Error::PastEnd);
        }
        if inline {
            return Ok(if what == Seek::Data { offset } else { size });
        }
        let mut at = offset;
        while at < size {
            let logical = u32::try_from(at / block_size).map_err(|_| Error::TooLarge)?;
            let found = self.map(ino, logical, u32::MAX - logical)?;
            let data = matches!(found.state, State::Written(_));
            if data == (what == Seek::Data) {
                return Ok(at);
            }
            at = (u64::from(logical) + u64::from(found.len)) * block_size;
        }
        if what == Seek::Hole { Ok(size) } else { Err(Error::PastEnd) }
    }
}

impl crate::core::Core {
    /// Moves an extent of a file to where there is a hole.
    fn move_extent(&mut self, ino: u32, extent: &Extent, logical: u32) -> Result<()> {
        let mut taken = Vec::new();
        self.unmap_step(ino, extent.logical, extent.end(), &mut taken)?;
        for part in taken {
            let logical = logical + (part.logical - extent.logical);
            self.insert_extent(ino, Extent { logical, ..part })?;
        }
        Ok(())
    }
}
