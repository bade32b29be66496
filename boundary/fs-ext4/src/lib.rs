//! The ext4 file system, read and write, with its journal.
//!
//! [`Ext4::mount`] takes a [`Disk`] and gives operations on inode numbers; a page cache above it
//! maps, reads and writes blocks. [`format`] makes a new file system. All operations block; many
//! may run at once.
//!
//! An operation changes blocks in memory, under one lock, as part of the running transaction.
//! When that is old or full, or somebody calls `fsync`, it is sealed (checksums, inodes, bitmaps),
//! written to the journal, and made durable by its commit block. Blocks go to their places when
//! the journal is full. Data goes straight to its place, before the transaction that leads there.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod api;
mod attributes;
mod bits;
mod blocks;
mod cache;
mod core;
mod data;
mod dir;
mod disk;
mod error;
mod format;
mod fs;
mod groups;
mod inodes;
mod journal;
mod map;
mod mount;
mod names;
mod orphans;
mod resize;
mod seal;
mod shape;
mod times;

pub use api::{Change, Stat, Statistics};
pub use attributes::SetMode;
pub use data::{Places, Reservation};
pub use dir::DirEntry;
pub use disk::{Disk, DiskError, Environment, Event};
pub use error::{Corruption, Error, MountError, Result};
pub use format::{FormatOptions, format};
pub use fs::{Ext4, Frozen, OnError, Options};
pub use inodes::NewInode;
pub use map::{Mapping, State};
pub use resize::{Allocate, Seek};
