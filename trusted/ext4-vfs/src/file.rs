//! Open regular files.

use crate::errno::errno;
use crate::inode::Ext4Inode;
use alloc::sync::Arc;
use rkt_ext4::{Allocate, Seek};
use rkt_linux_abi::general::{
    CAP_FSETID, FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_ZERO_RANGE, MS_NOATIME, O_APPEND, O_DSYNC, O_NOATIME, O_SYNC, SEEK_DATA, SEEK_HOLE,
};
use rkt_linux_abi::ioctl::FIONREAD;
use rkt_linux_abi::{Errno, Result};
use rkt_user::{IoSink, IoSource, UserPtr};
use rkt_vfs::{FileOps, Inode, Mappable, MappedFolio, OpenFile, SetAttributes, seek_in, without_privileges};

/// A regular file that is open.
pub(crate) struct Ext4File {
    inode: Arc<Ext4Inode>,
}

impl Ext4File {
    pub fn new(inode: Arc<Ext4Inode>) -> Self {
        Self { inode }
    }

    /// Writes at `at`, or at the end; `behind` becomes the offset behind.
    fn write_at(&self, file: &OpenFile, at: Option<u64>, behind: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        let longest = self.inode.shared().fs.max_size();
        let (start, moved) = self.inode.with_pages(|pages| {
            let start = at.unwrap_or(pages.size);
            if start >= longest && !from.is_full() {
                return Err(Errno::EFBIG);
            }
            from.limit(usize::try_from(longest.saturating_sub(start)).unwrap_or(usize::MAX));
            let moved = pages.write(start, from)?;
            if moved > 0 {
                self.inode.touch();
            }
            Ok((start, moved))
        })?;
        if moved > 0 {
            *behind = start + moved as u64;
            self.strip_privileges(file)?;
            if file.flags() & O_DSYNC != 0 {
                self.inode.sync(file.flags() & O_SYNC != O_SYNC)?;
            }
        }
        Ok(moved)
    }

    fn strip_privileges(&self, file: &OpenFile) -> Result<()> {
        let mode = self.inode.access().mode;
        let stripped = without_privileges(mode);
        if stripped == mode || file.credentials().capable(CAP_FSETID) {
            return Ok(());
        }
        self.inode.set_attributes(&SetAttributes { mode: Some(stripped), ..SetAttributes::default() })
    }
}

impl Mappable for Ext4Inode {
    fn folio(&self, offset: u64) -> Result<MappedFolio> {
        let folio = self.with_pages(|pages| pages.map(offset))?;
        Ok(MappedFolio { folio, start: offset - offset % crate::fs::PAGE as u64 })
    }

    fn len(&self) -> u64 {
        self.size()
    }

    fn map_writable(&self, mapped: bool) -> Result<()> {
        self.with_pages(|pages| {
            if mapped {
                return pages.map_writable();
            }
            self.touch();
            pages.writable_maps = pages.writable_maps.saturating_sub(1);
            Ok(())
        })
    }
}

impl FileOps for Ext4File {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, file: &OpenFile, offset: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        let moved = self.inode.with_pages(|pages| pages.read(*offset, into))?;
        *offset = offset.saturating_add(moved as u64);
        if file.flags() & O_NOATIME == 0 && file.path().mount.flags() & MS_NOATIME == 0 {
            self.inode.touch_read();
        }
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
        let what = match whence {
            SEEK_DATA => Seek::Data,
            SEEK_HOLE => Seek::Hole,
            _ => return seek_in(self.inode.size(), position, offset, whence),
        };
        let at = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
        // Pages that have no blocks yet are data.
        self.inode.write_back()?;
        self.inode.shared().fs.seek(self.inode.number(), what, at).map_err(errno)
    }

    fn ioctl(&self, file: &OpenFile, command: u32, argument: u64) -> Result<i64> {
        if command != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let left = self.inode.size().saturating_sub(file.position());
        UserPtr::<i32>::new(argument).write(&i32::try_from(left).unwrap_or(i32::MAX))?;
        Ok(0)
    }

    fn map(&self, _: &OpenFile) -> Result<Arc<dyn Mappable>> {
        Ok(self.inode.clone())
    }

    fn sync(&self, _: &OpenFile, data_only: bool) -> Result<()> {
        self.inode.sync(data_only)
    }

    fn allocate(&self, _: &OpenFile, mode: u32, offset: u64, len: u64) -> Result<()> {
        let keep_size = mode & FALLOC_FL_KEEP_SIZE != 0;
        let what = match mode & !FALLOC_FL_KEEP_SIZE {
            0 if keep_size => Allocate::KeepSize,
            0 => Allocate::Grow,
            FALLOC_FL_PUNCH_HOLE if keep_size => Allocate::Punch,
            FALLOC_FL_ZERO_RANGE => Allocate::Zero { keep_size },
            FALLOC_FL_COLLAPSE_RANGE if !keep_size => Allocate::Collapse,
            FALLOC_FL_INSERT_RANGE if !keep_size => Allocate::Insert,
            _ => return Err(Errno::EOPNOTSUPP),
        };
        let (fs, ino) = (&self.inode.shared().fs, self.inode.number());
        self.inode.with_pages(|pages| {
            pages.write_back()?;
            fs.fallocate(ino, what, offset, len).map_err(errno)?;
            match what {
                Allocate::Grow | Allocate::KeepSize => (),
                Allocate::Collapse | Allocate::Insert => pages.forget(offset),
                Allocate::Punch | Allocate::Zero { .. } => pages.clear(offset, offset.saturating_add(len)),
            }
            pages.size = fs.stat(ino).map_err(errno)?.size;
            Ok(())
        })
    }

    fn check_flags(&self, _: u32) -> Result<()> {
        Ok(())
    }
}
