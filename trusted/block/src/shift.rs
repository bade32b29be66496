//! A range of a disk, and requests moved into it and out again.

use rkt_blockdev::{BlockDevice, Geometry, Rejected, Request, SubmitError};

/// A range of bytes of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// First byte; a multiple of the disk's block length.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

/// Translates between a slice and the disk that it lies on.
#[derive(Clone, Copy, Debug)]
pub struct Shift {
    slice: Slice,
    geometry: Geometry,
}

impl Shift {
    /// For a disk that looks like `geometry` and whose blocks, seen from outside, have `block_len`
    /// bytes. `None` if the slice does not lie on the disk or is not aligned.
    pub fn new(disk: &Geometry, slice: Slice, block_len: u32) -> Option<Self> {
        let (outer, inner) = (u64::from(block_len), u64::from(disk.block_len));
        let end = slice.offset.checked_add(slice.len)?;
        if outer == 0 || !outer.is_multiple_of(inner) || !slice.offset.is_multiple_of(inner) || end > disk.len {
            return None;
        }
        let max_transfer = disk.max_transfer / block_len as usize * block_len as usize;
        let len = slice.len / outer * outer;
        if len == 0 || max_transfer == 0 {
            return None;
        }
        let max_discard = disk.max_discard / outer * outer;
        let max_write_zeroes = disk.max_write_zeroes / outer * outer;
        Some(Self {
            slice,
            geometry: Geometry { block_len, len, max_transfer, max_discard, max_write_zeroes, ..*disk },
        })
    }

    /// What the slice looks like as a disk.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The slice without some of what the disk knows.
    pub fn restricted(mut self, how: impl FnOnce(&mut Geometry)) -> Self {
        how(&mut self.geometry);
        self
    }

    /// Whether the slice lies on what the disk has become.
    pub fn still_fits(&self, disk: &Geometry) -> bool {
        Self::new(disk, self.slice, self.geometry.block_len).is_some()
    }

    /// A request as the disk below has it.
    ///
    /// # Errors
    /// Those of [`Geometry::check`].
    pub fn inward(&self, mut request: Request) -> Result<Request, Rejected> {
        if let Err(error) = self.geometry.check(&request) {
            return Err(Rejected { error, request });
        }
        match offset_of(&mut request).map(|at| at.checked_add(self.slice.offset).map(|to| *at = to)) {
            Some(None) => Err(Rejected { error: SubmitError::OutOfRange, request }),
            _ => Ok(request),
        }
    }

    /// A request as whoever made it has it.
    pub fn outward(&self, mut request: Request) -> Request {
        if let Some(offset) = offset_of(&mut request) {
            *offset = offset.saturating_sub(self.slice.offset);
        }
        request
    }

    /// Submits a request to the disk below. If that refuses, it comes back as it was.
    ///
    /// # Errors
    /// Those of the disk, and of [`Geometry::check`].
    pub fn submit(&self, disk: &mut impl BlockDevice, request: Request) -> Result<rkt_blockdev::Token, Rejected> {
        let request = self.inward(request)?;
        let back = |Rejected { error, request }| Rejected { error, request: self.outward(request) };
        disk.submit(request).map_err(back)
    }
}

fn offset_of(request: &mut Request) -> Option<&mut u64> {
    match request {
        Request::Read { offset, .. }
        | Request::Write { offset, .. }
        | Request::Discard { offset, .. }
        | Request::WriteZeroes { offset, .. } => Some(offset),
        Request::Flush => None,
    }
}
