//! The device side of virtqueues, split (virtio 1.2 §2.7) and packed (§2.8), over the window.
//!
//! The driver is the trusted half, and all that it can damage by nonsense is its own device; but
//! this process serves it and must outlive it, so every index, offset and length is checked.

mod packed;
mod split;

use packed::PackedRing;
use rkt_virtio::features::{EVENT_IDX, RING_PACKED};
use rkt_virtio::split::desc_flags;
use rkt_virtio_transport::QueueSetup;
use rkt_window::{OutOfBounds, Region, Window};
use smallvec::SmallVec;
use split::SplitRing;
use std::fmt;

/// What the driver did wrong with a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueError {
    /// The size is no power of two or larger than the device allows.
    Size(u16),
    /// A ring does not lie in the window or is not aligned.
    Ring(OutOfBounds),
    /// The available index is further ahead than the queue is long.
    AvailableIndex {
        /// What the driver wrote.
        claimed: u16,
        /// The next entry that the device would take.
        next: u16,
    },
    /// A descriptor number is not below the queue's size, or in a packed queue, a chain goes on at a
    /// descriptor that is not available.
    Descriptor(u16),
    /// A chain has more descriptors than the queue: a loop (§2.7.5.2).
    Loop,
    /// A buffer does not lie in the window.
    Buffer(OutOfBounds),
    /// A table of descriptors, which was not offered (§2.7.5.3).
    Indirect,
    /// A part to read follows a part to write (§2.7.4.2).
    Order,
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the driver ")?;
        match self {
            Self::Size(n) => write!(f, "set up a queue of {n} entries"),
            Self::Ring(e) => write!(f, "placed a ring wrongly: {e}"),
            Self::AvailableIndex { claimed, next } => {
                write!(f, "moved the available index to {claimed} while the device is at {next}")
            }
            Self::Descriptor(n) => write!(f, "used descriptor {n}, which it may not use"),
            Self::Loop => write!(f, "made a chain of descriptors without end"),
            Self::Buffer(e) => write!(f, "placed a buffer wrongly: {e}"),
            Self::Indirect => write!(f, "used an indirect descriptor, which was not offered"),
            Self::Order => write!(f, "placed a readable buffer after a writable one"),
        }
    }
}

impl std::error::Error for QueueError {}

/// A chain of buffers that the driver made available.
#[derive(Debug)]
pub struct Chain {
    /// Index of the first descriptor, or in a packed queue, the driver's number for the chain.
    id: u16,
    parts: SmallVec<[Region; 4]>,
    readable: usize,
}

impl Chain {
    fn new(id: u16) -> Self {
        Self { id, parts: SmallVec::new(), readable: 0 }
    }

    /// Adds the buffer of a descriptor.
    fn push(&mut self, window: &Window, addr: u64, len: u32, flags: u16) -> Result<(), QueueError> {
        if flags & desc_flags::INDIRECT != 0 {
            return Err(QueueError::Indirect);
        }
        let bad = QueueError::Buffer(OutOfBounds { offset: addr, len: len.into() });
        let offset = usize::try_from(addr).map_err(|_| bad)?;
        let part = window.sub(offset, len as usize).map_err(QueueError::Buffer)?;
        if flags & desc_flags::WRITE == 0 {
            if self.parts.len() > self.readable {
                return Err(QueueError::Order);
            }
            self.readable += 1;
        }
        self.parts.push(part);
        Ok(())
    }

    /// Descriptors in the chain.
    fn descriptors(&self) -> u16 {
        // No more than a queue has.
        self.parts.len() as u16
    }

    /// The parts that the device reads, before those that it writes.
    pub fn readable(&self) -> &[Region] {
        self.parts.split_at_checked(self.readable).map_or(&[], |(readable, _)| readable)
    }

    /// The parts that the device writes.
    pub fn writable(&self) -> &[Region] {
        self.parts.split_at_checked(self.readable).map_or(&[], |(_, writable)| writable)
    }
}

/// A ring of the driver's, in the window.
fn ring(window: &Window, at: u64, len: usize, align: usize) -> Result<Region, QueueError> {
    let bad = OutOfBounds { offset: at, len: len as u64 };
    let at = usize::try_from(at).ok().filter(|at| at.is_multiple_of(align)).ok_or(QueueError::Ring(bad))?;
    window.sub(at, len).map_err(QueueError::Ring)
}

enum Ring {
    Split(SplitRing),
    Packed(PackedRing),
}

/// Calls the same method of either ring.
macro_rules! either {
    ($ring:expr, $inner:ident => $call:expr) => {
        match $ring {
            Ring::Split($inner) => $call,
            Ring::Packed($inner) => $call,
        }
    };
}

/// A running queue.
pub struct Queue {
    window: Window,
    vcpu: u16,
    ring: Ring,
}

impl Queue {
    /// A queue as the driver set it up, at most `max_size` entries long, of the kind that `features`
    /// say.
    ///
    /// # Errors
    /// `Size` and `Ring` if the setup is impossible.
    pub fn open(window: &Window, setup: &QueueSetup, max_size: u16, features: u64) -> Result<Self, QueueError> {
        let by_index = features & EVENT_IDX != 0;
        let ring = if features & RING_PACKED != 0 {
            Ring::Packed(PackedRing::open(window, setup, max_size, by_index)?)
        } else {
            Ring::Split(SplitRing::open(window, setup, max_size, by_index)?)
        };
        Ok(Self { window: *window, vcpu: setup.vcpu, ring })
    }

    /// The vCPU to notify for this queue.
    pub fn vcpu(&self) -> u16 {
        self.vcpu
    }

    /// Takes the next chain; `None` if the driver has made no more available, and then it kicks for the
    /// next one.
    ///
    /// # Errors
    /// If the driver broke a rule: the queue is of no use any more.
    pub fn pop(&mut self) -> Result<Option<Chain>, QueueError> {
        either!(&mut self.ring, ring => ring.pop(&self.window))
    }

    /// Hands a chain back after `written` bytes went into its writable part. The driver sees it
    /// at the next [`Queue::publish`].
    ///
    /// # Errors
    /// None in practice: the ring was checked by `open`.
    pub fn push(&mut self, chain: Chain, written: u32) -> Result<(), QueueError> {
        either!(&mut self.ring, ring => ring.push(&chain, written)).map_err(QueueError::Ring)
    }

    /// Makes all pushed chains visible to the driver at once.
    pub fn publish(&mut self) {
        either!(&mut self.ring, ring => ring.publish());
    }

    /// Whether the driver has to be notified of what was published since the last call.
    pub(crate) fn take_notice(&mut self) -> bool {
        either!(&mut self.ring, ring => ring.take_notice())
    }
}
