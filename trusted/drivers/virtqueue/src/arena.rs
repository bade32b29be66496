//! Hands out the window's DMA area to drivers.

use alloc::vec;
use alloc::vec::Vec;
use rkt_window::{OutOfBounds, Region, Window};

/// A part of the DMA area that one driver owns.
#[derive(Debug)]
pub struct DmaBuffer {
    /// Where it lies, as devices are told: offset in the window.
    pub offset: u64,
    /// The access to it.
    pub region: Region,
}

/// First-fit allocator over the DMA area. Its books are in trusted memory; drivers allocate at
/// bring-up and not per packet, so that a list is enough.
pub struct DmaArena {
    window: Window,
    /// Free ranges (start, end): in order, not empty, not adjacent.
    free: Vec<(usize, usize)>,
}

impl DmaArena {
    /// The arena over `start..start + len` of the window.
    ///
    /// # Errors
    /// `OutOfBounds` if the area does not lie within the window.
    pub fn new(window: Window, start: usize, len: usize) -> Result<Self, OutOfBounds> {
        window.sub(start, len)?;
        let free = if len == 0 { Vec::new() } else { vec![(start, start.saturating_add(len))] };
        Ok(Self { window, free })
    }

    /// Takes `len` bytes at a multiple of `align` in the window, zeroed. `None` if there is no such
    /// range, `len` is 0 or `align` is no power of two.
    pub fn alloc(&mut self, len: usize, align: usize) -> Option<DmaBuffer> {
        if len == 0 || !align.is_power_of_two() {
            return None;
        }
        let (at, start, end) = self.free.iter().enumerate().find_map(|(at, &(from, to))| {
            let start = from.checked_next_multiple_of(align)?;
            let end = start.checked_add(len)?;
            (end <= to).then_some((at, start, end))
        })?;
        let region = self.window.sub(start, len).ok()?;
        region.zero(0, len).ok()?;
        let (from, to) = self.free.remove(at);
        if end < to {
            self.free.insert(at, (end, to));
        }
        if from < start {
            self.free.insert(at, (from, start));
        }
        Some(DmaBuffer { offset: start as u64, region })
    }

    /// Gives a buffer back. No device may use it any more.
    pub fn free(&mut self, buffer: DmaBuffer) {
        let Ok(start) = usize::try_from(buffer.offset) else { return };
        let end = start.saturating_add(buffer.region.len());
        let at = self.free.partition_point(|&(from, _)| from < start);
        self.free.insert(at, (start, end));
        self.free.dedup_by(|right, left| {
            let adjacent = left.1 == right.0;
            if adjacent {
                left.1 = right.1;
            }
            adjacent
        });
    }

    /// Bytes that are free, in however many ranges.
    pub fn available(&self) -> usize {
        self.free.iter().map(|(from, to)| to.saturating_sub(*from)).sum()
    }
}
