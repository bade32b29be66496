//! Requests in flight of a lane, and the window memory of each: data, PRP list, ranges.

use crate::error::from_pool;
use crate::{Namespace, NvmeError};
use alloc::sync::Arc;
use alloc::vec::Vec;
use rkt_blockdev::{BlockError, Codec, Request, Token};
use rkt_nvme::{Command, DatasetRange, PAGE_LEN, io, io_flags};
use rkt_virtqueue::{CHUNK_LEN, ChunkPool, DmaArena, DmaBuffer, Segment};
use rkt_window::OutOfBounds;
use zerocopy::IntoBytes;

/// Most pages of a transfer.
pub(crate) const MAX_PAGES: usize = 64;
/// Most requests in flight: their index has eight bits in a command identifier.
pub(crate) const MAX_SLOTS: u16 = 256;

// A slot's control block. A power of two, so that a PRP list does not cross a page (base §4.1.1).
const CONTROL_LEN: usize = 1024;
/// PRP entries of all pages but the first.
const LIST: usize = 0;
const RANGE: usize = 512;

const _: () = assert!(CHUNK_LEN == PAGE_LEN);
const _: () = assert!(LIST + 8 * (MAX_PAGES - 1) <= RANGE);

/// A request in flight.
pub(crate) struct Load {
    pub(crate) token: Token,
    pub(crate) request: Request,
    /// When it was sent; `None` while it waits.
    pub(crate) sent: Option<u64>,
    /// Times it was sent.
    pub(crate) attempts: u8,
    /// Whether the controller was asked to abort it.
    pub(crate) aborting: bool,
}

/// A place for a request. Its chunks stay its own until the controller has let go of them.
#[derive(Default)]
struct Slot {
    /// Changes each time a command is sent, so that a completion is of this one and no earlier one.
    generation: u8,
    chunks: Vec<u16>,
    load: Option<Load>,
}

/// All slots of a lane.
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u8>,
    control: DmaBuffer,
    pool: ChunkPool,
    /// What data passes through on its way.
    codec: Option<Arc<dyn Codec>>,
    scratch: Vec<Segment>,
}

impl Slots {
    /// Room for `count` requests, at most [`MAX_SLOTS`], and `chunks` pages of data.
    pub(crate) fn new(arena: &mut DmaArena, count: u16, chunks: u16) -> Result<Self, NvmeError> {
        let count = usize::from(count.min(MAX_SLOTS));
        let len = CONTROL_LEN.saturating_mul(count);
        Ok(Self {
            slots: (0..count).map(|_| Slot::default()).collect(),
            free: (0..=u8::MAX).take(count).rev().collect(),
            control: arena.alloc(len, CONTROL_LEN).ok_or(NvmeError::NoDmaMemory(len))?,
            pool: ChunkPool::new(arena, chunks).map_err(from_pool)?,
            codec: None,
            scratch: Vec::new(),
        })
    }

    /// From now on data passes through `codec`.
    pub(crate) fn set_codec(&mut self, codec: Arc<dyn Codec>) {
        self.codec = Some(codec);
    }

    /// Requests in flight.
    pub(crate) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    fn slot(&mut self, index: u8) -> Option<&mut Slot> {
        self.slots.get_mut(usize::from(index))
    }

    pub(crate) fn load(&mut self, index: u8) -> Option<&mut Load> {
        self.slot(index)?.load.as_mut()
    }

    /// Requests in flight, with their slots.
    pub(crate) fn loads(&mut self) -> impl Iterator<Item = (u8, &mut Load)> {
        (0..=u8::MAX)
            .zip(self.slots.iter_mut())
            .filter_map(|(index, slot)| slot.load.as_mut().map(|load| (index, load)))
    }

    /// Gives a request a slot, and copies what it writes into the window. It comes back if there is no room.
    pub(crate) fn put(&mut self, token: Token, request: Request) -> Result<u8, Request> {
        let Some(index) = self.free.pop() else { return Err(request) };
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return Err(request) };
        let (len, at, written): (usize, u64, &[u8]) = match &request {
            Request::Read { data, .. } => (data.len(), 0, &[]),
            Request::Write { data, offset, .. } => (data.len(), *offset, data),
            Request::Flush | Request::Discard { .. } | Request::WriteZeroes { .. } => (0, 0, &[]),
        };
        let codec = self.codec.as_deref();
        if !self.pool.take(len, &mut slot.chunks) || send(&self.pool, codec, &slot.chunks, at, written).is_err() {
            self.pool.give_back(&mut slot.chunks);
            self.free.push(index);
            return Err(request);
        }
        slot.load = Some(Load { token, request, sent: None, attempts: 0, aborting: false });
        Ok(index)
    }

    /// The command for a request, with an identifier that was not used for long.
    pub(crate) fn command(&mut self, index: u8, namespace: &Namespace) -> Result<Option<Command>, OutOfBounds> {
        let control = CONTROL_LEN.saturating_mul(index.into());
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return Ok(None) };
        let Some(load) = &slot.load else { return Ok(None) };
        let (id, shift) = (namespace.id, u32::from(namespace.block_shift));
        let on_blocks = |opcode, offset: u64, len: u64, flags| {
            Command::on_blocks(opcode, id, offset >> shift, (len >> shift) as u32, flags)
        };
        let command = match &load.request {
            Request::Read { offset, data } => on_blocks(io::READ, *offset, data.len() as u64, 0),
            Request::Write { offset, data, fua } => {
                on_blocks(io::WRITE, *offset, data.len() as u64, if *fua { io_flags::FUA } else { 0 })
            }
            Request::WriteZeroes { offset, len } => on_blocks(io::WRITE_ZEROES, *offset, *len, 0),
            Request::Flush => Command::flush(id),
            Request::Discard { offset, len } => {
                let range = DatasetRange {
                    attributes: 0.into(),
                    blocks: ((len >> shift) as u32).into(),
                    start: (offset >> shift).into(),
                };
                let at = control.saturating_add(RANGE);
                self.control.region.write(at, range.as_bytes())?;
                Command::deallocate(id, 1, self.control.offset.saturating_add(at as u64))
            }
        };
        slot.generation = slot.generation.wrapping_add(1);
        let command = command.with_id(u16::from(slot.generation) << 8 | u16::from(index));
        self.scratch.clear();
        self.pool.segments(&slot.chunks, CHUNK_LEN.saturating_mul(slot.chunks.len()), &mut self.scratch);
        describe(&self.scratch, &self.control, control.saturating_add(LIST), command).map(Some)
    }

    /// The request that a command identifier belongs to, if that command is in flight.
    pub(crate) fn find(&mut self, id: u16) -> Option<u8> {
        let [index, generation] = id.to_le_bytes();
        let slot = self.slot(index)?;
        let sent = slot.load.as_ref().is_some_and(|load| load.sent.is_some());
        (sent && slot.generation == generation).then_some(index)
    }

    /// The identifier of a request that was sent.
    pub(crate) fn id(&self, index: u8) -> u16 {
        let generation = self.slots.get(usize::from(index)).map_or(0, |slot| slot.generation);
        u16::from(generation) << 8 | u16::from(index)
    }

    /// Ends a request: what it read is copied out if that succeeded, and its slot is free. Only when the
    /// controller has let go of it, or will before anything is sent to it again.
    pub(crate) fn take(&mut self, index: u8, result: Result<(), BlockError>) -> Result<Option<Load>, OutOfBounds> {
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return Ok(None) };
        let Some(mut load) = slot.load.take() else { return Ok(None) };
        let copied = match &mut load.request {
            Request::Read { data, offset } if result.is_ok() => {
                receive(&self.pool, self.codec.as_deref(), &slot.chunks, *offset, data)
            }
            _ => Ok(()),
        };
        self.pool.give_back(&mut slot.chunks);
        self.free.push(index);
        copied.map(|()| Some(load))
    }
}

/// Copies data for a place on the disk into the window.
fn send(pool: &ChunkPool, codec: Option<&dyn Codec>, chunks: &[u16], at: u64, data: &[u8]) -> Result<(), OutOfBounds> {
    let Some(codec) = codec else { return pool.write(chunks, [data]) };
    let (window, places) = pool.places(chunks, data.len())?;
    let mut parts = data.chunks(CHUNK_LEN).zip(places);
    parts.try_for_each(|(part, (start, offset))| codec.encode(at.saturating_add(start as u64), part, window, offset))
}

/// Copies data of a place on the disk out of the window.
fn receive(
    pool: &ChunkPool,
    codec: Option<&dyn Codec>,
    chunks: &[u16],
    at: u64,
    data: &mut [u8],
) -> Result<(), OutOfBounds> {
    let Some(codec) = codec else { return pool.read(chunks, data) };
    let (window, places) = pool.places(chunks, data.len())?;
    let mut parts = data.chunks_mut(CHUNK_LEN).zip(places);
    parts.try_for_each(|(part, (start, offset))| codec.decode(at.saturating_add(start as u64), window, offset, part))
}

/// Adds the PRP entries of data that lies in these pages (base §4.1.1): one, two, or one and a list.
fn describe(segments: &[Segment], control: &DmaBuffer, list: usize, command: Command) -> Result<Command, OutOfBounds> {
    let mut pages = segments.iter().flat_map(|segment| {
        let count = (segment.len as usize).div_ceil(PAGE_LEN) as u64;
        (0..count).map(|page| segment.offset.saturating_add(page.saturating_mul(PAGE_LEN as u64)))
    });
    // Commands without pages keep what they have: the ranges of a deallocation.
    let Some(first) = pages.next() else { return Ok(command) };
    let command = Command { prp1: first.into(), ..command };
    let Some(second) = pages.next() else { return Ok(command) };
    let Some(third) = pages.next() else { return Ok(Command { prp2: second.into(), ..command }) };
    let rest = [second, third].into_iter().chain(pages);
    for (entry, page) in (list..).step_by(8).zip(rest) {
        control.region.write_u64(entry, page)?;
    }
    Ok(Command { prp2: control.offset.saturating_add(list as u64).into(), ..command })
}
