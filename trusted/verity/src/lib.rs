//! A read-only disk whose blocks are checked when they are read: dm-verity with a pinned tree.
//!
//! Data comes with the hash tree behind it on the same disk. Nothing is returned that the pinned root
//! hash does not vouch for; hash blocks that were checked are kept, a bounded number of them.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod cache;
mod device;
mod error;
mod open;

pub use device::VerityDevice;
pub use error::{Corruption, OpenError};
pub use open::open;
