//! From the page cache to the disk: on demand, by age, and when there is too much.

use crate::convert::result;
use crate::fs::Shared;
use crate::node::Node;
use crate::pages::Run;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use rkt_ext4::Reservation;
use rkt_linux_abi::Result;

/// Between two looks of the thread that writes back, in nanoseconds.
const INTERVAL: u64 = 1_000_000_000;
/// Bytes written back at once: enough to keep a disk busy.
const PORTION: usize = 2 << 20;
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
        let _work = content.work.lock();
        let size = content.size.load(Ordering::Acquire);
        if content.writable_maps.load(Ordering::Acquire) > 0 {
            content.pages.write().dirty_mapped(size);
        }
        let (mtime, ctime) = self.times();
        let block = self.shared.fs.block_size();
        let mut promised = core::mem::replace(&mut *content.promised.lock(), Reservation::none());
        let mut at = 0;
        let mut written = false;
        loop {
            let run = content.pages.write().take_dirty(at, PORTION);
            let Some(Run { offset, bytes }) = run else { break };
            at = offset + bytes.len() as u64;
            let blocks: Vec<&[u8]> = bytes.chunks(block).take(blocks_within(size, offset, block)).collect();
            if let Err(error) = self.write_run(offset, &blocks, size, &mut promised) {
                content.pages.write().put_back(offset, bytes.len() as u64);
                content.promised.lock().join(promised);
                content.errors.fetch_add(1, Ordering::AcqRel);
                return Err(error);
            }
            written = true;
        }
        if written {
            // The disk's times are those of the writes, not of the writing back.
            result(self.shared.fs.set_times(self.ino, mtime.0, ctime.0))?;
        }
        // What was promised to blocks that had a place already.
        self.shared.fs.unreserve(promised);
        if content.writable_maps.load(Ordering::Acquire) == 0 {
            self.shared.note_clean(self.ino);
        }
        self.refresh()
    }

    fn write_run(&self, offset: u64, blocks: &[&[u8]], size: u64, promised: &mut Reservation) -> Result<()> {
        let block = self.shared.fs.block_size() as u64;
        let logical = u32::try_from(offset / block).map_err(|_| rkt_linux_abi::Errno::EFBIG)?;
        result(self.shared.fs.write_blocks(self.ino, logical, blocks, Some(size), promised))
    }
}

/// Blocks of a run that lie within the file.
fn blocks_within(size: u64, offset: u64, block: usize) -> usize {
    size.saturating_sub(offset).div_ceil(block as u64) as usize
}

/// What the thread of a file system does, for ever.
pub fn run(shared: &Arc<Shared>) {
    let mut looks = 0u64;
    loop {
        let due = rkt_platform::now().saturating_add(INTERVAL);
        // Nobody interrupts this thread.
        let _ = rkt_sched::sleep_until(due);
        looks += 1;
        shared.collect();
        if looks.is_multiple_of(AGE) {
            for node in shared.dirty_nodes() {
                // Errors are kept for those who have the file open.
                let _ = node.write_back();
            }
        }
        // A journal that cannot be written has made the file system read-only.
        let _ = shared.fs.tick();
    }
}
