//! ext4 below the VFS: inodes, and files with a page cache.
//!
//! Writes go to pages and promise the blocks that they will need; pages reach the disk by age
//! ([`Ext4Fs::tick`], from a thread of the kernel), by number, or when somebody asks (`fsync`).
//! A mapping shares the pages of the file.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod errno;
mod file;
mod fs;
mod inode;
mod pages;

pub use fs::{CacheLimits, Ext4Fs};
