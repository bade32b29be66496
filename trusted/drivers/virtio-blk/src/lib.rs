//! Virtio block driver (virtio 1.2 §5.2): one request queue; read, write, flush, discard.
//!
//! Data is copied, once, between the requests' trusted buffers and chunks in the window. The device
//! has no force-unit-access: such a write is a write and, when that has completed, a flush.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod device;
mod offer;
mod slots;

pub use device::VirtioBlk;
