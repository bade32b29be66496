//! eventfd(2).

use crate::anon::AnonInode;
use crate::file::{FileOps, OpenFile};
use crate::poll::{PollTable, READABLE, WRITABLE};
use alloc::sync::Arc;
use rkt_linux_abi::general::{EFD_SEMAPHORE, O_NONBLOCK, O_RDWR, POLLERR};
use rkt_linux_abi::{Errno, Result};
use rkt_sched::WaitQueue;
use rkt_sync::Mutex;
use rkt_user::{IoSink, IoSource};

/// The counter never gets beyond this by writes (eventfd(2)).
const MAX: u64 = u64::MAX - 1;

/// A counter that can be waited for.
pub struct EventFd {
    count: Mutex<u64>,
    semaphore: bool,
    readers: Arc<WaitQueue>,
    writers: Arc<WaitQueue>,
}

impl EventFd {
    /// eventfd2(2); `flags` are `EFD_SEMAPHORE` and `EFD_NONBLOCK`. The caller handles
    /// `EFD_CLOEXEC`.
    pub fn create(count: u32, flags: u32) -> Arc<OpenFile> {
        let event = Arc::new(Self {
            count: Mutex::new(count.into()),
            semaphore: flags & EFD_SEMAPHORE != 0,
            readers: Arc::default(),
            writers: Arc::default(),
        });
        let inode = Arc::new(AnonInode::new(0o600));
        OpenFile::anonymous(inode, b"anon_inode:[eventfd]", event, O_RDWR | flags & O_NONBLOCK)
    }

    fn take(&self) -> Option<u64> {
        let mut count = self.count.lock();
        if *count == 0 {
            return None;
        }
        let taken = if self.semaphore { 1 } else { *count };
        *count -= taken;
        Some(taken)
    }

    fn add(&self, n: u64) -> Option<()> {
        let mut count = self.count.lock();
        *count = count.checked_add(n).filter(|&sum| sum <= MAX)?;
        Some(())
    }
}

impl FileOps for EventFd {
    fn read(&self, file: &OpenFile, _: &mut u64, into: &mut IoSink<'_>) -> Result<usize> {
        if into.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let taken = match self.take() {
            Some(taken) => taken,
            None if file.nonblocking() => return Err(Errno::EAGAIN),
            None => self.readers.wait(None, || self.take()).map_err(|_| Errno::ERESTARTSYS)?,
        };
        self.writers.wake_all(WRITABLE);
        into.put(&taken.to_ne_bytes())
    }

    fn write(&self, file: &OpenFile, _: &mut u64, from: &mut IoSource<'_>) -> Result<usize> {
        let mut bytes = [0; 8];
        if from.remaining() < bytes.len() {
            return Err(Errno::EINVAL);
        }
        if from.take(&mut bytes)? < bytes.len() {
            return Err(Errno::EFAULT);
        }
        let n = u64::from_ne_bytes(bytes);
        if n > MAX {
            return Err(Errno::EINVAL);
        }
        match self.add(n) {
            Some(()) => {}
            None if file.nonblocking() => return Err(Errno::EAGAIN),
            None => self.writers.wait(None, || self.add(n)).map_err(|_| Errno::ERESTARTSYS)?,
        }
        self.readers.wake_all(READABLE);
        Ok(bytes.len())
    }

    fn seek(&self, _: &OpenFile, position: u64, _: i64, _: u32) -> Result<u64> {
        Ok(position) // noop_llseek of the kernel: lseek succeeds without a position
    }

    fn pollable(&self) -> bool {
        true
    }

    fn poll(&self, _: &OpenFile, table: Option<&mut PollTable>) -> u32 {
        if let Some(table) = table {
            table.watch(&self.readers);
            table.watch(&self.writers);
        }
        let count = *self.count.lock();
        let readable = if count > 0 { READABLE } else { 0 };
        let writable = if count < MAX { WRITABLE } else { 0 };
        let overflow = if count > MAX { POLLERR } else { 0 };
        readable | writable | overflow
    }
}
