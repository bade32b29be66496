//! What a file system implements: inodes and the file system itself.

use crate::acl::{Acl, AclKind, Acls};
use crate::attr::{Access, FileType, Metadata, SetAttributes};
use crate::file::{FileOps, OpenFile};
use crate::lock::FileLocks;
use crate::mount::Path;
use crate::pipe::Pipe;
use crate::text::TextUse;
use crate::xflags::ExtendedFlags;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use rkt_linux_abi::{Errno, Result};

/// What a symbolic link leads to.
pub enum LinkTarget {
    /// A path to be resolved.
    Text(Vec<u8>),
    /// A "magic link" of proc(5): straight to an object, whatever its name.
    Jump(Path),
}

/// An inode that is to be made.
pub struct NewInode<'a> {
    /// Type and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node.
    pub rdev: u64,
    /// Target of a symbolic link.
    pub target: &'a [u8],
    /// Access control lists.
    pub acls: Acls,
}

/// One name in a directory.
pub struct DirEntry<'a> {
    /// The name.
    pub name: &'a [u8],
    /// Inode number.
    pub ino: u64,
    /// Kind of inode.
    pub kind: FileType,
    /// Position to go on from behind this entry.
    pub next: u64,
}

/// A run of a file on its disk; all numbers are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileExtent {
    /// Offset in the file.
    pub logical: u64,
    /// Offset on the disk.
    pub physical: u64,
    /// Length.
    pub len: u64,
    /// Reads as zeroes, whatever the disk has there.
    pub unwritten: bool,
}

/// Takes directory entries until it returns false: the entry was not taken, nor will be more.
pub type EntrySink<'a> = &'a mut dyn FnMut(&DirEntry<'_>) -> bool;

/// An object of a file system. Callers have checked permissions, and hold the directory's lock
/// for the methods that change a directory. The defaults answer as Linux does for an inode
/// that does not have the operation.
#[allow(unused_variables)]
pub trait Inode: Any + Send + Sync {
    /// Kind of inode; never changes.
    fn kind(&self) -> FileType;

    /// What stat(2) tells.
    fn metadata(&self) -> Metadata;

    /// Mode and owner, for permission checks.
    fn access(&self) -> Access {
        let Metadata { mode, uid, gid, .. } = self.metadata();
        Access { mode, uid, gid, flags: self.flags().unwrap_or(0), acl: None }
    }

    /// Changes attributes and sets ctime.
    ///
    /// # Errors
    /// As truncate(2) and chmod(2).
    fn set_attributes(&self, change: &SetAttributes) -> Result<()> {
        Err(Errno::EPERM)
    }

    /// Finds a name in a directory.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EIO`.
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        Err(Errno::ENOTDIR)
    }

    /// Whether a name once found stays valid until this kernel changes the directory. Not so in
    /// proc(5).
    fn caches_names(&self) -> bool {
        true
    }

    /// Makes an inode with a name that is not taken.
    ///
    /// # Errors
    /// `EEXIST`, `ENOSPC`, `EPERM`, `EACCES`.
    fn create(&self, name: &[u8], new: &NewInode<'_>) -> Result<Arc<dyn Inode>> {
        Err(if FileType::from_mode(new.mode) == Some(FileType::Regular) { Errno::EACCES } else { Errno::EPERM })
    }

    /// Makes a regular file without a name (`O_TMPFILE`), which it may be given later if it is
    /// `linkable` (no `O_EXCL`).
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `ENOSPC`.
    fn create_unnamed(&self, new: &NewInode<'_>, linkable: bool) -> Result<Arc<dyn Inode>> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Gives an inode of the same file system a further name.
    ///
    /// # Errors
    /// `EEXIST`, `EMLINK`, `EPERM`, `ENOENT` if the inode has lost its last name.
    fn link(&self, name: &[u8], inode: &Arc<dyn Inode>) -> Result<()> {
        Err(Errno::EPERM)
    }

    /// Removes the name of something that is not a directory.
    ///
    /// # Errors
    /// `ENOENT`, `EPERM`.
    fn unlink(&self, name: &[u8]) -> Result<()> {
        Err(Errno::EPERM)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTEMPTY`, `EPERM`.
    fn rmdir(&self, name: &[u8]) -> Result<()> {
        Err(Errno::EPERM)
    }

    /// Moves `name` to `new_name` in a directory of the same file system, replacing what is
    /// there, or exchanging both. Types and ancestry have been checked.
    ///
    /// # Errors
    /// `ENOTEMPTY`, `ENOSPC`, `EPERM`.
    fn rename(&self, name: &[u8], to: &Arc<dyn Inode>, new_name: &[u8], exchange: bool) -> Result<()> {
        Err(Errno::EPERM)
    }

    /// Lists a directory, without "." and "..", from a position (0 = start).
    ///
    /// # Errors
    /// `ENOTDIR`, `EIO`.
    fn read_dir(&self, from: u64, emit: EntrySink<'_>) -> Result<()> {
        Err(Errno::ENOTDIR)
    }

    /// Where a directory ends for lseek(2); none if it does not say.
    fn directory_end(&self) -> Option<u64> {
        None
    }

    /// A directory was listed by somebody who lets its access time tell.
    fn listed(&self) {}

    /// Where a symbolic link leads.
    ///
    /// # Errors
    /// `EINVAL` if it is none.
    fn link_target(&self) -> Result<LinkTarget> {
        Err(Errno::EINVAL)
    }

    /// Opens a regular file, or an object that brings its own operations.
    ///
    /// # Errors
    /// `ENXIO`.
    fn open(self: Arc<Self>, flags: u32) -> Result<Arc<dyn FileOps>> {
        Err(Errno::ENXIO)
    }

    /// The pipe of a FIFO.
    fn pipe(&self) -> Option<&Arc<Pipe>> {
        None
    }

    /// The locks on the file, made if there were none yet.
    fn locks(&self) -> Option<&FileLocks> {
        None
    }

    /// The locks on the file, if there ever was one.
    fn existing_locks(&self) -> Option<&FileLocks> {
        None
    }

    /// Who writes or runs a regular file; none where nobody counts.
    fn text_use(&self) -> Option<&TextUse> {
        None
    }

    /// Reads an extended attribute.
    ///
    /// # Errors
    /// `ENODATA`, `EOPNOTSUPP`.
    fn xattr(&self, name: &[u8]) -> Result<Vec<u8>> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Sets an extended attribute; `flags` as in setxattr(2).
    ///
    /// # Errors
    /// `EEXIST`, `ENODATA`, `EOPNOTSUPP`, `ENOSPC`.
    fn set_xattr(&self, name: &[u8], value: &[u8], flags: u32) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// `ENODATA`, `EOPNOTSUPP`.
    fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Names of all extended attributes, each ended by a NUL.
    ///
    /// # Errors
    /// `EOPNOTSUPP`.
    fn list_xattr(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Flags of `FS_IOC_GETFLAGS` (ioctl_iflags(2)).
    ///
    /// # Errors
    /// `ENOTTY` if it has none.
    fn flags(&self) -> Result<u32> {
        Err(Errno::ENOTTY)
    }

    /// Sets the flags and ctime.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for flags that cannot be set, `ENOTTY`.
    fn set_flags(&self, flags: u32) -> Result<()> {
        Err(Errno::ENOTTY)
    }

    /// Distinguishes inodes that had the same number (`FS_IOC_GETVERSION`).
    ///
    /// # Errors
    /// `ENOTTY` if that is not known.
    fn generation(&self) -> Result<u32> {
        Err(Errno::ENOTTY)
    }

    /// What addresses, offsets and lengths have to be multiples of for `O_DIRECT`, if it goes to a disk.
    fn direct_alignment(&self) -> Option<u32> {
        None
    }

    /// Whether it can have what `FS_IOC_FSSETXATTR` asks for besides its flags.
    ///
    /// # Errors
    /// `EOPNOTSUPP`.
    fn check_extended(&self, asked: &ExtendedFlags) -> Result<()> {
        if asked.has_others() || asked.project != 0 { Err(Errno::EOPNOTSUPP) } else { Ok(()) }
    }

    /// Tells where `[from, to)` of a file lies on its disk, in order, until `emit` returns false.
    ///
    /// # Errors
    /// `EOPNOTSUPP` if it has no place, `EIO`.
    fn extents(&self, from: u64, to: u64, emit: &mut dyn FnMut(&FileExtent) -> bool) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    /// An access control list.
    ///
    /// # Errors
    /// `EOPNOTSUPP` if it can have none.
    fn acl(&self, kind: AclKind) -> Result<Option<Arc<Acl>>> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Sets an access control list, or removes it.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `ENOSPC`, `EIO`.
    fn set_acl(&self, kind: AclKind, acl: Option<Arc<Acl>>) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    /// fsync(2) of what was opened as a directory.
    ///
    /// # Errors
    /// `EIO`.
    fn sync(&self, data_only: bool) -> Result<()> {
        Ok(())
    }

    /// Called when a file is opened, for access times.
    fn opened(&self, file: &OpenFile) {}
}

/// What statfs(2) tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct FsStatistics {
    /// Magic number of the file-system type.
    pub magic: u64,
    /// Bytes a block.
    pub block_size: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Free blocks.
    pub free: u64,
    /// Inodes in all.
    pub inodes: u64,
    /// Free inodes.
    pub free_inodes: u64,
    /// Longest name.
    pub name_max: u64,
}

/// A file system that can be mounted.
pub trait FileSystem: Send + Sync {
    /// Type as /proc/filesystems calls it.
    fn type_name(&self) -> &'static str;
    /// The root directory.
    fn root(&self) -> Arc<dyn Inode>;
    /// What statfs(2) tells.
    fn statistics(&self) -> FsStatistics;
    /// Device number.
    fn device(&self) -> u64;
    /// Writes everything back.
    ///
    /// # Errors
    /// `EIO`.
    fn sync(&self) -> Result<()> {
        Ok(())
    }
    /// Mount options beyond the general ones, for /proc/mounts, each with a leading comma.
    fn options(&self) -> Box<str> {
        Box::default()
    }
}

/// A device number of its own for a file system without a device: major 0, as in Linux.
pub fn new_anonymous_device() -> u64 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    crate::attr::make_device(0, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// An inode number for an object outside of any file system.
pub fn new_anonymous_inode_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1024);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
