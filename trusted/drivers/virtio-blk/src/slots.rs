//! Requests in flight, and the window memory of each: header, status and data.

use alloc::vec::Vec;
use rkt_blockdev::{BlockError, Request, Token};
use rkt_virtio::blk::{
    DISCARD_SEGMENT_LEN, DiscardSegment, REQUEST_HEADER_LEN, RequestHeader, SECTOR_LEN, request, request_status,
};
use rkt_virtqueue::{AddError, ChunkPool, DeviceError, DmaArena, DmaBuffer, Segment, SplitQueue, Used, VirtioError};
use zerocopy::IntoBytes;

/// Requests in flight at most.
pub(crate) const SLOTS: u16 = 128;
/// Chunks of data: 2 MiB.
const CHUNKS: u16 = 512;

// A slot's control block: a cache line.
const CONTROL_LEN: usize = 64;
const HEADER: usize = 0;
const DISCARD: usize = 16;
const STATUS: usize = 32;

/// What no device may leave in a status byte.
const NO_STATUS: u8 = 0xff;

/// A request in flight.
pub(crate) struct Slot {
    pub(crate) token: Token,
    pub(crate) request: Request,
    chunks: Vec<u16>,
    /// The write is done; the flush that makes it durable is in flight.
    flushing: bool,
}

impl Slot {
    /// Whether the write that just completed has to be flushed to be durable.
    pub(crate) fn wants_flush(&self) -> bool {
        !self.flushing && matches!(self.request, Request::Write { fua: true, .. })
    }
}

/// A request whose chain the device has used.
pub(crate) struct Ended {
    pub(crate) index: u16,
    pub(crate) slot: Slot,
    pub(crate) result: Result<(), BlockError>,
}

/// All slots.
pub(crate) struct Slots {
    slots: Vec<Option<Slot>>,
    free: Vec<u16>,
    control: DmaBuffer,
    pool: ChunkPool,
    /// The chain being staged.
    chain: Vec<Segment>,
}

impl Slots {
    pub(crate) fn new(arena: &mut DmaArena) -> Result<Self, VirtioError> {
        let len = CONTROL_LEN * SLOTS as usize;
        Ok(Self {
            slots: (0..SLOTS).map(|_| None).collect(),
            free: (0..SLOTS).rev().collect(),
            control: arena.alloc(len, CONTROL_LEN).ok_or(VirtioError::NoDmaMemory(len))?,
            pool: ChunkPool::new(arena, CHUNKS)?,
            chain: Vec::new(),
        })
    }

    /// Requests in flight.
    pub(crate) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// Stages a request. It comes back with the reason if that is not possible.
    pub(crate) fn stage(
        &mut self,
        queue: &mut SplitQueue,
        token: Token,
        request: Request,
    ) -> Result<(), (AddError, Request)> {
        let Some(index) = self.free.pop() else { return Err((AddError::Full, request)) };
        let mut slot = Slot { token, request, chunks: Vec::new(), flushing: false };
        match self.stage_chain(queue, index, &mut slot) {
            Ok(()) => {
                self.put(index, slot);
                Ok(())
            }
            Err(e) => {
                self.pool.give_back(&mut slot.chunks);
                self.free.push(index);
                Err((e, slot.request))
            }
        }
    }

    /// Stages the flush after a write that is to be durable.
    pub(crate) fn stage_flush(&mut self, queue: &mut SplitQueue, index: u16, mut slot: Slot) -> Result<(), AddError> {
        slot.flushing = true;
        self.pool.give_back(&mut slot.chunks);
        let staged = self.stage_chain(queue, index, &mut slot);
        self.put(index, slot);
        staged
    }

    fn stage_chain(&mut self, queue: &mut SplitQueue, index: u16, slot: &mut Slot) -> Result<(), AddError> {
        let (kind, offset, len) = match &slot.request {
            Request::Read { offset, data } => (request::IN, *offset, data.len()),
            Request::Write { offset, data, .. } if !slot.flushing => (request::OUT, *offset, data.len()),
            Request::Discard { .. } => (request::DISCARD, 0, 0),
            Request::Write { .. } | Request::Flush => (request::FLUSH, 0, 0),
            // Not offered by the geometry, so never accepted.
            Request::WriteZeroes { .. } => return Err(AddError::Chain),
        };
        if !self.pool.take(len, &mut slot.chunks) {
            return Err(AddError::Full);
        }
        let control = CONTROL_LEN.saturating_mul(usize::from(index));
        let header = RequestHeader { kind: kind.into(), reserved: 0.into(), sector: sectors(offset).into() };
        self.control.region.write(control.saturating_add(HEADER), header.as_bytes())?;
        self.control.region.write_u8(control.saturating_add(STATUS), NO_STATUS)?;

        // Readable buffers come before writable ones (§2.7.4.2): header, data; status last.
        let base = self.control.offset.saturating_add(control as u64);
        let segment = |at: usize, len: usize| Segment { offset: base.saturating_add(at as u64), len: len as u32 };
        self.chain.clear();
        self.chain.push(segment(HEADER, REQUEST_HEADER_LEN));
        match &slot.request {
            Request::Write { data, .. } if !slot.flushing => self.pool.write(&slot.chunks, [data.as_slice()])?,
            Request::Discard { offset, len } => {
                let range = discard_segment(*offset, *len)?;
                self.control.region.write(control.saturating_add(DISCARD), range.as_bytes())?;
                self.chain.push(segment(DISCARD, DISCARD_SEGMENT_LEN));
            }
            _ => {}
        }
        self.pool.segments(&slot.chunks, len, &mut self.chain);
        let outs = if kind == request::IN { 1 } else { self.chain.len() };
        self.chain.push(segment(STATUS, 1));
        let (outs, ins) = self.chain.split_at_checked(outs).ok_or(AddError::Chain)?;
        queue.add(outs, ins, index.into())
    }

    fn put(&mut self, index: u16, slot: Slot) {
        if let Some(place) = self.slots.get_mut(usize::from(index)) {
            *place = Some(slot);
        }
    }

    /// Takes out the slot of a used chain and says how the request went. The data of a successful
    /// read is copied into its buffer. The slot is to be finished or staged again.
    ///
    /// On a lie the slot stays, to be drained with all others.
    pub(crate) fn take(&mut self, used: Used) -> Result<Option<Ended>, VirtioError> {
        let Ok(index) = u16::try_from(used.token) else { return Ok(None) };
        let control = CONTROL_LEN.saturating_mul(usize::from(index));
        let Some(place) = self.slots.get_mut(usize::from(index)) else { return Ok(None) };
        let result = match self.control.region.read_u8(control.saturating_add(STATUS))? {
            request_status::OK => Ok(()),
            request_status::IOERR => Err(BlockError::Io),
            request_status::UNSUPP => Err(BlockError::Refused),
            status => return Err(DeviceError::RequestStatus { status }.into()),
        };
        if let (Ok(()), Some(Slot { request: Request::Read { data, .. }, chunks, .. })) = (result, place.as_mut()) {
            if (used.len as usize) < data.len() {
                return Err(DeviceError::ShortRead { len: used.len, wanted: data.len() }.into());
            }
            self.pool.read(chunks, data)?;
        }
        Ok(place.take().map(|slot| Ended { index, slot, result }))
    }

    /// Gives back what the taken slot held.
    pub(crate) fn finish(&mut self, index: u16, slot: &mut Slot) {
        self.pool.give_back(&mut slot.chunks);
        self.free.push(index);
    }

    /// Takes out any slot that is in flight, and finishes it.
    pub(crate) fn drain_one(&mut self) -> Option<Slot> {
        let (index, place) = (0u16..).zip(self.slots.iter_mut()).find(|(_, place)| place.is_some())?;
        let mut slot = place.take()?;
        self.finish(index, &mut slot);
        Some(slot)
    }
}

fn sectors(bytes: u64) -> u64 {
    bytes / SECTOR_LEN as u64
}

fn discard_segment(offset: u64, len: u64) -> Result<DiscardSegment, AddError> {
    let num_sectors = u32::try_from(sectors(len)).map_err(|_| AddError::Chain)?;
    Ok(DiscardSegment { sector: sectors(offset).into(), num_sectors: num_sectors.into(), flags: 0.into() })
}
