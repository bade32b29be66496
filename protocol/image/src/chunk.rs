//! An entry of the chunk table.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::digest::Digest;
use crate::error::ImageError;
use crate::superblock::Superblock;

/// Bytes of an entry of the chunk table.
pub const CHUNK_ENTRY_LEN: usize = 48;

/// How a chunk is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Raw,
    /// As one zstd frame (RFC 8878), shorter than the chunk.
    Zstd,
}

/// An entry as stored, little-endian.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    offset: U64,
    length: U32,
    flags: U32,
    hash: [u8; 32],
}

const FLAGS_RAW: u32 = 0;
const FLAGS_ZSTD: u32 = 1;

/// Where and how a chunk is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkEntry {
    /// Place of the stored bytes in the image.
    pub offset: u64,
    /// Number of stored bytes.
    pub length: u32,
    /// How they are stored.
    pub encoding: Encoding,
    /// SHA-256 of the stored bytes.
    pub hash: Digest,
}

impl ChunkEntry {
    /// The stored form.
    pub fn encode(&self) -> [u8; CHUNK_ENTRY_LEN] {
        let flags = match self.encoding {
            Encoding::Raw => FLAGS_RAW,
            Encoding::Zstd => FLAGS_ZSTD,
        };
        let raw = Raw { offset: self.offset.into(), length: self.length.into(), flags: flags.into(), hash: self.hash };
        zerocopy::transmute!(raw)
    }

    /// Reads the stored entry of chunk `index` and checks it against the superblock: the
    /// stored bytes lie between table and end of the image, and are no more than the chunk.
    pub fn decode(bytes: &[u8], index: u64, superblock: &Superblock) -> Result<Self, ImageError> {
        let wrong = |what| ImageError::ChunkEntry(index, what);
        let raw = Raw::read_from_bytes(bytes).map_err(|_| wrong("entry is cut off"))?;
        let (offset, length) = (raw.offset.get(), raw.length.get());

        let chunk_length = superblock.chunk_length(index).ok_or(ImageError::OutOfRange)?;
        let encoding = match raw.flags.get() {
            FLAGS_RAW if length == chunk_length => Encoding::Raw,
            FLAGS_RAW => return Err(wrong("raw, but not of the size of the chunk")),
            FLAGS_ZSTD if length < chunk_length => Encoding::Zstd,
            FLAGS_ZSTD => return Err(wrong("compressed, but not shorter")),
            _ => return Err(wrong("unknown flags")),
        };
        let end = offset.checked_add(u64::from(length)).ok_or(wrong("offset overflows"))?;
        if offset < superblock.chunks_offset() || end > superblock.image_length() {
            return Err(wrong("stored outside of the chunk section"));
        }
        Ok(Self { offset, length, encoding, hash: raw.hash })
    }
}
