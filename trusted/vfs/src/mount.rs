//! Mounts, and paths in the tree that they make together.

use crate::dentry::Dentry;
use crate::inode::{FileSystem, FsStatistics, Inode, new_anonymous_device};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use rkt_linux_abi::general::{MS_NOATIME, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_RELATIME};
use rkt_linux_abi::{Errno, Result};
use rkt_sync::{OnceCell, RwLock};

/// The names of a mounted file system, shared by all mounts that show it. Parents and children
/// hold each other: whoever has the last mount undoes that.
struct Tree {
    root: Arc<Dentry>,
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.root.forget_children();
    }
}

/// A file system, or a part of one, at a place in the tree.
pub struct Mount {
    id: u32,
    tree: Arc<Tree>,
    fs: Arc<dyn FileSystem>,
    root: Arc<Dentry>,
    source: String,
    flags: AtomicU32,
    /// Where it is mounted: none for the root of the tree, and after an unmount.
    at: RwLock<Option<Path>>,
    /// Not 0 since `MNT_EXPIRE` found it unused: counts down as paths lead into it.
    expiring: AtomicU32,
    /// What is mounted on names of this mount; of several on one name the last is on top.
    children: RwLock<Vec<(Arc<Dentry>, Arc<Mount>)>>,
}

/// A mount that `MNT_EXPIRE` has found unused. Less: paths have led into it since.
const MARKED: u32 = 2;

static NEXT_ID: AtomicU32 = AtomicU32::new(20);

impl Mount {
    fn new(fs: Arc<dyn FileSystem>, tree: Arc<Tree>, root: Arc<Dentry>, source: &str, flags: u32) -> Arc<Self> {
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            tree,
            fs,
            root,
            source: source.into(),
            flags: AtomicU32::new(flags),
            at: RwLock::new(None),
            expiring: AtomicU32::new(0),
            children: RwLock::new(Vec::new()),
        })
    }

    /// The root of a tree of mounts. `flags` are the `MS_` flags of mount(2).
    pub fn new_root(fs: Arc<dyn FileSystem>, source: &str, flags: u32) -> Arc<Self> {
        let root = Dentry::root(fs.root());
        Self::new(fs, Arc::new(Tree { root: root.clone() }), root, source, flags)
    }

    /// Mounts a file system on a directory (or a file, if its root is one).
    ///
    /// # Errors
    /// `ENOTDIR` if only one of both is a directory, `ENOENT` if the place was removed.
    pub fn attach(at: &Path, fs: Arc<dyn FileSystem>, source: &str, flags: u32) -> Result<Arc<Self>> {
        Self::new_root(fs, source, flags).attach_at(at)
    }

    /// Makes a part of the tree visible at a second place (`MS_BIND`).
    ///
    /// # Errors
    /// As [`Mount::attach`].
    pub fn bind(at: &Path, what: &Path, flags: u32) -> Result<Arc<Self>> {
        let Path { mount, dentry } = what;
        Self::new(mount.fs.clone(), mount.tree.clone(), dentry.clone(), &mount.source, flags).attach_at(at)
    }

    fn attach_at(self: Arc<Self>, at: &Path) -> Result<Arc<Self>> {
        if self.root().is_directory() != at.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        if at.dentry.is_deleted() {
            return Err(Errno::ENOENT);
        }
        *self.at.write() = Some(at.clone());
        at.mount.children.write().push((at.dentry.clone(), self.clone()));
        at.dentry.add_mount();
        Ok(self)
    }

    /// Takes the mount out of the tree. What is open stays usable.
    ///
    /// # Errors
    /// `EBUSY` if something is mounted on it or somebody is in it, and `lazy` (`MNT_DETACH`) is not
    /// asked for; `EINVAL` if it is the root of the tree.
    pub fn detach(self: &Arc<Self>, lazy: bool) -> Result<()> {
        if !lazy && self.is_used() {
            return Err(Errno::EBUSY);
        }
        let at = self.at.write().take().ok_or(Errno::EINVAL)?;
        self.leave(&at);
        Ok(())
    }

    /// Whether something is mounted on it, or anybody but its parent and the caller holds it: for
    /// an open file, a working directory, a mapping.
    fn is_used(self: &Arc<Self>) -> bool {
        !self.children.read().is_empty() || Arc::strong_count(self) > 2
    }

    fn leave(self: &Arc<Self>, at: &Path) {
        let mut siblings = at.mount.children.write();
        let before = siblings.len();
        siblings.retain(|(_, mount)| !Arc::ptr_eq(mount, self));
        if siblings.len() < before {
            at.dentry.remove_mount();
        }
    }

    /// `MNT_EXPIRE`: marks the mount; the second time, if nobody but the caller's path has led into
    /// it in between, it may go.
    ///
    /// # Errors
    /// `EBUSY`; `EAGAIN` the first time.
    pub fn expire(self: &Arc<Self>) -> Result<()> {
        if self.is_used() {
            return Err(Errno::EBUSY);
        }
        if self.expiring.swap(MARKED, Ordering::AcqRel) == MARKED { Ok(()) } else { Err(Errno::EAGAIN) }
    }

    /// The last path that led into it was umount2's own, which does not count.
    pub fn not_entered(&self) {
        let back = |left: u32| (left > 0).then_some(left + 1);
        let _ = self.expiring.fetch_update(Ordering::AcqRel, Ordering::Relaxed, back);
    }

    fn entered(&self) {
        if self.expiring.load(Ordering::Relaxed) > 0 {
            let _ = self.expiring.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |left| left.checked_sub(1));
        }
    }

    /// Puts the mount elsewhere (`MS_MOVE`). `from` is where it was found.
    ///
    /// # Errors
    /// `EINVAL` if `from` is not its root, or it is the root of the tree, or only one of both
    /// places is a directory; `ELOOP` for a place in it; `ENOENT` if the place was removed.
    pub fn move_to(self: &Arc<Self>, from: &Path, to: &Path) -> Result<()> {
        let old = self.at.read().clone().filter(|_| *from == self.root()).ok_or(Errno::EINVAL)?;
        if from.is_directory() != to.is_directory() {
            return Err(Errno::EINVAL);
        }
        let mut above = Some(to.mount.clone());
        while let Some(mount) = above {
            if Arc::ptr_eq(&mount, self) {
                return Err(Errno::ELOOP);
            }
            above = mount.mount_point().map(|at| at.mount);
        }
        self.leave(&old);
        self.clone().attach_at(to).map(drop)
    }

    /// A number that no other mount has.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The file system.
    pub fn fs(&self) -> &Arc<dyn FileSystem> {
        &self.fs
    }

    /// The `MS_` flags.
    pub fn flags(&self) -> u32 {
        self.flags.load(Ordering::Relaxed)
    }

    /// Sets the `MS_` flags (`MS_REMOUNT`).
    pub fn set_flags(&self, flags: u32) {
        self.flags.store(flags, Ordering::Relaxed);
    }

    /// Checks that the mount may be written to.
    ///
    /// # Errors
    /// `EROFS`.
    pub fn check_writable(&self) -> Result<()> {
        if self.flags() & MS_RDONLY != 0 { Err(Errno::EROFS) } else { Ok(()) }
    }

    /// Path of the mount's root.
    pub fn root(self: &Arc<Self>) -> Path {
        Path { mount: self.clone(), dentry: self.root.clone() }
    }

    /// Path of the mount's root in the tree without anything mounted on top, and its name there.
    pub fn mount_point(&self) -> Option<Path> {
        self.at.read().clone()
    }

    fn mounted_on(&self, dentry: &Arc<Dentry>) -> Option<Arc<Mount>> {
        let children = self.children.read();
        children.iter().rev().find(|(at, _)| Arc::ptr_eq(at, dentry)).map(|(_, mount)| mount.clone())
    }

    /// This mount and all below, parents first.
    pub fn all(self: &Arc<Self>) -> Vec<Arc<Mount>> {
        let mut found = alloc::vec![self.clone()];
        let mut next = 0;
        while let Some(mount) = found.get(next).cloned() {
            found.extend(mount.children.read().iter().map(|(_, child)| child.clone()));
            next += 1;
        }
        found
    }

    fn options(&self) -> String {
        let flags = self.flags();
        let mut options = String::from(if flags & MS_RDONLY != 0 { "ro" } else { "rw" });
        let names = [
            (MS_NOSUID, ",nosuid"),
            (MS_NODEV, ",nodev"),
            (MS_NOEXEC, ",noexec"),
            (MS_NOATIME, ",noatime"),
            (MS_RELATIME, ",relatime"),
        ];
        names.iter().filter(|(flag, _)| flags & flag != 0).for_each(|(_, name)| options.push_str(name));
        options
    }
}

/// /proc/self/mounts as seen from `root`: a line for each mount below it (fstab(5)).
pub fn mounts_text(root: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    for mount in root.mount.all() {
        let at = mount.root().to_bytes(root);
        text.extend_from_slice(mount.source.as_bytes());
        text.push(b' ');
        escape(&at, &mut text);
        let rest = format!(" {} {}{} 0 0\n", mount.fs.type_name(), mount.options(), mount.fs.options());
        text.extend_from_slice(rest.as_bytes());
    }
    text
}

/// /proc/self/mountstats as seen from `root` (proc_pid_mountstats(5)); no file system counts more.
pub fn mountstats_text(root: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    for mount in root.mount.all() {
        text.extend_from_slice(format!("device {} mounted on ", mount.source).as_bytes());
        escape(&mount.root().to_bytes(root), &mut text);
        text.extend_from_slice(format!(" with fstype {}\n", mount.fs.type_name()).as_bytes());
    }
    text
}

/// /proc/self/mountinfo as seen from `root` (proc_pid_mountinfo(5)).
pub fn mountinfo_text(root: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    for mount in root.mount.all() {
        let parent = mount.mount_point().map_or(mount.id, |at| at.mount.id);
        let device = mount.fs.device();
        let (major, minor) = (crate::attr::device_major(device), crate::attr::device_minor(device));
        text.extend_from_slice(format!("{} {parent} {major}:{minor} ", mount.id).as_bytes());
        escape(&mount.root.path_in_fs(), &mut text);
        text.push(b' ');
        escape(&mount.root().to_bytes(root), &mut text);
        let rest =
            format!(" {} - {} {} rw{}\n", mount.options(), mount.fs.type_name(), mount.source, mount.fs.options());
        text.extend_from_slice(rest.as_bytes());
    }
    text
}

/// Blanks, tabs, newlines and backslashes in octal (getmntent(3)).
fn escape(name: &[u8], into: &mut Vec<u8>) {
    for &byte in name {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => into.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
            _ => into.push(byte),
        }
    }
}

/// A place in the tree: a name, and the mount through which it was reached.
#[derive(Clone)]
pub struct Path {
    /// The mount.
    pub mount: Arc<Mount>,
    /// The name.
    pub dentry: Arc<Dentry>,
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mount, &other.mount) && Arc::ptr_eq(&self.dentry, &other.dentry)
    }
}

impl Eq for Path {}

impl Path {
    /// A path for an object that is in no directory: pipes, sockets, eventfd, memfd.
    pub fn anonymous(inode: Arc<dyn Inode>, name: &[u8]) -> Path {
        Path { mount: anonymous_mount().clone(), dentry: Dentry::detached(inode, name) }
    }

    /// The inode.
    pub fn inode(&self) -> &Arc<dyn Inode> {
        self.dentry.inode()
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.inode().kind() == crate::FileType::Directory
    }

    /// The same place, with its name replaced.
    pub(crate) fn with(&self, dentry: Arc<Dentry>) -> Path {
        Path { mount: self.mount.clone(), dentry }
    }

    /// What is mounted here, else the path itself.
    pub(crate) fn on_top(mut self) -> Path {
        while self.dentry.has_mounts()
            && let Some(mount) = self.mount.mounted_on(&self.dentry)
        {
            mount.entered();
            self = mount.root();
        }
        self
    }

    /// Whether something is mounted here or it is the root of a mount: not to be removed.
    pub(crate) fn is_busy(&self) -> bool {
        self.dentry.has_mounts() && self.mount.mounted_on(&self.dentry).is_some()
    }

    /// "..", not above `root`.
    pub(crate) fn up(&self, root: &Path) -> Path {
        let mut at = self.clone();
        loop {
            if at == *root {
                return at;
            }
            if Arc::ptr_eq(&at.dentry, &at.mount.root) {
                let Some(below) = at.mount.mount_point() else { return at };
                at = below;
                continue;
            }
            return match at.dentry.parent() {
                Some(parent) => at.with(parent).on_top(),
                None => at,
            };
        }
    }

    /// The path as getcwd(2) and /proc/self/fd show it, seen from `root`; a removed name with
    /// " (deleted)", what cannot be reached from `root` with "(unreachable)" in front, and what
    /// is in no directory by its bare name.
    pub fn to_bytes(&self, root: &Path) -> Vec<u8> {
        let mut parts: Vec<Arc<[u8]>> = Vec::new();
        let mut at = self.clone();
        let mut reached = true;
        while at != *root {
            if Arc::ptr_eq(&at.dentry, &at.mount.root) {
                match at.mount.mount_point() {
                    Some(below) => at = below,
                    None => {
                        reached = false;
                        break;
                    }
                }
                continue;
            }
            let Some(parent) = at.dentry.parent() else {
                return at.dentry.name().to_vec();
            };
            parts.push(at.dentry.name());
            at = at.with(parent);
        }
        let mut text = if reached { Vec::new() } else { b"(unreachable)".to_vec() };
        for part in parts.iter().rev() {
            text.push(b'/');
            text.extend_from_slice(part);
        }
        if parts.is_empty() {
            text.push(b'/');
        }
        if self.dentry.is_deleted() {
            text.extend_from_slice(b" (deleted)");
        }
        text
    }
}

/// The file system that objects outside of any directory belong to.
struct Anonymous {
    device: u64,
}

/// ANON_INODE_FS_MAGIC of linux/magic.h.
const ANON_INODE_FS_MAGIC: u64 = 0x0904_1934;

impl FileSystem for Anonymous {
    fn type_name(&self) -> &'static str {
        "anon_inodefs"
    }
    fn root(&self) -> Arc<dyn Inode> {
        Arc::new(crate::anon::AnonInode::new(0o600))
    }
    fn statistics(&self) -> FsStatistics {
        FsStatistics { magic: ANON_INODE_FS_MAGIC, block_size: 4096, name_max: 255, ..FsStatistics::default() }
    }
    fn device(&self) -> u64 {
        self.device
    }
}

fn anonymous_mount() -> &'static Arc<Mount> {
    static MOUNT: OnceCell<Arc<Mount>> = OnceCell::new();
    MOUNT.get_or_init(|| Mount::new_root(Arc::new(Anonymous { device: new_anonymous_device() }), "none", 0))
}

/// Device number of objects outside of any file system.
pub fn anonymous_device() -> u64 {
    anonymous_mount().fs.device()
}
