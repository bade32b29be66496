//! The rkt-io root image: a newc tree over hashed, optionally compressed chunks.
//!
//! ```text
//! 0                superblock, 4096 bytes                             (superblock)
//! 4096             tree: a newc archive; the body of a regular file   (extent)
//!                  is the extent that its contents take in the data area,
//!                  then, as in a directory's, extended attributes     (xattr)
//! next 4 KiB       chunk table, 48 bytes a chunk                      (chunk)
//! next 4 KiB       configuration: how the image wants to be run
//! next 4 KiB       stored chunks
//! ```
//! The *data area* is the concatenation of all file contents, each from a 4 KiB boundary
//! on, gaps zero, cut into chunks of equal size (the last may be shorter). Each chunk is
//! stored raw or as one zstd frame. Hard links are entries of the tree with the same
//! inode number; each of them carries the extent.
//!
//! The digest of an image covers superblock, tree and chunk table, and through the
//! hashes in the table the stored chunks: a hash tree of two levels. [`Image::open`]
//! verifies the upper level; each chunk is verified when it is read. The superblock holds
//! the hash of the configuration, which is for the host: it compiles it into the manifest. The source may be
//! hostile and may change while it is read: every piece is copied out once, and only
//! the copy is checked and used.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod chunk;
mod digest;
mod error;
mod extent;
mod image;
mod superblock;
mod xattr;

pub use chunk::{CHUNK_ENTRY_LEN, ChunkEntry, Encoding};
pub use digest::{Digest, image_digest, sha256};
pub use error::{ImageError, Section, SourceError};
pub use extent::{EXTENT_LEN, Extent};
pub use image::{ChunkCache, Image, ImageSource};
pub use superblock::{
    BLOCK, CHUNK_SIZE_DEFAULT, CHUNK_SIZE_MAX, CHUNK_SIZE_MIN, CHUNKS_MAX, CONFIG_MAX, SUPERBLOCK_LEN, Superblock,
    TREE_MAX,
};
pub use xattr::{Xattr, Xattrs, encode_xattr};

#[cfg(test)]
mod tests;
