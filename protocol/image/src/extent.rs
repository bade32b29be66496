//! The body of a regular file in the tree.

use zerocopy::FromBytes;
use zerocopy::little_endian::U64;

use crate::error::ImageError;
use crate::superblock::{BLOCK, Superblock};

/// Bytes of a stored extent.
pub const EXTENT_LEN: usize = 16;

/// The place of a file's contents in the data area. Files of equal contents may share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extent {
    /// First byte, a multiple of [`BLOCK`].
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

impl Extent {
    /// The stored form: offset and length, little-endian.
    pub fn encode(&self) -> [u8; EXTENT_LEN] {
        zerocopy::transmute!([U64::new(self.offset), U64::new(self.length)])
    }

    /// Reads a stored extent, which must lie within the data area.
    pub fn decode(body: &[u8], superblock: &Superblock) -> Result<Self, ImageError> {
        let [offset, length] = <[U64; 2]>::read_from_bytes(body).map_err(|_| ImageError::Extent)?;
        let extent = Self { offset: offset.get(), length: length.get() };
        let end = extent.offset.checked_add(extent.length).ok_or(ImageError::Extent)?;
        if end > superblock.data_length() || !extent.offset.is_multiple_of(BLOCK) {
            return Err(ImageError::Extent);
        }
        Ok(extent)
    }
}
