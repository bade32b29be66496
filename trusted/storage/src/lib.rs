//! Disks as file systems.
//!
//! - [`QueuedDisk`] makes a disk of requests and completions one of calls that park;
//! - [`DiskFs`] puts ext4 on such a disk into the VFS: inodes that know their attributes, and a page
//!   cache that fills from the disk, notes what was written, and writes it back when asked, when it is
//!   old, or when there is too much of it.
//!
//! An inode's pages are under two locks: a short one for looking at them, and one that may be held over
//! the disk's work for whoever fills, changes or writes them back.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod ahead;
mod buffers;
mod convert;
mod direct;
mod disk;
mod file;
mod fs;
mod node;
mod pages;
mod writeback;

pub use disk::{QueuedDisk, deadline, has_work, poll};
pub use fs::{DiskFs, MountOptions};
