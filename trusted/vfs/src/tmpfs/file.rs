//! Regular files of tmpfs that are open.

use super::inode::{Regular, TmpInode};
use super::pages::{NeedFill, Pages, Stop};
use super::space::Charge;
use crate::file::{FileOps, Mappable, MappedFolio, OpenFile, seek_in};
use crate::ops;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_linux_abi::general::{
    F_SEAL_EXEC, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE, FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE, MS_NOATIME, O_APPEND, O_NOATIME, SEEK_DATA, SEEK_HOLE,
};
use rkt_linux_abi::ioctl::FIONREAD;
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSink, IoSource, UserPtr};

/// Longest file (`MAX_LFS_FILESIZE` on 64-bit machines).
const MAX_SIZE: u64 = i64::MAX as u64;

impl TmpInode {
    /// Gets content from the backing and enters it. No lock is held: the backing may park.
    fn fill(&self, regular: &Regular, need: &NeedFill) -> Result<()> {
        let backing = regular.backing.as_ref().ok_or(Errno::EIO)?;
        let len = backing.len().saturating_sub(need.start).min(need.len);
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(need.len as usize).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(need.len as usize, 0);
        backing.fill(need.start, bytes.get_mut(..len as usize).ok_or(Errno::EIO)?)?;
        // What the image holds does not count against what may be written.
        let charge = Charge::none(&self.shared.space);
        let folio = regular.pages.write().folio_to_fill(need).map_err(|_| Errno::ENOMEM)?;
        folio.copy_in(0, &bytes).map_err(|_| Errno::EIO)?;
        let mut pages = regular.pages.write();
        // The file may have been truncated within the folio meanwhile.
        let end = pages.size.saturating_sub(need.start);
        pages.fill(need, folio, charge);
        if end < need.len {
            let size = pages.size;
            pages.clear(size, need.start + need.len);
        }
        Ok(())
    }

    /// Runs a step on the pages until it does not need content from the backing any more.
    fn with_content<T>(&self, regular: &Regular, mut step: impl FnMut(&mut Pages) -> Result<T, Stop>) -> Result<T> {
        loop {
            let stop = match step(&mut regular.pages.write()) {
                Ok(value) => return Ok(value),
                Err(stop) => stop,
            };
            match stop {
                Stop::Fill(need) => self.fill(regular, &need)?,
                Stop::Error(error) => return Err(error),
            }
        }
    }

    /// Makes sure that no folio at the edges of `[from, to)` still waits for its content.
    fn fill_range(&self, regular: &Regular, from: u64, to: u64) -> Result<()> {
        self.with_content(regular, |pages| match pages.unfilled(from, to) {
            Some(need) => Err(Stop::Fill(need)),
            None => Ok(()),
        })
    }

    /// Sets the length of a regular file.
    pub fn resize(&self, regular: &Regular, size: u64) -> Result<()> {
        self.fill_range(regular, size.saturating_sub(1), size)?;
        let mut pages = regular.pages.write();
        pages.truncate(size);
        regular.size.store(size, Ordering::Release);
        Ok(())
    }

    pub fn read_at(&self, offset: u64, into: &mut IoSink<'_>) -> Result<usize> {
        let regular = self.regular()?;
        let mut done = 0;
        loop {
            let (moved, result) = regular.pages.read().read(offset.saturating_add(done as u64), into);
            done += moved;
            match result {
                Ok(()) => break,
                Err(Stop::Fill(need)) => match self.fill(regular, &need) {
                    Err(error) if done == 0 => return Err(error),
                    Err(_) => break,
                    Ok(()) => {}
                },
                Err(Stop::Error(_)) if done > 0 => break,
                Err(Stop::Error(error)) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Writes at an offset, or at the end if there is none; gives the position behind.
    pub fn write_at(&self, offset: Option<u64>, from: &mut IoSource<'_>) -> Result<(usize, u64)> {
        let regular = self.regular()?;
        let mut done = 0;
        let mut start = offset;
        loop {
            let mut pages = regular.pages.write();
            let base = *start.get_or_insert(pages.size);
            let at = base.saturating_add(done as u64);
            if done == 0 {
                self.admit(regular, &pages, at, from)?;
            }
            let (moved, result) = pages.write(at, from, &self.shared.space);
            regular.size.store(pages.size, Ordering::Release);
            drop(pages);
            done += moved;
            let error = match result {
                Ok(()) => None,
                Err(Stop::Fill(need)) => match self.fill(regular, &need) {
                    Ok(()) => continue,
                    Err(error) => Some(error),
                },
                Err(Stop::Error(error)) => Some(error),
            };
            if done > 0 {
                self.touch_written();
            }
            return match error {
                Some(error) if done == 0 => Err(error),
                _ => Ok((done, base.saturating_add(done as u64))),
            };
        }
    }

    /// Checks seals and the largest length before a write.
    fn admit(&self, regular: &Regular, pages: &Pages, at: u64, from: &mut IoSource<'_>) -> Result<()> {
        if from.is_full() {
            return Ok(());
        }
        let seals = regular.seals.load(Ordering::Relaxed);
        if seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0 {
            return Err(Errno::EPERM);
        }
        let mut limit = MAX_SIZE;
        if seals & F_SEAL_GROW != 0 {
            if at >= pages.size {
                return Err(Errno::EPERM);
            }
            limit = pages.size;
        }
        if at >= limit {
            return Err(Errno::EFBIG);
        }
        from.limit(usize::try_from(limit - at).unwrap_or(usize::MAX));
        Ok(())
    }

    fn allocate(&self, regular: &Regular, mode: u32, offset: u64, len: u64) -> Result<()> {
        let end = offset.saturating_add(len);
        let seals = regular.seals.load(Ordering::Relaxed);
        match mode {
            m if m == FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE => {
                if seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0 {
                    return Err(Errno::EPERM);
                }
                self.fill_range(regular, offset, end)?;
                regular.pages.write().clear(offset, end);
            }
            m if m & !FALLOC_FL_KEEP_SIZE == 0 => {
                let grows = m == 0 && end > regular.size.load(Ordering::Relaxed);
                if grows && seals & F_SEAL_GROW != 0 {
                    return Err(Errno::EPERM);
                }
                self.with_content(regular, |pages| pages.allocate(offset, end, &self.shared.space))?;
                if m == 0 {
                    let mut pages = regular.pages.write();
                    let size = pages.size.max(end);
                    pages.truncate(size);
                    regular.size.store(size, Ordering::Release);
                }
            }
            _ => return Err(Errno::EOPNOTSUPP),
        }
        self.touch_written();
        Ok(())
    }

    /// `F_GET_SEALS`.
    pub fn seals(&self) -> Result<u32> {
        Ok(self.regular()?.seals.load(Ordering::Relaxed))
    }

    /// `F_ADD_SEALS`.
    pub fn add_seals(&self, seals: u32) -> Result<()> {
        const KNOWN: u32 = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC;
        if seals & !KNOWN != 0 {
            return Err(Errno::EINVAL);
        }
        let regular = self.regular()?;
        let pages = regular.pages.write();
        if self.seals()? & F_SEAL_SEAL != 0 {
            return Err(Errno::EPERM);
        }
        if seals & F_SEAL_WRITE != 0 && regular.writable_maps.load(Ordering::Acquire) > 0 {
            return Err(Errno::EBUSY);
        }
        // A file that may be executed must not be changed once that is sealed (memfd_create(2)).
        let more = if seals & F_SEAL_EXEC != 0 && self.mode() & 0o111 != 0 {
            F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE
        } else {
            0
        };
        regular.seals.fetch_or(seals | more, Ordering::Relaxed);
        drop(pages);
        Ok(())
    }
}

impl Mappable for TmpInode {
    fn folio(&self, offset: u64) -> Result<MappedFolio> {
        let regular = self.regular()?;
        let (start, folio) = self.with_content(regular, |pages| pages.map(offset, &self.shared.space))?;
        Ok(MappedFolio { folio, start })
    }

    fn folio_at_hand(&self, offset: u64) -> Result<Option<MappedFolio>> {
        let ready = self.present(offset, offset.saturating_add(1)) > offset;
        if ready { self.folio(offset).map(Some) } else { Ok(None) }
    }

    fn present(&self, offset: u64, end: u64) -> u64 {
        let need = self.regular().ok().and_then(|regular| regular.pages.read().unfilled(offset, end));
        need.map_or(end, |need| need.start.max(offset))
    }

    fn len(&self) -> u64 {
        self.regular().map_or(0, |regular| regular.size.load(Ordering::Acquire))
    }

    fn map_writable(&self, mapped: bool) -> Result<()> {
        let regular = self.regular()?;
        let _pages = regular.pages.write();
        if !mapped {
            regular.writable_maps.fetch_sub(1, Ordering::AcqRel);
            self.touch_written();
            return Ok(());
        }
        if self.seals()? & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0 {
            return Err(Errno::EPERM);
        }
        regular.writable_maps.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn written(&self) {
        self.touch_written();
    }
}

/// A regular file of tmpfs that is open.
pub struct TmpFile {
    inode: Arc<TmpInode>,
}

impl TmpFile {
    pub fn new(inode: Arc<TmpInode>) -> Self {
        Self { inode }
    }

    /// The inode.
    pub fn inode(&self) -> &Arc<TmpInode> {
        &self.inode
    }

    fn accessed(&self, file: &OpenFile) {
        if file.flags() & O_NOATIME == 0 && file.path().mount.flags() & MS_NOATIME == 0 {
            self.inode.touch_read();
        }
    }

    /// Writes at `at`, or at the end; `behind_it` becomes the offset behind.
    fn write_at(
        &self,
        file: &OpenFile,
        at: Option<u64>,
        behind_it: &mut u64,
        from: &mut IoSource<'_>,
    ) -> Result<usize> {
        let (moved, behind) = self.inode.write_at(at, from)?;
        if moved > 0 {
            *behind_it = behind;
            ops::content_changed(file.inode())?;
        }
        Ok(moved)
    }
}

impl FileOps for TmpFile {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, file: &OpenFile, offset: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        let moved = self.inode.read_at(*offset, into)?;
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
                let pages = self.inode.regular()?.pages.read();
                if at >= pages.size {
                    return Err(Errno::ENXIO);
                }
                pages.seek(at, whence == SEEK_DATA).ok_or(Errno::ENXIO)
            }
            _ => seek_in(self.inode.len(), position, offset, whence),
        }
    }

    fn ioctl(&self, file: &OpenFile, command: u32, argument: u64) -> Result<i64> {
        if command != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let left = self.inode.len().saturating_sub(file.position());
        UserPtr::<i32>::new(argument).write(&i32::try_from(left).unwrap_or(i32::MAX))?;
        Ok(0)
    }

    fn map(&self, file: &OpenFile) -> Result<Arc<dyn Mappable>> {
        self.accessed(file);
        Ok(self.inode.clone())
    }

    fn sync(&self, _: &OpenFile, _: bool) -> Result<()> {
        Ok(())
    }

    fn allocate(&self, _: &OpenFile, mode: u32, offset: u64, len: u64) -> Result<()> {
        self.inode.allocate(self.inode.regular()?, mode, offset, len)
    }

    fn check_flags(&self, _: u32) -> Result<()> {
        Ok(())
    }
}
