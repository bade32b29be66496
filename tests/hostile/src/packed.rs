//! The device's side of a packed virtqueue.

use crate::{Buffer, Chain};
use rkt_virtio::packed::{self, Cursor, DESC_FLAGS_AT, DESC_ID_AT, DESC_LEN, DESC_LEN_AT};
use rkt_virtio::split::desc_flags;
use rkt_virtio_transport::QueueSetup;
use rkt_window::Window;
use std::collections::HashMap;

/// Where the device is in the ring.
pub(crate) struct PackedSide {
    avail: Cursor,
    used: Cursor,
    /// Descriptors of each chain that was taken.
    lengths: HashMap<u32, u16>,
    /// Flags of the used descriptors that are written but for them.
    staged: Vec<(Cursor, u16)>,
}

impl Default for PackedSide {
    fn default() -> Self {
        Self { avail: Cursor::START, used: Cursor::START, lengths: HashMap::new(), staged: Vec::new() }
    }
}

fn place(setup: &QueueSetup, at: Cursor) -> usize {
    setup.desc as usize + DESC_LEN * usize::from(at.index)
}

impl PackedSide {
    /// The next available chain.
    pub(crate) fn next(&mut self, window: &Window, setup: &QueueSetup) -> Option<Chain> {
        let first = place(setup, self.avail);
        if !self.avail.is_available(window.read_u16(first + DESC_FLAGS_AT).ok()?) {
            return None;
        }
        let (mut buffers, mut at) = (Vec::new(), self.avail);
        for _ in 0..setup.size {
            let descriptor = place(setup, at);
            let flags = window.read_u16(descriptor + DESC_FLAGS_AT).ok()?;
            buffers.push(Buffer {
                offset: window.read_u64(descriptor).ok()? as usize,
                len: window.read_u32(descriptor + DESC_LEN_AT).ok()? as usize,
                writable: flags & desc_flags::WRITE != 0,
            });
            let id = window.read_u16(descriptor + DESC_ID_AT).ok()?.into();
            at = at.advance(1, setup.size);
            if flags & desc_flags::NEXT == 0 {
                self.lengths.insert(id, buffers.len() as u16);
                self.avail = at;
                return Some(Chain { head: id, buffers });
            }
        }
        None
    }

    /// Writes a used descriptor but for its flags. A chain that was never taken counts as one descriptor.
    pub(crate) fn stage(&mut self, window: &Window, setup: &QueueSetup, id: u32, len: u32) {
        let at = place(setup, self.used);
        window.write_u16(at + DESC_ID_AT, id as u16).expect("a ring in the window");
        window.write_u32(at + DESC_LEN_AT, len).expect("a ring in the window");
        let written = if len > 0 { desc_flags::WRITE } else { 0 };
        self.staged.push((self.used, self.used.used_flags() | written));
        self.used = self.used.advance(self.lengths.remove(&id).unwrap_or(1), setup.size);
    }

    /// Writes the flags of what was staged, the first last.
    pub(crate) fn publish(&mut self, window: &Window, setup: &QueueSetup) {
        for (at, flags) in self.staged.drain(..).rev() {
            window.write_u16(place(setup, at) + DESC_FLAGS_AT, flags).expect("a ring in the window");
        }
    }

    /// Marks the descriptor that is `ahead` of the device's place used, whatever lies there.
    pub(crate) fn forge(&self, window: &Window, setup: &QueueSetup, ahead: u16) {
        let at = self.used.advance(ahead % setup.size, setup.size);
        let flags = at.used_flags() | desc_flags::WRITE;
        window.write_u16(place(setup, at) + DESC_FLAGS_AT, flags).expect("a ring in the window");
    }

    /// Asks the driver for a kick at a place.
    pub(crate) fn ask(&self, window: &Window, setup: &QueueSetup, word: u16, flags: u16) {
        let events = setup.device as usize;
        window.write_u16(events + packed::EVENT_DESC, word).expect("a ring in the window");
        window.write_u16(events + packed::EVENT_FLAGS, flags).expect("a ring in the window");
    }
}
