//! Times that a page cache kept.

use crate::error::Result;
use crate::fs::Ext4;
use lock_api::RawMutex;
use rkt_ext4_format::inode::Nanos;

impl<L: RawMutex> Ext4<L> {
    /// Sets when the contents and when the inode last changed, as a page cache does that has written
    /// contents back later than they changed.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn set_times(&self, ino: u32, mtime: Nanos, ctime: Nanos) -> Result<()> {
        self.change(4, |core| {
            core.live_inode(ino)?;
            let found = core.inode_mut(ino)?;
            (found.mtime, found.ctime) = (mtime, ctime);
            Ok(())
        })
    }
}
