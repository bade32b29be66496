//! tmpfs(5): files in trusted memory; also the root of an image, whose files get their content
//! when it is first looked at.

mod dir;
mod file;
mod inode;
mod memfd;
mod pages;
mod populate;
mod space;

pub use memfd::{add_seals, memfd, seals};
pub use pages::Backing;
pub use populate::{Attributes, Node};

use crate::acl::Acls;
use crate::attr::Time;
use crate::inode::{FileSystem, FsStatistics, Inode, NewInode, new_anonymous_device};
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use inode::{Shared, TmpInode};
use rkt_linux_abi::Result;
use rkt_linux_abi::general::S_IFDIR;
use space::Space;

/// TMPFS_MAGIC of linux/magic.h.
const TMPFS_MAGIC: u64 = 0x0102_1994;
/// Share of the memory that a tmpfs takes at most if nobody says otherwise (tmpfs(5)).
const DEFAULT_SHARE: u64 = 2;

/// Bytes that a tmpfs takes at most if nobody says otherwise, with so much memory.
pub fn default_limit(memory: u64) -> u64 {
    memory / DEFAULT_SHARE
}

/// A tmpfs.
pub struct TmpFs {
    type_name: &'static str,
    shared: Arc<Shared>,
    root: Arc<TmpInode>,
}

impl TmpFs {
    /// An empty tmpfs whose files may take `max_bytes` of memory; its root has these permissions.
    ///
    /// # Errors
    /// `ENOSPC` if it may have no inode.
    pub fn new(max_bytes: u64, max_inodes: u64, mode: u32) -> Result<Arc<Self>> {
        Self::of_type("tmpfs", max_bytes, max_inodes, mode)
    }

    /// As [`TmpFs::new`], showing itself under another name in /proc/mounts: devtmpfs, rootfs.
    ///
    /// # Errors
    /// As [`TmpFs::new`].
    pub fn of_type(type_name: &'static str, max_bytes: u64, max_inodes: u64, mode: u32) -> Result<Arc<Self>> {
        let shared = Shared::new(new_anonymous_device(), Space::new(max_bytes, max_inodes));
        let new =
            NewInode { mode: S_IFDIR | mode & 0o7777, uid: 0, gid: 0, rdev: 0, target: &[], acls: Acls::default() };
        let root = TmpInode::new(&shared, &new, None, Time::now())?;
        Ok(Arc::new(Self { type_name, shared, root }))
    }
}

impl FileSystem for TmpFs {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn root(&self) -> Arc<dyn Inode> {
        self.root.clone()
    }

    fn statistics(&self) -> FsStatistics {
        let (bytes, free) = self.shared.space.bytes();
        let (inodes, free_inodes) = self.shared.space.inodes();
        FsStatistics {
            magic: TMPFS_MAGIC,
            block_size: pages::PAGE,
            blocks: bytes / pages::PAGE,
            free: free / pages::PAGE,
            inodes,
            free_inodes,
            name_max: 255,
        }
    }

    fn device(&self) -> u64 {
        self.shared.device
    }

    fn options(&self) -> Box<str> {
        let (bytes, _) = self.shared.space.bytes();
        format!(",size={}k", bytes / 1024).into()
    }
}
