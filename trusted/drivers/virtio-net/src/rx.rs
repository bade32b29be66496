//! Receive queue: all its buffers are with the device, except while a frame is copied out.

use crate::header;
use crate::offer::MAX_FRAME_CHUNKS;
use rkt_netdev::RxMeta;
use rkt_virtio::net::{HEADER_LEN, Header, features};
use rkt_virtqueue::{AddError, CHUNK_LEN, DeviceError, DmaArena, DmaBuffer, Segment, SplitQueue, Used, VirtioError};
use zerocopy::IntoBytes;

/// What came out of the receive queue.
pub(crate) enum Received {
    Nothing,
    /// A frame that makes no sense, or for which the caller has no room.
    Invalid,
    Frame(RxMeta),
}

/// The receive queue with one chunk of buffer for each of its entries.
pub(crate) struct RxQueue {
    pub(crate) queue: SplitQueue,
    buffers: DmaBuffer,
}

impl RxQueue {
    pub(crate) fn new(arena: &mut DmaArena, size: u16) -> Result<Self, VirtioError> {
        let len = CHUNK_LEN.saturating_mul(usize::from(size));
        let buffers = arena.alloc(len, CHUNK_LEN).ok_or(VirtioError::NoDmaMemory(len))?;
        Ok(Self { queue: SplitQueue::new(arena, size)?, buffers })
    }

    /// Gives all buffers to a device that has just been reset.
    pub(crate) fn fill(&mut self) -> Result<(), VirtioError> {
        self.queue.reset()?;
        for chunk in 0..u32::from(self.queue.size()) {
            self.post(chunk)?;
        }
        self.queue.publish()
    }

    fn position(chunk: u32) -> usize {
        CHUNK_LEN.saturating_mul(chunk as usize)
    }

    fn post(&mut self, chunk: u32) -> Result<(), VirtioError> {
        let offset = self.buffers.offset.saturating_add(Self::position(chunk) as u64);
        match self.queue.add(&[], &[Segment { offset, len: CHUNK_LEN as u32 }], chunk) {
            Ok(()) => Ok(()),
            Err(AddError::Queue(e)) => Err(e),
            // A chunk is posted only when its descriptor is free.
            Err(AddError::Full | AddError::Chain) => Err(VirtioError::NoDmaMemory(CHUNK_LEN)),
        }
    }

    /// Takes the next frame out, its bytes into `into`.
    pub(crate) fn receive(&mut self, into: &mut [u8], agreed: u64) -> Result<Received, VirtioError> {
        let Some(first) = self.queue.pop_used()? else { return Ok(Received::Nothing) };
        if (first.len as usize) < HEADER_LEN {
            return Err(self.queue.poison(DeviceError::PacketHeader { len: first.len }.into()));
        }
        let mut header = Header::default();
        self.buffers.region.read(Self::position(first.token), header.as_mut_bytes())?;
        // Without merging the field means nothing (§5.1.6.4).
        let count = if agreed & features::MRG_RXBUF != 0 { header.num_buffers.get() } else { 1 };
        let possible = self.queue.used_count()?.saturating_add(1).min(MAX_FRAME_CHUNKS);
        if !(1..=possible).contains(&count) {
            return Err(self.queue.poison(DeviceError::PacketBuffers { claimed: count, possible }.into()));
        }

        let mut len = self.take(first, HEADER_LEN, into, 0)?;
        for _ in 1..count {
            let Some(next) = self.queue.pop_used()? else {
                return Err(self.queue.poison(DeviceError::PacketBuffers { claimed: count, possible: 1 }.into()));
            };
            len = self.take(next, 0, into, len)?;
        }
        // Enough to keep a busy device supplied in the middle of a long batch.
        if self.queue.staged() >= usize::from(self.queue.size() / 4) {
            self.queue.publish()?;
        }
        if len > into.len() {
            return Ok(Received::Invalid);
        }
        Ok(header::parse(&header, len, agreed).map_or(Received::Invalid, Received::Frame))
    }

    /// Copies a used buffer, but for its first `skip` bytes, to `into[at..]` if it fits there, posts
    /// the buffer again and returns where its bytes end.
    fn take(&mut self, used: Used, skip: usize, into: &mut [u8], at: usize) -> Result<usize, VirtioError> {
        let end = at.saturating_add((used.len as usize).saturating_sub(skip));
        if let Some(part) = into.get_mut(at..end) {
            self.buffers.region.read(Self::position(used.token).saturating_add(skip), part)?;
        }
        self.post(used.token)?;
        Ok(end)
    }
}
