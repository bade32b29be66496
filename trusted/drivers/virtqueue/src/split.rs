//! Driver side of a split virtqueue (§2.7).

use crate::chain::{Segment, Used, total};
use crate::{AddError, DeviceError, DmaArena, DmaBuffer, QueueProbe, VirtioError};
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU16, Ordering, fence};
use rkt_virtio::split::{self, Descriptor, UsedElem, desc_flags};
use rkt_virtio_transport::QueueSetup;
use rkt_window::OutOfBounds;
use zerocopy::IntoBytes;

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
    /// `EVENT_IDX` was agreed on.
    by_index: bool,
    /// The used index after which the driver asked to be told.
    asked: Option<u16>,
    /// The available index when the device was last told.
    told: u16,
    shadow: Shadow,
    probe: QueueProbe,
    poison: Option<VirtioError>,
}

impl SplitQueue {
    /// A queue of `size` entries (a power of two) in the arena; `by_index` if `EVENT_IDX` was agreed on.
    ///
    /// # Errors
    /// `NoDmaMemory`; `Bounds` if `size` is not allowed.
    pub fn new(arena: &mut DmaArena, size: u16, by_index: bool) -> Result<Self, VirtioError> {
        if !split::valid_size(size) {
            return Err(OutOfBounds { offset: 0, len: u64::from(size) }.into());
        }
        // A cache line at least each: the rings have different writers.
        let mut alloc = |len: usize| arena.alloc(len, 64).ok_or(VirtioError::NoDmaMemory(len));
        let desc = alloc(split::desc_table_len(size))?;
        let avail = alloc(split::avail_ring_len(size))?;
        let used = alloc(split::used_ring_len(size))?;
        let used_idx = used.region.atomic_u16(split::RING_IDX)?;
        Ok(Self {
            size,
            avail_idx: avail.region.atomic_u16(split::RING_IDX)?,
            used_idx,
            desc,
            avail,
            used,
            by_index,
            asked: None,
            told: 0,
            shadow: Shadow::new(size),
            probe: QueueProbe::split(used_idx),
            poison: None,
        })
    }

    /// As [`crate::Virtqueue::setup`].
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

    /// As [`crate::Virtqueue::reset`].
    ///
    /// # Errors
    /// `Bounds`: none in practice.
    pub fn reset(&mut self) -> Result<(), VirtioError> {
        for ring in [&self.desc, &self.avail, &self.used] {
            ring.region.zero(0, ring.region.len())?;
        }
        self.shadow = Shadow::new(self.size);
        self.probe.moved(0);
        self.asked = None;
        self.told = 0;
        self.poison = None;
        Ok(())
    }

    /// As [`crate::Virtqueue::poison`].
    pub fn poison(&mut self, error: VirtioError) -> VirtioError {
        *self.poison.get_or_insert(error)
    }

    fn check(&self) -> Result<(), VirtioError> {
        self.poison.map_or(Ok(()), Err)
    }

    /// As [`crate::Virtqueue::add`].
    ///
    /// # Errors
    /// As there.
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

    /// As [`crate::Virtqueue::publish`].
    ///
    /// # Errors
    /// As there.
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
        Ok(())
    }

    /// As [`crate::Virtqueue::staged`].
    pub fn staged(&self) -> usize {
        self.shadow.staged.len()
    }

    /// As [`crate::Virtqueue::take_kick`].
    pub fn take_kick(&mut self) -> bool {
        let new = self.shadow.avail;
        let old = core::mem::replace(&mut self.told, new);
        if old == new || !self.by_index {
            return old != new;
        }
        // The device asks and then looks for more; the driver publishes and then looks whether it is asked.
        fence(Ordering::SeqCst);
        let event = self.used.region.read_u16(split::avail_event(self.size));
        event.is_ok_and(|event| split::event_passed(event, old, new))
    }

    /// As [`crate::Virtqueue::ask_after`].
    ///
    /// # Errors
    /// `Bounds`: none in practice.
    pub fn ask_after(&mut self, n: u16) -> Result<(), VirtioError> {
        let event = self.shadow.used.wrapping_add(n);
        if self.by_index && self.asked.replace(event) != Some(event) {
            self.avail.region.write_u16(split::used_event(self.size), event)?;
        }
        Ok(())
    }

    /// As [`crate::Virtqueue::ask_nothing`].
    ///
    /// # Errors
    /// `Bounds`: none in practice.
    pub fn ask_nothing(&mut self) -> Result<(), VirtioError> {
        // As far away as an index can be: the device tells once in 2^16 chains.
        self.ask_after(u16::MAX)
    }

    /// As [`crate::Virtqueue::has_used`].
    pub fn has_used(&self) -> bool {
        self.poison.is_none() && self.probe.has_used()
    }

    /// As [`crate::Virtqueue::probe`].
    pub fn probe(&self) -> QueueProbe {
        self.probe.clone()
    }

    /// Number of chains that the device has used and that wait to be popped.
    fn used_count(&mut self) -> Result<u16, VirtioError> {
        self.check()?;
        let claimed = self.used_idx.load(Ordering::Acquire);
        let (expected, in_flight) = (self.shadow.used, self.shadow.in_flight);
        let count = claimed.wrapping_sub(expected);
        if count > in_flight {
            return Err(self.poison(DeviceError::UsedIndex { expected, claimed, in_flight }.into()));
        }
        Ok(count)
    }

    /// As [`crate::Virtqueue::pop_used`].
    ///
    /// # Errors
    /// As there.
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
        self.probe.moved(self.shadow.used);
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
