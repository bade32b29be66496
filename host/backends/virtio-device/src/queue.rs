//! The device side of a split virtqueue (virtio 1.2 §2.7) over the window.
//!
//! The driver is the trusted half, and all that it can damage by nonsense is its own device; but
//! this process serves it and must outlive it, so every index, offset and length is checked.

use rkt_virtio::split::{self, Descriptor, desc_flags};
use rkt_virtio_transport::QueueSetup;
use rkt_window::{OutOfBounds, Region, Window};
use smallvec::SmallVec;
use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};

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
    /// A descriptor number is not below the queue's size.
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
            Self::Descriptor(n) => write!(f, "used descriptor {n}, which does not exist"),
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
    head: u16,
    parts: SmallVec<[Region; 4]>,
    readable: usize,
}

impl Chain {
    /// The parts that the device reads, before those that it writes.
    pub fn readable(&self) -> &[Region] {
        self.parts.split_at_checked(self.readable).map_or(&[], |(readable, _)| readable)
    }

    /// The parts that the device writes.
    pub fn writable(&self) -> &[Region] {
        self.parts.split_at_checked(self.readable).map_or(&[], |(_, writable)| writable)
    }
}

/// Copies bytes into `parts` from `offset` on; returns how many found room.
pub fn scatter(parts: &[Region], mut offset: usize, mut bytes: &[u8]) -> usize {
    let mut copied = 0;
    for part in parts {
        if offset >= part.len() {
            offset -= part.len();
            continue;
        }
        let (now, later) = bytes.split_at(bytes.len().min(part.len() - offset));
        if part.write(offset, now).is_err() || later.is_empty() {
            return copied + now.len();
        }
        copied += now.len();
        bytes = later;
        offset = 0;
    }
    copied
}

/// Fills `into` from `parts` from `offset` on; returns how many bytes there were.
pub fn gather(parts: &[Region], mut offset: usize, into: &mut [u8]) -> usize {
    let mut copied = 0;
    for part in parts {
        if offset >= part.len() {
            offset -= part.len();
            continue;
        }
        let n = (into.len() - copied).min(part.len() - offset);
        let Some(now) = into.get_mut(copied..copied + n) else { return copied };
        if n == 0 || part.read(offset, now).is_err() {
            return copied;
        }
        copied += n;
        offset = 0;
    }
    copied
}

/// The part of `parts` from `offset` on, at most `len` bytes long, without copying.
pub fn cut(parts: &[Region], mut offset: usize, mut len: usize) -> SmallVec<[Region; 4]> {
    let mut found = SmallVec::new();
    for part in parts {
        let skipped = offset.min(part.len());
        let taken = len.min(part.len() - skipped);
        offset -= skipped;
        len -= taken;
        if let Ok(region) = part.sub(skipped, taken)
            && taken > 0
        {
            found.push(region);
        }
    }
    found
}

/// Bytes in `parts`.
pub fn total_len(parts: &[Region]) -> usize {
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.len()))
}

/// A running queue.
pub struct Queue {
    window: Window,
    size: u16,
    vcpu: u16,
    desc: Region,
    avail: Region,
    used: Region,
    avail_idx: &'static AtomicU16,
    used_idx: &'static AtomicU16,
    next_avail: u16,
    seen_avail: u16,
    next_used: u16,
    published: bool,
}

impl Queue {
    /// A queue as the driver set it up, at most `max_size` entries long.
    ///
    /// # Errors
    /// `Size` and `Ring` if the setup is impossible.
    pub fn open(window: &Window, setup: &QueueSetup, max_size: u16) -> Result<Self, QueueError> {
        if !split::valid_size(setup.size) || setup.size > max_size {
            return Err(QueueError::Size(setup.size));
        }
        let ring = |at: u64, len: usize, align: usize| {
            let bad = OutOfBounds { offset: at, len: len as u64 };
            let at = usize::try_from(at).ok().filter(|at| at.is_multiple_of(align)).ok_or(bad)?;
            window.sub(at, len)
        };
        let open = || {
            let desc = ring(setup.desc, split::desc_table_len(setup.size), split::DESC_ALIGN)?;
            let avail = ring(setup.driver, split::avail_ring_len(setup.size), split::AVAIL_ALIGN)?;
            let used = ring(setup.device, split::used_ring_len(setup.size), split::USED_ALIGN)?;
            Ok(Self {
                window: *window,
                size: setup.size,
                vcpu: setup.vcpu,
                desc,
                avail,
                used,
                avail_idx: avail.atomic_u16(split::RING_IDX)?,
                used_idx: used.atomic_u16(split::RING_IDX)?,
                next_avail: 0,
                seen_avail: 0,
                next_used: 0,
                published: false,
            })
        };
        open().map_err(QueueError::Ring)
    }

    /// The vCPU to notify for this queue.
    pub fn vcpu(&self) -> u16 {
        self.vcpu
    }

    /// Takes the next chain; `None` if the driver has made no more available.
    ///
    /// # Errors
    /// If the driver broke a rule: the queue is of no use any more.
    pub fn pop(&mut self) -> Result<Option<Chain>, QueueError> {
        if self.next_avail == self.seen_avail {
            let claimed = u16::from_le(self.avail_idx.load(Ordering::Acquire));
            if claimed.wrapping_sub(self.next_avail) > self.size {
                return Err(QueueError::AvailableIndex { claimed, next: self.next_avail });
            }
            self.seen_avail = claimed;
            if self.next_avail == claimed {
                return Ok(None);
            }
        }
        let entry = split::avail_entry(self.size, self.next_avail);
        let head = self.avail.read_u16(entry).map_err(QueueError::Ring)?;
        let chain = self.walk(head)?;
        self.next_avail = self.next_avail.wrapping_add(1);
        Ok(Some(chain))
    }

    fn walk(&self, head: u16) -> Result<Chain, QueueError> {
        let mut chain = Chain { head, parts: SmallVec::new(), readable: 0 };
        let mut at = head;
        for _ in 0..self.size {
            let desc = self.descriptor(at)?;
            let flags = desc.flags.get();
            if flags & desc_flags::INDIRECT != 0 {
                return Err(QueueError::Indirect);
            }
            let buffer = OutOfBounds { offset: desc.addr.get(), len: desc.len.get().into() };
            let offset = usize::try_from(desc.addr.get()).map_err(|_| QueueError::Buffer(buffer))?;
            let part = self.window.sub(offset, desc.len.get() as usize).map_err(QueueError::Buffer)?;
            if flags & desc_flags::WRITE == 0 {
                if chain.parts.len() > chain.readable {
                    return Err(QueueError::Order);
                }
                chain.readable += 1;
            }
            chain.parts.push(part);
            if flags & desc_flags::NEXT == 0 {
                return Ok(chain);
            }
            at = desc.next.get();
        }
        Err(QueueError::Loop)
    }

    /// A copy of a descriptor, each half loaded once.
    fn descriptor(&self, at: u16) -> Result<Descriptor, QueueError> {
        if at >= self.size {
            return Err(QueueError::Descriptor(at));
        }
        let offset = usize::from(at) * split::DESC_LEN;
        let low = self.desc.read_u64(offset).map_err(QueueError::Ring)?;
        let high = self.desc.read_u64(offset + 8).map_err(QueueError::Ring)?;
        Ok(zerocopy::transmute!([low.to_le_bytes(), high.to_le_bytes()]))
    }

    /// Hands a chain back after `written` bytes went into its writable part. The driver sees it
    /// at the next [`Queue::publish`].
    ///
    /// # Errors
    /// None in practice: the ring was checked by `open`.
    pub fn push(&mut self, chain: Chain, written: u32) -> Result<(), QueueError> {
        let entry = split::used_entry(self.size, self.next_used);
        self.used.write_u32(entry, chain.head.into()).map_err(QueueError::Ring)?;
        self.used.write_u32(entry + 4, written).map_err(QueueError::Ring)?;
        self.next_used = self.next_used.wrapping_add(1);
        Ok(())
    }

    /// Makes all pushed chains visible to the driver at once.
    pub fn publish(&mut self) {
        self.used_idx.store(self.next_used.to_le(), Ordering::Release);
        self.published = true;
    }

    /// Whether the driver has to be notified since the last call.
    pub(crate) fn take_published(&mut self) -> bool {
        std::mem::take(&mut self.published)
    }
}
