//! A disk of trusted memory.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use rkt_blockdev::{BlockDevice, BlockError, BlockStats, Completion, Geometry, Rejected, Request, SubmitError, Token};

/// Requests in flight at most.
const QUEUE: usize = 128;
/// Bytes of one request at most.
const MAX_TRANSFER: usize = 1 << 20;

/// A disk of memory, which is gone with it. Requests are done when they are submitted, and all writes are
/// durable at once.
pub struct MemoryDisk {
    bytes: Vec<u8>,
    geometry: Geometry,
    done: VecDeque<Completion>,
    next: u64,
    stats: BlockStats,
}

impl MemoryDisk {
    /// A disk that holds `bytes`, cut to whole blocks of `block_len` (a power of two from 512).
    pub fn new(mut bytes: Vec<u8>, block_len: u32) -> Self {
        let block = (block_len as usize).max(512).next_power_of_two();
        bytes.truncate(bytes.len() / block * block);
        let len = bytes.len() as u64;
        let geometry = Geometry {
            block_len: block as u32,
            len,
            read_only: false,
            max_discard: len,
            max_write_zeroes: len,
            max_transfer: MAX_TRANSFER,
        };
        Self { bytes, geometry, done: VecDeque::new(), next: 0, stats: BlockStats::default() }
    }

    /// A disk of `len` zero bytes.
    pub fn zeroed(len: usize, block_len: u32) -> Self {
        Self::new(vec![0; len], block_len)
    }

    /// Makes it read-only.
    pub fn read_only(mut self) -> Self {
        self.geometry.read_only = true;
        self
    }

    /// What it holds.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it holds, to be changed behind the back of whoever uses it.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn range(&mut self, offset: u64, len: usize) -> Option<&mut [u8]> {
        let start = usize::try_from(offset).ok()?;
        self.bytes.get_mut(start..start.checked_add(len)?)
    }

    /// Does a request that was checked.
    fn carry_out(&mut self, request: &mut Request) -> Option<()> {
        match request {
            Request::Read { offset, data } => {
                let from = self.range(*offset, data.len())?;
                data.copy_from_slice(from);
            }
            Request::Write { offset, data, .. } => self.range(*offset, data.len())?.copy_from_slice(data),
            Request::Discard { offset, len } | Request::WriteZeroes { offset, len } => {
                self.range(*offset, usize::try_from(*len).ok()?)?.fill(0);
            }
            Request::Flush => {}
        }
        Some(())
    }
}

impl BlockDevice for MemoryDisk {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn submit(&mut self, mut request: Request) -> Result<Token, Rejected> {
        let room = if self.done.len() < QUEUE { Ok(()) } else { Err(SubmitError::Full) };
        if let Err(error) = self.geometry.check(&request).and(room) {
            return Err(Rejected { error, request });
        }
        let token = Token(self.next);
        self.next = self.next.wrapping_add(1);
        let result = self.carry_out(&mut request).ok_or(BlockError::Io);
        self.stats.count(&request, result);
        self.done.push_back(Completion { token, request, result });
        Ok(token)
    }

    fn kick(&mut self) {
        self.stats.kicks = self.stats.kicks.wrapping_add(1);
    }

    fn poll(&mut self) -> Option<Completion> {
        self.done.pop_front()
    }

    fn has_work(&self) -> bool {
        !self.done.is_empty()
    }

    fn in_flight(&self) -> usize {
        self.done.len()
    }

    fn stats(&self) -> BlockStats {
        self.stats
    }

    fn fault(&self) -> Option<&dyn fmt::Display> {
        None
    }

    fn reset(&mut self, _wait: &mut dyn FnMut()) -> Result<(), BlockError> {
        self.stats.resets = self.stats.resets.wrapping_add(1);
        Ok(())
    }
}
