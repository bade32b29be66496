//! Between ext4's words and the VFS's.

use rkt_ext4::{Error, SetMode, Stat};
use rkt_linux_abi::general::{XATTR_CREATE, XATTR_REPLACE};
use rkt_linux_abi::{Errno, Result};
use rkt_vfs::{FileType, Metadata, Time, make_device};

/// The error number of a failure.
pub fn errno(error: Error) -> Errno {
    match error {
        Error::Disk => Errno::EIO,
        Error::Corrupt(_) => Errno::EUCLEAN,
        Error::ReadOnly => Errno::EROFS,
        Error::NoSpace => Errno::ENOSPC,
        Error::NotFound => Errno::ENOENT,
        Error::Exists => Errno::EEXIST,
        Error::NotDirectory => Errno::ENOTDIR,
        Error::IsDirectory => Errno::EISDIR,
        Error::NotEmpty => Errno::ENOTEMPTY,
        Error::TooManyLinks => Errno::EMLINK,
        Error::NameTooLong => Errno::ENAMETOOLONG,
        Error::Invalid => Errno::EINVAL,
        Error::TooLarge => Errno::EFBIG,
        Error::NoData => Errno::ENODATA,
        Error::PastEnd => Errno::ENXIO,
        Error::NotPermitted => Errno::EPERM,
        Error::Unsupported => Errno::EOPNOTSUPP,
    }
}

/// A result in the VFS's words.
pub fn result<T>(result: rkt_ext4::Result<T>) -> Result<T> {
    result.map_err(errno)
}

/// What stat(2) tells.
pub fn metadata(stat: &Stat, dev: u64, block_size: u32) -> Metadata {
    Metadata {
        dev,
        ino: stat.ino.into(),
        mode: stat.mode.into(),
        nlink: stat.links.into(),
        uid: stat.uid,
        gid: stat.gid,
        rdev: make_device(stat.device.0, stat.device.1),
        size: stat.size,
        block_size,
        blocks: stat.sectors,
        atime: Time(stat.atime),
        mtime: Time(stat.mtime),
        ctime: Time(stat.ctime),
        btime: Time(stat.crtime),
    }
}

/// The kind of an inode; what is none that Linux knows counts as a regular file.
pub fn kind(stat: &Stat) -> FileType {
    FileType::from_mode(stat.mode.into()).unwrap_or(FileType::Regular)
}

/// The kind that a directory entry tells (`EXT4_FT_*`).
pub fn entry_kind(kind: u8) -> Option<FileType> {
    Some(match kind {
        1 => FileType::Regular,
        2 => FileType::Directory,
        3 => FileType::CharDevice,
        4 => FileType::BlockDevice,
        5 => FileType::Fifo,
        6 => FileType::Socket,
        7 => FileType::Symlink,
        _ => return None,
    })
}

/// The flags of setxattr(2).
///
/// # Errors
/// `EINVAL`.
pub fn set_mode(flags: u32) -> Result<SetMode> {
    const BOTH: u32 = XATTR_CREATE | XATTR_REPLACE;
    match flags {
        0 => Ok(SetMode::Any),
        XATTR_CREATE => Ok(SetMode::Create),
        XATTR_REPLACE => Ok(SetMode::Replace),
        BOTH => Ok(SetMode::Never),
        _ => Err(Errno::EINVAL),
    }
}
