//! A split ring.

use super::{Chain, QueueError, ring};
use rkt_virtio::split::{self, Descriptor, desc_flags};
use rkt_virtio_transport::QueueSetup;
use rkt_window::{OutOfBounds, Region, Window};
use std::sync::atomic::{AtomicU16, Ordering, fence};

pub(super) struct SplitRing {
    size: u16,
    by_index: bool,
    desc: Region,
    avail: Region,
    used: Region,
    avail_idx: &'static AtomicU16,
    used_idx: &'static AtomicU16,
    next_avail: u16,
    seen_avail: u16,
    /// The available index for which a kick was asked.
    asked: Option<u16>,
    next_used: u16,
    /// The used index when the driver was last notified, or not for good reason.
    told: u16,
    published: u16,
}

impl SplitRing {
    pub(super) fn open(window: &Window, setup: &QueueSetup, max_size: u16, by_index: bool) -> Result<Self, QueueError> {
        let size = setup.size;
        if !split::valid_size(size) || size > max_size {
            return Err(QueueError::Size(size));
        }
        let desc = ring(window, setup.desc, split::desc_table_len(size), split::DESC_ALIGN)?;
        let avail = ring(window, setup.driver, split::avail_ring_len(size), split::AVAIL_ALIGN)?;
        let used = ring(window, setup.device, split::used_ring_len(size), split::USED_ALIGN)?;
        Ok(Self {
            size,
            by_index,
            desc,
            avail,
            used,
            avail_idx: avail.atomic_u16(split::RING_IDX).map_err(QueueError::Ring)?,
            used_idx: used.atomic_u16(split::RING_IDX).map_err(QueueError::Ring)?,
            next_avail: 0,
            seen_avail: 0,
            asked: None,
            next_used: 0,
            told: 0,
            published: 0,
        })
    }

    pub(super) fn pop(&mut self, window: &Window) -> Result<Option<Chain>, QueueError> {
        if self.next_avail == self.seen_avail {
            let claimed = u16::from_le(self.avail_idx.load(Ordering::Acquire));
            if claimed.wrapping_sub(self.next_avail) > self.size {
                return Err(QueueError::AvailableIndex { claimed, next: self.next_avail });
            }
            self.seen_avail = claimed;
            if self.next_avail == claimed {
                self.ask().map_err(QueueError::Ring)?;
                return Ok(None);
            }
        }
        let entry = split::avail_entry(self.size, self.next_avail);
        let head = self.avail.read_u16(entry).map_err(QueueError::Ring)?;
        let chain = self.walk(window, head)?;
        self.next_avail = self.next_avail.wrapping_add(1);
        Ok(Some(chain))
    }

    /// Has the driver kick for the next chain. Whoever sleeps looks once more before.
    fn ask(&mut self) -> Result<(), OutOfBounds> {
        if self.by_index && self.asked.replace(self.next_avail) != Some(self.next_avail) {
            self.used.write_u16(split::avail_event(self.size), self.next_avail)?;
        }
        Ok(())
    }

    fn walk(&self, window: &Window, head: u16) -> Result<Chain, QueueError> {
        let mut chain = Chain::new(head);
        let mut at = head;
        for _ in 0..self.size {
            let desc = self.descriptor(at)?;
            chain.push(window, desc.addr.get(), desc.len.get(), desc.flags.get())?;
            if desc.flags.get() & desc_flags::NEXT == 0 {
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

    pub(super) fn push(&mut self, chain: &Chain, written: u32) -> Result<(), OutOfBounds> {
        let entry = split::used_entry(self.size, self.next_used);
        self.used.write_u32(entry, chain.id.into())?;
        self.used.write_u32(entry + 4, written)?;
        self.next_used = self.next_used.wrapping_add(1);
        Ok(())
    }

    pub(super) fn publish(&mut self) {
        self.used_idx.store(self.next_used.to_le(), Ordering::Release);
        self.published = self.next_used;
    }

    pub(super) fn take_notice(&mut self) -> bool {
        let (old, new) = (std::mem::replace(&mut self.told, self.published), self.published);
        if old == new || !self.by_index {
            return old != new;
        }
        // The driver asks and then looks for more; the device publishes and then looks whether it is asked.
        fence(Ordering::SeqCst);
        self.avail.read_u16(split::used_event(self.size)).is_ok_and(|event| split::event_passed(event, old, new))
    }
}
