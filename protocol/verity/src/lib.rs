//! dm-verity, format 1, as `veritysetup` makes it (kernel documentation, "dm-verity"; cryptsetup wiki,
//! "DMVerity"): a tree of salted SHA-256 hashes over the blocks of a read-only disk.
//!
//! [`Superblock`] says how a tree is made, [`Tree`] where its blocks lie and who vouches for whom,
//! [`Builder`] makes one. The root hash vouches for all blocks of the tree and of the data, but not for
//! the superblock: who changes the number of blocks there changes what is taken for data and what for
//! hashes. So whoever pins a disk pins both, see [`Pin`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod builder;
mod superblock;
mod tree;

pub use builder::{Builder, Built};
pub use superblock::{Pin, SUPERBLOCK_LEN, SaltError, Superblock, VerityError};
pub use tree::{Place, Tree, Voucher};

use sha2::{Digest, Sha256};

/// Bytes of a hash.
pub const HASH_LEN: usize = 32;

/// A SHA-256 hash.
pub type Hash = [u8; HASH_LEN];

/// Hash of a block: format 1 puts the salt in front.
pub fn hash(salt: &[u8], block: &[u8]) -> Hash {
    Sha256::new().chain_update(salt).chain_update(block).finalize().into()
}
