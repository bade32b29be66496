//! The file system of type mqueue, whose one directory shows the message queues of POSIX
//! (mq_overview(7)).

use super::posix_queue;
use crate::task;
use alloc::sync::Arc;
use rkt_linux_abi::general::{S_IFDIR, S_ISVTX};
use rkt_linux_abi::{Errno, Result};
use rkt_vfs::{
    DirEntry, EntrySink, FileSystem, FileType, FsStatistics, Inode, Metadata, NewInode, new_anonymous_device,
    new_anonymous_inode_number,
};

/// MQUEUE_MAGIC of linux/magic.h.
const MAGIC: u64 = 0x1980_0202;

/// The file system.
pub struct QueueFs {
    device: u64,
    root: Arc<Directory>,
}

impl QueueFs {
    /// A fresh view of the queues.
    pub fn new() -> Arc<Self> {
        let device = new_anonymous_device();
        let meta = Metadata::anonymous(device, new_anonymous_inode_number(), S_IFDIR | S_ISVTX | 0o777);
        Arc::new(Self { device, root: Arc::new(Directory { meta: Metadata { nlink: 2, ..meta } }) })
    }
}

impl FileSystem for QueueFs {
    fn type_name(&self) -> &'static str {
        "mqueue"
    }

    fn root(&self) -> Arc<dyn Inode> {
        self.root.clone()
    }

    fn statistics(&self) -> FsStatistics {
        FsStatistics { magic: MAGIC, block_size: 4096, name_max: 255, ..FsStatistics::default() }
    }

    fn device(&self) -> u64 {
        self.device
    }
}

/// The directory of all queues.
struct Directory {
    meta: Metadata,
}

impl Inode for Directory {
    fn kind(&self) -> FileType {
        FileType::Directory
    }

    fn metadata(&self) -> Metadata {
        self.meta
    }

    fn caches_names(&self) -> bool {
        false // mq_open(3) and mq_unlink(3) change the directory, too
    }

    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>> {
        Ok(posix_queue::find(name).ok_or(Errno::ENOENT)?)
    }

    fn create(&self, name: &[u8], new: &NewInode<'_>) -> Result<Arc<dyn Inode>> {
        if FileType::from_mode(new.mode) != Some(FileType::Regular) {
            return Err(Errno::EPERM);
        }
        let task = task::try_current().ok_or(Errno::EPERM)?;
        Ok(posix_queue::create(&task.process, name, new.mode & 0o7777)?)
    }

    fn unlink(&self, name: &[u8]) -> Result<()> {
        posix_queue::remove(name)
    }

    fn read_dir(&self, from: u64, emit: EntrySink<'_>) -> Result<()> {
        for ((name, ino), next) in posix_queue::names().iter().zip(1..).skip(from as usize) {
            if !emit(&DirEntry { name, ino: *ino, kind: FileType::Regular, next }) {
                break;
            }
        }
        Ok(())
    }
}
