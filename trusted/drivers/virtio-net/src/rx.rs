//! Receive queue: all its buffers are with the device, except while a frame is looked at.

use crate::header;
use crate::offer::MAX_FRAME_CHUNKS;
use crate::pair::Terms;
use alloc::vec::Vec;
use rkt_netdev::{HEAD_LEN, RxFrame, RxMeta};
use rkt_virtio::net::{HEADER_LEN, Header, features};
use rkt_virtqueue::{AddError, CHUNK_LEN, DeviceError, DmaArena, DmaBuffer, Segment, Used, VirtioError, Virtqueue};
use rkt_window::Region;
use zerocopy::IntoBytes;

/// What came out of the receive queue.
pub(crate) enum Received {
    Nothing,
    /// A frame that makes no sense.
    Invalid,
    /// A frame of this many bytes, which was handed over.
    Frame(usize),
}

/// The receive queue with one chunk of buffer for each of its entries.
pub(crate) struct RxQueue {
    pub(crate) queue: Virtqueue,
    buffers: DmaBuffer,
    /// The buffers of the frame that is looked at.
    used: Vec<Used>,
    head: [u8; HEAD_LEN],
}

impl RxQueue {
    pub(crate) fn new(arena: &mut DmaArena, size: u16, agreed: u64) -> Result<Self, VirtioError> {
        let len = CHUNK_LEN.saturating_mul(usize::from(size));
        let buffers = arena.alloc(len, CHUNK_LEN).ok_or(VirtioError::NoDmaMemory(len))?;
        let used = Vec::with_capacity(usize::from(MAX_FRAME_CHUNKS));
        Ok(Self { queue: Virtqueue::new(arena, size, agreed)?, buffers, used, head: [0; HEAD_LEN] })
    }

    /// Gives all buffers to a device that has just been reset.
    pub(crate) fn fill(&mut self) -> Result<(), VirtioError> {
        self.queue.reset()?;
        for chunk in 0..u32::from(self.queue.size()) {
            self.post(chunk)?;
        }
        self.queue.publish()
    }

    fn post(&mut self, chunk: u32) -> Result<(), VirtioError> {
        let offset = self.buffers.offset.saturating_add(position(chunk) as u64);
        match self.queue.add(&[], &[Segment { offset, len: CHUNK_LEN as u32 }], chunk) {
            Ok(()) => Ok(()),
            Err(AddError::Queue(e)) => Err(e),
            // A chunk is posted only when its descriptor is free.
            Err(AddError::Full | AddError::Chain) => Err(VirtioError::NoDmaMemory(CHUNK_LEN)),
        }
    }

    /// Hands the next frame over and gives its buffers back.
    pub(crate) fn receive(
        &mut self,
        terms: &Terms,
        take: &mut dyn FnMut(&mut dyn RxFrame),
    ) -> Result<Received, VirtioError> {
        let Some(header) = self.collect(terms)? else { return Ok(Received::Nothing) };
        let written = self.used.iter().fold(0usize, |sum, used| sum.saturating_add(used.len as usize));
        let len = written.saturating_sub(HEADER_LEN);
        let known = (len <= terms.can.max_rx_frame).then(|| header::parse(&header, len, terms.agreed)).flatten();
        let received = match known {
            Some(meta) => {
                self.hand_over(meta, take)?;
                Received::Frame(len)
            }
            None => Received::Invalid,
        };
        for at in 0..self.used.len() {
            if let Some(used) = self.used.get(at).copied() {
                self.post(used.token)?;
            }
        }
        // Enough to keep a busy device supplied in the middle of a long batch.
        if self.queue.staged() >= usize::from(self.queue.size() / 4) {
            self.queue.publish()?;
        }
        Ok(received)
    }

    /// Takes the buffers of the next frame out of the queue and returns its header.
    fn collect(&mut self, terms: &Terms) -> Result<Option<Header>, VirtioError> {
        self.used.clear();
        let Some(first) = self.queue.pop_used()? else { return Ok(None) };
        if (first.len as usize) < HEADER_LEN {
            return Err(self.queue.poison(DeviceError::PacketHeader { len: first.len }.into()));
        }
        let mut header = Header::default();
        self.buffers.region.read(position(first.token), header.as_mut_bytes())?;
        // Without merging the field means nothing (§5.1.6.4).
        let count = if terms.agreed & features::MRG_RXBUF != 0 { header.num_buffers.get() } else { 1 };
        let mut possible = MAX_FRAME_CHUNKS;
        if (1..=possible).contains(&count) {
            self.used.push(first);
            // The device shows a frame's buffers all at once (§5.1.6.4).
            possible = 1;
            while possible < count
                && let Some(next) = self.queue.pop_used()?
            {
                self.used.push(next);
                possible = possible.saturating_add(1);
            }
            if possible == count {
                return Ok(Some(header));
            }
        }
        Err(self.queue.poison(DeviceError::PacketBuffers { claimed: count, possible }.into()))
    }

    fn hand_over(&mut self, meta: RxMeta, take: &mut dyn FnMut(&mut dyn RxFrame)) -> Result<(), VirtioError> {
        let (head, _) = self.head.split_at_mut(meta.len.min(HEAD_LEN));
        gather(&self.buffers.region, &self.used, 0, head).ok_or(DeviceError::PacketHeader { len: 0 })?;
        let passed = head.len();
        take(&mut Frame { region: &self.buffers.region, used: &self.used, meta, head, passed });
        Ok(())
    }
}

fn position(chunk: u32) -> usize {
    CHUNK_LEN.saturating_mul(chunk as usize)
}

/// Copies the bytes of a frame from `offset` on out of its buffers, of which the first starts
/// with the virtio header. `None` if there are not so many.
fn gather(region: &Region, used: &[Used], offset: usize, mut into: &mut [u8]) -> Option<()> {
    let mut skip = offset.checked_add(HEADER_LEN)?;
    for buffer in used {
        let len = buffer.len as usize;
        if skip >= len {
            skip = skip.saturating_sub(len);
            continue;
        }
        let (now, later) = into.split_at_mut(len.saturating_sub(skip).min(into.len()));
        region.read(position(buffer.token).checked_add(skip)?, now).ok()?;
        into = later;
        if into.is_empty() {
            break;
        }
        skip = 0;
    }
    into.is_empty().then_some(())
}

/// A frame whose end lies in the window.
struct Frame<'a> {
    region: &'a Region,
    used: &'a [Used],
    meta: RxMeta,
    head: &'a [u8],
    /// Bytes before this were copied out.
    passed: usize,
}

impl RxFrame for Frame<'_> {
    fn meta(&self) -> &RxMeta {
        &self.meta
    }

    fn head(&self) -> &[u8] {
        self.head
    }

    fn copy(&mut self, offset: usize, into: &mut [u8]) -> bool {
        let Some(end) = offset.checked_add(into.len()).filter(|end| *end <= self.meta.len) else { return false };
        let ready = self.head.get(offset..).unwrap_or_default();
        let (from_head, from_window) = into.split_at_mut(ready.len().min(into.len()));
        for (to, from) in from_head.iter_mut().zip(ready) {
            *to = *from;
        }
        if from_window.is_empty() {
            return true;
        }
        let start = end.saturating_sub(from_window.len());
        if start < self.passed {
            return false;
        }
        self.passed = end;
        gather(self.region, self.used, start, from_window).is_some()
    }
}
