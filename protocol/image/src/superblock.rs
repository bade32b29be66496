//! The superblock: the sizes from which all other places follow.

use alloc::vec::Vec;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::chunk::CHUNK_ENTRY_LEN;
use crate::digest::Digest;
use crate::error::ImageError;

/// Unit in bytes to which sections and the contents of files are aligned.
pub const BLOCK: u64 = 4096;
/// Bytes of the superblock, all of them measured.
pub const SUPERBLOCK_LEN: usize = BLOCK as usize;
/// Longest tree accepted, bytes.
pub const TREE_MAX: u64 = 256 << 20;
/// Most chunks accepted.
pub const CHUNKS_MAX: u64 = 1 << 20;
/// Longest configuration accepted, bytes.
pub const CONFIG_MAX: u64 = 256 << 10;
/// Smallest chunk size, bytes.
pub const CHUNK_SIZE_MIN: u32 = 16 << 10;
/// Largest chunk size, bytes.
pub const CHUNK_SIZE_MAX: u32 = 1 << 20;
/// The chunk size to use without a reason for another one, bytes: a page that is touched costs the
/// hash of its chunk, and every chunk an entry to read at the start.
pub const CHUNK_SIZE_DEFAULT: u32 = 32 << 10;

const MAGIC: [u8; 8] = *b"RKTIMAGE";
const VERSION: u32 = 1;
const HASH_SHA256: u32 = 1;

/// The used part of the superblock as stored, little-endian; the rest is zero.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    magic: [u8; 8],
    version: U32,
    hash: U32,
    chunk_size: U32,
    reserved: U32,
    tree_length: U64,
    data_length: U64,
    image_length: U64,
    config_length: U64,
    config_hash: [u8; 32],
}

/// A superblock whose numbers fit each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superblock {
    chunk_size: u32,
    tree_length: u64,
    data_length: u64,
    image_length: u64,
    config_length: u64,
    config_hash: Digest,
}

impl Superblock {
    /// Checks the numbers, all in bytes: the size of a chunk (a power of two within
    /// [`CHUNK_SIZE_MIN`] and [`CHUNK_SIZE_MAX`]), the lengths of the tree, of the data
    /// area and of the whole image as stored.
    pub fn new(chunk_size: u32, tree_length: u64, data_length: u64, image_length: u64) -> Result<Self, ImageError> {
        if !chunk_size.is_power_of_two() || !(CHUNK_SIZE_MIN..=CHUNK_SIZE_MAX).contains(&chunk_size) {
            return Err(ImageError::Superblock("chunk size is not a power of two from 16 KiB to 1 MiB"));
        }
        if tree_length > TREE_MAX {
            return Err(ImageError::Superblock("tree longer than 256 MiB"));
        }
        if data_length.div_ceil(u64::from(chunk_size)) > CHUNKS_MAX {
            return Err(ImageError::Superblock("more than 1048576 chunks"));
        }
        let config_hash = [0; 32];
        Self { chunk_size, tree_length, data_length, image_length, config_length: 0, config_hash }
            .with_config(0, config_hash)
    }

    /// The same with a configuration of this length in bytes and SHA-256 hash, which says how the
    /// image wants to be run. Length 0, with a hash of zeros, is none.
    pub fn with_config(self, length: u64, hash: Digest) -> Result<Self, ImageError> {
        if length > CONFIG_MAX {
            return Err(ImageError::Superblock("configuration longer than 256 KiB"));
        }
        if length == 0 && hash != [0; 32] {
            return Err(ImageError::Superblock("hash of a configuration that is not there"));
        }
        let superblock = Self { config_length: length, config_hash: hash, ..self };
        if superblock.chunks_offset() > superblock.image_length {
            return Err(ImageError::Superblock("image shorter than its tree, chunk table and configuration"));
        }
        Ok(superblock)
    }

    /// Reads a stored superblock.
    pub fn decode(bytes: &[u8; SUPERBLOCK_LEN]) -> Result<Self, ImageError> {
        let (raw, rest) = Raw::read_from_prefix(bytes).map_err(|_| ImageError::NotAnImage)?;
        if raw.magic != MAGIC {
            return Err(ImageError::NotAnImage);
        }
        if raw.version.get() != VERSION || raw.hash.get() != HASH_SHA256 {
            return Err(ImageError::Unsupported);
        }
        if raw.reserved.get() != 0 || rest.iter().any(|&byte| byte != 0) {
            return Err(ImageError::Superblock("reserved bytes are not zero"));
        }
        Self::new(raw.chunk_size.get(), raw.tree_length.get(), raw.data_length.get(), raw.image_length.get())?
            .with_config(raw.config_length.get(), raw.config_hash)
    }

    /// The stored form, [`SUPERBLOCK_LEN`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let raw = Raw {
            magic: MAGIC,
            version: VERSION.into(),
            hash: HASH_SHA256.into(),
            chunk_size: self.chunk_size.into(),
            reserved: 0.into(),
            tree_length: self.tree_length.into(),
            data_length: self.data_length.into(),
            image_length: self.image_length.into(),
            config_length: self.config_length.into(),
            config_hash: self.config_hash,
        };
        let mut bytes = Vec::with_capacity(SUPERBLOCK_LEN);
        bytes.extend_from_slice(raw.as_bytes());
        bytes.resize(SUPERBLOCK_LEN, 0);
        bytes
    }

    /// Bytes of each chunk of the data area but the last.
    pub fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// Number of chunks.
    pub fn chunk_count(&self) -> u64 {
        self.data_length.div_ceil(u64::from(self.chunk_size))
    }

    /// Bytes of the data area.
    pub fn data_length(&self) -> u64 {
        self.data_length
    }

    /// Bytes of the image as stored.
    pub fn image_length(&self) -> u64 {
        self.image_length
    }

    /// Where the tree begins in the image.
    pub fn tree_offset(&self) -> u64 {
        BLOCK
    }

    /// Bytes of the tree.
    pub fn tree_length(&self) -> u64 {
        self.tree_length
    }

    /// Where the chunk table begins in the image.
    pub fn table_offset(&self) -> u64 {
        self.tree_offset() + self.tree_length.next_multiple_of(BLOCK)
    }

    /// Bytes of the chunk table.
    pub fn table_length(&self) -> u64 {
        self.chunk_count() * CHUNK_ENTRY_LEN as u64
    }

    /// Where the configuration begins in the image.
    pub fn config_offset(&self) -> u64 {
        self.table_offset() + self.table_length().next_multiple_of(BLOCK)
    }

    /// Bytes of the configuration, 0 if there is none.
    pub fn config_length(&self) -> u64 {
        self.config_length
    }

    /// SHA-256 of the configuration, zeros if there is none.
    pub fn config_hash(&self) -> &Digest {
        &self.config_hash
    }

    /// Where the stored chunks begin in the image.
    pub fn chunks_offset(&self) -> u64 {
        self.config_offset() + self.config_length.next_multiple_of(BLOCK)
    }

    /// Bytes of chunk `index` when decompressed; `None` behind the last chunk.
    pub fn chunk_length(&self, index: u64) -> Option<u32> {
        let start = index.checked_mul(u64::from(self.chunk_size))?;
        let left = self.data_length.checked_sub(start).filter(|&left| left > 0)?;
        Some(u32::try_from(left).map_or(self.chunk_size, |left| left.min(self.chunk_size)))
    }
}
