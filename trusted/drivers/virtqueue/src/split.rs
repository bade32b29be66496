//! Driver side of a split virtqueue (§2.7).

use crate::{AddError, DeviceError, DmaArena, DmaBuffer, VirtioError};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU16, Ordering};
use rkt_virtio::split::{self, Descriptor, UsedElem, desc_flags};
use rkt_virtio_transport::QueueSetup;
use rkt_window::OutOfBounds;
use zerocopy::IntoBytes;

/// A buffer in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset in the window.
    pub offset: u64,
    /// Bytes.
    pub len: u32,
}

/// A chain that the device has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// As given to [`SplitQueue::add`].
    pub token: u32,
    /// Bytes that the device claims to have written: at most what the chain has room for.
    pub len: u32,
}

/// A chain whose head is the descriptor at the same index.
#[derive(Clone, Copy)]
struct Chain {
    token: u32,
    writable: u32,
    tail: u16,
    descriptors: u16,
    /// The device may use it; before, it is only staged.
    published: bool,
}

/// What the driver knows of its queue, all in trusted memory.
struct Shadow {
    /// For a descriptor in a chain or in the free list: the one after it.
    next: Vec<u16>,
    chains: Vec<Option<Chain>>,
    /// Heads of chains that are added and not published.
    staged: Vec<u16>,
    free_head: u16,
    free: u16,
    avail: u16,
    used: u16,
    /// Published chains not yet popped.
    in_flight: u16,
}

impl Shadow {
    fn new(size: u16) -> Self {
        Self {
            next: (1..=size).collect(),
            chains: vec![None; usize::from(size)],
            staged: Vec::with_capacity(usize::from(size)),
            free_head: 0,
            free: size,
            avail: 0,
            used: 0,
            in_flight: 0,
        }
    }

    /// The descriptor after `index`; 0, which is as good as any, for one that does not exist.
    fn next(&self, index: u16) -> u16 {
        self.next.get(usize::from(index)).copied().unwrap_or(0)
    }
}

/// One split virtqueue, driver side.
pub struct SplitQueue {
    size: u16,
    desc: DmaBuffer,
    avail: DmaBuffer,
    used: DmaBuffer,
    avail_idx: &'static AtomicU16,
    used_idx: &'static AtomicU16,
    shadow: Shadow,
    /// `shadow.used` for those who look from outside.
    seen: Arc<AtomicU16>,
    /// Published chains of which the device has not been told by a kick.
    unkicked: bool,
    poison: Option<VirtioError>,
}

impl SplitQueue {
    /// A queue of `size` entries (a power of two) in the arena.
    ///
    /// # Errors
    /// `NoDmaMemory`; `Bounds` if `size` is not allowed.
    pub fn new(arena: &mut DmaArena, size: u16) -> Result<Self, VirtioError> {
        if !split::valid_size(size) {
            return Err(OutOfBounds { offset: 0, len: u64::from(size) }.into());
        }
        // A cache line at least each: the rings have different writers.
        let mut alloc = |len: usize| arena.alloc(len, 64).ok_or(VirtioError::NoDmaMemory(len));
        let desc = alloc(split::desc_table_len(size))?;
        let avail = alloc(split::avail_ring_len(size))?;
        let used = alloc(split::used_ring_len(size))?;
        Ok(Self {
            size,
            avail_idx: avail.region.atomic_u16(split::RING_IDX)?,
            used_idx: used.region.atomic_u16(split::RING_IDX)?,
            desc,
            avail,
            used,
            shadow: Shadow::new(size),
            seen: Arc::default(),
            unkicked: false,
            poison: None,
        })
    }

    /// What the device has to be told; it rings the doorbell of `vcpu` for this queue.
    pub fn setup(&self, vcpu: u16) -> QueueSetup {
        QueueSetup {
            size: self.size,
            vcpu,
            desc: self.desc.offset,
            driver: self.avail.offset,
            device: self.used.offset,
        }
    }

    /// Number of entries.
    pub fn size(&self) -> u16 {
        self.size
    }

    /// Number of free descriptors.
    pub fn free(&self) -> usize {
        usize::from(self.shadow.free)
    }

    /// Forgets all chains and the poison. Only while the device is reset, before it is told of the
    /// queue again.
    ///
    /// # Errors
    /// `Bounds`: none in practice.
    pub fn reset(&mut self) -> Result<(), VirtioError> {
        for ring in [&self.desc, &self.avail, &self.used] {
            ring.region.zero(0, ring.region.len())?;
        }
        self.shadow = Shadow::new(self.size);
        self.seen.store(0, Ordering::Relaxed);
        self.unkicked = false;
        self.poison = None;
        Ok(())
    }

    /// From now on every call fails with `error`. Returns it.
    pub fn poison(&mut self, error: VirtioError) -> VirtioError {
        *self.poison.get_or_insert(error)
    }

    fn check(&self) -> Result<(), VirtioError> {
        self.poison.map_or(Ok(()), Err)
    }

    /// Stages a chain: buffers for the device to read, then buffers for it to write.
    ///
    /// # Errors
    /// `Full` if there are too few descriptors, `Chain` if there are no buffers or too many bytes,
    /// `Queue` if the queue is poisoned. Nothing is staged then.
    pub fn add(&mut self, outs: &[Segment], ins: &[Segment], token: u32) -> Result<(), AddError> {
        self.check()?;
        let count = outs.len().saturating_add(ins.len());
        let writable = total(ins).ok_or(AddError::Chain)?;
        if count == 0 || total(outs).and_then(|out| out.checked_add(writable)).is_none() {
            return Err(AddError::Chain);
        }
        if count > usize::from(self.shadow.free) {
            return Err(AddError::Full);
        }
        let head = self.shadow.free_head;
        let tail = self.write_chain(outs, ins, count)?;
        let shadow = &mut self.shadow;
        shadow.free_head = shadow.next(tail);
        shadow.free = shadow.free.saturating_sub(count as u16);
        if let Some(slot) = shadow.chains.get_mut(usize::from(head)) {
            *slot = Some(Chain { token, writable, tail, descriptors: count as u16, published: false });
        }
        shadow.staged.push(head);
        Ok(())
    }

    /// Writes the descriptors of a chain along the free list and returns the last one's index.
    fn write_chain(&self, outs: &[Segment], ins: &[Segment], count: usize) -> Result<u16, OutOfBounds> {
        let outs = outs.iter().map(|segment| (segment, 0));
        let ins = ins.iter().map(|segment| (segment, desc_flags::WRITE));
        let mut at = self.shadow.free_head;
        let mut tail = at;
        for (position, (segment, access)) in outs.chain(ins).enumerate() {
            let next = self.shadow.next(at);
            let last = position.saturating_add(1) == count;
            let descriptor = Descriptor {
                addr: segment.offset.into(),
                len: segment.len.into(),
                flags: (access | if last { 0 } else { desc_flags::NEXT }).into(),
                next: if last { 0 } else { next }.into(),
            };
            self.desc.region.write(split::DESC_LEN.saturating_mul(usize::from(at)), descriptor.as_bytes())?;
            tail = at;
            at = next;
        }
        Ok(tail)
    }

    /// Makes all staged chains available to the device (§2.7.13).
    ///
    /// # Errors
    /// The queue is poisoned.
    pub fn publish(&mut self) -> Result<(), VirtioError> {
        self.check()?;
        if self.shadow.staged.is_empty() {
            return Ok(());
        }
        for head in self.shadow.staged.drain(..) {
            self.avail.region.write_u16(split::avail_entry(self.size, self.shadow.avail), head)?;
            self.shadow.avail = self.shadow.avail.wrapping_add(1);
            self.shadow.in_flight = self.shadow.in_flight.saturating_add(1);
            if let Some(Some(chain)) = self.shadow.chains.get_mut(usize::from(head)) {
                chain.published = true;
            }
        }
        self.avail_idx.store(self.shadow.avail, Ordering::Release);
        self.unkicked = true;
        Ok(())
    }

    /// Chains that are staged and not published.
    pub fn staged(&self) -> usize {
        self.shadow.staged.len()
    }

    /// Whether chains were published since this was last asked: then the device needs a kick.
    pub fn take_kick(&mut self) -> bool {
        core::mem::take(&mut self.unkicked)
    }

    /// Whether the device's used index differs from ours. A hint, not validated.
    pub fn has_used(&self) -> bool {
        self.poison.is_none() && self.used_idx.load(Ordering::Relaxed) != self.shadow.used
    }

    /// A look at the queue that needs no hold of it.
    pub fn probe(&self) -> QueueProbe {
        QueueProbe { used_idx: self.used_idx, seen: self.seen.clone() }
    }

    /// Number of chains that the device has used and that wait to be popped.
    ///
    /// # Errors
    /// The device's used index is impossible, or the queue is poisoned.
    pub fn used_count(&mut self) -> Result<u16, VirtioError> {
        self.check()?;
        let claimed = self.used_idx.load(Ordering::Acquire);
        let (expected, in_flight) = (self.shadow.used, self.shadow.in_flight);
        let count = claimed.wrapping_sub(expected);
        if count > in_flight {
            return Err(self.poison(DeviceError::UsedIndex { expected, claimed, in_flight }.into()));
        }
        Ok(count)
    }

    /// Takes the next chain that the device has used, if any.
    ///
    /// # Errors
    /// The device broke a rule of the used ring, now or before.
    pub fn pop_used(&mut self) -> Result<Option<Used>, VirtioError> {
        if self.used_count()? == 0 {
            return Ok(None);
        }
        let mut entry = UsedElem { id: 0.into(), len: 0.into() };
        self.used.region.read(split::used_entry(self.size, self.shadow.used), entry.as_mut_bytes())?;
        let (id, len) = (entry.id.get(), entry.len.get());
        let Some((head, chain)) = self.chain(id) else {
            return Err(self.poison(DeviceError::UsedId { id }.into()));
        };
        if len > chain.writable {
            return Err(self.poison(DeviceError::UsedLength { id, len, writable: chain.writable }.into()));
        }
        self.release(head, chain);
        self.seen.store(self.shadow.used, Ordering::Relaxed);
        Ok(Some(Used { token: chain.token, len }))
    }

    /// The chain that is in flight under the device's `id`.
    fn chain(&self, id: u32) -> Option<(u16, Chain)> {
        let head = u16::try_from(id).ok()?;
        let chain = (*self.shadow.chains.get(usize::from(head))?)?;
        chain.published.then_some((head, chain))
    }

    /// Puts a used chain's descriptors in front of the free list.
    fn release(&mut self, head: u16, chain: Chain) {
        let shadow = &mut self.shadow;
        if let Some(slot) = shadow.chains.get_mut(usize::from(head)) {
            *slot = None;
        }
        if let Some(next) = shadow.next.get_mut(usize::from(chain.tail)) {
            *next = shadow.free_head;
        }
        shadow.free_head = head;
        shadow.free = shadow.free.saturating_add(chain.descriptors);
        shadow.in_flight = shadow.in_flight.saturating_sub(1);
        shadow.used = shadow.used.wrapping_add(1);
    }
}

/// A look at a queue that another vCPU may be using at the same time.
#[derive(Clone)]
pub struct QueueProbe {
    used_idx: &'static AtomicU16,
    seen: Arc<AtomicU16>,
}

impl QueueProbe {
    /// As [`SplitQueue::has_used`].
    pub fn has_used(&self) -> bool {
        self.used_idx.load(Ordering::Relaxed) != self.seen.load(Ordering::Relaxed)
    }
}

/// Bytes of all segments; `None` if a chain cannot have so many.
fn total(segments: &[Segment]) -> Option<u32> {
    segments.iter().try_fold(0u32, |sum, segment| sum.checked_add(segment.len))
}
