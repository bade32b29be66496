//! The newc cpio format, as the Linux kernel documents it in
//! "initramfs buffer format" (`Documentation/driver-api/early-userspace/buffer-format.rst`).
//!
//! An archive is a sequence of entries, each a 110-byte ASCII header, a NUL-terminated
//! name and a body, name and body padded to four bytes, ended by an entry named
//! `TRAILER!!!`. [`Reader`] walks an archive without copying, [`Writer`] emits one,
//! and [`check_name`] tells whether a name is a safe path to unpack.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod name;
mod reader;
mod writer;

pub use name::{NAME_MAX, NameError, PATH_MAX, check_name};
pub use reader::{CpioError, Reader};
pub use writer::{WriteError, Writer};

/// Name of the entry that ends an archive.
pub const TRAILER: &[u8] = b"TRAILER!!!";

/// Mask of the file type in [`Entry::mode`] (inode(7)).
pub const S_IFMT: u32 = 0o170000;
/// File type: regular file.
pub const S_IFREG: u32 = 0o100000;
/// File type: directory.
pub const S_IFDIR: u32 = 0o040000;
/// File type: symbolic link; the body is the target, without a NUL.
pub const S_IFLNK: u32 = 0o120000;
/// File type: character device.
pub const S_IFCHR: u32 = 0o020000;
/// File type: block device.
pub const S_IFBLK: u32 = 0o060000;
/// File type: FIFO.
pub const S_IFIFO: u32 = 0o010000;
/// File type: socket.
pub const S_IFSOCK: u32 = 0o140000;

/// `c_magic` of newc without checksums.
const MAGIC: &[u8; 6] = b"070701";
/// The magic and thirteen fields of eight hexadecimal digits.
const HEADER_LEN: usize = 110;

/// One member of an archive. Numbers are as stored: nothing but their syntax has been checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Inode number; entries of one archive with the same one are hard links.
    pub ino: u32,
    /// File type and permissions, as `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Number of links.
    pub nlink: u32,
    /// Modification time, seconds since 1970.
    pub mtime: u32,
    /// Major number of the device this node stands for.
    pub rdev_major: u32,
    /// Minor number of the device this node stands for.
    pub rdev_minor: u32,
    /// Path, without the terminating NUL. Check it with [`check_name`] before use.
    pub name: &'a [u8],
    /// Body: contents of a regular file, target of a symbolic link.
    pub data: &'a [u8],
}

impl Entry<'_> {
    /// The file type bits of the mode.
    pub fn file_type(&self) -> u32 {
        self.mode & S_IFMT
    }
}

/// Bytes of zeros that bring `len` to a multiple of four.
fn padding(len: usize) -> usize {
    len.wrapping_neg() % 4
}

#[cfg(test)]
mod tests;
