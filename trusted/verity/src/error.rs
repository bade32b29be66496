//! What can be wrong with a verity disk.

use core::fmt;
use rkt_blockdev::BlockError;
use rkt_verity_format::{Place, VerityError};

/// Whoever keeps the disk is guilty: a block is not the one that was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corruption(pub Place);

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Data(block) => write!(f, "verity: data block {block} is not the one that was hashed"),
            Place::Hash(level, block) => {
                write!(f, "verity: hash block {block} of level {level} is not the one that was hashed")
            }
        }
    }
}

impl core::error::Error for Corruption {}

/// Why a verity disk was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The disk below.
    Disk(BlockError),
    /// The superblock is not the pinned one: whoever keeps the disk is guilty.
    Superblock,
    /// The superblock is the pinned one, and no good.
    Format(VerityError),
    /// The disk is too small for data and tree, or its blocks are larger than verity's.
    Place,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::Superblock => f.write_str("verity: the superblock is not the pinned one"),
            Self::Format(error) => error.fmt(f),
            Self::Place => f.write_str("verity: the disk has no room for data and hash tree"),
        }
    }
}

impl core::error::Error for OpenError {}
