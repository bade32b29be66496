//! Regular files: reading and writing through the page cache, and mappings.

use crate::convert::{errno, result};
use crate::node::{Content, Node};
use crate::pages::PAGE;
use alloc::sync::Arc;
use alloc::vec;
use core::sync::atomic::{AtomicU32, Ordering};
use rkt_ext4::{Allocate, Error, Seek, State};
use rkt_linux_abi::general::{
    FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE,
    MS_NOATIME, O_APPEND, O_DIRECT, O_DSYNC, O_NOATIME, O_SYNC, SEEK_DATA, SEEK_HOLE,
};
use rkt_linux_abi::ioctl::FIONREAD;
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSink, IoSource, UserPtr};
use rkt_vfs::{FileOps, Mappable, MappedFolio, OpenFile, ops, seek_in};

/// Most bytes that are read from the disk at once.
pub const PORTION: u64 = 2 << 20;

impl Node {
    /// Gets the content of `[from, to)` that is missing. The work lock is held alone.
    fn fill(&self, content: &Content, from: u64, to: u64, size: u64) -> Result<()> {
        let block = self.shared.fs.block_size() as u64;
        let (mut from, to) = (from / PAGE * PAGE, to.next_multiple_of(PAGE));
        let before = content.pages.read().held();
        while let Some((at, end)) = { content.pages.read().missing(from, to) } {
            let end = end.min(at + PORTION);
            let mut bytes = vec![0; (end - at) as usize];
            let logical = u32::try_from(at / block).map_err(|_| Errno::EFBIG)?;
            result(self.shared.fs.read_blocks(self.ino, logical, &mut bytes))?;
            // What the disk has behind the end of the file is nobody's business.
            let kept = size.saturating_sub(at).min(bytes.len() as u64) as usize;
            bytes.get_mut(kept..).unwrap_or_default().fill(0);
            content.pages.write().fill(at, size, &bytes)?;
            from = end;
        }
        // Not with the pages locked: whoever has too many drops some.
        let held = content.pages.read().held();
        self.shared.note_cached(held.saturating_sub(before));
        Ok(())
    }

    /// Reads at an offset.
    pub fn read_at(&self, offset: u64, into: &mut IoSink<'_>) -> Result<usize> {
        let content = self.regular()?;
        let mut done = 0;
        loop {
            let (at, size) = (offset + done as u64, content.size.load(Ordering::Acquire));
            let end = size.min(at.saturating_add(into.remaining() as u64));
            if at >= end {
                break;
            }
            let moved = match content.pages.read().read(at, end, into) {
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
                Ok(moved) => moved,
            };
            done += moved;
            if moved > 0 {
                continue;
            }
            let _work = content.work.write();
            let size = content.size.load(Ordering::Acquire);
            if at < size && content.pages.read().is_present(at, at + 1) {
                continue; // somebody else was faster
            }
            let to = content.ahead.reach(at, end.min(at + PORTION)).min(size);
            match self.fill(content, at, to, size) {
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
                Ok(()) => {}
            }
        }
        content.ahead.note(offset + done as u64);
        Ok(done)
    }

    /// Writes at an offset, or at the end if there is none; gives the bytes moved and the position behind.
    pub fn write_at(&self, offset: Option<u64>, from: &mut IoSource<'_>) -> Result<(usize, u64)> {
        let content = self.regular()?;
        let work = content.work.write();
        let start = self.start_of_write(content, offset, from)?;
        let size = content.size.load(Ordering::Acquire);
        if start > size {
            content.pages.write().clear_behind(size);
        }
        let mut done = 0;
        let mut failure = None;
        while !from.is_full() {
            match self.write_some(content, start + done as u64, from) {
                Ok(0) => break,
                Ok(moved) => done += moved,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        if done > 0 {
            self.touch_written(content.size.load(Ordering::Acquire));
            self.shared.count_dirty(content);
            self.shared.note_dirty(self);
            drop(work);
            self.shared.throttle(self)?;
        }
        match failure {
            Some(error) if done == 0 => Err(error),
            _ => Ok((done, start + done as u64)),
        }
    }

    /// Where a write begins; it is cut to what a file can hold.
    pub fn start_of_write(&self, content: &Content, offset: Option<u64>, from: &mut IoSource<'_>) -> Result<u64> {
        let most = self.shared.fs.max_size();
        if self.shared.fs.is_read_only() {
            return Err(Errno::EROFS);
        }
        // Whoever had it open before may not write either.
        if self.is_immutable() {
            return Err(Errno::EPERM);
        }
        let start = offset.unwrap_or_else(|| content.size.load(Ordering::Acquire));
        if !from.is_full() && start >= most {
            return Err(Errno::EFBIG);
        }
        from.limit(usize::try_from(most - start.min(most)).unwrap_or(usize::MAX));
        Ok(start)
    }

    /// Writes into one folio.
    fn write_some(&self, content: &Content, at: u64, from: &mut IoSource<'_>) -> Result<usize> {
        let size = content.size.load(Ordering::Acquire);
        let end = at.saturating_add(from.remaining() as u64);
        let (place, before) = {
            let pages = content.pages.read();
            (pages.place(at, size.max(end)), pages.held())
        };
        let end = end.min(place.start + place.len);
        // Pages that are written in part keep the rest of their content.
        for edge in [at, end] {
            let page = edge / PAGE * PAGE;
            if edge % PAGE != 0 && page < size && !content.pages.read().is_present(page, page + 1) {
                self.fill(content, page, page + PAGE, size)?;
            }
        }
        self.promise(content, at, end)?;
        let (moved, held) = {
            let mut pages = content.pages.write();
            (pages.write(at, size.max(end), from)?, pages.held())
        };
        self.shared.note_cached(held.saturating_sub(before));
        content.size.fetch_max(at + moved as u64, Ordering::AcqRel);
        Ok(moved)
    }

    /// Makes sure that the disk has room for `[from, to)`, so that a full disk is told to the writer.
    fn promise(&self, content: &Content, from: u64, to: u64) -> Result<()> {
        let fs = &self.shared.fs;
        let per_page = (PAGE / fs.block_size() as u64).max(1);
        let blocks = content.pages.read().clean_pages(from, to) * per_page;
        if blocks == 0 {
            return Ok(());
        }
        let mut reserved = fs.reserve(blocks);
        if matches!(reserved, Err(Error::NoSpace)) && self.shared.make_room()? {
            reserved = fs.reserve(blocks);
        }
        match reserved {
            Ok(promised) => {
                content.promised.lock().join(promised);
                Ok(())
            }
            // What has blocks already needs none.
            Err(Error::NoSpace) if self.has_blocks(from, to)? => Ok(()),
            Err(error) => Err(errno(error)),
        }
    }

    fn has_blocks(&self, from: u64, to: u64) -> Result<bool> {
        let fs = &self.shared.fs;
        let block = fs.block_size() as u64;
        let (mut at, end) = (from / block, to.div_ceil(block));
        while at < end {
            let logical = u32::try_from(at).map_err(|_| Errno::EFBIG)?;
            let found = result(fs.map(self.ino, logical, u32::try_from(end - at).unwrap_or(u32::MAX)))?;
            if matches!(found.state, State::Hole) {
                return Ok(false);
            }
            at += u64::from(found.len.max(1));
        }
        Ok(true)
    }

    /// Sets the length.
    pub fn resize(&self, size: u64) -> Result<()> {
        let content = self.regular()?;
        if self.is_immutable() {
            return Err(Errno::EPERM);
        }
        if size > self.shared.fs.max_size() {
            return Err(Errno::EFBIG);
        }
        let _work = content.work.write();
        let old = content.size.load(Ordering::Acquire);
        // The page that the new end lies in keeps its first part.
        if size < old && !size.is_multiple_of(PAGE) {
            self.fill(content, size, size + 1, old)?;
        }
        if size < old {
            content.pages.write().truncate(size);
        } else {
            content.pages.write().clear_behind(old);
        }
        content.size.store(size, Ordering::Release);
        self.shared.count_dirty(content);
        result(self.shared.fs.set_size(self.ino, size))?;
        self.touch_written(size);
        self.shared.note_dirty(self);
        self.refresh()
    }

    /// fallocate(2).
    fn allocate(&self, mode: u32, offset: u64, len: u64) -> Result<()> {
        if offset.saturating_add(len) > self.shared.fs.max_size() {
            return Err(Errno::EFBIG);
        }
        let what = match mode {
            0 => Allocate::Grow,
            FALLOC_FL_KEEP_SIZE => Allocate::KeepSize,
            m if m == FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE => Allocate::Punch,
            FALLOC_FL_ZERO_RANGE => Allocate::Zero { keep_size: false },
            m if m == FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE => Allocate::Zero { keep_size: true },
            FALLOC_FL_COLLAPSE_RANGE => Allocate::Collapse,
            FALLOC_FL_INSERT_RANGE => Allocate::Insert,
            _ => return Err(Errno::EOPNOTSUPP),
        };
        let content = self.regular()?;
        // The disk is to know what was written before it moves or drops blocks.
        self.write_back()?;
        let _work = content.work.write();
        content.pages.write().clear_behind(content.size.load(Ordering::Acquire));
        result(self.shared.fs.fallocate(self.ino, what, offset, len))?;
        let size = result(self.shared.fs.stat(self.ino))?.size;
        let changed = match what {
            Allocate::Grow | Allocate::KeepSize => None,
            Allocate::Punch | Allocate::Zero { .. } => Some((offset, offset.saturating_add(len))),
            Allocate::Collapse | Allocate::Insert => Some((offset, u64::MAX)),
        };
        content.size.store(size, Ordering::Release);
        if let Some((from, to)) = changed {
            self.renew(content, from / PAGE * PAGE, to.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX), size)?;
        }
        self.shared.count_dirty(content);
        self.touch_written(size);
        self.shared.note_dirty(self);
        self.refresh()
    }

    /// The disk has another content of `[from, to)` now: mappings are to show it, all else is forgotten.
    fn renew(&self, content: &Content, from: u64, to: u64, size: u64) -> Result<()> {
        let shown = content.pages.write().forget(from, to);
        for (from, to) in shown {
            // Behind the end of the file there is nothing on the disk.
            self.fill(content, from, to.min(size.next_multiple_of(PAGE)).max(from), size)?;
        }
        content.pages.write().truncate(size);
        Ok(())
    }

    /// SEEK_DATA and SEEK_HOLE.
    fn seek_content(&self, at: u64, data: bool) -> Result<u64> {
        let content = self.regular()?;
        // What waits for the disk is data, wherever the disk has a hole.
        self.write_back()?;
        if at >= content.size.load(Ordering::Acquire) {
            return Err(Errno::ENXIO);
        }
        result(self.shared.fs.seek(self.ino, if data { Seek::Data } else { Seek::Hole }, at))
    }
}

impl Node {
    /// The folio at an offset for a mapping, if all of it has its content.
    fn mapped(&self, content: &Content, offset: u64) -> Option<MappedFolio> {
        let writable = content.writable_maps.load(Ordering::Acquire) > 0;
        let (start, folio) = content.pages.write().map(offset, writable)?;
        if writable {
            self.shared.note_dirty(self);
        }
        Some(MappedFolio { folio, start })
    }
}

impl Mappable for Node {
    fn folio(&self, offset: u64) -> Result<MappedFolio> {
        let content = self.regular()?;
        let _work = content.work.write();
        let size = content.size.load(Ordering::Acquire);
        if offset >= size.next_multiple_of(PAGE) {
            return Err(Errno::EFAULT);
        }
        let place = content.pages.read().place(offset, size);
        self.fill(content, place.start, place.start + place.len, size)?;
        self.mapped(content, offset).ok_or(Errno::EIO)
    }

    fn folio_at_hand(&self, offset: u64) -> Result<Option<MappedFolio>> {
        let content = self.regular()?;
        let Some(_work) = content.work.try_write() else { return Ok(None) };
        if offset >= content.size.load(Ordering::Acquire).next_multiple_of(PAGE) {
            return Err(Errno::EFAULT);
        }
        Ok(self.mapped(content, offset))
    }

    fn present(&self, offset: u64, end: u64) -> u64 {
        let Ok(content) = self.regular() else { return offset };
        let pages = content.pages.read();
        let mut at = offset;
        while at < end {
            let next = (at / PAGE + 1).saturating_mul(PAGE).min(end);
            if !pages.is_present(at, next) {
                break;
            }
            at = next;
        }
        at
    }

    fn len(&self) -> u64 {
        self.content.as_ref().map_or(0, |content| content.size.load(Ordering::Acquire))
    }

    fn map_writable(&self, mapped: bool) -> Result<()> {
        let content = self.regular()?;
        if mapped {
            if content.writable_maps.fetch_add(1, Ordering::AcqRel) == 0 {
                content.pages.write().watch_mapped();
            }
            return Ok(());
        }
        self.written();
        content.writable_maps.fetch_sub(1, Ordering::AcqRel);
        Ok(())
    }

    fn written(&self) {
        let Ok(content) = self.regular() else { return };
        let _work = content.work.write();
        let size = content.size.load(Ordering::Acquire);
        let dirty = content.pages.read().dirty();
        content.pages.write().find_mapped_stores(size);
        if content.pages.read().dirty() != dirty {
            self.touch_written(size);
        }
        self.shared.count_dirty(content);
        self.shared.note_dirty(self);
    }
}

/// A regular file that is open.
pub struct DiskFile {
    node: Arc<Node>,
    /// Errors of writing back that its owner knows of, or that are not his.
    errors: AtomicU32,
}

impl DiskFile {
    pub fn new(node: Arc<Node>) -> Self {
        let errors = node.content.as_ref().map_or(0, |content| content.errors.load(Ordering::Acquire));
        Self { node, errors: AtomicU32::new(errors) }
    }

    /// The content was read, or may be from now on.
    #[inline]
    fn accessed(&self, file: &OpenFile) {
        if file.flags() & O_NOATIME == 0 && file.path().mount.flags() & MS_NOATIME == 0 {
            self.node.touch_read();
        }
    }

    fn write_at(
        &self,
        file: &OpenFile,
        at: Option<u64>,
        behind_it: &mut u64,
        from: &mut IoSource<'_>,
    ) -> Result<usize> {
        let direct = file.flags() & O_DIRECT != 0;
        let (moved, behind) = if direct { self.node.write_direct(at, from)? } else { self.node.write_at(at, from)? };
        if moved > 0 {
            *behind_it = behind;
            ops::content_changed(file.inode())?;
            if file.flags() & O_DSYNC != 0 {
                self.sync(file, file.flags() & O_SYNC != O_SYNC)?;
            }
        }
        Ok(moved)
    }
}

impl FileOps for DiskFile {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, file: &OpenFile, offset: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        if into.is_full() {
            return Ok(0);
        }
        let direct = file.flags() & O_DIRECT != 0;
        let moved = if direct { self.node.read_direct(*offset, into)? } else { self.node.read_at(*offset, into)? };
        *offset = offset.saturating_add(moved as u64);
        self.accessed(file);
        Ok(moved)
    }

    fn write(&self, file: &OpenFile, offset: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        let at = (file.flags() & O_APPEND == 0).then_some(*offset);
        self.write_at(file, at, offset, from)
    }

    fn append(&self, file: &OpenFile, offset: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        self.write_at(file, None, offset, from)
    }

    fn seek(&self, _: &OpenFile, position: u64, offset: i64, whence: u32) -> Result<u64> {
        match whence {
            SEEK_DATA | SEEK_HOLE => {
                let at = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
                self.node.seek_content(at, whence == SEEK_DATA)
            }
            _ => {
                let to = seek_in(Mappable::len(&*self.node), position, offset, whence)?;
                if to > self.node.shared.fs.max_size() { Err(Errno::EINVAL) } else { Ok(to) }
            }
        }
    }

    fn ioctl(&self, file: &OpenFile, command: u32, argument: u64) -> Result<i64> {
        if command != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let left = Mappable::len(&*self.node).saturating_sub(file.position());
        UserPtr::<i32>::new(argument).write(&i32::try_from(left).unwrap_or(i32::MAX))?;
        Ok(0)
    }

    fn map(&self, file: &OpenFile) -> Result<Arc<dyn Mappable>> {
        self.accessed(file);
        Ok(self.node.clone())
    }

    fn sync(&self, _: &OpenFile, data_only: bool) -> Result<()> {
        let outcome = self.node.write_back();
        let content = self.node.regular()?;
        let errors = content.errors.load(Ordering::Acquire);
        let told = self.errors.swap(errors, Ordering::AcqRel);
        outcome?;
        result(self.node.shared.fs.fsync(self.node.ino, data_only))?;
        // What failed to be written back in the meantime is told once to each who has the file open.
        if told == errors { Ok(()) } else { Err(Errno::EIO) }
    }

    fn allocate(&self, _: &OpenFile, mode: u32, offset: u64, len: u64) -> Result<()> {
        self.node.allocate(mode, offset, len)
    }

    fn check_flags(&self, _: u32) -> Result<()> {
        Ok(())
    }
}
