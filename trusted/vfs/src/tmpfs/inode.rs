//! Inodes of tmpfs.

use super::dir::Names;
use super::file::TmpFile;
use super::pages::{Backing, PAGE, Pages};
use super::space::Space;
use crate::acl::{Acl, AclKind, Acls};
use crate::attr::{Access, FileType, Metadata, SetAttributes, Time};
use crate::file::{FileOps, OpenFile};
use crate::inode::{DirEntry, EntrySink, Inode, LinkTarget, NewInode};
use crate::lock::FileLocks;
use crate::pipe::Pipe;
use crate::text::TextUse;
use crate::xattr::Xattrs;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use rkt_linux_abi::general::{
    F_SEAL_EXEC, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, FS_APPEND_FL, FS_IMMUTABLE_FL, FS_NOATIME_FL, FS_NODUMP_FL,
    S_IFMT,
};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::{OnceCell, RwLock};

/// What all inodes of one tmpfs share.
pub struct Shared {
    pub device: u64,
    pub space: Arc<Space>,
    next_ino: AtomicU64,
}

impl Shared {
    pub fn new(device: u64, space: Space) -> Arc<Self> {
        Arc::new(Self { device, space: Arc::new(space), next_ino: AtomicU64::new(1) })
    }
}

/// What an inode of each kind has.
pub enum Content {
    Directory(RwLock<Names>),
    Regular(Regular),
    Symlink(Box<[u8]>),
    Fifo(OnceCell<Arc<Pipe>>),
    /// Devices and sockets: their content is elsewhere.
    Special,
}

/// The content of a regular file.
pub struct Regular {
    pub pages: RwLock<Pages>,
    /// Copy of `Pages::size`, to look at without the lock.
    pub size: AtomicU64,
    pub backing: Option<Arc<dyn Backing>>,
    /// `F_SEAL_` bits (fcntl(2)).
    pub seals: AtomicU32,
    /// Shared mappings that may write.
    pub writable_maps: AtomicU32,
    /// Who writes or runs it.
    pub text_use: TextUse,
}

impl Regular {
    fn new(backing: Option<Arc<dyn Backing>>, seals: u32) -> Self {
        let len = backing.as_ref().map_or(0, |backing| backing.len());
        Self {
            pages: RwLock::new(Pages::backed(len)),
            size: AtomicU64::new(len),
            backing,
            seals: AtomicU32::new(seals),
            writable_maps: AtomicU32::new(0),
            text_use: TextUse::default(),
        }
    }
}

/// An inode of tmpfs.
pub struct TmpInode {
    pub shared: Arc<Shared>,
    ino: u64,
    kind: FileType,
    rdev: u64,
    mode: AtomicU32,
    uid: AtomicU32,
    gid: AtomicU32,
    nlink: AtomicU32,
    atime: AtomicI64,
    mtime: AtomicI64,
    ctime: AtomicI64,
    btime: Time,
    /// The access time is younger than the others: reads need not set it (`relatime`).
    accessed: AtomicBool,
    /// Made without a name, which it may be given (`O_TMPFILE`).
    linkable: AtomicBool,
    pub content: Content,
    xattrs: OnceCell<Box<Xattrs>>,
    /// `FS_IOC_GETFLAGS`.
    flags: AtomicU32,
    /// Made only for those that have some.
    acls: OnceCell<Box<RwLock<Acls>>>,
    locks: OnceCell<Box<FileLocks>>,
}

/// The flags that can be set, and those that a directory hands down (`SHMEM_FL_` of the kernel).
const FLAGS: u32 = FS_IMMUTABLE_FL | FS_APPEND_FL | HANDED_DOWN;
const HANDED_DOWN: u32 = FS_NODUMP_FL | FS_NOATIME_FL;

/// An access time older than this is set in any case (mount(8), `relatime`).
const DAY: i64 = 86_400_000_000_000;

impl TmpInode {
    /// A new inode. Directories count two links: their name and ".".
    ///
    /// # Errors
    /// `ENOSPC`; `EINVAL` for a mode without type.
    pub fn new(
        shared: &Arc<Shared>,
        new: &NewInode<'_>,
        backing: Option<Arc<dyn Backing>>,
        now: Time,
    ) -> Result<Arc<Self>> {
        Self::sealed(shared, new, backing, now, F_SEAL_SEAL)
    }

    /// As [`TmpInode::new`], with the seals of a regular file.
    pub fn sealed(
        shared: &Arc<Shared>,
        new: &NewInode<'_>,
        backing: Option<Arc<dyn Backing>>,
        now: Time,
        seals: u32,
    ) -> Result<Arc<Self>> {
        let kind = FileType::from_mode(new.mode).ok_or(Errno::EINVAL)?;
        let content = match kind {
            FileType::Directory => Content::Directory(RwLock::default()),
            FileType::Regular => Content::Regular(Regular::new(backing, seals)),
            FileType::Symlink => Content::Symlink(new.target.into()),
            FileType::Fifo => Content::Fifo(OnceCell::new()),
            _ => Content::Special,
        };
        shared.space.add_inode()?;
        let acls = OnceCell::new();
        if new.acls.access.is_some() || new.acls.default.is_some() {
            acls.get_or_init(|| Box::new(RwLock::new(new.acls.clone())));
        }
        Ok(Arc::new(Self {
            shared: shared.clone(),
            ino: shared.next_ino.fetch_add(1, Ordering::Relaxed),
            kind,
            rdev: new.rdev,
            mode: AtomicU32::new(new.mode),
            uid: AtomicU32::new(new.uid),
            gid: AtomicU32::new(new.gid),
            nlink: AtomicU32::new(if kind == FileType::Directory { 2 } else { 1 }),
            atime: AtomicI64::new(now.0),
            mtime: AtomicI64::new(now.0),
            ctime: AtomicI64::new(now.0),
            btime: now,
            accessed: AtomicBool::new(false),
            linkable: AtomicBool::new(false),
            content,
            xattrs: OnceCell::new(),
            flags: AtomicU32::new(0),
            acls,
            locks: OnceCell::new(),
        }))
    }

    /// The content, of a regular file.
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn regular(&self) -> Result<&Regular> {
        match &self.content {
            Content::Regular(regular) => Ok(regular),
            _ => Err(Errno::EINVAL),
        }
    }

    pub fn names(&self) -> Result<&RwLock<Names>> {
        match &self.content {
            Content::Directory(names) => Ok(names),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// The content was read: sets atime where `relatime` asks for it.
    #[inline]
    pub fn touch_read(&self) {
        if !self.accessed.load(Ordering::Relaxed) {
            let at = |time: &AtomicI64| time.load(Ordering::Relaxed);
            let (now, atime) = (Time::now().0, at(&self.atime));
            if atime <= at(&self.mtime) || atime <= at(&self.ctime) || now.saturating_sub(atime) > DAY {
                self.atime.store(now, Ordering::Relaxed);
            }
            self.accessed.store(true, Ordering::Relaxed);
        }
    }

    /// The content was changed: sets mtime and ctime.
    pub fn touch_written(&self) {
        let now = Time::now().0;
        self.mtime.store(now, Ordering::Relaxed);
        self.ctime.store(now, Ordering::Relaxed);
        self.accessed.store(false, Ordering::Relaxed);
    }

    /// An attribute was changed: sets ctime.
    pub fn touch_changed(&self) {
        self.ctime.store(Time::now().0, Ordering::Relaxed);
        self.accessed.store(false, Ordering::Relaxed);
    }

    pub fn mode(&self) -> u32 {
        self.mode.load(Ordering::Relaxed)
    }

    pub fn set_mode(&self, mode: u32) {
        self.mode.store(self.mode() & S_IFMT | mode & 0o7777, Ordering::Relaxed);
    }

    /// Sets all times, as an archive gives them.
    pub fn set_time(&self, time: Time) {
        self.atime.store(time.0, Ordering::Relaxed);
        self.mtime.store(time.0, Ordering::Relaxed);
    }

    fn own_acl(&self, kind: AclKind) -> Option<Arc<Acl>> {
        self.acls.get()?.read().get(kind).clone()
    }

    /// The inode has lost all names at once (an unnamed file).
    pub fn unname(&self) {
        self.nlink.store(0, Ordering::Relaxed);
    }

    fn own(inode: &Arc<dyn Inode>) -> Result<Arc<TmpInode>> {
        let any: Arc<dyn Any + Send + Sync> = inode.clone();
        any.downcast().map_err(|_| Errno::EXDEV)
    }

    fn size(&self) -> u64 {
        match &self.content {
            Content::Directory(names) => names.read().len() as u64 * 20 + 40,
            Content::Regular(regular) => regular.size.load(Ordering::Relaxed),
            Content::Symlink(target) => target.len() as u64,
            _ => 0,
        }
    }

    /// Enters a name, and counts it. The name is free.
    pub fn add_name(&self, name: &[u8], inode: &Arc<TmpInode>) -> Result<()> {
        let mut names = self.names()?.write();
        if names.get(name).is_some() {
            return Err(Errno::EEXIST);
        }
        names.insert(name, inode.clone());
        if inode.kind == FileType::Directory {
            self.nlink.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// An inode lost a name in this directory.
    fn dropped(&self, victim: &TmpInode) {
        if victim.kind == FileType::Directory {
            victim.unname();
            self.nlink.fetch_sub(1, Ordering::Relaxed);
        } else {
            victim.nlink.fetch_sub(1, Ordering::Relaxed);
        }
        victim.touch_changed();
    }

    /// Gives a further name to an inode that is not a directory.
    pub fn add_link(&self, name: &[u8], inode: &Arc<TmpInode>) -> Result<()> {
        self.add_name(name, inode)?;
        inode.nlink.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn is_empty_directory(&self) -> bool {
        matches!(&self.content, Content::Directory(names) if names.read().is_empty())
    }

    /// Adjusts the link counts of two directories when a subdirectory moves from one to the other.
    fn moved_between(from: &TmpInode, to: &TmpInode, inode: &TmpInode) {
        if inode.kind == FileType::Directory {
            from.nlink.fetch_sub(1, Ordering::Relaxed);
            to.nlink.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn exchange_names(&self, name: &[u8], to: &TmpInode, new_name: &[u8]) -> Result<()> {
        let (mine, theirs) = {
            let find = |dir: &TmpInode, name| dir.names()?.read().get(name).cloned().ok_or(Errno::ENOENT);
            (find(self, name)?, find(to, new_name)?)
        };
        self.names()?.write().insert(name, theirs.clone());
        to.names()?.write().insert(new_name, mine.clone());
        Self::moved_between(self, to, &mine);
        Self::moved_between(to, self, &theirs);
        mine.touch_changed();
        theirs.touch_changed();
        Ok(())
    }

    fn move_name(&self, name: &[u8], to: &TmpInode, new_name: &[u8]) -> Result<()> {
        let inode = self.names()?.read().get(name).cloned().ok_or(Errno::ENOENT)?;
        let victim = to.names()?.read().get(new_name).cloned();
        if victim.as_ref().is_some_and(|victim| victim.kind == FileType::Directory && !victim.is_empty_directory()) {
            return Err(Errno::ENOTEMPTY);
        }
        // The new name comes first: whoever looks finds the inode at all times.
        to.names()?.write().insert(new_name, inode.clone());
        self.names()?.write().remove(name);
        if let Some(victim) = victim {
            to.dropped(&victim);
        }
        Self::moved_between(self, to, &inode);
        inode.touch_changed();
        Ok(())
    }

    fn check_resize(&self, regular: &Regular, size: u64) -> Result<()> {
        if size > i64::MAX as u64 {
            return Err(Errno::EFBIG);
        }
        let (seals, old) = (regular.seals.load(Ordering::Relaxed), self.size());
        let sealed = (size < old && seals & F_SEAL_SHRINK != 0) || (size > old && seals & F_SEAL_GROW != 0);
        if sealed { Err(Errno::EPERM) } else { Ok(()) }
    }
}

impl Drop for TmpInode {
    fn drop(&mut self) {
        self.shared.space.remove_inode();
        // What is below is dropped level by level, since a deep tree would take a deep stack.
        let Content::Directory(names) = &mut self.content else { return };
        let mut below: Vec<_> = names.get_mut().take().collect();
        while let Some(inode) = below.pop() {
            if let Some(TmpInode { content: Content::Directory(names), .. }) = Arc::into_inner(inode).as_mut() {
                below.extend(names.get_mut().take());
            }
        }
    }
}

impl Inode for TmpInode {
    fn kind(&self) -> FileType {
        self.kind
    }

    fn metadata(&self) -> Metadata {
        let time = |at: &AtomicI64| Time(at.load(Ordering::Relaxed));
        let blocks = match &self.content {
            Content::Regular(regular) => regular.pages.read().bytes_in_use() / 512,
            _ => 0,
        };
        Metadata {
            dev: self.shared.device,
            ino: self.ino,
            mode: self.mode(),
            nlink: self.nlink.load(Ordering::Relaxed),
            uid: self.uid.load(Ordering::Relaxed),
            gid: self.gid.load(Ordering::Relaxed),
            rdev: self.rdev,
            size: self.size(),
            block_size: PAGE as u32,
            blocks,
            atime: time(&self.atime),
            mtime: time(&self.mtime),
            ctime: time(&self.ctime),
            btime: self.btime,
        }
    }

    fn access(&self) -> Access {
        let (uid, gid) = (self.uid.load(Ordering::Relaxed), self.gid.load(Ordering::Relaxed));
        Access {
            mode: self.mode(),
            uid,
            gid,
            flags: self.flags.load(Ordering::Relaxed),
            acl: self.own_acl(AclKind::Access),
        }
    }

    fn set_attributes(&self, change: &SetAttributes) -> Result<()> {
        if let (Some(mode), Content::Regular(regular)) = (change.mode, &self.content)
            && regular.seals.load(Ordering::Relaxed) & F_SEAL_EXEC != 0
            && (mode ^ self.mode()) & 0o111 != 0
        {
            return Err(Errno::EPERM);
        }
        if let Some(size) = change.size {
            let regular = self.regular()?;
            self.check_resize(regular, size)?;
            self.resize(regular, size)?;
            self.touch_written();
        }
        if let Some(mode) = change.mode {
            self.set_mode(mode);
        }
        let set = |at: &AtomicU32, to: Option<u32>| to.into_iter().for_each(|to| at.store(to, Ordering::Relaxed));
        set(&self.uid, change.uid);
        set(&self.gid, change.gid);
        let set = |at: &AtomicI64, to: Option<Time>| to.into_iter().for_each(|to| at.store(to.0, Ordering::Relaxed));
        set(&self.atime, change.atime);
        set(&self.mtime, change.mtime);
        self.touch_changed();
        Ok(())
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        let found = self.names()?.read().get(name).cloned().ok_or(Errno::ENOENT)?;
        Ok(found)
    }

    fn create(&self, name: &[u8], new: &NewInode<'_>) -> Result<Arc<dyn Inode>> {
        let inode = TmpInode::new(&self.shared, new, None, Time::now())?;
        inode.flags.store(self.flags.load(Ordering::Relaxed) & HANDED_DOWN, Ordering::Relaxed);
        self.add_name(name, &inode)?;
        self.touch_written();
        Ok(inode)
    }

    fn create_unnamed(&self, new: &NewInode<'_>, linkable: bool) -> Result<Arc<dyn Inode>> {
        let inode = TmpInode::new(&self.shared, new, None, Time::now())?;
        inode.unname();
        inode.linkable.store(linkable, Ordering::Relaxed);
        Ok(inode)
    }

    fn link(&self, name: &[u8], inode: &Arc<dyn Inode>) -> Result<()> {
        let inode = Self::own(inode)?;
        // What lost its last name does not come back (linkat(2)).
        if inode.nlink.load(Ordering::Relaxed) == 0 && !inode.linkable.swap(false, Ordering::Relaxed) {
            return Err(Errno::ENOENT);
        }
        self.add_link(name, &inode)?;
        inode.touch_changed();
        self.touch_written();
        Ok(())
    }

    fn unlink(&self, name: &[u8]) -> Result<()> {
        let victim = self.names()?.write().remove(name).ok_or(Errno::ENOENT)?;
        self.dropped(&victim);
        self.touch_written();
        Ok(())
    }

    fn rmdir(&self, name: &[u8]) -> Result<()> {
        let mut names = self.names()?.write();
        let victim = names.get(name).cloned().ok_or(Errno::ENOENT)?;
        if !victim.is_empty_directory() {
            return Err(Errno::ENOTEMPTY);
        }
        names.remove(name);
        drop(names);
        self.dropped(&victim);
        self.touch_written();
        Ok(())
    }

    fn rename(&self, name: &[u8], to: &Arc<dyn Inode>, new_name: &[u8], exchange: bool) -> Result<()> {
        let to = Self::own(to)?;
        if exchange {
            self.exchange_names(name, &to, new_name)?;
        } else {
            self.move_name(name, &to, new_name)?;
        }
        self.touch_written();
        to.touch_written();
        Ok(())
    }

    fn read_dir(&self, from: u64, emit: EntrySink<'_>) -> Result<()> {
        let names = self.names()?.read();
        for (next, name, inode) in names.behind(from) {
            if !emit(&DirEntry { name, ino: inode.ino, kind: inode.kind, next }) {
                break;
            }
        }
        Ok(())
    }

    fn listed(&self) {
        self.touch_read();
    }

    fn link_target(&self) -> Result<LinkTarget> {
        match &self.content {
            Content::Symlink(target) => Ok(LinkTarget::Text(target.to_vec())),
            _ => Err(Errno::EINVAL),
        }
    }

    fn open(self: Arc<Self>, _flags: u32) -> Result<Arc<dyn FileOps>> {
        match self.content {
            Content::Regular(_) => Ok(Arc::new(TmpFile::new(self))),
            _ => Err(Errno::ENXIO),
        }
    }

    fn opened(&self, _file: &OpenFile) {
        // Reads look at `accessed` only, so the age of the access time is looked at here.
        if Time::now().0.saturating_sub(self.atime.load(Ordering::Relaxed)) > DAY {
            self.accessed.store(false, Ordering::Relaxed);
        }
    }

    fn pipe(&self) -> Option<&Arc<Pipe>> {
        match &self.content {
            Content::Fifo(pipe) => Some(pipe.get_or_init(Arc::default)),
            _ => None,
        }
    }

    fn locks(&self) -> Option<&FileLocks> {
        Some(self.locks.get_or_init(Box::default))
    }

    fn existing_locks(&self) -> Option<&FileLocks> {
        self.locks.get().map(|locks| &**locks)
    }

    fn text_use(&self) -> Option<&TextUse> {
        match &self.content {
            Content::Regular(regular) => Some(&regular.text_use),
            _ => None,
        }
    }

    fn xattr(&self, name: &[u8]) -> Result<Vec<u8>> {
        self.xattrs.get().ok_or(Errno::ENODATA)?.get(name)
    }

    fn set_xattr(&self, name: &[u8], value: &[u8], flags: u32) -> Result<()> {
        self.xattrs.get_or_init(Box::default).set(name, value, flags)?;
        self.touch_changed();
        Ok(())
    }

    fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        self.xattrs.get().ok_or(Errno::ENODATA)?.remove(name)?;
        self.touch_changed();
        Ok(())
    }

    fn list_xattr(&self) -> Result<Vec<u8>> {
        let kinds = [AclKind::Access, AclKind::Default].into_iter().filter(|kind| self.own_acl(*kind).is_some());
        let mut names: Vec<u8> = kinds.flat_map(|kind| kind.name().iter().copied().chain([0])).collect();
        names.extend(self.xattrs.get().map(|xattrs| xattrs.list()).unwrap_or_default());
        Ok(names)
    }

    fn flags(&self) -> Result<u32> {
        Ok(self.flags.load(Ordering::Relaxed))
    }

    fn set_flags(&self, flags: u32) -> Result<()> {
        if flags & !FLAGS != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        self.flags.store(flags, Ordering::Relaxed);
        self.touch_changed();
        Ok(())
    }

    fn acl(&self, kind: AclKind) -> Result<Option<Arc<Acl>>> {
        if self.kind == FileType::Symlink { Err(Errno::EOPNOTSUPP) } else { Ok(self.own_acl(kind)) }
    }

    fn set_acl(&self, kind: AclKind, acl: Option<Arc<Acl>>) -> Result<()> {
        if acl.is_some() || self.acls.get().is_some() {
            self.acls.get_or_init(Box::default).write().set(kind, acl);
        }
        self.touch_changed();
        Ok(())
    }
}
