//! File systems whose files are made up when they are looked at: proc(5), sysfs(5).

use crate::attr::{FileType, Metadata, SetAttributes};
use crate::file::{FileOps, OpenFile, seek_in};
use crate::inode::{
    DirEntry, EntrySink, FileSystem, FsStatistics, Inode, LinkTarget, NewInode, new_anonymous_device,
    new_anonymous_inode_number,
};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_linux_abi::general::{S_IFDIR, S_IFLNK, S_IFREG};
use rkt_linux_abi::{Errno, PAGE_SIZE, Result};
use rkt_sync::{Mutex, RwLock};
use rkt_user::{IoSink, IoSource};

/// What all inodes of pseudo file systems have.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    device: u64,
    ino: u64,
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
}

impl Identity {
    /// A new inode of the file system with this device number, owned by root.
    pub fn new(device: u64, permissions: u32) -> Self {
        Self { device, ino: new_anonymous_inode_number(), mode: permissions & 0o7777, uid: 0, gid: 0, size: 0 }
    }

    /// The same with an owner.
    pub fn owned(self, uid: u32, gid: u32) -> Self {
        Self { uid, gid, ..self }
    }

    /// The same with a given inode number, for inodes that are made anew at each lookup.
    pub fn numbered(self, ino: u64) -> Self {
        Self { ino, ..self }
    }

    /// The same with a length that stat(2) tells.
    pub fn sized(self, size: u64) -> Self {
        Self { size, ..self }
    }

    /// What stat(2) tells of a regular file.
    pub fn regular(&self) -> Metadata {
        self.metadata(S_IFREG, 1)
    }

    fn metadata(&self, kind: u32, nlink: u32) -> Metadata {
        let &Self { device, ino, mode, uid, gid, size } = self;
        Metadata { uid, gid, nlink, size, ..Metadata::anonymous(device, ino, kind | mode) }
    }
}

/// Makes the content of a file.
pub type Generate = Box<dyn Fn() -> Result<Vec<u8>> + Send + Sync>;
/// Takes what is written to a file: one call a write(2).
pub type Accept = Box<dyn Fn(&[u8]) -> Result<()> + Send + Sync>;
/// Says where a link leads.
pub type Target = Box<dyn Fn() -> Result<LinkTarget> + Send + Sync>;

/// A regular file whose content is made when it is read from its start.
pub struct PseudoFile {
    identity: Identity,
    generate: Generate,
    accept: Option<Accept>,
}

impl PseudoFile {
    /// A file that can be read.
    pub fn new(identity: Identity, generate: Generate) -> Arc<Self> {
        Arc::new(Self { identity, generate, accept: None })
    }

    /// A file that can be written, too.
    pub fn writable(identity: Identity, generate: Generate, accept: Accept) -> Arc<Self> {
        Arc::new(Self { identity, generate, accept: Some(accept) })
    }
}

impl Inode for PseudoFile {
    fn kind(&self) -> FileType {
        FileType::Regular
    }

    fn metadata(&self) -> Metadata {
        self.identity.regular()
    }

    fn set_attributes(&self, change: &SetAttributes) -> Result<()> {
        // Only what open(O_TRUNC) does has a meaning: none.
        if change.size.is_some() { Ok(()) } else { Err(Errno::EPERM) }
    }

    fn open(self: Arc<Self>, _: u32) -> Result<Arc<dyn FileOps>> {
        Ok(Arc::new(Opened { file: self, text: Mutex::new(Arc::default()) }))
    }
}

/// A pseudo file that is open, with the content as it was at the last read from the start.
struct Opened {
    file: Arc<PseudoFile>,
    text: Mutex<Arc<[u8]>>,
}

impl FileOps for Opened {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &OpenFile, offset: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        if *offset == 0 {
            let text = (self.file.generate)()?;
            *self.text.lock() = text.into();
        }
        let text = self.text.lock().clone();
        let start = usize::try_from(*offset).unwrap_or(usize::MAX);
        let rest = text.get(start..).unwrap_or(&[]);
        let moved = if rest.is_empty() { 0 } else { into.put(rest)? };
        *offset += moved as u64;
        Ok(moved)
    }

    fn write(&self, _: &OpenFile, offset: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        let accept = self.file.accept.as_ref().ok_or(Errno::EINVAL)?;
        let mut bytes = [0; PAGE_SIZE];
        let n = from.take(&mut bytes)?;
        accept(bytes.get(..n).unwrap_or(&[]))?;
        *offset += n as u64;
        Ok(n)
    }

    fn seek(&self, _: &OpenFile, position: u64, offset: i64, whence: u32) -> Result<u64> {
        seek_in(0, position, offset, whence)
    }
}

/// A symbolic link whose target is made when it is followed.
pub struct PseudoLink {
    identity: Identity,
    target: Target,
}

impl PseudoLink {
    /// A link; `identity` has its permissions, for Linux 0777 or as in /proc/PID/fd.
    pub fn new(identity: Identity, target: Target) -> Arc<Self> {
        Arc::new(Self { identity, target })
    }
}

impl Inode for PseudoLink {
    fn kind(&self) -> FileType {
        FileType::Symlink
    }

    fn metadata(&self) -> Metadata {
        self.identity.metadata(S_IFLNK, 1)
    }

    fn link_target(&self) -> Result<LinkTarget> {
        (self.target)()
    }
}

/// One entry of a dynamic directory.
pub struct DynamicEntry {
    /// The name.
    pub name: Vec<u8>,
    /// Kind of inode.
    pub kind: FileType,
    /// Inode number.
    pub ino: u64,
    /// Where the entry stands among the others, below 2^62: a process ID, a descriptor number.
    pub position: u64,
}

/// The part of a directory that depends on the moment.
pub trait DynamicDir: core::any::Any + Send + Sync {
    /// Finds a name.
    ///
    /// # Errors
    /// `ENOENT`.
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>>;

    /// Entries at `position` and behind, by position; not necessarily all of them.
    fn list(&self, position: u64) -> Vec<DynamicEntry>;
}

/// A directory of fixed entries, and of those that a [`DynamicDir`] gives.
pub struct PseudoDir {
    identity: Identity,
    fixed: RwLock<BTreeMap<Vec<u8>, Arc<dyn Inode>>>,
    dynamic: Option<Box<dyn DynamicDir>>,
}

/// Positions of dynamic entries in listings start here; those of fixed ones count from 1.
const DYNAMIC: u64 = 1 << 20;

impl PseudoDir {
    /// An empty directory.
    pub fn new(identity: Identity) -> Arc<Self> {
        Arc::new(Self { identity, fixed: RwLock::default(), dynamic: None })
    }

    /// A directory with dynamic entries.
    pub fn with_dynamic(identity: Identity, dynamic: Box<dyn DynamicDir>) -> Arc<Self> {
        Arc::new(Self { identity, fixed: RwLock::default(), dynamic: Some(dynamic) })
    }

    /// The dynamic part, if it is of this type.
    pub fn dynamic_as<T: DynamicDir>(&self) -> Option<&T> {
        let any: &dyn core::any::Any = &**self.dynamic.as_ref()?;
        any.downcast_ref()
    }

    /// Adds a fixed entry, replacing the one of that name.
    pub fn add(&self, name: &str, inode: Arc<dyn Inode>) {
        self.fixed.write().insert(name.as_bytes().to_vec(), inode);
    }

    /// The subdirectory of this name, made with permissions 0555 if there is nothing.
    ///
    /// # Errors
    /// `EEXIST` if the name is that of something else.
    pub fn directory(&self, name: &str) -> Result<Arc<PseudoDir>> {
        let mut fixed = self.fixed.write();
        match fixed.get(name.as_bytes()).cloned() {
            Some(found) => {
                let any: Arc<dyn core::any::Any + Send + Sync> = found;
                any.downcast().map_err(|_| Errno::EEXIST)
            }
            None => {
                let made = Self::new(Identity::new(self.identity.device, 0o555));
                fixed.insert(name.as_bytes().to_vec(), made.clone());
                Ok(made)
            }
        }
    }

    /// Adds a file with permissions 0444 under a path such as "sys/kernel/ostype".
    ///
    /// # Errors
    /// `EEXIST` if a part of the path is not a directory.
    pub fn add_text(
        self: &Arc<Self>,
        path: &str,
        generate: impl Fn() -> Result<Vec<u8>> + Send + Sync + 'static,
    ) -> Result<()> {
        let mut dir = self.clone();
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        for part in parents.split('/').filter(|part| !part.is_empty()) {
            dir = dir.directory(part)?;
        }
        let identity = Identity::new(self.identity.device, 0o444);
        dir.add(name, PseudoFile::new(identity, Box::new(generate)));
        Ok(())
    }
}

impl Inode for PseudoDir {
    fn kind(&self) -> FileType {
        FileType::Directory
    }

    fn metadata(&self) -> Metadata {
        let fixed = self.fixed.read();
        let directories = fixed.values().filter(|inode| inode.kind() == FileType::Directory).count();
        self.identity.metadata(S_IFDIR, u32::try_from(directories).unwrap_or(0).saturating_add(2))
    }

    fn access(&self) -> crate::Access {
        let Identity { mode, uid, gid, .. } = self.identity;
        crate::Access { mode: S_IFDIR | mode, uid, gid, flags: 0, acl: None }
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        if let Some(found) = self.fixed.read().get(name) {
            return Ok(found.clone());
        }
        self.dynamic.as_ref().ok_or(Errno::ENOENT)?.lookup(name)
    }

    fn caches_names(&self) -> bool {
        self.dynamic.is_none()
    }

    // Linux' proc knows at the lookup that there is no such name and never will be.

    fn create(&self, _: &[u8], _: &NewInode<'_>) -> Result<Arc<dyn Inode>> {
        Err(Errno::ENOENT)
    }

    fn link(&self, _: &[u8], _: &Arc<dyn Inode>) -> Result<()> {
        Err(Errno::ENOENT)
    }

    fn rename(&self, _: &[u8], _: &Arc<dyn Inode>, _: &[u8], _: bool) -> Result<()> {
        Err(Errno::ENOENT)
    }

    fn read_dir(&self, from: u64, emit: EntrySink<'_>) -> Result<()> {
        if from < DYNAMIC {
            let fixed: Vec<_> = self.fixed.read().iter().map(|(name, inode)| (name.clone(), inode.clone())).collect();
            for ((name, inode), next) in fixed.iter().zip(1..).skip(from as usize) {
                let ino = inode.metadata().ino;
                if !emit(&DirEntry { name, ino, kind: inode.kind(), next }) {
                    return Ok(());
                }
            }
        }
        let Some(dynamic) = &self.dynamic else { return Ok(()) };
        let mut position = from.saturating_sub(DYNAMIC);
        loop {
            let entries = dynamic.list(position);
            if entries.is_empty() {
                return Ok(());
            }
            for DynamicEntry { name, kind, ino, position: at } in &entries {
                position = at.saturating_add(1);
                let next = DYNAMIC.saturating_add(position);
                if !emit(&DirEntry { name, ino: *ino, kind: *kind, next }) {
                    return Ok(());
                }
            }
        }
    }
}

/// A file system of pseudo files.
pub struct PseudoFs {
    type_name: &'static str,
    magic: u64,
    device: u64,
    root: Arc<PseudoDir>,
}

/// PROC_SUPER_MAGIC of linux/magic.h.
pub const PROC_MAGIC: u64 = 0x9fa0;
/// SYSFS_MAGIC of linux/magic.h.
pub const SYSFS_MAGIC: u64 = 0x6265_6572;

impl PseudoFs {
    /// A file system whose root has entries that `dynamic` gives. Their inodes take
    /// [`PseudoFs::device`] as their device number.
    pub fn new(
        type_name: &'static str,
        magic: u64,
        dynamic: impl FnOnce(u64) -> Option<Box<dyn DynamicDir>>,
    ) -> Arc<Self> {
        let device = new_anonymous_device();
        let identity = Identity::new(device, 0o555);
        let root = match dynamic(device) {
            Some(dynamic) => PseudoDir::with_dynamic(identity, dynamic),
            None => PseudoDir::new(identity),
        };
        Arc::new(Self { type_name, magic, device, root })
    }

    /// The root directory, to be filled.
    pub fn directory(&self) -> &Arc<PseudoDir> {
        &self.root
    }
}

impl FileSystem for PseudoFs {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn root(&self) -> Arc<dyn Inode> {
        self.root.clone()
    }

    fn statistics(&self) -> FsStatistics {
        FsStatistics { magic: self.magic, block_size: 4096, name_max: 255, ..FsStatistics::default() }
    }

    fn device(&self) -> u64 {
        self.device
    }
}
