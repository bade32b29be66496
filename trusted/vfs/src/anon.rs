//! Inodes of objects that are in no directory: eventfd, epoll, sockets and their like.

use crate::attr::{FileType, Metadata, SetAttributes};
use crate::inode::{Inode, new_anonymous_inode_number};
use crate::mount::anonymous_device;
use rkt_linux_abi::{Errno, Result};

/// An inode without content, only there to be looked at with fstat(2).
pub struct AnonInode {
    ino: u64,
    mode: u32,
}

impl AnonInode {
    /// `mode` with the `S_IFMT` bits: none for eventfd and its like, `S_IFSOCK` for sockets.
    pub fn new(mode: u32) -> Self {
        Self { ino: new_anonymous_inode_number(), mode }
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
        if change.size.is_some() { Err(Errno::EINVAL) } else { Ok(()) }
    }
}
