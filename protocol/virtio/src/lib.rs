//! Virtio 1.2: constants, ring layouts, device headers.
//!
//! Section numbers are those of "Virtual I/O Device (VIRTIO) Version 1.2", OASIS Committee
//! Specification 01. Everything on the wire is little-endian (§1.4); the structs here have the
//! layout of the wire and no padding, so that they are read from and turned into bytes as a whole.
#![no_std]
#![forbid(unsafe_code)]

pub mod blk;
pub mod features;
pub mod net;
pub mod packed;
pub mod split;
pub mod status;

/// Device IDs (§5).
pub mod device_id {
    /// Reserved: no device.
    pub const NONE: u32 = 0;
    /// Network card.
    pub const NET: u32 = 1;
    /// Block device.
    pub const BLOCK: u32 = 2;
}
