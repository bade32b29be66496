//! A packed ring.

use super::{Chain, QueueError, ring};
use rkt_virtio::packed::{self, Cursor, Descriptor, event_flags};
use rkt_virtio::split::desc_flags;
use rkt_virtio_transport::QueueSetup;
use rkt_window::{OutOfBounds, Region, Window};
use std::sync::atomic::{AtomicU16, Ordering, fence};

pub(super) struct PackedRing {
    size: u16,
    by_index: bool,
    ring: Region,
    /// The driver's event suppression structure.
    driver: Region,
    /// The device's.
    device: Region,
    avail: Cursor,
    /// The place for which a kick was asked.
    asked: Option<Cursor>,
    used: Cursor,
    /// The first used descriptor that is not published, and the flags that it is to have: the driver
    /// sees none behind it before.
    staged: Option<(Cursor, u16)>,
    /// Where `used` was when the driver was last notified, or not for good reason.
    told: Cursor,
    published: Cursor,
}

impl PackedRing {
    pub(super) fn open(window: &Window, setup: &QueueSetup, max_size: u16, by_index: bool) -> Result<Self, QueueError> {
        if !packed::valid_size(setup.size) || setup.size > max_size {
            return Err(QueueError::Size(setup.size));
        }
        Ok(Self {
            size: setup.size,
            by_index,
            ring: ring(window, setup.desc, packed::ring_len(setup.size), packed::DESC_ALIGN)?,
            driver: ring(window, setup.driver, packed::EVENT_LEN, packed::EVENT_ALIGN)?,
            device: ring(window, setup.device, packed::EVENT_LEN, packed::EVENT_ALIGN)?,
            avail: Cursor::START,
            asked: None,
            used: Cursor::START,
            staged: None,
            told: Cursor::START,
            published: Cursor::START,
        })
    }

    fn flags(&self, at: Cursor) -> Result<&'static AtomicU16, OutOfBounds> {
        self.ring.atomic_u16(place(at) + packed::DESC_FLAGS_AT)
    }

    pub(super) fn pop(&mut self, window: &Window) -> Result<Option<Chain>, QueueError> {
        let first = self.flags(self.avail).map_err(QueueError::Ring)?.load(Ordering::Acquire);
        if !self.avail.is_available(u16::from_le(first)) {
            self.ask().map_err(QueueError::Ring)?;
            return Ok(None);
        }
        let mut chain = Chain::new(0);
        let mut at = self.avail;
        for _ in 0..self.size {
            let desc = self.descriptor(at).map_err(QueueError::Ring)?;
            let flags = desc.flags.get();
            if !at.is_available(flags) {
                return Err(QueueError::Descriptor(at.index));
            }
            chain.push(window, desc.addr.get(), desc.len.get(), flags)?;
            at = at.advance(1, self.size);
            if flags & desc_flags::NEXT == 0 {
                chain.id = desc.id.get();
                self.avail = at;
                return Ok(Some(chain));
            }
        }
        Err(QueueError::Loop)
    }

    /// Has the driver kick for the next chain. Whoever sleeps looks once more before.
    fn ask(&mut self) -> Result<(), OutOfBounds> {
        if self.by_index && self.asked.replace(self.avail) != Some(self.avail) {
            self.device.write_u16(packed::EVENT_DESC, self.avail.to_word())?;
            self.device.write_u16(packed::EVENT_FLAGS, event_flags::DESC)?;
        }
        Ok(())
    }

    /// A copy of a descriptor, each half loaded once.
    fn descriptor(&self, at: Cursor) -> Result<Descriptor, OutOfBounds> {
        let low = self.ring.read_u64(place(at))?;
        let high = self.ring.read_u64(place(at) + 8)?;
        Ok(zerocopy::transmute!([low.to_le_bytes(), high.to_le_bytes()]))
    }

    pub(super) fn push(&mut self, chain: &Chain, written: u32) -> Result<(), OutOfBounds> {
        let at = self.used;
        self.ring.write_u16(place(at) + packed::DESC_ID_AT, chain.id)?;
        self.ring.write_u32(place(at) + packed::DESC_LEN_AT, written)?;
        let flags = at.used_flags() | if written > 0 { desc_flags::WRITE } else { 0 };
        if self.staged.is_none() {
            self.staged = Some((at, flags));
        } else {
            self.flags(at)?.store(flags.to_le(), Ordering::Release);
        }
        self.used = at.advance(chain.descriptors(), self.size);
        Ok(())
    }

    pub(super) fn publish(&mut self) {
        if let Some((at, flags)) = self.staged.take()
            && let Ok(word) = self.flags(at)
        {
            word.store(flags.to_le(), Ordering::Release);
        }
        self.published = self.used;
    }

    pub(super) fn take_notice(&mut self) -> bool {
        let (old, new) = (std::mem::replace(&mut self.told, self.published), self.published);
        if old == new || !self.by_index {
            return old != new;
        }
        // The driver asks and then looks for more; the device publishes and then looks whether it is asked.
        fence(Ordering::SeqCst);
        let read = |at| self.driver.read_u16(at).unwrap_or(0);
        match read(packed::EVENT_FLAGS) {
            event_flags::DISABLE => false,
            event_flags::DESC => packed::event_passed(Cursor::from_word(read(packed::EVENT_DESC)), old, new, self.size),
            _ => true,
        }
    }
}

/// Where a descriptor lies in the ring.
fn place(at: Cursor) -> usize {
    packed::DESC_LEN * usize::from(at.index)
}
