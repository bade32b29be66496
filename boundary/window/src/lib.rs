//! The DMA window: one block of untrusted memory that the enclave and the host
//! half both map, and the only types through which either may touch it.
//!
//! Rules (DESIGN §3.1), kept by construction:
//! * no `&T` to window bytes is ever made, except to atomics;
//! * each byte is loaded once or stored once per call, never re-read;
//! * every access is checked against the region it goes through;
//! * what is read is a *copy*; the caller validates the copy.
#![no_std]

#[cfg(loom)]
extern crate std;

mod byte_ring;
mod doorbell;
pub mod layout;
mod region;

pub use byte_ring::{ByteRing, RingError, Side};
pub use doorbell::Doorbell;
pub use region::{OutOfBounds, Region, Window};
