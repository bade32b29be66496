//! Inodes of objects that are in no directory: eventfd, epoll, sockets and their like.

use crate::attr::{FileType, Metadata, SetAttributes};
use crate::inode::{Inode, new_anonymous_inode_number};
use crate::lock::FileLocks;
use crate::mount::anonymous_device;
use alloc::boxed::Box;
use rkt_linux_abi::general::S_IFMT;
use rkt_linux_abi::{Errno, Result};
use rkt_sync::OnceCell;

/// An inode without content, only there to be looked at with fstat(2).
pub struct AnonInode {
    ino: u64,
    mode: u32,
    locks: OnceCell<Box<FileLocks>>,
}

impl AnonInode {
    /// `mode` with the `S_IFMT` bits: none for eventfd and its like, `S_IFSOCK` for sockets.
    pub fn new(mode: u32) -> Self {
        Self { ino: new_anonymous_inode_number(), mode, locks: OnceCell::new() }
    }

    /// Its inode number, which is part of names as in "socket:[1234]".
    pub fn number(&self) -> u64 {
        self.ino
    }
}

impl Inode for AnonInode {
    fn kind(&self) -> FileType {
        FileType::from_mode(self.mode).unwrap_or(FileType::Regular)
    }

    fn metadata(&self) -> Metadata {
        Metadata::anonymous(anonymous_device(), self.ino, self.mode)
    }

    fn set_attributes(&self, change: &SetAttributes) -> Result<()> {
        // Only sockets have attributes of their own.
        match change.size {
            Some(_) => Err(Errno::EINVAL),
            None if self.mode & S_IFMT == 0 => Err(Errno::EOPNOTSUPP),
            None => Ok(()),
        }
    }

    fn locks(&self) -> Option<&FileLocks> {
        Some(self.locks.get_or_init(Box::default))
    }

    fn existing_locks(&self) -> Option<&FileLocks> {
        self.locks.get().map(|locks| &**locks)
    }
}
