//! A look at a queue that another vCPU may be using at the same time.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU16, Ordering};
use rkt_virtio::packed::{self, Cursor};
use rkt_window::Region;

/// Knows where the queue's owner is, and looks what the device has there. The answer is a hint: what
/// the device says is checked by the owner.
#[derive(Clone)]
pub struct QueueProbe {
    /// The owner's place in the used ring: the index, or the cursor as a word.
    seen: Arc<AtomicU16>,
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    Split { used_idx: &'static AtomicU16 },
    Packed { ring: Region },
}

impl QueueProbe {
    pub(crate) fn split(used_idx: &'static AtomicU16) -> Self {
        Self { seen: Arc::default(), place: Place::Split { used_idx } }
    }

    pub(crate) fn packed(ring: Region) -> Self {
        Self { seen: Arc::new(AtomicU16::new(Cursor::START.to_word())), place: Place::Packed { ring } }
    }

    /// The owner has moved.
    pub(crate) fn moved(&self, to: u16) {
        self.seen.store(to, Ordering::Relaxed);
    }

    /// Whether the device has used a chain that the owner has not popped.
    pub fn has_used(&self) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        match self.place {
            Place::Split { used_idx } => used_idx.load(Ordering::Relaxed) != seen,
            Place::Packed { ring } => {
                let cursor = Cursor::from_word(seen);
                let at = packed::DESC_LEN.saturating_mul(cursor.index.into()).saturating_add(packed::DESC_FLAGS_AT);
                ring.read_u16(at).is_ok_and(|flags| cursor.is_used(flags))
            }
        }
    }
}
