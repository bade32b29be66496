//! Inodes of a disk's file system.

use crate::ahead::ReadAhead;
use crate::convert::{entry_kind, kind, metadata, result, set_mode};
use crate::direct::SECTOR;
use crate::file::DiskFile;
use crate::fs::Shared;
use crate::pages::Pages;
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use rkt_ext4::{Change, NewInode as Template, Reservation, Stat};
use rkt_linux_abi::general::{FS_IMMUTABLE_FL, S_IFBLK, S_IFCHR, S_IFLNK, S_IFMT};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::ParkRwLock;
use rkt_sync::{Mutex, OnceCell, RwLock};
use rkt_vfs::lock::FileLocks;
use rkt_vfs::pipe::Pipe;
use rkt_vfs::{
    Access, Acl, AclKind, Acls, DirEntry, EntrySink, ExtendedFlags, FileExtent, FileOps, FileType, Inode, LinkTarget,
    Metadata, NewInode, SetAttributes, TextUse, Time, device_major, device_minor,
};

/// The content of a regular file.
pub struct Content {
    /// Held, also over the disk's work, by whoever fills, changes or writes back; shared by those who only
    /// need blocks to stay where they are.
    pub work: ParkRwLock,
    pub pages: RwLock<Pages>,
    /// Length in bytes: the disk may know of less.
    pub size: AtomicU64,
    /// Shared mappings that may write.
    pub writable_maps: AtomicU32,
    /// Blocks promised to dirty pages.
    pub promised: Mutex<Reservation>,
    /// How reading goes on.
    pub ahead: ReadAhead,
    /// Bytes that the disk does not have, as the file system counts them.
    pub counted: AtomicU64,
    /// The times are ahead of the disk's.
    pub stale_times: AtomicBool,
    /// Errors of writing back so far; who opened the file at another count is told (fsync(2)).
    pub errors: AtomicU32,
}

impl Content {
    /// That of a file of this length, none of which is in memory.
    fn new(size: u64) -> Self {
        Self {
            work: ParkRwLock::new(),
            pages: RwLock::default(),
            size: AtomicU64::new(size),
            writable_maps: AtomicU32::new(0),
            promised: Mutex::new(Reservation::none()),
            ahead: ReadAhead::default(),
            counted: AtomicU64::new(0),
            stale_times: AtomicBool::new(false),
            errors: AtomicU32::new(0),
        }
    }
}

/// An inode.
pub struct Node {
    pub me: Weak<Node>,
    pub shared: Arc<Shared>,
    pub ino: u32,
    kind: FileType,
    generation: u32,
    /// What stat(2) tells; times and length may be ahead of the disk's.
    attributes: RwLock<Metadata>,
    /// Until then reading does not change the access time.
    accessed_until: AtomicI64,
    pub content: Option<Content>,
    locks: OnceCell<Box<FileLocks>>,
    text: TextUse,
    pipe: OnceCell<Arc<Pipe>>,
    /// Made without a name, which it may be given (`O_TMPFILE`).
    linkable: AtomicBool,
    /// `FS_IOC_GETFLAGS`.
    flags: AtomicU32,
    acls: RwLock<Acls>,
}

impl Drop for Node {
    fn drop(&mut self) {
        // Deleting may take the disk's time, which whoever lets go may not have.
        self.shared.let_go(self.ino);
    }
}

impl Node {
    /// The node of an inode that was just looked at and is held.
    pub fn new(shared: &Arc<Shared>, stat: &Stat, acls: Acls) -> Arc<Self> {
        let kind = kind(stat);
        let content = (kind == FileType::Regular).then(|| Content::new(stat.size));
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            shared: shared.clone(),
            ino: stat.ino,
            kind,
            generation: stat.generation,
            attributes: RwLock::new(shared.describe(stat)),
            accessed_until: AtomicI64::new(i64::MIN),
            content,
            locks: OnceCell::new(),
            text: TextUse::default(),
            pipe: OnceCell::new(),
            linkable: AtomicBool::new(false),
            flags: AtomicU32::new(stat.flags),
            acls: RwLock::new(acls),
        })
    }

    /// Content of a regular file.
    pub fn regular(&self) -> Result<&Content> {
        self.content.as_ref().ok_or(Errno::EINVAL)
    }

    /// Takes in what the disk knows of the attributes.
    pub fn refresh(&self) -> Result<()> {
        let stat = result(self.shared.fs.stat(self.ino))?;
        let fresh = self.shared.describe(&stat);
        let mut known = self.attributes.write();
        let size = self.content.as_ref().map_or(fresh.size, |content| content.size.load(Ordering::Acquire));
        // Times that pages waiting for the disk brought are ahead of the disk's.
        let ahead = self.content.is_some() && known.mtime.0 > fresh.mtime.0;
        let (mtime, ctime) =
            if ahead { (known.mtime, known.ctime.max(fresh.ctime)) } else { (fresh.mtime, fresh.ctime) };
        self.accessed_until.store(i64::MIN, Ordering::Relaxed);
        *known = Metadata { size, mtime, ctime, atime: known.atime.max(fresh.atime), ..fresh };
        Ok(())
    }

    /// It has lost its last name, or never had one.
    pub fn is_unnamed(&self) -> bool {
        self.attributes.read().nlink == 0
    }

    /// Nobody will read it any more: what waits for the disk need not be written.
    pub fn discard(&self) {
        let Some(content) = &self.content else { return };
        content.pages.write().truncate(0);
        self.shared.count_dirty(content);
        let promised = core::mem::replace(&mut *content.promised.lock(), Reservation::none());
        self.shared.fs.unreserve(promised);
    }

    /// Nothing of it may change (`chattr +i`).
    pub fn is_immutable(&self) -> bool {
        self.flags.load(Ordering::Acquire) & FS_IMMUTABLE_FL != 0
    }

    /// Units of 512 bytes that it takes, with what was promised to pages that have no blocks yet.
    fn blocks_in_use(&self, known: &Metadata) -> u64 {
        let Some(content) = &self.content else { return known.blocks };
        let block = u64::from(known.block_size);
        let promised = content.promised.lock().blocks().saturating_mul(block / 512);
        // Some of it may be for what is only overwritten: a file without holes takes no more than its length.
        let whole = content.size.load(Ordering::Acquire).div_ceil(block).saturating_mul(block / 512);
        known.blocks.max(known.blocks.saturating_add(promised).min(whole))
    }

    /// The content changed now.
    pub fn touch_written(&self, size: u64) {
        let now = Time::now();
        let mut known = self.attributes.write();
        (known.mtime, known.ctime, known.size) = (now, now, size);
        self.accessed_until.store(i64::MIN, Ordering::Relaxed);
        if let Some(content) = &self.content {
            content.stale_times.store(true, Ordering::Release);
        }
    }

    /// The content was read now (relatime of mount(8)).
    pub fn touch_read(&self) {
        if Time::now().0 >= self.accessed_until.load(Ordering::Relaxed) {
            self.update_access_time();
        }
    }

    #[cold]
    fn update_access_time(&self) {
        const DAY: i64 = 86_400_000_000_000;
        let now = Time::now();
        {
            let mut known = self.attributes.write();
            let stale = known.atime <= known.mtime || known.atime <= known.ctime || now.0 - known.atime.0 > DAY;
            if !stale {
                self.accessed_until.store(known.atime.0.saturating_add(DAY), Ordering::Relaxed);
                return;
            }
            known.atime = now;
        }
        // An access time that is lost is no harm.
        let _ = self.shared.fs.set_atime(self.ino, now.0);
    }

    /// Last change of the content, and of the inode.
    pub fn times(&self) -> (Time, Time) {
        let known = self.attributes.read();
        (known.mtime, known.ctime)
    }

    /// The lists that a directory gave something new.
    fn hand_down(&self, acls: &Acls) -> Result<()> {
        for kind in [AclKind::Access, AclKind::Default] {
            if let Some(acl) = acls.get(kind) {
                self.set_acl(kind, Some(acl.clone()))?;
            }
        }
        Ok(())
    }

    /// Makes an inode with a name.
    fn make(&self, name: &[u8], new: &NewInode<'_>) -> Result<u32> {
        let template = Template { mode: new.mode as u16, uid: new.uid, gid: new.gid };
        let fs = &self.shared.fs;
        result(match new.mode & S_IFMT {
            S_IFLNK => fs.symlink(self.ino, name, &template, new.target),
            S_IFCHR | S_IFBLK => {
                fs.create_device(self.ino, name, &template, device_major(new.rdev), device_minor(new.rdev))
            }
            _ => fs.create(self.ino, name, &template),
        })
    }
}

/// The node behind an inode of this kind of file system.
fn node_of(inode: &Arc<dyn Inode>) -> Result<&Node> {
    let any: &dyn Any = &**inode;
    any.downcast_ref().ok_or(Errno::EXDEV)
}

impl Inode for Node {
    fn kind(&self) -> FileType {
        self.kind
    }

    fn metadata(&self) -> Metadata {
        let known = *self.attributes.read();
        Metadata { blocks: self.blocks_in_use(&known), ..known }
    }

    fn access(&self) -> Access {
        let known = self.attributes.read();
        let (mode, uid, gid) = (known.mode, known.uid, known.gid);
        drop(known);
        let flags = self.flags.load(Ordering::Acquire);
        Access { mode, uid, gid, flags, acl: self.acls.read().access.clone() }
    }

    fn set_attributes(&self, change: &SetAttributes) -> Result<()> {
        self.shared.collect();
        if let Some(size) = change.size {
            self.resize(size)?;
        }
        // Nothing to change is a change, too: ctime tells.
        if change.size.is_none()
            || change.mode.is_some()
            || change.uid.is_some()
            || change.gid.is_some()
            || change.atime.is_some()
            || change.mtime.is_some()
        {
            let wanted = Change {
                mode: change.mode.map(|mode| mode as u16),
                uid: change.uid,
                gid: change.gid,
                atime: change.atime.map(|time| time.0),
                mtime: change.mtime.map(|time| time.0),
            };
            result(self.shared.fs.set_attributes(self.ino, &wanted))?;
            {
                let mut known = self.attributes.write();
                known.mtime = change.mtime.unwrap_or(known.mtime);
                known.atime = change.atime.unwrap_or(known.atime);
                known.ctime = Time::now();
                if change.mtime.is_some() {
                    // What the disk says from now on counts again.
                    known.mtime = Time(i64::MIN);
                }
                if change.atime.is_some() {
                    known.atime = Time(i64::MIN);
                }
            }
            self.refresh()?;
        }
        Ok(())
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        let ino = result(self.shared.fs.lookup(self.ino, name))?;
        Ok(self.shared.node(ino)?)
    }

    fn create(&self, name: &[u8], new: &NewInode<'_>) -> Result<Arc<dyn Inode>> {
        self.shared.collect();
        let ino = self.make(name, new)?;
        self.refresh()?;
        let node = self.shared.node(ino)?;
        node.hand_down(&new.acls)?;
        Ok(node)
    }

    fn create_unnamed(&self, new: &NewInode<'_>, linkable: bool) -> Result<Arc<dyn Inode>> {
        let template = Template { mode: new.mode as u16, uid: new.uid, gid: new.gid };
        let ino = result(self.shared.fs.create_unnamed(self.ino, &template))?;
        // Held by its making, and once more by the node.
        let node = self.shared.node(ino);
        let _ = self.shared.fs.release(ino);
        let node = node?;
        node.linkable.store(linkable, Ordering::Relaxed);
        node.hand_down(&new.acls)?;
        Ok(node)
    }

    fn link(&self, name: &[u8], inode: &Arc<dyn Inode>) -> Result<()> {
        let node = node_of(inode)?;
        // What lost its last name does not come back (linkat(2)).
        if node.is_unnamed() && !node.linkable.swap(false, Ordering::Relaxed) {
            return Err(Errno::ENOENT);
        }
        result(self.shared.fs.link(self.ino, name, node.ino))?;
        node.refresh()?;
        self.refresh()
    }

    fn unlink(&self, name: &[u8]) -> Result<()> {
        let node = self.shared.known(result(self.shared.fs.lookup(self.ino, name))?);
        result(self.shared.fs.unlink(self.ino, name))?;
        self.shared.collect();
        if let Some(node) = node {
            node.refresh()?;
        }
        self.refresh()
    }

    fn rmdir(&self, name: &[u8]) -> Result<()> {
        let node = self.shared.known(result(self.shared.fs.lookup(self.ino, name))?);
        result(self.shared.fs.rmdir(self.ino, name))?;
        if let Some(node) = node {
            node.refresh()?;
        }
        self.refresh()
    }

    fn rename(&self, name: &[u8], to: &Arc<dyn Inode>, new_name: &[u8], exchange: bool) -> Result<()> {
        let target = node_of(to)?;
        let fs = &self.shared.fs;
        let moved = self.shared.known(result(fs.lookup(self.ino, name))?);
        let replaced = fs.lookup(target.ino, new_name).ok().and_then(|ino| self.shared.known(ino));
        result(match exchange {
            true => fs.exchange(self.ino, name, target.ino, new_name),
            false => fs.rename(self.ino, name, target.ino, new_name),
        })?;
        for node in moved.iter().chain(&replaced) {
            node.refresh()?;
        }
        target.refresh()?;
        self.refresh()
    }

    fn listed(&self) {
        self.touch_read();
    }

    fn read_dir(&self, from: u64, emit: EntrySink<'_>) -> Result<()> {
        // Taken out first: whoever is told may fault, and the file system is locked meanwhile.
        const PORTION: usize = 128;
        let mut from = from;
        loop {
            let mut portion: Vec<(Vec<u8>, u32, u8, u64)> = Vec::new();
            result(self.shared.fs.read_dir(self.ino, from, &mut |entry| {
                let room = portion.len() < PORTION;
                if room {
                    portion.push((entry.name.to_vec(), entry.ino, entry.kind, entry.next));
                }
                room
            }))?;
            let whole = portion.len() < PORTION;
            for (name, ino, kind, next) in portion {
                let kind = entry_kind(kind).map_or_else(|| self.kind_of(ino), Ok)?;
                if !emit(&DirEntry { name: &name, ino: ino.into(), kind, next }) {
                    return Ok(());
                }
                from = next;
            }
            if whole {
                return Ok(());
            }
        }
    }

    fn directory_end(&self) -> Option<u64> {
        // Positions are hashes of names, of 63 bits.
        Some(i64::MAX as u64)
    }

    fn link_target(&self) -> Result<LinkTarget> {
        Ok(LinkTarget::Text(result(self.shared.fs.read_link(self.ino))?))
    }

    fn open(self: Arc<Self>, _flags: u32) -> Result<Arc<dyn FileOps>> {
        if self.content.is_none() {
            return Err(Errno::ENXIO);
        }
        Ok(Arc::new(DiskFile::new(self)))
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
        self.content.as_ref().map(|_| &self.text)
    }

    fn xattr(&self, name: &[u8]) -> Result<Vec<u8>> {
        result(self.shared.fs.xattr(self.ino, name))
    }

    fn set_xattr(&self, name: &[u8], value: &[u8], flags: u32) -> Result<()> {
        result(self.shared.fs.set_xattr(self.ino, name, value, set_mode(flags)?))?;
        self.refresh()
    }

    fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        result(self.shared.fs.remove_xattr(self.ino, name))?;
        self.refresh()
    }

    fn list_xattr(&self) -> Result<Vec<u8>> {
        result(self.shared.fs.list_xattr(self.ino))
    }

    fn flags(&self) -> Result<u32> {
        Ok(self.flags.load(Ordering::Acquire))
    }

    fn set_flags(&self, flags: u32) -> Result<()> {
        // What was allowed before is still written back.
        self.write_back()?;
        result(self.shared.fs.set_flags(self.ino, flags))?;
        self.flags.store(result(self.shared.fs.stat(self.ino))?.flags, Ordering::Release);
        self.refresh()
    }

    fn generation(&self) -> Result<u32> {
        Ok(self.generation)
    }

    fn direct_alignment(&self) -> Option<u32> {
        self.content.as_ref().map(|_| SECTOR as u32)
    }

    fn check_extended(&self, asked: &ExtendedFlags) -> Result<()> {
        // Hints are passed over; projects would need their feature.
        if asked.project == 0 { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
    }

    fn extents(&self, from: u64, to: u64, emit: &mut dyn FnMut(&FileExtent) -> bool) -> Result<()> {
        if !matches!(self.kind, FileType::Regular | FileType::Directory) {
            return Err(Errno::EOPNOTSUPP);
        }
        if from >= self.shared.fs.max_size() {
            return Err(Errno::EFBIG);
        }
        if from < to {
            // What waits for the disk lies nowhere yet.
            self.write_back()?;
        }
        self.shared.extents(self.ino, from, to, emit)
    }

    fn acl(&self, kind: AclKind) -> Result<Option<Arc<Acl>>> {
        if self.kind == FileType::Symlink { Err(Errno::EOPNOTSUPP) } else { Ok(self.acls.read().get(kind).clone()) }
    }

    fn set_acl(&self, kind: AclKind, acl: Option<Arc<Acl>>) -> Result<()> {
        match &acl {
            Some(acl) => self.set_xattr(kind.name(), &acl.to_bytes(), 0)?,
            None if self.acls.read().get(kind).is_none() => {}
            None => self.remove_xattr(kind.name())?,
        }
        self.acls.write().set(kind, acl);
        Ok(())
    }

    fn sync(&self, data_only: bool) -> Result<()> {
        self.write_back()?;
        result(self.shared.fs.fsync(self.ino, data_only))
    }
}

impl Node {
    /// The kind of an inode whose directory entry does not tell it.
    fn kind_of(&self, ino: u32) -> Result<FileType> {
        Ok(kind(&result(self.shared.fs.stat(ino))?))
    }
}

/// What stat(2) tells of an inode of a file system on this device.
pub fn describe(stat: &Stat, device: u64, block_size: u32) -> Metadata {
    metadata(stat, device, block_size)
}
