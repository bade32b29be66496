//! A queue of either kind.

use crate::{AddError, DmaArena, PackedQueue, QueueProbe, Segment, SplitQueue, Used, VirtioError};
use rkt_virtio::features::{EVENT_IDX, RING_PACKED};
use rkt_virtio_transport::QueueSetup;

/// A virtqueue, driver side.
pub enum Virtqueue {
    /// Two rings and a table.
    Split(SplitQueue),
    /// One ring.
    Packed(PackedQueue),
}

/// Calls the same method of either.
macro_rules! either {
    ($queue:expr, $inner:ident => $call:expr) => {
        match $queue {
            Virtqueue::Split($inner) => $call,
            Virtqueue::Packed($inner) => $call,
        }
    };
}

impl Virtqueue {
    /// A queue of `size` entries in the arena, of the kind that was agreed on.
    ///
    /// # Errors
    /// `NoDmaMemory`; `Bounds` if `size` is not allowed.
    pub fn new(arena: &mut DmaArena, size: u16, agreed: u64) -> Result<Self, VirtioError> {
        let by_index = agreed & EVENT_IDX != 0;
        if agreed & RING_PACKED != 0 {
            PackedQueue::new(arena, size, by_index).map(Self::Packed)
        } else {
            SplitQueue::new(arena, size, by_index).map(Self::Split)
        }
    }

    /// What the device has to be told; it rings the doorbell of `vcpu` for this queue.
    pub fn setup(&self, vcpu: u16) -> QueueSetup {
        either!(self, queue => queue.setup(vcpu))
    }

    /// Number of entries.
    pub fn size(&self) -> u16 {
        either!(self, queue => queue.size())
    }

    /// Forgets all chains and the poison. Only while the device is reset, before it is told of the
    /// queue again.
    ///
    /// # Errors
    /// `Bounds`: none in practice.
    pub fn reset(&mut self) -> Result<(), VirtioError> {
        either!(self, queue => queue.reset())
    }

    /// From now on every call fails with `error`. Returns it.
    pub fn poison(&mut self, error: VirtioError) -> VirtioError {
        either!(self, queue => queue.poison(error))
    }

    /// Stages a chain: buffers for the device to read, then buffers for it to write.
    ///
    /// # Errors
    /// `Full` if there are too few descriptors, `Chain` if there are no buffers or too many bytes,
    /// `Queue` if the queue is poisoned. Nothing is staged then.
    pub fn add(&mut self, outs: &[Segment], ins: &[Segment], token: u32) -> Result<(), AddError> {
        either!(self, queue => queue.add(outs, ins, token))
    }

    /// Makes all staged chains available to the device (§2.7.13, §2.8.21).
    ///
    /// # Errors
    /// The queue is poisoned.
    pub fn publish(&mut self) -> Result<(), VirtioError> {
        either!(self, queue => queue.publish())
    }

    /// Chains that are staged and not published.
    pub fn staged(&self) -> usize {
        either!(self, queue => queue.staged())
    }

    /// Whether the device needs a kick for what was published since this was last asked: always,
    /// or with `EVENT_IDX`, if it has asked for one.
    pub fn take_kick(&mut self) -> bool {
        either!(self, queue => queue.take_kick())
    }

    /// With `EVENT_IDX`: asks to be told when the device uses another chain after `n` more. Whoever
    /// sleeps on it looks once more at [`QueueProbe::has_used`] before.
    ///
    /// # Errors
    /// `Bounds`: none in practice.
    pub fn ask_after(&mut self, n: u16) -> Result<(), VirtioError> {
        either!(self, queue => queue.ask_after(n))
    }

    /// With `EVENT_IDX`: asks not to be told.
    ///
    /// # Errors
    /// `Bounds`: none in practice.
    pub fn ask_nothing(&mut self) -> Result<(), VirtioError> {
        either!(self, queue => queue.ask_nothing())
    }

    /// Whether the device seems to have used a chain. A hint, not validated.
    pub fn has_used(&self) -> bool {
        either!(self, queue => queue.has_used())
    }

    /// A look at the queue that needs no hold of it.
    pub fn probe(&self) -> QueueProbe {
        either!(self, queue => queue.probe())
    }

    /// Takes the next chain that the device has used, if any.
    ///
    /// # Errors
    /// The device broke a rule of the ring, now or before.
    pub fn pop_used(&mut self) -> Result<Option<Used>, VirtioError> {
        either!(self, queue => queue.pop_used())
    }
}
