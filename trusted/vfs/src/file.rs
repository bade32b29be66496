//! Open file descriptions: what open(2) makes and descriptors refer to.

use crate::async_io::AsyncIo;
use crate::attr::{FileType, Metadata};
use crate::cred::Credentials;
use crate::epoll::Watchers;
use crate::inode::{EntrySink, Inode};
use crate::lock::open_file_id;
use crate::mount::Path;
use crate::notify;
use crate::pipe::Pipe;
use crate::poll::{PollTable, READABLE, WRITABLE};
use crate::text::{TextGuard, TextUse};
use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use rkt_heap::Folio;
use rkt_linux_abi::general::{
    CAP_LEASE, F_RDLCK, F_UNLCK, F_WRLCK, FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE, FALLOC_FL_UNSHARE_RANGE, FALLOC_FL_ZERO_RANGE, MS_NOATIME, MS_NODIRATIME, O_ACCMODE,
    O_APPEND, O_DIRECT, O_NOATIME, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_WRONLY, S_IFMT, S_IFREG, SEEK_CUR,
    SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::ParkLock;
use rkt_sync::Mutex;
use rkt_user::{IoSink, IoSource};

/// `FASYNC` of asm-generic/fcntl.h, by its name in open(2).
pub const O_ASYNC: u32 = 0o20000;

/// The flags that `F_SETFL` may change (fcntl(2)).
pub const CHANGEABLE_FLAGS: u32 = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC;

/// A folio of a file, for a mapping.
pub struct MappedFolio {
    /// The folio; it stays what the file has at this place for as long as it is held.
    pub folio: Arc<Folio>,
    /// Offset in the file of the folio's first byte.
    pub start: u64,
}

/// Something that mmap(2) can map.
pub trait Mappable: Send + Sync {
    /// The folio that has the byte at `offset`, with all of its bytes valid. Holding it keeps
    /// mapping and file the same memory.
    ///
    /// # Errors
    /// `EFAULT` if the offset lies behind the page of the last byte: SIGBUS; `ENOSPC`, `EIO`.
    fn folio(&self, offset: u64) -> Result<MappedFolio>;

    /// [`Mappable::folio`] without waiting: none if the content has to be read first, or if somebody is
    /// at work on the file.
    ///
    /// # Errors
    /// As [`Mappable::folio`].
    fn folio_at_hand(&self, offset: u64) -> Result<Option<MappedFolio>>;

    /// Up to where from `offset` on, but not beyond `end`, [`Mappable::folio`] has the content at
    /// hand. An area that is small is shown at once as far as that.
    fn present(&self, offset: u64, end: u64) -> u64 {
        let _ = offset;
        end
    }

    /// Length in bytes.
    fn len(&self) -> u64;

    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tells that a shared mapping which may write is about to be made, or has gone.
    ///
    /// # Errors
    /// `EPERM` if the file is sealed against writing.
    fn map_writable(&self, mapped: bool) -> Result<()>;

    /// Stores through mappings may have changed the content: msync(2) asks for its times.
    fn written(&self);
}

/// What an open file can do. The defaults answer as Linux does for a file without the
/// operation. `offset` is the position for files that have one, else to be left alone.
#[allow(unused_variables)]
pub trait FileOps: Any + Send + Sync {
    /// Whether the file has a position: lseek, pread and pwrite work.
    fn seekable(&self) -> bool {
        false
    }

    /// Reads at `offset` and moves it on. Gives 0 at the end.
    ///
    /// # Errors
    /// As read(2). `ERESTARTSYS` if a signal is pending.
    fn read(&self, file: &OpenFile, offset: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        Err(Errno::EINVAL)
    }

    /// Writes at `offset`, or at the end if the file is opened so, and moves it on.
    ///
    /// # Errors
    /// As write(2). `ERESTARTSYS` if a signal is pending; with `EPIPE` the caller raises SIGPIPE.
    fn write(&self, file: &OpenFile, offset: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        Err(Errno::EINVAL)
    }

    /// Writes at the end however the file was opened, and moves `offset` behind.
    ///
    /// # Errors
    /// As [`FileOps::write`].
    fn append(&self, file: &OpenFile, offset: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        self.write(file, offset, from)
    }

    /// The position that lseek(2) leads to from `position`.
    ///
    /// # Errors
    /// As lseek(2).
    fn seek(&self, file: &OpenFile, position: u64, offset: i64, whence: u32) -> Result<u64> {
        Err(Errno::ESPIPE)
    }

    /// Whether epoll can watch it.
    fn pollable(&self) -> bool {
        false
    }

    /// The poll(2) events that hold now, after registering for changes.
    fn poll(&self, file: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        READABLE | WRITABLE
    }

    /// ioctl(2), except for what concerns the descriptor.
    ///
    /// # Errors
    /// `ENOTTY` if the command is not known.
    fn ioctl(&self, file: &OpenFile, command: u32, argument: u64) -> Result<i64> {
        Err(Errno::ENOTTY)
    }

    /// What mmap(2) maps.
    ///
    /// # Errors
    /// `ENODEV`.
    fn map(&self, file: &OpenFile) -> Result<Arc<dyn Mappable>> {
        Err(Errno::ENODEV)
    }

    /// fsync(2), or fdatasync(2).
    ///
    /// # Errors
    /// `EINVAL`, `EIO`.
    fn sync(&self, file: &OpenFile, data_only: bool) -> Result<()> {
        Err(Errno::EINVAL)
    }

    /// Lists a directory from `position`, which it moves on.
    ///
    /// # Errors
    /// `ENOTDIR`, `ENOENT` if the directory was removed.
    fn read_dir(&self, file: &OpenFile, position: &mut u64, emit: EntrySink<'_>) -> Result<()> {
        Err(Errno::ENOTDIR)
    }

    /// fallocate(2); `mode` is its `FALLOC_FL_` flags, the range is valid.
    ///
    /// # Errors
    /// As fallocate(2).
    fn allocate(&self, file: &OpenFile, mode: u32, offset: u64, len: u64) -> Result<()> {
        Err(Errno::ENODEV)
    }

    /// Checks new status flags, before `F_SETFL` or open(2) sets them.
    ///
    /// # Errors
    /// `EINVAL` for `O_DIRECT` where that means nothing.
    fn check_flags(&self, flags: u32) -> Result<()> {
        if flags & O_DIRECT != 0 { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// The pipe, of a pipe or FIFO.
    fn pipe(&self) -> Option<&Arc<Pipe>> {
        None
    }

    /// The last descriptor was closed.
    fn release(&self, file: &OpenFile) {}
}

/// Whom `F_SETOWN` names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// `F_OWNER_TID`, `F_OWNER_PID` or `F_OWNER_PGRP`.
    pub kind: u32,
    /// The ID; 0 is nobody.
    pub id: i32,
    /// Signal of `F_SETSIG`; 0 is SIGIO.
    pub signal: u32,
    /// Real and effective user ID of who named them, which decide whom he may signal.
    pub by: (u32, u32),
}

/// An open file description (open(2)).
pub struct OpenFile {
    ops: Arc<dyn FileOps>,
    path: Path,
    flags: AtomicU32,
    position: AtomicU64,
    /// Held over operations that move the position, so that each read and write by position
    /// is one step (POSIX 2017 XSH §2.9.7).
    position_lock: ParkLock,
    credentials: Arc<Credentials>,
    owner: Mutex<Owner>,
    async_io: Mutex<Option<AsyncIo>>,
    watchers: Watchers,
    /// Held while it is open for writing, or runs.
    _text: Option<TextGuard>,
}

impl OpenFile {
    /// `flags` are those of open(2), which creation flags do not belong to any more.
    pub fn new(path: Path, ops: Arc<dyn FileOps>, flags: u32, credentials: Arc<Credentials>) -> Arc<Self> {
        Self::guarded(path, ops, flags, credentials, None)
    }

    /// As [`OpenFile::new`]; the guard is held as long as the file is open.
    pub(crate) fn guarded(
        path: Path,
        ops: Arc<dyn FileOps>,
        flags: u32,
        credentials: Arc<Credentials>,
        text: Option<TextGuard>,
    ) -> Arc<Self> {
        Arc::new(Self {
            ops,
            path,
            flags: AtomicU32::new(flags),
            position: AtomicU64::new(0),
            position_lock: ParkLock::new(),
            credentials,
            owner: Mutex::new(Owner::default()),
            async_io: Mutex::new(None),
            watchers: Watchers::default(),
            _text: text,
        })
    }

    /// An open file in no directory; `name` is what /proc/self/fd shows.
    pub fn anonymous(inode: Arc<dyn Inode>, name: &[u8], ops: Arc<dyn FileOps>, flags: u32) -> Arc<Self> {
        Self::new(Path::anonymous(inode, name), ops, flags, Arc::default())
    }

    /// The operations.
    pub fn ops(&self) -> &Arc<dyn FileOps> {
        &self.ops
    }

    /// The operations, if they are of this type.
    pub fn ops_as<T: FileOps>(&self) -> Option<&T> {
        let any: &dyn Any = &*self.ops;
        any.downcast_ref()
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The inode.
    pub fn inode(&self) -> &Arc<dyn Inode> {
        self.path.inode()
    }

    /// Whether it is a regular file, which eventfd and its like are not: their mode names no type.
    pub fn is_regular(&self) -> bool {
        self.inode().kind() == FileType::Regular && self.metadata().mode & S_IFMT == S_IFREG
    }

    /// Who opened it.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Access mode and status flags, as `F_GETFL` tells.
    pub fn flags(&self) -> u32 {
        self.flags.load(Ordering::Relaxed)
    }

    /// `F_SETFL`: changes the flags that can be changed.
    ///
    /// # Errors
    /// `EINVAL`; `EPERM` for `O_NOATIME` on somebody else's file.
    pub fn set_flags(&self, flags: u32) -> Result<()> {
        let old = self.flags();
        let new = old & !CHANGEABLE_FLAGS | flags & CHANGEABLE_FLAGS;
        if new & !old & O_NOATIME != 0 && !self.credentials.owns(&self.inode().access()) {
            return Err(Errno::EPERM);
        }
        if (new ^ old) & O_APPEND != 0 && self.inode().access().is_append_only() {
            return Err(Errno::EPERM);
        }
        self.ops.check_flags(new)?;
        self.flags.store(new, Ordering::Relaxed);
        Ok(())
    }

    /// Whether operations must not block.
    pub fn nonblocking(&self) -> bool {
        self.flags() & O_NONBLOCK != 0
    }

    /// Whether it was opened with `O_PATH`: only good as a path.
    pub fn is_path_only(&self) -> bool {
        self.flags() & O_PATH != 0
    }

    /// Whether it is open for reading.
    pub fn readable(&self) -> bool {
        let flags = self.flags();
        flags & O_PATH == 0 && matches!(flags & O_ACCMODE, O_RDONLY | O_RDWR)
    }

    /// Whether it is open for writing.
    pub fn writable(&self) -> bool {
        let flags = self.flags();
        flags & O_PATH == 0 && matches!(flags & O_ACCMODE, O_WRONLY | O_RDWR)
    }

    /// read(2) and readv(2).
    ///
    /// # Errors
    /// As read(2); `ERESTARTSYS` if a signal is pending.
    #[inline]
    pub fn read(&self, into: &mut IoSink<'_>) -> Result<usize> {
        if !self.readable() {
            return Err(Errno::EBADF);
        }
        if !self.ops.seekable() {
            return self.ops.read(self, &mut 0, into);
        }
        let _guard = self.position_lock.lock();
        let mut at = self.position.load(Ordering::Relaxed);
        check_end(at, into.remaining())?;
        let result = self.ops.read(self, &mut at, into);
        self.position.store(at, Ordering::Relaxed);
        self.note_read(&result);
        result
    }

    /// Tells watchers of a read that gave something.
    fn note_read(&self, result: &Result<usize>) {
        if matches!(result, Ok(1..)) {
            notify::accessed(&self.path);
        }
    }

    /// Tells watchers of a write that took something.
    fn note_written(&self, result: &Result<usize>) {
        if matches!(result, Ok(1..)) {
            notify::modified(&self.path);
        }
    }

    /// write(2) and writev(2).
    ///
    /// # Errors
    /// As write(2); `ERESTARTSYS` if a signal is pending.
    #[inline]
    pub fn write(&self, from: &mut IoSource<'_>) -> Result<usize> {
        if !self.writable() {
            return Err(Errno::EBADF);
        }
        if !self.ops.seekable() {
            return self.ops.write(self, &mut 0, from);
        }
        let _guard = self.position_lock.lock();
        let mut at = self.position.load(Ordering::Relaxed);
        check_end(at, from.remaining())?;
        let result = self.ops.write(self, &mut at, from);
        self.position.store(at, Ordering::Relaxed);
        self.note_written(&result);
        result
    }

    /// pread(2) and preadv(2).
    ///
    /// # Errors
    /// As pread(2).
    #[inline]
    pub fn read_at(&self, offset: i64, into: &mut IoSink<'_>) -> Result<usize> {
        let mut offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        if self.is_path_only() {
            return Err(Errno::EBADF);
        }
        if !self.ops.seekable() {
            return Err(Errno::ESPIPE);
        }
        if !self.readable() {
            return Err(Errno::EBADF);
        }
        check_end(offset, into.remaining())?;
        let result = self.ops.read(self, &mut offset, into);
        self.note_read(&result);
        result
    }

    /// pwrite(2) and pwritev(2).
    ///
    /// # Errors
    /// As pwrite(2).
    #[inline]
    pub fn write_at(&self, offset: i64, from: &mut IoSource<'_>) -> Result<usize> {
        let mut offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        if self.is_path_only() {
            return Err(Errno::EBADF);
        }
        if !self.ops.seekable() {
            return Err(Errno::ESPIPE);
        }
        if !self.writable() {
            return Err(Errno::EBADF);
        }
        check_end(offset, from.remaining())?;
        let result = self.ops.write(self, &mut offset, from);
        self.note_written(&result);
        result
    }

    /// pwritev2(2) with `RWF_APPEND`: writes at the end, and moves the position there if it is `by_position`.
    ///
    /// # Errors
    /// As write(2).
    pub fn append(&self, by_position: bool, from: &mut IoSource<'_>) -> Result<usize> {
        if !self.writable() {
            return Err(Errno::EBADF);
        }
        if !self.ops.seekable() {
            return if by_position { self.ops.write(self, &mut 0, from) } else { Err(Errno::ESPIPE) };
        }
        let _guard = self.position_lock.lock();
        let mut at = self.position.load(Ordering::Relaxed);
        let result = self.ops.append(self, &mut at, from);
        if by_position {
            self.position.store(at, Ordering::Relaxed);
        }
        self.note_written(&result);
        result
    }

    /// lseek(2).
    ///
    /// # Errors
    /// As lseek(2).
    pub fn seek(&self, offset: i64, whence: u32) -> Result<u64> {
        if self.is_path_only() {
            return Err(Errno::EBADF);
        }
        let _guard = self.position_lock.lock();
        let at = self.ops.seek(self, self.position.load(Ordering::Relaxed), offset, whence)?;
        self.position.store(at, Ordering::Relaxed);
        Ok(at)
    }

    /// The position.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// getdents64(2): gives entries to `emit` until it refuses one or there are no more.
    ///
    /// # Errors
    /// `EBADF`, `ENOTDIR`, `ENOENT` if the directory was removed.
    pub fn read_dir(&self, emit: EntrySink<'_>) -> Result<()> {
        if self.is_path_only() {
            return Err(Errno::EBADF);
        }
        let _guard = self.position_lock.lock();
        let mut at = self.position.load(Ordering::Relaxed);
        let result = self.ops.read_dir(self, &mut at, emit);
        self.position.store(at, Ordering::Relaxed);
        if result.is_ok() {
            notify::accessed(&self.path);
        }
        result
    }

    /// The poll(2) events that hold now, after registering for changes.
    #[inline]
    pub fn poll(&self, table: Option<&mut PollTable>) -> u32 {
        self.ops.poll(self, table)
    }

    /// fstat(2).
    pub fn metadata(&self) -> Metadata {
        self.inode().metadata()
    }

    /// ftruncate(2).
    ///
    /// # Errors
    /// `EINVAL` if not a regular file or not open for writing, `EPERM` if sealed.
    pub fn truncate(&self, len: i64) -> Result<()> {
        let len = u64::try_from(len).map_err(|_| Errno::EINVAL)?;
        if self.is_path_only() {
            return Err(Errno::EBADF);
        }
        if !self.writable() || self.inode().kind() != FileType::Regular {
            return Err(Errno::EINVAL);
        }
        if self.inode().access().is_append_only() {
            return Err(Errno::EPERM);
        }
        crate::ops::resize(&self.path, len)
    }

    /// fallocate(2).
    ///
    /// # Errors
    /// As fallocate(2).
    pub fn allocate(&self, mode: u32, offset: i64, len: i64) -> Result<()> {
        let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        let len = u64::try_from(len).ok().filter(|&len| len > 0).ok_or(Errno::EINVAL)?;
        check_allocation(mode)?;
        if !self.writable() {
            return Err(Errno::EBADF);
        }
        if self.pipe().is_some() {
            return Err(Errno::ESPIPE);
        }
        let access = self.inode().access();
        if access.is_immutable() || access.is_append_only() && mode & !FALLOC_FL_KEEP_SIZE != 0 {
            return Err(Errno::EPERM);
        }
        if self.path.is_directory() {
            return Err(Errno::EISDIR);
        }
        if !self.is_regular() && self.inode().kind() != FileType::BlockDevice {
            return Err(Errno::ENODEV);
        }
        offset.checked_add(len).filter(|&end| end <= i64::MAX as u64).ok_or(Errno::EFBIG)?;
        self.ops.allocate(self, mode, offset, len)?;
        notify::modified(&self.path);
        crate::ops::content_changed(self.inode())
    }

    /// fsync(2), or fdatasync(2).
    ///
    /// # Errors
    /// `EBADF`, `EINVAL`, `EIO`.
    pub fn sync(&self, data_only: bool) -> Result<()> {
        if self.is_path_only() {
            return Err(Errno::EBADF);
        }
        self.ops.sync(self, data_only)
    }

    /// ioctl(2), except for what concerns the descriptor.
    ///
    /// # Errors
    /// `EBADF`, `ENOTTY`, and what the command says.
    pub fn ioctl(&self, command: u32, argument: u64) -> Result<i64> {
        if self.is_path_only() {
            return Err(Errno::EBADF);
        }
        self.ops.ioctl(self, command, argument)
    }

    /// The pipe, of a pipe or FIFO.
    pub fn pipe(&self) -> Option<&Arc<Pipe>> {
        self.ops.pipe()
    }

    /// A process closed a descriptor of the file: its POSIX locks go (fcntl(2)).
    pub fn release_process_locks(&self, owner: u64) {
        if let Some(locks) = self.inode().existing_locks() {
            locks.release_process(owner);
        }
    }

    /// Whom `F_SETOWN` named.
    pub fn owner(&self) -> Owner {
        *self.owner.lock()
    }

    /// `F_SETOWN` and `F_SETSIG`.
    pub fn set_owner(&self, owner: Owner) {
        *self.owner.lock() = owner;
        if let Some(registration) = &*self.async_io.lock() {
            registration.set_owner(owner);
        }
    }

    /// Whether `O_ASYNC` means anything for it.
    pub fn sends_signals(&self) -> bool {
        crate::async_io::possible(self)
    }

    /// Starts or ends the signals that `O_ASYNC` asks for, after [`OpenFile::set_flags`]. `fd` is
    /// the descriptor that they name.
    pub fn update_async(&self, fd: i32) {
        let wanted = self.flags() & O_ASYNC != 0;
        let before = {
            let mut registration = self.async_io.lock();
            match (wanted, registration.is_some()) {
                (true, false) => {
                    *registration = AsyncIo::start(self, fd);
                    None
                }
                (false, true) => registration.take(),
                _ => None,
            }
        };
        drop(before);
    }

    /// `F_GETLEASE`.
    pub fn lease(&self) -> u32 {
        self.inode().existing_locks().map_or(F_UNLCK, |locks| locks.leases.kind(self))
    }

    /// `F_SETLEASE`. `fd` is the descriptor that the signals name.
    ///
    /// # Errors
    /// `EINVAL` for another kind or no regular file, `EACCES` for somebody else's file, `EAGAIN` if
    /// others have the file open in a way that conflicts, or if there is no lease to give up.
    pub fn set_lease(self: &Arc<Self>, fd: i32, kind: u32, credentials: &Credentials) -> Result<()> {
        if !matches!(kind, F_RDLCK | F_WRLCK | F_UNLCK) {
            return Err(Errno::EINVAL);
        }
        let inode = self.inode();
        if inode.access().uid != credentials.uid && !credentials.capable(CAP_LEASE) {
            return Err(Errno::EACCES);
        }
        let locks = inode.locks().filter(|_| self.is_regular()).ok_or(Errno::EINVAL)?;
        if kind == F_UNLCK {
            return if locks.leases.remove(open_file_id(self)) { Ok(()) } else { Err(Errno::EAGAIN) };
        }
        let written = inode.text_use().is_some_and(TextUse::is_written);
        locks.leases.set(self, fd, kind, written)
    }

    pub(crate) fn watchers(&self) -> &Watchers {
        &self.watchers
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.watchers.file_closed();
        if let Some(locks) = self.inode().existing_locks() {
            locks.release_open_file(open_file_id(self));
            locks.leases.remove(open_file_id(self));
        }
        self.ops.release(self);
        if !self.is_path_only() {
            notify::closed(&self.path, self.writable());
        }
    }
}

/// No transfer reaches behind the largest offset (Linux' rw_verify_area).
fn check_end(at: u64, len: usize) -> Result<()> {
    let end = at.checked_add(len as u64).filter(|&end| end <= i64::MAX as u64);
    end.map(drop).ok_or(Errno::EINVAL)
}

/// lseek(2) for files with a length.
///
/// # Errors
/// `EINVAL` for a position that is negative or no number of 63 bits, or an unknown `whence`.
pub fn seek_in(len: u64, position: u64, offset: i64, whence: u32) -> Result<u64> {
    let base = match whence {
        SEEK_SET => 0,
        SEEK_CUR => position,
        SEEK_END => len,
        _ => return Err(Errno::EINVAL),
    };
    let at = base.checked_add_signed(offset).ok_or(Errno::EINVAL)?;
    if at > i64::MAX as u64 { Err(Errno::EINVAL) } else { Ok(at) }
}

/// What `O_PATH` gives: nothing but a place.
pub(crate) struct PathOnly;

impl FileOps for PathOnly {}

/// Whether a mode of fallocate(2) is one, whatever the file system makes of it.
fn check_allocation(mode: u32) -> Result<()> {
    let keeps = mode & FALLOC_FL_KEEP_SIZE != 0;
    match mode & !FALLOC_FL_KEEP_SIZE {
        0 | FALLOC_FL_ZERO_RANGE | FALLOC_FL_UNSHARE_RANGE => Ok(()),
        FALLOC_FL_PUNCH_HOLE if keeps => Ok(()),
        FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE if !keeps => Ok(()),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// lseek(2) in a directory that has an end: all before it is data.
fn seek_to_end(end: u64, position: u64, offset: i64, whence: u32) -> Result<u64> {
    let at = u64::try_from(offset).ok().filter(|at| *at < end).ok_or(Errno::ENXIO);
    match whence {
        SEEK_END => seek_in(end, position, offset, whence),
        SEEK_DATA => at,
        SEEK_HOLE => at.map(|_| end),
        _ => Err(Errno::EINVAL),
    }
}

/// A directory that was opened.
pub(crate) struct DirectoryFile;

/// Position of ".." in listings; the file system's own positions come behind.
const DOT_DOT: u64 = 1;
const FIRST_NAME: u64 = 2;

impl FileOps for DirectoryFile {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &OpenFile, _: &mut u64, _: &mut IoSink<'_>) -> Result<usize> {
        Err(Errno::EISDIR)
    }

    fn seek(&self, file: &OpenFile, position: u64, offset: i64, whence: u32) -> Result<u64> {
        match whence {
            SEEK_SET | SEEK_CUR => seek_in(0, position, offset, whence),
            _ => seek_to_end(file.inode().directory_end().ok_or(Errno::EINVAL)?, position, offset, whence),
        }
    }

    fn sync(&self, file: &OpenFile, data_only: bool) -> Result<()> {
        file.inode().sync(data_only)
    }

    fn check_flags(&self, _: u32) -> Result<()> {
        Ok(())
    }

    fn read_dir(&self, file: &OpenFile, position: &mut u64, emit: EntrySink<'_>) -> Result<()> {
        use crate::inode::DirEntry;
        let path = file.path();
        if path.dentry.is_deleted() {
            return Err(Errno::ENOENT);
        }
        let kind = crate::FileType::Directory;
        if *position < DOT_DOT {
            let ino = path.inode().metadata().ino;
            if !emit(&DirEntry { name: b".", ino, kind, next: DOT_DOT }) {
                return Ok(());
            }
            *position = DOT_DOT;
        }
        if *position < FIRST_NAME {
            let ino = path.up(&path.mount.root()).inode().metadata().ino;
            if !emit(&DirEntry { name: b"..", ino, kind, next: FIRST_NAME }) {
                return Ok(());
            }
            *position = FIRST_NAME;
        }
        path.inode().read_dir(*position - FIRST_NAME, &mut |entry| {
            let next = entry.next.saturating_add(FIRST_NAME);
            let taken = emit(&DirEntry { next, ..*entry });
            if taken {
                *position = next;
            }
            taken
        })?;
        let untouched = MS_NOATIME | MS_NODIRATIME;
        if file.flags() & O_NOATIME == 0 && path.mount.flags() & untouched == 0 {
            path.inode().listed();
        }
        Ok(())
    }
}
