//! From the page cache to the disk: on demand, by age, and when there is too much.

use crate::convert::result;
use crate::fs::Shared;
use crate::node::{Content, Node};
use crate::pages::PAGE;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use rkt_ext4::Reservation;
use rkt_linux_abi::{Errno, Result};

/// Between two looks of the thread that writes back, in nanoseconds.
const INTERVAL: u64 = 1_000_000_000;
/// Bytes written back at once: enough to keep a disk busy.
const PORTION: u64 = 2 << 20;
/// Looks that a dirty file may wait: vm.dirty_expire_centisecs has 30 s, but a host that stops the
/// enclave should not cost that much.
const AGE: u64 = 5;

impl Node {
    /// Writes dirty pages back. Returns when the disk has them; they are durable after a flush.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`; also told to everyone who has the file open.
    pub fn write_back(&self) -> Result<()> {
        let Ok(content) = self.regular() else { return Ok(()) };
        if content.writable_maps.load(Ordering::Acquire) > 0 {
            let _work = content.work.write();
            let size = content.size.load(Ordering::Acquire);
            content.pages.write().find_mapped_stores(size);
        }
        // What becomes dirty behind this meanwhile is none of this call's.
        let end = content.size.load(Ordering::Acquire).next_multiple_of(PAGE);
        let mut at = 0;
        while at < end {
            // Others may work on the file between two portions.
            let _work = content.work.write();
            match self.write_portion(content, at)? {
                Some(behind) => at = behind,
                None => break,
            }
        }
        let _work = content.work.write();
        self.settle(content)
    }

    /// Writes the first dirty pages from `at` on; gives the offset behind them, or none if there are none.
    fn write_portion(&self, content: &Content, at: u64) -> Result<Option<u64>> {
        let Some((offset, len)) = content.pages.read().dirty_span(at, PORTION) else { return Ok(None) };
        let size = content.size.load(Ordering::Acquire);
        let block = self.shared.fs.block_size() as u64;
        let count = (size.saturating_sub(offset).div_ceil(block)).min(len / block) as usize;
        let logical = u32::try_from(offset / block).map_err(|_| Errno::EFBIG)?;
        let copy = |from: usize, into: &mut [u8]| content.pages.write().take_out(offset + from as u64, into);
        let mut promised = core::mem::replace(&mut *content.promised.lock(), Reservation::none());
        let written = result(self.shared.fs.write_blocks(self.ino, logical, count, &copy, size, &mut promised));
        content.promised.lock().join(promised);
        if written.is_err() {
            content.pages.write().put_back(offset, len);
            content.errors.fetch_add(1, Ordering::AcqRel);
        }
        self.shared.count_dirty(content);
        content.stale_times.store(true, Ordering::Release);
        written.map(|()| Some(offset + len))
    }

    /// After writing back: the disk gets the times, and what was promised to blocks that had a place
    /// already is given back. The work lock is held.
    fn settle(&self, content: &Content) -> Result<()> {
        let dirty = content.pages.read().dirty();
        let needed = dirty / PAGE * (PAGE / self.shared.fs.block_size() as u64).max(1);
        let surplus = content.promised.lock().split_off(needed);
        self.shared.fs.unreserve(surplus);
        if content.stale_times.swap(false, Ordering::AcqRel) {
            // The disk's times are those of the writes, not of the writing back.
            let (mtime, ctime) = self.times();
            result(self.shared.fs.set_times(self.ino, mtime.0, ctime.0))?;
        }
        if dirty == 0 && content.writable_maps.load(Ordering::Acquire) == 0 {
            self.shared.note_clean(self.ino);
        }
        self.refresh()
    }
}

/// What the thread of a file system does, for ever.
pub fn run(shared: &Arc<Shared>) {
    let mut looks = 0u64;
    let mut due = rkt_platform::now().saturating_add(INTERVAL);
    loop {
        let called = shared.wait_for_call(due);
        if !called {
            due = rkt_platform::now().saturating_add(INTERVAL);
            looks += 1;
        }
        shared.drop_unnamed();
        shared.collect();
        if called || looks.is_multiple_of(AGE) {
            // One by one: what is held here cannot be dropped by whoever needs room.
            for ino in shared.dirty_inodes() {
                // Errors are kept for those who have the file open.
                let _ = shared.dirty_node(ino).map_or(Ok(()), |node| node.write_back());
            }
        }
        // A journal that cannot be written has made the file system read-only.
        let _ = shared.fs.tick();
    }
}
