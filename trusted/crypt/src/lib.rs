//! A LUKS container as a disk: [`open`] unlocks one on any disk, and [`CryptDevice`] is what comes out.
//!
//! LUKS hides content. It does not notice when the host changes ciphertext, or puts back what was there
//! before: a changed block reads as noise. Disks that have to notice are sealed or verity disks.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod device;
mod open;

pub use device::{CryptDevice, CryptError, Discard};
pub use open::{KeyMaterial, OpenError, Opening, Stored, open, open_lanes};
