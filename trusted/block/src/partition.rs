//! A part of a disk as a disk.

use crate::{Shift, Slice};
use core::fmt;
use rkt_blockdev::{BlockDevice, BlockError, Completion, Geometry, Rejected, Request, Token};

/// The caller, or the partition table, is guilty: the part does not lie on the disk or is not aligned to
/// its blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionError(pub Slice);

impl fmt::Display for PartitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at {} are no part of the disk", self.0.len, self.0.offset)
    }
}

impl core::error::Error for PartitionError {}

/// A part of a disk. Nothing outside of it can be reached.
pub struct Partition<D> {
    inner: D,
    shift: Shift,
}

impl<D: BlockDevice> Partition<D> {
    /// The part `slice` of `disk`.
    ///
    /// # Errors
    /// See [`PartitionError`].
    pub fn new(disk: D, slice: Slice) -> Result<Self, PartitionError> {
        let geometry = disk.geometry();
        let shift = Shift::new(&geometry, slice, geometry.block_len).ok_or(PartitionError(slice))?;
        Ok(Self { inner: disk, shift })
    }
}

impl<D: BlockDevice> BlockDevice for Partition<D> {
    crate::delegate!(inner: kick, has_work, in_flight, deadline, stats, fault);

    fn geometry(&self) -> Geometry {
        self.shift.geometry()
    }

    fn submit(&mut self, request: Request) -> Result<Token, Rejected> {
        self.shift.submit(&mut self.inner, request)
    }

    fn poll(&mut self) -> Option<Completion> {
        let done = self.inner.poll()?;
        Some(Completion { request: self.shift.outward(done.request), ..done })
    }

    fn reset(&mut self, wait: &mut dyn FnMut()) -> Result<(), BlockError> {
        self.inner.reset(wait)?;
        if self.shift.still_fits(&self.inner.geometry()) { Ok(()) } else { Err(BlockError::Device) }
    }
}
