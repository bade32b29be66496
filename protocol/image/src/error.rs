//! What can be wrong with an image.

use core::fmt;

/// The source could not deliver the bytes asked for: they lie outside of it, or reading failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceError;

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("image source cannot be read")
    }
}

impl core::error::Error for SourceError {}

/// A part of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The superblock.
    Superblock,
    /// The newc tree.
    Tree,
    /// The chunk table.
    ChunkTable,
    /// The configuration.
    Config,
    /// The stored chunk of this index.
    Chunk(u64),
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Superblock => f.write_str("superblock"),
            Self::Tree => f.write_str("tree"),
            Self::ChunkTable => f.write_str("chunk table"),
            Self::Config => f.write_str("configuration"),
            Self::Chunk(index) => write!(f, "chunk {index}"),
        }
    }
}

/// Why an image is not opened or a piece of it not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageError {
    /// The source failed while this section was read.
    Source(Section),
    /// The first bytes are not those of an rkt-io image.
    NotAnImage,
    /// The image is of a format version or uses a hash that this reader does not know.
    Unsupported,
    /// A number in the superblock contradicts another one or exceeds its bound. Says which.
    Superblock(&'static str),
    /// The entry of this chunk in the table is not possible. Says why.
    ChunkEntry(u64, &'static str),
    /// Superblock, tree and chunk table are not those of the expected digest.
    WrongDigest,
    /// The stored bytes of this chunk do not have the hash that the table demands.
    WrongHash(u64),
    /// The configuration does not have the hash that the superblock demands.
    WrongConfig,
    /// The stored bytes of this chunk have the right hash, but are not a zstd frame of the right size.
    Decompression(u64),
    /// The body of a regular file in the tree is not an extent of the data area.
    Extent,
    /// The extended attributes of a file or directory in the tree are malformed.
    Xattrs,
    /// The caller asked for a chunk or for data behind the end.
    OutOfRange,
    /// The section does not fit into memory.
    OutOfMemory(Section),
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(section) => write!(f, "image: cannot read the {section}"),
            Self::NotAnImage => f.write_str("not an rkt-io image"),
            Self::Unsupported => f.write_str("image: format version or hash algorithm not supported"),
            Self::Superblock(what) => write!(f, "image: superblock: {what}"),
            Self::ChunkEntry(index, what) => write!(f, "image: chunk {index}: {what}"),
            Self::WrongDigest => f.write_str("image does not have the expected digest"),
            Self::WrongHash(index) => write!(f, "image: chunk {index} is altered: wrong hash"),
            Self::WrongConfig => f.write_str("image: the configuration is altered: wrong hash"),
            Self::Decompression(index) => write!(f, "image: chunk {index} does not decompress to its size"),
            Self::Extent => f.write_str("image: a file lies outside of the data area"),
            Self::Xattrs => f.write_str("image: malformed extended attributes in the tree"),
            Self::OutOfRange => f.write_str("image: read behind the end"),
            Self::OutOfMemory(section) => write!(f, "image: no memory for the {section}"),
        }
    }
}

impl core::error::Error for ImageError {}
