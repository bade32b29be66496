//! Transmit queue: frames are copied into chunks, which come back when the device has used them.

use alloc::vec;
use alloc::vec::Vec;
use core::{iter, mem};
use rkt_netdev::TxError;
use rkt_virtio::net::{HEADER_LEN, Header};
use rkt_virtqueue::{AddError, ChunkPool, DmaArena, Segment, VirtioError, Virtqueue};
use zerocopy::IntoBytes;

/// Why a frame was not queued: for the caller, or for the driver to go down.
pub(crate) enum Refused {
    Caller(TxError),
    Broken(VirtioError),
}

impl<E: Into<VirtioError>> From<E> for Refused {
    fn from(e: E) -> Self {
        Self::Broken(e.into())
    }
}

/// The transmit queue with as many chunks as entries.
pub(crate) struct TxQueue {
    pub(crate) queue: Virtqueue,
    pool: ChunkPool,
    /// The chunks of the frame whose first chunk has this number, which is its token.
    frames: Vec<Vec<u16>>,
    in_flight: usize,
    chunks: Vec<u16>,
    segments: Vec<Segment>,
}

impl TxQueue {
    pub(crate) fn new(arena: &mut DmaArena, size: u16, agreed: u64) -> Result<Self, VirtioError> {
        Ok(Self {
            queue: Virtqueue::new(arena, size, agreed)?,
            pool: ChunkPool::new(arena, size)?,
            frames: vec![Vec::new(); usize::from(size)],
            in_flight: 0,
            chunks: Vec::new(),
            segments: Vec::new(),
        })
    }

    /// Forgets all frames; the device has just been reset.
    pub(crate) fn clear(&mut self) -> Result<(), VirtioError> {
        self.queue.reset()?;
        self.frames.iter_mut().for_each(|chunks| self.pool.give_back(chunks));
        self.in_flight = 0;
        self.queue.ask_nothing()
    }

    /// Asks to be told when half of what is in flight was sent.
    pub(crate) fn ask_for_room(&mut self) -> Result<(), VirtioError> {
        self.queue.ask_after(u16::try_from(self.in_flight / 2).unwrap_or(0))
    }

    /// Frames that the device has not reported as sent.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Takes back the chunks of frames that were sent: at most as many as were in flight.
    pub(crate) fn reclaim(&mut self) -> Result<(), VirtioError> {
        while let Some(used) = self.queue.pop_used()? {
            if let Some(chunks) = self.frames.get_mut(used.token as usize) {
                self.pool.give_back(chunks);
            }
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        Ok(())
    }

    /// Queues a frame of `len` bytes, without telling the device.
    pub(crate) fn transmit(&mut self, header: &Header, parts: &[&[u8]], len: usize) -> Result<(), Refused> {
        let len = len.saturating_add(HEADER_LEN);
        if !self.pool.take(len, &mut self.chunks) {
            self.reclaim()?;
            if !self.pool.take(len, &mut self.chunks) {
                return Err(Refused::Caller(TxError::Full));
            }
        }
        let queued = self.queue_chunks(header, parts, len);
        self.pool.give_back(&mut self.chunks);
        queued
    }

    /// Fills `self.chunks` and stages them. They move to `self.frames` on success.
    fn queue_chunks(&mut self, header: &Header, parts: &[&[u8]], len: usize) -> Result<(), Refused> {
        let Some(token) = self.chunks.first().copied() else { return Err(Refused::Caller(TxError::Frame)) };
        self.pool.write(&self.chunks, iter::once(header.as_bytes()).chain(parts.iter().copied()))?;
        self.segments.clear();
        self.pool.segments(&self.chunks, len, &mut self.segments);
        self.queue.add(&self.segments, &[], token.into()).map_err(|e| match e {
            AddError::Full => Refused::Caller(TxError::Full),
            AddError::Chain => Refused::Caller(TxError::Frame),
            AddError::Queue(e) => Refused::Broken(e),
        })?;
        if let Some(frame) = self.frames.get_mut(usize::from(token)) {
            mem::swap(frame, &mut self.chunks);
        }
        self.in_flight = self.in_flight.saturating_add(1);
        Ok(())
    }
}
