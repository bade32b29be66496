//! Inodes of ext4 as the VFS sees them.

use crate::errno::errno;
use crate::file::Ext4File;
use crate::fs::Shared;
use crate::pages::Pages;
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use rkt_ext4::{Change, Error, NewInode as NewExt4Inode, SetMode};
use rkt_linux_abi::general::{S_IFMT, XATTR_CREATE, XATTR_REPLACE};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::ParkMutex;
use rkt_sync::{Mutex, OnceCell};
use rkt_vfs::lock::FileLocks;
use rkt_vfs::pipe::Pipe;
use rkt_vfs::{
    Access, DirEntry, EntrySink, FileOps, FileType, Inode, LinkTarget, Metadata, NewInode, SetAttributes, TextUse,
    Time, device_major, device_minor, make_device,
};

/// An access time older than this is set in any case (mount(8), `relatime`).
const DAY: i64 = 86_400_000_000_000;

/// An inode in memory.
pub(crate) struct Ext4Inode {
    shared: Arc<Shared>,
    this: Weak<Self>,
    ino: u32,
    kind: FileType,
    access: Mutex<Access>,
    /// The pages of a regular file. Held while the disk works.
    pages: ParkMutex<Pages>,
    /// Copy of the length, to look at without the lock.
    size: AtomicU64,
    /// When a write changed the contents; 0 if the file system knows.
    written: AtomicI64,
    /// An error of writing back that nobody was told of yet.
    error: Mutex<Option<Errno>>,
    text_use: TextUse,
    pipe: OnceCell<Arc<Pipe>>,
    locks: OnceCell<Box<FileLocks>>,
}

impl Ext4Inode {
    /// An inode that is held already.
    pub fn new(shared: Arc<Shared>, ino: u32) -> Result<Arc<Self>> {
        let stat = shared.fs.stat(ino).map_err(errno)?;
        let kind = FileType::from_mode(stat.mode.into()).ok_or(Errno::EUCLEAN)?;
        let access = Access { mode: stat.mode.into(), uid: stat.uid, gid: stat.gid };
        let pages = ParkMutex::new(Pages::new(shared.clone(), ino, stat.size));
        Ok(Arc::new_cyclic(|this| Self {
            this: this.clone(),
            ino,
            kind,
            access: Mutex::new(access),
            pages,
            size: AtomicU64::new(stat.size),
            written: AtomicI64::new(0),
            error: Mutex::new(None),
            text_use: TextUse::default(),
            pipe: OnceCell::new(),
            locks: OnceCell::new(),
            shared,
        }))
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.ino
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Does something with the pages, and notes what became of them.
    pub fn with_pages<T>(&self, work: impl FnOnce(&mut Pages) -> Result<T>) -> Result<T> {
        let mut pages = self.pages.lock();
        let result = work(&mut pages);
        self.size.store(pages.size, Ordering::Release);
        if pages.is_dirty()
            && let Some(this) = self.this.upgrade()
        {
            self.shared.mark_dirty(&this);
        }
        let crowded = pages.dirty_pages() > self.shared.limits.dirty_pages;
        drop(pages);
        self.shared.shrink();
        if crowded { self.write_back().and(result) } else { result }
    }

    /// Writes dirty pages to the disk; an error is also kept for `fsync`.
    pub fn write_back(&self) -> Result<()> {
        let mut pages = self.pages.lock();
        let mut result = pages.write_back();
        let written = self.written.swap(0, Ordering::AcqRel);
        if written != 0 && result.is_ok() {
            let change = Change { mtime: Some(written), ..Change::default() };
            result = self.shared.fs.set_attributes(self.ino, &change).map_err(errno);
        }
        if let Err(error) = result {
            *self.error.lock() = Some(error);
        }
        if pages.is_dirty()
            && let Some(this) = self.this.upgrade()
        {
            self.shared.mark_dirty(&this);
        }
        result
    }

    /// Makes the file durable. An error of earlier writing back is told once.
    pub fn sync(&self, data_only: bool) -> Result<()> {
        let result = self.write_back();
        if let Some(error) = self.error.lock().take() {
            return Err(error);
        }
        result?;
        self.shared.fs.fsync(self.ino, data_only).map_err(errno)
    }

    /// The contents changed.
    pub fn touch(&self) {
        self.written.store(Time::now().0, Ordering::Release);
    }

    /// Drops clean pages, if nobody is busy with them.
    pub fn shrink(&self) {
        if let Some(mut pages) = self.pages.try_lock() {
            pages.shrink();
        }
    }

    fn own(inode: &Arc<dyn Inode>) -> Result<Arc<Self>> {
        let any: Arc<dyn Any + Send + Sync> = inode.clone();
        any.downcast().map_err(|_| Errno::EXDEV)
    }

    fn make(&self, name: &[u8], new: &NewInode<'_>) -> Result<u32, Error> {
        let made = NewExt4Inode { mode: new.mode as u16, uid: new.uid, gid: new.gid };
        let fs = &self.shared.fs;
        match FileType::from_mode(new.mode) {
            Some(FileType::Symlink) => fs.symlink(self.ino, name, &made, new.target),
            Some(FileType::CharDevice | FileType::BlockDevice) => {
                fs.create_device(self.ino, name, &made, device_major(new.rdev), device_minor(new.rdev))
            }
            _ => fs.create(self.ino, name, &made),
        }
    }

    fn set_size(&self, size: u64) -> Result<()> {
        if self.kind != FileType::Regular {
            return Err(Errno::EINVAL);
        }
        self.with_pages(|pages| {
            // Pages that stay are written first: their blocks may be those of the new last page.
            if size > pages.size {
                pages.write_back()?;
            }
            pages.truncate(size);
            self.shared.fs.set_size(self.ino, size).map_err(errno)
        })
    }

    /// Notes an access where `relatime` asks for it.
    pub fn touch_read(&self) {
        let Ok(stat) = self.shared.fs.stat(self.ino) else { return };
        let now = Time::now().0;
        let stale = stat.atime <= stat.mtime || stat.atime <= stat.ctime || now.saturating_sub(stat.atime) > DAY;
        if stale && !self.shared.fs.is_read_only() {
            // An access that cannot be noted is none less.
            let _ = self.shared.fs.set_atime(self.ino, now);
        }
    }
}

impl Drop for Ext4Inode {
    fn drop(&mut self) {
        self.shared.dropped(self.ino);
    }
}

impl Inode for Ext4Inode {
    fn kind(&self) -> FileType {
        self.kind
    }

    fn metadata(&self) -> Metadata {
        // An inode that is held was read before; only a disk that fails meanwhile says no.
        let Ok(stat) = self.shared.fs.stat(self.ino) else {
            return Metadata::anonymous(self.shared.device, self.ino.into(), self.access.lock().mode);
        };
        let (major, minor) = stat.device;
        let written = self.written.load(Ordering::Acquire);
        let (mtime, ctime) = if written == 0 { (stat.mtime, stat.ctime) } else { (written, written) };
        Metadata {
            dev: self.shared.device,
            ino: self.ino.into(),
            mode: stat.mode.into(),
            nlink: stat.links.into(),
            uid: stat.uid,
            gid: stat.gid,
            rdev: make_device(major, minor),
            size: if self.kind == FileType::Regular { self.size() } else { stat.size },
            block_size: 4096,
            blocks: stat.sectors,
            atime: Time(stat.atime),
            mtime: Time(mtime),
            ctime: Time(ctime),
            btime: Time(stat.crtime),
        }
    }

    fn access(&self) -> Access {
        *self.access.lock()
    }

    fn set_attributes(&self, change: &SetAttributes) -> Result<()> {
        if let Some(size) = change.size {
            self.set_size(size)?;
        }
        if change.mtime.is_some() {
            self.written.store(0, Ordering::Release);
        }
        let time = |time: Option<Time>| time.map(|time| time.0);
        let (atime, mtime) = (time(change.atime), time(change.mtime));
        let mode = change.mode.map(|mode| mode as u16);
        let changed = Change { mode, uid: change.uid, gid: change.gid, atime, mtime };
        self.shared.fs.set_attributes(self.ino, &changed).map_err(errno)?;
        let mut access = self.access.lock();
        access.mode = change.mode.map_or(access.mode, |mode| access.mode & S_IFMT | mode & !S_IFMT);
        access.uid = change.uid.unwrap_or(access.uid);
        access.gid = change.gid.unwrap_or(access.gid);
        Ok(())
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        let ino = self.shared.fs.lookup(self.ino, name).map_err(errno)?;
        Ok(self.shared.inode(ino)?)
    }

    fn create(&self, name: &[u8], new: &NewInode<'_>) -> Result<Arc<dyn Inode>> {
        let ino = self.make(name, new).map_err(errno)?;
        Ok(self.shared.inode(ino)?)
    }

    fn create_unnamed(&self, new: &NewInode<'_>, _linkable: bool) -> Result<Arc<dyn Inode>> {
        let made = NewExt4Inode { mode: new.mode as u16, uid: new.uid, gid: new.gid };
        let ino = self.shared.fs.create_unnamed(self.ino, &made).map_err(errno)?;
        let inode = self.shared.inode(ino);
        // The inode has a hold of its own now.
        self.shared.fs.release(ino).map_err(errno)?;
        Ok(inode?)
    }

    fn link(&self, name: &[u8], inode: &Arc<dyn Inode>) -> Result<()> {
        let ino = Self::own(inode)?.ino;
        self.shared.fs.link(self.ino, name, ino).map_err(errno)
    }

    fn unlink(&self, name: &[u8]) -> Result<()> {
        self.shared.fs.unlink(self.ino, name).map_err(errno)
    }

    fn rmdir(&self, name: &[u8]) -> Result<()> {
        self.shared.fs.rmdir(self.ino, name).map_err(errno)
    }

    fn rename(&self, name: &[u8], to: &Arc<dyn Inode>, new_name: &[u8], exchange: bool) -> Result<()> {
        let to = Self::own(to)?.ino;
        let fs = &self.shared.fs;
        let renamed =
            if exchange { fs.exchange(self.ino, name, to, new_name) } else { fs.rename(self.ino, name, to, new_name) };
        renamed.map_err(errno)
    }

    fn read_dir(&self, from: u64, emit: EntrySink<'_>) -> Result<()> {
        // Copied first: who takes the entries may fault, and the file system is locked meanwhile.
        const AT_ONCE: usize = 256;
        let mut from = from;
        loop {
            let mut all: Vec<(Vec<u8>, u32, u8, u64)> = Vec::new();
            let mut take = |entry: &rkt_ext4::DirEntry<'_>| {
                all.push((entry.name.to_vec(), entry.ino, entry.kind, entry.next));
                all.len() < AT_ONCE
            };
            self.shared.fs.read_dir(self.ino, from, &mut take).map_err(errno)?;
            for (name, ino, kind, next) in &all {
                let kind = kind_of(*kind).unwrap_or(FileType::Regular);
                if !emit(&DirEntry { name, ino: (*ino).into(), kind, next: *next }) {
                    return Ok(());
                }
                from = *next;
            }
            if all.len() < AT_ONCE {
                return Ok(());
            }
        }
    }

    fn link_target(&self) -> Result<LinkTarget> {
        self.shared.fs.read_link(self.ino).map(LinkTarget::Text).map_err(errno)
    }

    fn open(self: Arc<Self>, _flags: u32) -> Result<Arc<dyn FileOps>> {
        if self.kind == FileType::Regular { Ok(Arc::new(Ext4File::new(self))) } else { Err(Errno::ENXIO) }
    }

    fn pipe(&self) -> Option<&Arc<Pipe>> {
        (self.kind == FileType::Fifo).then(|| self.pipe.get_or_init(Arc::default))
    }

    fn locks(&self) -> Option<&FileLocks> {
        Some(self.locks.get_or_init(Box::default))
    }

    fn existing_locks(&self) -> Option<&FileLocks> {
        self.locks.get().map(|locks| &**locks)
    }

    fn text_use(&self) -> Option<&TextUse> {
        (self.kind == FileType::Regular).then_some(&self.text_use)
    }

    fn xattr(&self, name: &[u8]) -> Result<Vec<u8>> {
        self.shared.fs.xattr(self.ino, name).map_err(errno)
    }

    fn set_xattr(&self, name: &[u8], value: &[u8], flags: u32) -> Result<()> {
        let how = match flags {
            0 => SetMode::Any,
            XATTR_CREATE => SetMode::Create,
            XATTR_REPLACE => SetMode::Replace,
            _ => return Err(Errno::EINVAL),
        };
        self.shared.fs.set_xattr(self.ino, name, value, how).map_err(errno)
    }

    fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        self.shared.fs.remove_xattr(self.ino, name).map_err(errno)
    }

    fn list_xattr(&self) -> Result<Vec<u8>> {
        self.shared.fs.list_xattr(self.ino).map_err(errno)
    }
}

/// The kind that an entry of a directory names.
fn kind_of(kind: u8) -> Option<FileType> {
    use rkt_ext4_format::dir::file_type;
    Some(match kind {
        file_type::REGULAR => FileType::Regular,
        file_type::DIRECTORY => FileType::Directory,
        file_type::CHAR_DEVICE => FileType::CharDevice,
        file_type::BLOCK_DEVICE => FileType::BlockDevice,
        file_type::FIFO => FileType::Fifo,
        file_type::SOCKET => FileType::Socket,
        file_type::SYMLINK => FileType::Symlink,
        _ => return None,
    })
}
