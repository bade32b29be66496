//! The superblock, in front of the hash tree.

use crate::Hash;
use core::fmt;
use sha2::{Digest, Sha256};
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the superblock. The tree starts at the next hash block.
pub const SUPERBLOCK_LEN: usize = 512;
const SIGNATURE: [u8; 8] = *b"verity\0\0";
const SALT_MAX: usize = 256;
/// Lengths of blocks: powers of two.
const BLOCK_LENS: core::ops::RangeInclusive<u32> = 512..=64 << 10;

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Raw {
    signature: [u8; 8],
    version: U32,
    hash_type: U32,
    uuid: [u8; 16],
    algorithm: [u8; 32],
    data_block_len: U32,
    hash_block_len: U32,
    data_blocks: U64,
    salt_len: U16,
    padding: [u8; 6],
    salt: [u8; SALT_MAX],
    padding_to_512: [u8; 168],
}

const _: () = assert!(size_of::<Raw>() == SUPERBLOCK_LEN);

/// What is wrong with a superblock. Its maker, or who changed it, is guilty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerityError {
    /// There is none.
    NotVerity,
    /// A version other than 1, or a tree of format 0.
    Version {
        /// Of the superblock.
        version: u32,
        /// Format of the tree.
        format: u32,
    },
    /// A hash other than SHA-256.
    Algorithm,
    /// A block length is no power of two from 512 to 65,536.
    BlockLength(u32),
    /// No data, or more than 2^63 bytes.
    DataBlocks(u64),
    /// The salt is longer than its field.
    Salt(u16),
}

impl fmt::Display for VerityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotVerity => f.write_str("no verity superblock"),
            Self::Version { version, format } => write!(f, "verity version {version} with format {format} is unknown"),
            Self::Algorithm => f.write_str("verity with a hash other than sha256"),
            Self::BlockLength(len) => write!(f, "verity blocks of {len} bytes"),
            Self::DataBlocks(blocks) => write!(f, "verity over {blocks} blocks"),
            Self::Salt(len) => write!(f, "verity salt of {len} bytes"),
        }
    }
}

impl core::error::Error for VerityError {}

/// The caller is guilty: a salt has at most 256 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaltError;

impl fmt::Display for SaltError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a verity salt has at most 256 bytes")
    }
}

impl core::error::Error for SaltError {}

/// A superblock that keeps the rules.
#[derive(Clone, Copy)]
pub struct Superblock(Raw);

impl fmt::Debug for Superblock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = (self.data_blocks(), self.data_block_len(), self.hash_block_len());
        write!(f, "Superblock({} blocks of {}, hash blocks of {})", blocks.0, blocks.1, blocks.2)
    }
}

impl PartialEq for Superblock {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes() == other.0.as_bytes()
    }
}

impl Eq for Superblock {}

impl Superblock {
    /// A superblock for `data_blocks` blocks of 4096 bytes, with hash blocks of 4096 bytes.
    ///
    /// # Errors
    /// See [`SaltError`].
    pub fn new(uuid: [u8; 16], data_blocks: u64, salt: &[u8]) -> Result<Self, SaltError> {
        let mut raw = Raw::new_zeroed();
        raw.signature = SIGNATURE;
        raw.version = 1.into();
        raw.hash_type = 1.into();
        raw.uuid = uuid;
        if let Some(name) = raw.algorithm.first_chunk_mut() {
            *name = *b"sha256";
        }
        (raw.data_block_len, raw.hash_block_len) = (4096.into(), 4096.into());
        raw.data_blocks = data_blocks.into();
        raw.salt_len = (salt.len() as u16).into();
        raw.salt.get_mut(..salt.len()).ok_or(SaltError)?.copy_from_slice(salt);
        Ok(Self(raw))
    }

    /// Checks a superblock.
    ///
    /// # Errors
    /// See [`VerityError`].
    pub fn decode(bytes: &[u8; SUPERBLOCK_LEN]) -> Result<Self, VerityError> {
        let raw = Raw::read_from_bytes(bytes).map_err(|_| VerityError::NotVerity)?;
        if raw.signature != SIGNATURE {
            return Err(VerityError::NotVerity);
        }
        let (version, format) = (raw.version.get(), raw.hash_type.get());
        if (version, format) != (1, 1) {
            return Err(VerityError::Version { version, format });
        }
        if raw.algorithm.split(|byte| *byte == 0).next() != Some(b"sha256") {
            return Err(VerityError::Algorithm);
        }
        for len in [raw.data_block_len.get(), raw.hash_block_len.get()] {
            if !len.is_power_of_two() || !BLOCK_LENS.contains(&len) {
                return Err(VerityError::BlockLength(len));
            }
        }
        let bytes = raw.data_blocks.get().checked_mul(raw.data_block_len.get().into());
        if bytes.is_none_or(|bytes| bytes == 0 || bytes > 1 << 63) {
            return Err(VerityError::DataBlocks(raw.data_blocks.get()));
        }
        if usize::from(raw.salt_len.get()) > SALT_MAX {
            return Err(VerityError::Salt(raw.salt_len.get()));
        }
        Ok(Self(raw))
    }

    /// The bytes on the disk.
    pub fn encode(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Bytes of a data block.
    pub fn data_block_len(&self) -> u32 {
        self.0.data_block_len.get()
    }

    /// Bytes of a hash block.
    pub fn hash_block_len(&self) -> u32 {
        self.0.hash_block_len.get()
    }

    /// Number of data blocks.
    pub fn data_blocks(&self) -> u64 {
        self.0.data_blocks.get()
    }

    /// The salt.
    pub fn salt(&self) -> &[u8] {
        self.0.salt.get(..usize::from(self.0.salt_len.get())).unwrap_or_default()
    }

    /// What vouches for the superblock.
    pub fn hash(&self) -> Hash {
        Sha256::digest(self.encode()).into()
    }
}

/// All that has to be known to trust a verity disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The root hash, as `veritysetup` prints it.
    pub root: Hash,
    /// SHA-256 of the superblock's 512 bytes.
    pub superblock: Hash,
}
