//! Driver side of a packed virtqueue (§2.8).

use crate::chain::{Segment, Used, total};
use crate::{AddError, DeviceError, DmaArena, DmaBuffer, QueueProbe, VirtioError};
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{Ordering, fence};
use rkt_virtio::packed::{self, Cursor, Descriptor, event_flags};
use rkt_virtio::split::desc_flags;
use rkt_virtio_transport::QueueSetup;
use rkt_window::OutOfBounds;
use zerocopy::IntoBytes;

/// A chain under the id at the same index.
#[derive(Clone, Copy)]
struct Chain {
    token: u32,
    writable: u32,
    descriptors: u16,
    /// The device may use it; before, it is only staged.
    published: bool,
}

/// A chain whose descriptors are all written but for the flags of the first.
#[derive(Clone, Copy)]
struct Staged {
    first: Cursor,
    flags: u16,
    id: u16,
}

/// What the driver knows of its queue, all in trusted memory.
struct Shadow {
    chains: Vec<Option<Chain>>,
    free_ids: Vec<u16>,
    staged: Vec<Staged>,
    /// Free descriptors.
    free: u16,
    /// Where the next chain goes.
    avail: Cursor,
    /// Where `avail` was when the device was last told.
    told: Cursor,
    /// Where the next used descriptor is to appear.
    used: Cursor,
}

impl Shadow {
    fn new(size: u16) -> Self {
        Self {
            chains: vec![None; usize::from(size)],
            free_ids: (0..size).rev().collect(),
            staged: Vec::with_capacity(usize::from(size)),
            free: size,
            avail: Cursor::START,
            told: Cursor::START,
            used: Cursor::START,
        }
    }
}

/// Of what the driver asked to be told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Everything,
    Nothing,
    At(Cursor),
}

/// One packed virtqueue, driver side.
pub struct PackedQueue {
    size: u16,
    ring: DmaBuffer,
    /// The driver's event suppression structure, then, on a cache line of its own, the device's.
    events: [DmaBuffer; 2],
    /// `EVENT_IDX` was agreed on.
    by_index: bool,
    asked: Asked,
    shadow: Shadow,
    probe: QueueProbe,
    poison: Option<VirtioError>,
}

impl PackedQueue {
    /// A queue of `size` descriptors in the arena; `by_index` if `EVENT_IDX` was agreed on.
    ///
    /// # Errors
    /// `NoDmaMemory`; `Bounds` if `size` is not allowed.
    pub fn new(arena: &mut DmaArena, size: u16, by_index: bool) -> Result<Self, VirtioError> {
        if !packed::valid_size(size) {
            return Err(OutOfBounds { offset: 0, len: u64::from(size) }.into());
        }
        let mut alloc = |len: usize| arena.alloc(len, 64).ok_or(VirtioError::NoDmaMemory(len));
        let ring = alloc(packed::ring_len(size))?;
        let events = [alloc(packed::EVENT_LEN)?, alloc(packed::EVENT_LEN)?];
        let probe = QueueProbe::packed(ring.region);
        Ok(Self {
            size,
            ring,
            events,
            by_index,
            asked: Asked::Everything,
            shadow: Shadow::new(size),
            probe,
            poison: None,
        })
    }

    /// As [`crate::Virtqueue::setup`].
    pub fn setup(&self, vcpu: u16) -> QueueSetup {
        let [driver, device] = &self.events;
        QueueSetup { size: self.size, vcpu, desc: self.ring.offset, driver: driver.offset, device: device.offset }
    }

    /// Number of descriptors.
    pub fn size(&self) -> u16 {
        self.size
    }

    /// As [`crate::Virtqueue::reset`].
    ///
    /// # Errors
    /// `Bounds`: none in practice.
    pub fn reset(&mut self) -> Result<(), VirtioError> {
        let [driver, device] = &self.events;
        for part in [&self.ring, driver, device] {
            part.region.zero(0, part.region.len())?;
        }
        self.shadow = Shadow::new(self.size);
        self.probe.moved(Cursor::START.to_word());
        self.asked = Asked::Everything;
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
        let Some(free) = u16::try_from(count).ok().and_then(|count| self.shadow.free.checked_sub(count)) else {
            return Err(AddError::Full);
        };
        let Some(id) = self.shadow.free_ids.last().copied() else { return Err(AddError::Full) };
        let (first, flags) = self.write_chain(outs, ins, count, id)?;
        let shadow = &mut self.shadow;
        shadow.free_ids.pop();
        shadow.free = free;
        shadow.avail = first.advance(count as u16, self.size);
        if let Some(slot) = shadow.chains.get_mut(usize::from(id)) {
            *slot = Some(Chain { token, writable, descriptors: count as u16, published: false });
        }
        shadow.staged.push(Staged { first, flags, id });
        Ok(())
    }

    /// Writes the descriptors of a chain, all but the flags of the first (§2.8.6): returns where it is
    /// and what they are to be.
    fn write_chain(
        &self,
        outs: &[Segment],
        ins: &[Segment],
        count: usize,
        id: u16,
    ) -> Result<(Cursor, u16), OutOfBounds> {
        let outs = outs.iter().map(|segment| (segment, 0));
        let ins = ins.iter().map(|segment| (segment, desc_flags::WRITE));
        let first = self.shadow.avail;
        let (mut at, mut first_flags) = (first, 0);
        for (position, (segment, access)) in outs.chain(ins).enumerate() {
            let next = if position.saturating_add(1) < count { desc_flags::NEXT } else { 0 };
            let flags = access | next | at.avail_flags();
            let descriptor =
                Descriptor { addr: segment.offset.into(), len: segment.len.into(), id: id.into(), flags: flags.into() };
            let mut bytes = descriptor.as_bytes();
            if position == 0 {
                first_flags = flags;
                bytes = bytes.split_at(packed::DESC_FLAGS_AT).0;
            }
            self.ring.region.write(place(at), bytes)?;
            at = at.advance(1, self.size);
        }
        Ok((first, first_flags))
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
        // All that was written before is visible before any of the flags.
        fence(Ordering::Release);
        for staged in self.shadow.staged.drain(..) {
            let at = place(staged.first).saturating_add(packed::DESC_FLAGS_AT);
            self.ring.region.write_u16(at, staged.flags)?;
            if let Some(Some(chain)) = self.shadow.chains.get_mut(usize::from(staged.id)) {
                chain.published = true;
            }
        }
        Ok(())
    }

    /// As [`crate::Virtqueue::staged`].
    pub fn staged(&self) -> usize {
        self.shadow.staged.len()
    }

    /// As [`crate::Virtqueue::take_kick`].
    pub fn take_kick(&mut self) -> bool {
        let next = self.shadow.staged.first().map_or(self.shadow.avail, |staged| staged.first);
        let old = core::mem::replace(&mut self.shadow.told, next);
        if old == next {
            return false;
        }
        if !self.by_index {
            return true;
        }
        // The device asks and then looks for more; the driver publishes and then looks whether it is asked.
        fence(Ordering::SeqCst);
        let [_, device] = &self.events;
        let flags = device.region.read_u16(packed::EVENT_FLAGS).unwrap_or(event_flags::ENABLE);
        let event = device.region.read_u16(packed::EVENT_DESC).unwrap_or(0);
        match flags {
            event_flags::DISABLE => false,
            event_flags::DESC => !self.is_ahead(Cursor::from_word(event), next),
            _ => true,
        }
    }

    /// Whether a device that asks to be told at `event` can still wait for it, with all before `next` made
    /// available. Telling of what lies between the last two kicks alone (§2.8.10) is not enough for QEMU: after a frame that
    /// had to wait for its wire it asks first and takes more descriptors then, so that its event lies behind
    /// what it was never told of.
    fn is_ahead(&self, event: Cursor, next: Cursor) -> bool {
        next.distance(event, self.size) <= self.shadow.free.into()
    }

    /// As [`crate::Virtqueue::ask_after`].
    ///
    /// # Errors
    /// `Bounds`: none in practice.
    pub fn ask_after(&mut self, n: u16) -> Result<(), VirtioError> {
        let event = self.shadow.used.advance(n.min(self.size), self.size);
        if self.ask(Asked::At(event)) {
            let [driver, _] = &self.events;
            driver.region.write_u16(packed::EVENT_DESC, event.to_word())?;
            driver.region.write_u16(packed::EVENT_FLAGS, event_flags::DESC)?;
        }
        Ok(())
    }

    /// As [`crate::Virtqueue::ask_nothing`].
    ///
    /// # Errors
    /// `Bounds`: none in practice.
    pub fn ask_nothing(&mut self) -> Result<(), VirtioError> {
        if self.ask(Asked::Nothing) {
            let [driver, _] = &self.events;
            driver.region.write_u16(packed::EVENT_FLAGS, event_flags::DISABLE)?;
        }
        Ok(())
    }

    /// Whether the device has to hear of it.
    fn ask(&mut self, what: Asked) -> bool {
        self.by_index && core::mem::replace(&mut self.asked, what) != what
    }

    /// As [`crate::Virtqueue::has_used`].
    pub fn has_used(&self) -> bool {
        self.poison.is_none() && self.probe.has_used()
    }

    /// As [`crate::Virtqueue::probe`].
    pub fn probe(&self) -> QueueProbe {
        self.probe.clone()
    }

    /// As [`crate::Virtqueue::pop_used`].
    ///
    /// # Errors
    /// As there.
    pub fn pop_used(&mut self) -> Result<Option<Used>, VirtioError> {
        self.check()?;
        let (here, at) = (self.shadow.used, place(self.shadow.used));
        let flags = self.ring.region.read_u16(at.saturating_add(packed::DESC_FLAGS_AT))?;
        if !here.is_used(flags) {
            return Ok(None);
        }
        fence(Ordering::Acquire);
        let id = self.ring.region.read_u16(at.saturating_add(packed::DESC_ID_AT))?;
        let chain = self.shadow.chains.get(usize::from(id)).copied().flatten().filter(|chain| chain.published);
        let Some(chain) = chain else {
            return Err(self.poison(DeviceError::UsedId { id: id.into() }.into()));
        };
        // A device says by WRITE whether the length means anything (§2.8.4), but QEMU never does.
        let written = flags & desc_flags::WRITE != 0 || chain.writable > 0;
        let len = if written { self.ring.region.read_u32(at.saturating_add(packed::DESC_LEN_AT))? } else { 0 };
        if len > chain.writable {
            return Err(self.poison(DeviceError::UsedLength { id: id.into(), len, writable: chain.writable }.into()));
        }
        self.release(id, chain);
        Ok(Some(Used { token: chain.token, len }))
    }

    fn release(&mut self, id: u16, chain: Chain) {
        let shadow = &mut self.shadow;
        if let Some(slot) = shadow.chains.get_mut(usize::from(id)) {
            *slot = None;
        }
        shadow.free_ids.push(id);
        shadow.free = shadow.free.saturating_add(chain.descriptors);
        // The device skips the rest of the chain (§2.8.8).
        shadow.used = shadow.used.advance(chain.descriptors, self.size);
        self.probe.moved(shadow.used.to_word());
    }
}

/// Where a descriptor lies in the ring.
fn place(at: Cursor) -> usize {
    packed::DESC_LEN.saturating_mul(at.index.into())
}
