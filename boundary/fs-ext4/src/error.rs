//! What goes wrong.

use crate::disk::DiskError;
use core::fmt;
use rkt_ext4_format::features::Names;

/// The disk is guilty: what it holds is no ext4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// What is wrong.
    pub what: &'static str,
    /// In which inode, if in one.
    pub ino: Option<u32>,
    /// In which block, if in one.
    pub block: Option<u64>,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        if let Some(ino) = self.ino {
            write!(f, ", inode {ino}")?;
        }
        if let Some(block) = self.block {
            write!(f, ", block {block}")?;
        }
        Ok(())
    }
}

/// Why an operation failed. Those without another word are as the error numbers of the same names
/// in errno(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The disk failed (`EIO`).
    Disk,
    /// The disk's content is wrong (`EUCLEAN`).
    Corrupt(Corruption),
    /// `EROFS`.
    ReadOnly,
    /// `ENOSPC`.
    NoSpace,
    /// `ENOENT`.
    NotFound,
    /// `EEXIST`.
    Exists,
    /// `ENOTDIR`.
    NotDirectory,
    /// `EISDIR`.
    IsDirectory,
    /// `ENOTEMPTY`.
    NotEmpty,
    /// `EMLINK`.
    TooManyLinks,
    /// `ENAMETOOLONG`.
    NameTooLong,
    /// `EINVAL`.
    Invalid,
    /// `EFBIG`.
    TooLarge,
    /// `ENODATA`.
    NoData,
    /// `ENXIO`: nothing behind the offset.
    PastEnd,
    /// `EPERM`.
    NotPermitted,
    /// `EOPNOTSUPP`.
    Unsupported,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Corrupt(corruption) => return fmt::Display::fmt(corruption, f),
            Self::Disk => "I/O error",
            Self::ReadOnly => "read-only file system",
            Self::NoSpace => "no space left",
            Self::NotFound => "no such file or directory",
            Self::Exists => "file exists",
            Self::NotDirectory => "not a directory",
            Self::IsDirectory => "is a directory",
            Self::NotEmpty => "directory not empty",
            Self::TooManyLinks => "too many links",
            Self::NameTooLong => "name too long",
            Self::Invalid => "invalid argument",
            Self::TooLarge => "file too large",
            Self::NoData => "no such attribute",
            Self::PastEnd => "offset is past the end",
            Self::NotPermitted => "not permitted",
            Self::Unsupported => "not supported",
        })
    }
}

impl core::error::Error for Error {}

impl From<DiskError> for Error {
    fn from(_: DiskError) -> Self {
        Self::Disk
    }
}

/// A result of an operation.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// The content of a block is wrong.
pub(crate) fn bad_block(what: &'static str, block: u64) -> Error {
    Error::Corrupt(Corruption { what, ino: None, block: Some(block) })
}

/// An inode is wrong.
pub(crate) fn bad_inode(what: &'static str, ino: u32) -> Error {
    Error::Corrupt(Corruption { what, ino: Some(ino), block: None })
}

/// Why a file system cannot be mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountError {
    /// The disk failed.
    Disk,
    /// There is no ext4 on the disk.
    NotExt4,
    /// Features that are not known here, by name.
    Incompatible(Names),
    /// Features that forbid writing here, by name: it can be mounted read-only.
    ReadOnlyOnly(Names),
    /// An ext2 or ext3, whose files have no extents: it can be mounted read-only.
    WithoutExtents,
    /// The superblock is damaged.
    Superblock(&'static str),
    /// The journal is damaged or of an unknown kind.
    Journal(&'static str),
    /// Something else is damaged.
    Corrupt(Corruption),
    /// An operation that mounting needs failed.
    Failed(Error),
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk => f.write_str("I/O error of the disk"),
            Self::NotExt4 => f.write_str("no ext4 file system"),
            Self::Incompatible(names) => write!(f, "unsupported features: {names}"),
            Self::ReadOnlyOnly(names) => write!(f, "features that allow mounting read-only alone: {names}"),
            Self::WithoutExtents => {
                f.write_str("file system without extents (ext2, ext3) can be mounted read-only alone")
            }
            Self::Superblock(what) | Self::Journal(what) => f.write_str(what),
            Self::Corrupt(corruption) => fmt::Display::fmt(corruption, f),
            Self::Failed(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl core::error::Error for MountError {}

impl From<DiskError> for MountError {
    fn from(_: DiskError) -> Self {
        Self::Disk
    }
}

impl From<Error> for MountError {
    fn from(error: Error) -> Self {
        match error {
            Error::Disk => Self::Disk,
            Error::Corrupt(corruption) => Self::Corrupt(corruption),
            other => Self::Failed(other),
        }
    }
}
