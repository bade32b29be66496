//! On-disk structures of ext4 and of its journal, jbd2.
//!
//! From the kernel's documentation (Documentation/filesystems/ext4, "Data Structures and
//! Algorithms"), whose chapters the comments name. ext4 is little-endian, jbd2 big-endian; the
//! structs have the layout of the disk and no padding, so they are read from and turned into
//! bytes as a whole. What a field says is checked by whoever uses it, except where a function here
//! says that it checks.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod acl;
pub mod checksum;
pub mod dir;
pub mod dx;
pub mod extent;
pub mod features;
pub mod group;
pub mod hash;
pub mod inode;
pub mod jbd2;
pub mod superblock;
pub mod xattr;

pub use checksum::Seed;
