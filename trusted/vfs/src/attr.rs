//! What stat(2) tells and what chmod, chown, utimensat and truncate change.

use crate::acl::Acl;
use crate::cred::Credentials;
use alloc::sync::Arc;
use rkt_linux_abi::general::{
    CAP_FSETID, FS_APPEND_FL, FS_IMMUTABLE_FL, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK,
    S_ISGID, S_ISUID, S_IXGRP,
};
use rkt_linux_abi::{Errno, Result};

/// A point in time: nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

impl Time {
    const SECOND: i64 = 1_000_000_000;

    /// The wall clock.
    pub fn now() -> Self {
        Self(i64::try_from(rkt_platform::wall()).unwrap_or(i64::MAX))
    }

    /// From a `timespec`; dates beyond the years 1677 to 2262 are clamped.
    pub fn new(seconds: i64, nanoseconds: u32) -> Self {
        Self(seconds.saturating_mul(Self::SECOND).saturating_add(i64::from(nanoseconds)))
    }

    /// Whole seconds, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(Self::SECOND)
    }

    /// Nanoseconds within the second.
    pub fn nanoseconds(self) -> u32 {
        self.0.rem_euclid(Self::SECOND) as u32
    }
}

/// Kinds of inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A file of bytes.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A UNIX socket.
    Socket,
}

impl FileType {
    /// From the `S_IFMT` bits of a mode.
    pub fn from_mode(mode: u32) -> Option<Self> {
        Some(match mode & S_IFMT {
            S_IFREG => Self::Regular,
            S_IFDIR => Self::Directory,
            S_IFLNK => Self::Symlink,
            S_IFCHR => Self::CharDevice,
            S_IFBLK => Self::BlockDevice,
            S_IFIFO => Self::Fifo,
            S_IFSOCK => Self::Socket,
            _ => return None,
        })
    }

    /// The `S_IFMT` bits.
    pub fn mode_bits(self) -> u32 {
        match self {
            Self::Regular => S_IFREG,
            Self::Directory => S_IFDIR,
            Self::Symlink => S_IFLNK,
            Self::CharDevice => S_IFCHR,
            Self::BlockDevice => S_IFBLK,
            Self::Fifo => S_IFIFO,
            Self::Socket => S_IFSOCK,
        }
    }

    /// `d_type` of getdents64(2): the `S_IFMT` bits shifted down.
    pub fn dirent_type(self) -> u8 {
        (self.mode_bits() >> 12) as u8
    }
}

/// A device number as `st_rdev` and mknod(2) encode it (makedev(3)).
pub fn make_device(major: u32, minor: u32) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    (major & 0xfffff000) << 32 | (major & 0xfff) << 8 | (minor & 0xffffff00) << 12 | (minor & 0xff)
}

/// Major number of an encoded device number.
pub fn device_major(device: u64) -> u32 {
    (((device >> 32) & 0xfffff000) | ((device >> 8) & 0xfff)) as u32
}

/// Minor number of an encoded device number.
pub fn device_minor(device: u64) -> u32 {
    (((device >> 12) & 0xffffff00) | (device & 0xff)) as u32
}

/// What stat(2) tells.
#[derive(Clone, Copy, Debug)]
pub struct Metadata {
    /// Device number of the file system.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Number of names.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node.
    pub rdev: u64,
    /// Length in bytes.
    pub size: u64,
    /// Preferred length of an I/O operation.
    pub block_size: u32,
    /// Units of 512 bytes in use.
    pub blocks: u64,
    /// Last access.
    pub atime: Time,
    /// Last change of the content.
    pub mtime: Time,
    /// Last change of the content or the attributes.
    pub ctime: Time,
    /// Creation.
    pub btime: Time,
}

impl Metadata {
    /// Attributes of an object outside of any directory: no size, owned by root, all times now.
    pub fn anonymous(dev: u64, ino: u64, mode: u32) -> Self {
        let now = Time::now();
        Self {
            dev,
            ino,
            mode,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            size: 0,
            block_size: 4096,
            blocks: 0,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
        }
    }
}

/// What permission checks look at.
#[derive(Clone, Debug)]
pub struct Access {
    /// Type and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Flags of `FS_IOC_GETFLAGS` (ioctl_iflags(2)).
    pub flags: u32,
    /// Whatever else somebody may do.
    pub acl: Option<Arc<Acl>>,
}

impl Access {
    /// Nothing of it may change (`chattr +i`).
    pub(crate) fn is_immutable(&self) -> bool {
        self.flags & FS_IMMUTABLE_FL != 0
    }

    /// Content may only be added to it (`chattr +a`).
    pub(crate) fn is_append_only(&self) -> bool {
        self.flags & FS_APPEND_FL != 0
    }

    /// Neither attributes nor names of it may change.
    ///
    /// # Errors
    /// `EPERM`.
    pub(crate) fn check_changeable(&self) -> Result<()> {
        if self.is_immutable() || self.is_append_only() { Err(Errno::EPERM) } else { Ok(()) }
    }
}

/// Changes of attributes; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetAttributes {
    /// Permission bits, 12 of them.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Length of a regular file.
    pub size: Option<u64>,
    /// Last access.
    pub atime: Option<Time>,
    /// Last change of the content.
    pub mtime: Option<Time>,
}

impl Metadata {
    /// Takes in new attributes of something that has no length.
    pub fn change(&mut self, change: &SetAttributes) {
        self.mode = change.mode.map_or(self.mode, |mode| self.mode & S_IFMT | mode);
        self.uid = change.uid.unwrap_or(self.uid);
        self.gid = change.gid.unwrap_or(self.gid);
        self.atime = change.atime.unwrap_or(self.atime);
        self.mtime = change.mtime.unwrap_or(self.mtime);
        self.ctime = Time::now();
    }
}

/// The mode after content or owner changed: set-user-ID goes, and set-group-ID where it gives a
/// group away, or where who changed it is no member of the group (inode(7)).
pub fn without_privileges(access: &Access, credentials: &Credentials) -> u32 {
    let member = credentials.in_group(access.gid) || credentials.capable(CAP_FSETID);
    let group = if access.mode & S_IXGRP != 0 || !member { S_ISGID } else { 0 };
    access.mode & !(S_ISUID | group)
}
