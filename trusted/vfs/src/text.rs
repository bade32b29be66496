//! Files that run are not written, and files that are written do not run: `ETXTBSY`.

use crate::inode::Inode;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicI32, Ordering};
use rkt_linux_abi::{Errno, Result};

/// How many have a regular file open for writing (above 0), or run it (below 0).
#[derive(Debug, Default)]
pub struct TextUse(AtomicI32);

impl TextUse {
    fn enter(&self, step: i32) -> Result<()> {
        let joined = |users: i32| if users.signum() == -step { None } else { users.checked_add(step) };
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, joined).map_err(|_| Errno::ETXTBSY).map(drop)
    }

    /// Whether somebody has the file open for writing.
    pub(crate) fn is_written(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

/// A file is written, or run, as long as this is held.
pub struct TextGuard {
    inode: Arc<dyn Inode>,
    step: i32,
}

impl TextGuard {
    /// The file is going to be written.
    ///
    /// # Errors
    /// `ETXTBSY` if somebody runs it.
    pub fn writing(inode: &Arc<dyn Inode>) -> Result<Self> {
        Self::new(inode, 1)
    }

    /// The file is going to be run.
    ///
    /// # Errors
    /// `ETXTBSY` if somebody has it open for writing.
    pub fn running(inode: &Arc<dyn Inode>) -> Result<Self> {
        Self::new(inode, -1)
    }

    fn new(inode: &Arc<dyn Inode>, step: i32) -> Result<Self> {
        inode.text_use().map_or(Ok(()), |users| users.enter(step))?;
        Ok(Self { inode: inode.clone(), step })
    }
}

impl Drop for TextGuard {
    fn drop(&mut self) {
        if let Some(users) = self.inode.text_use() {
            users.0.fetch_sub(self.step, Ordering::AcqRel);
        }
    }
}
