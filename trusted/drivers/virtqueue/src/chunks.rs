//! Data buffers of one size, of which packets and requests take as many as they need.

use crate::{DmaArena, DmaBuffer, Segment, VirtioError};
use alloc::vec::Vec;
use rkt_window::{OutOfBounds, Region};

/// Bytes of a chunk: a page, so that a chunk is one run of bytes for any IOMMU.
pub const CHUNK_LEN: usize = 4096;

/// A pool of chunks in the window. A run of bytes is spread over a list of chunks in order, each
/// full but the last.
pub struct ChunkPool {
    buffer: DmaBuffer,
    free: Vec<u16>,
}

impl ChunkPool {
    /// A pool of `count` chunks.
    ///
    /// # Errors
    /// `NoDmaMemory`.
    pub fn new(arena: &mut DmaArena, count: u16) -> Result<Self, VirtioError> {
        let len = CHUNK_LEN.saturating_mul(usize::from(count));
        let buffer = arena.alloc(len, CHUNK_LEN).ok_or(VirtioError::NoDmaMemory(len))?;
        Ok(Self { buffer, free: (0..count).rev().collect() })
    }

    /// Number of free chunks.
    pub fn available(&self) -> usize {
        self.free.len()
    }

    /// Moves enough chunks for `len` bytes into `chunks`; false, and nothing moved, if there are
    /// too few.
    #[must_use]
    pub fn take(&mut self, len: usize, chunks: &mut Vec<u16>) -> bool {
        let Some(rest) = self.free.len().checked_sub(len.div_ceil(CHUNK_LEN)) else { return false };
        chunks.extend(self.free.drain(rest..).rev());
        true
    }

    /// Takes chunks back.
    pub fn give_back(&mut self, chunks: &mut Vec<u16>) {
        self.free.extend(chunks.drain(..).rev());
    }

    /// The buffers that describe the first `len` bytes spread over `chunks`, neighbours joined.
    pub fn segments(&self, chunks: &[u16], len: usize, segments: &mut Vec<Segment>) {
        let mut rest = len;
        for chunk in chunks {
            let part = rest.min(CHUNK_LEN);
            if part == 0 {
                return;
            }
            rest = rest.saturating_sub(part);
            let offset = self.buffer.offset.saturating_add(position(*chunk) as u64);
            match segments.last_mut() {
                Some(last) if last.offset.saturating_add(u64::from(last.len)) == offset => {
                    last.len = last.len.saturating_add(part as u32);
                }
                _ => segments.push(Segment { offset, len: part as u32 }),
            }
        }
    }

    /// Copies `parts`, one after the other, into `chunks`.
    ///
    /// # Errors
    /// `OutOfBounds` if they are longer than the chunks.
    pub fn write<'a>(&self, chunks: &[u16], parts: impl IntoIterator<Item = &'a [u8]>) -> Result<(), OutOfBounds> {
        let mut chunks = chunks.iter();
        let (mut at, mut room) = (0, 0);
        for mut part in parts {
            while !part.is_empty() {
                if room == 0 {
                    let next = chunks.next().ok_or(OutOfBounds { offset: 0, len: part.len() as u64 })?;
                    (at, room) = (position(*next), CHUNK_LEN);
                }
                let (now, later) = part.split_at(room.min(part.len()));
                self.buffer.region.write(at, now)?;
                (at, room, part) = (at.saturating_add(now.len()), room.saturating_sub(now.len()), later);
            }
        }
        Ok(())
    }

    /// The window, and where `len` bytes spread over `chunks` lie in it: for each chunk the number of its
    /// first byte, and its offset there.
    ///
    /// # Errors
    /// `OutOfBounds` if they are longer than the chunks.
    pub fn places(
        &self,
        chunks: &[u16],
        len: usize,
    ) -> Result<(&Region, impl Iterator<Item = (usize, usize)>), OutOfBounds> {
        if len.div_ceil(CHUNK_LEN) > chunks.len() {
            return Err(OutOfBounds { offset: 0, len: len as u64 });
        }
        let starts = (0..len).step_by(CHUNK_LEN);
        Ok((&self.buffer.region, starts.zip(chunks.iter().map(|chunk| position(*chunk)))))
    }

    /// Copies the first `into.len()` bytes out of `chunks`.
    ///
    /// # Errors
    /// `OutOfBounds` if `into` is longer than the chunks.
    pub fn read(&self, chunks: &[u16], into: &mut [u8]) -> Result<(), OutOfBounds> {
        let wanted = into.len();
        if wanted.div_ceil(CHUNK_LEN) > chunks.len() {
            return Err(OutOfBounds { offset: 0, len: wanted as u64 });
        }
        for (part, chunk) in into.chunks_mut(CHUNK_LEN).zip(chunks) {
            self.buffer.region.read(position(*chunk), part)?;
        }
        Ok(())
    }
}

fn position(chunk: u16) -> usize {
    CHUNK_LEN.saturating_mul(usize::from(chunk))
}
