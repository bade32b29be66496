//! `FS_IOC_FSGETXATTR` and `FS_IOC_FSSETXATTR` (ioctl_xfs_fsgetxattr(2)): flags of inodes by the names that XFS
//! gave them, and what only some file systems have.

use crate::attr::FileType;
use crate::mount::Path;
use crate::ops::check_flags;
use crate::walk::FsContext;
use rkt_linux_abi::general::{
    FS_APPEND_FL, FS_DAX_FL, FS_IMMUTABLE_FL, FS_NOATIME_FL, FS_NODUMP_FL, FS_PROJINHERIT_FL, FS_SYNC_FL,
    FS_XFLAG_APPEND, FS_XFLAG_COWEXTSIZE, FS_XFLAG_DAX, FS_XFLAG_EXTSIZE, FS_XFLAG_EXTSZINHERIT, FS_XFLAG_FILESTREAM,
    FS_XFLAG_HASATTR, FS_XFLAG_IMMUTABLE, FS_XFLAG_NOATIME, FS_XFLAG_NODEFRAG, FS_XFLAG_NODUMP, FS_XFLAG_NOSYMLINKS,
    FS_XFLAG_PREALLOC, FS_XFLAG_PROJINHERIT, FS_XFLAG_REALTIME, FS_XFLAG_RTINHERIT, FS_XFLAG_SYNC,
};
use rkt_linux_abi::{Errno, Result};

/// Flags that have a name on either side: ours and XFS's.
const COMMON: [(u32, u32); 7] = [
    (FS_SYNC_FL, FS_XFLAG_SYNC),
    (FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE),
    (FS_APPEND_FL, FS_XFLAG_APPEND),
    (FS_NODUMP_FL, FS_XFLAG_NODUMP),
    (FS_NOATIME_FL, FS_XFLAG_NOATIME),
    (FS_DAX_FL, FS_XFLAG_DAX),
    (FS_PROJINHERIT_FL, FS_XFLAG_PROJINHERIT),
];
/// Those that tell what XFS found out itself: setting them changes nothing.
const FOUND: u32 = FS_XFLAG_PREALLOC | FS_XFLAG_HASATTR;
/// Those of XFS alone.
const OTHERS: u32 = FS_XFLAG_REALTIME
    | FS_XFLAG_RTINHERIT
    | FS_XFLAG_NOSYMLINKS
    | FS_XFLAG_EXTSIZE
    | FS_XFLAG_EXTSZINHERIT
    | FS_XFLAG_NODEFRAG
    | FS_XFLAG_FILESTREAM
    | FS_XFLAG_COWEXTSIZE;

/// What a file is asked to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedFlags {
    /// `FS_XFLAG_*`.
    pub xflags: u32,
    /// Hint for the size of extents, bytes.
    pub extent: u32,
    /// The project.
    pub project: u32,
    /// The same hint for copies on write.
    pub copied_extent: u32,
}

impl ExtendedFlags {
    /// Whether it asks for something that only XFS has.
    pub fn has_others(&self) -> bool {
        self.xflags & OTHERS != 0 || self.extent != 0 || self.copied_extent != 0
    }

    /// Checks it for a kind of file; hints of no size are none.
    fn checked(mut self, kind: FileType) -> Result<Self> {
        let misplaced = match kind {
            FileType::Regular => FS_XFLAG_EXTSZINHERIT,
            FileType::Directory => FS_XFLAG_EXTSIZE,
            _ => FS_XFLAG_EXTSZINHERIT | FS_XFLAG_EXTSIZE | FS_XFLAG_COWEXTSIZE | FS_XFLAG_DAX,
        };
        if self.xflags & misplaced != 0 {
            return Err(Errno::EINVAL);
        }
        if self.extent == 0 {
            self.xflags &= !(FS_XFLAG_EXTSIZE | FS_XFLAG_EXTSZINHERIT);
        }
        if self.copied_extent == 0 {
            self.xflags &= !FS_XFLAG_COWEXTSIZE;
        }
        Ok(self)
    }
}

/// The flags of a file as `FS_IOC_FSGETXATTR` tells them.
///
/// # Errors
/// `ENOTTY` if it has none.
pub fn xflags(at: &Path) -> Result<u32> {
    let flags = at.inode().flags()?;
    Ok(COMMON.iter().filter(|(ours, _)| flags & ours != 0).fold(0, |all, (_, theirs)| all | theirs))
}

/// `FS_IOC_FSSETXATTR`.
///
/// # Errors
/// `EOPNOTSUPP` for what nobody knows or this file system does not have, `EINVAL` for what this kind of file cannot
/// have; `EPERM`, `EROFS`, `ENOTTY`.
pub fn set_xflags(context: &FsContext, at: &Path, asked: ExtendedFlags) -> Result<()> {
    let known = COMMON.iter().fold(FOUND | OTHERS, |all, (_, theirs)| all | theirs);
    if asked.xflags & !known != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    at.mount.check_writable()?;
    let mut flags = at.inode().flags()?;
    for (ours, theirs) in COMMON {
        flags = if asked.xflags & theirs != 0 { flags | ours } else { flags & !ours };
    }
    check_flags(context, at, flags)?;
    let asked = asked.checked(at.inode().kind())?;
    at.inode().check_extended(&asked)?;
    at.inode().set_flags(flags)
}
