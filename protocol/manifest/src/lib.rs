//! The measured manifest (DESIGN §3.6): what an enclave runs and what it lets in and out.
//!
//! A manifest holds no secret. Its canonical encoding is hashed, and the [`digest`] goes
//! into the platform's measurement. Each manifest has exactly one encoding:
//!
//! * fields in the order of [`Manifest`], integers little-endian;
//! * a `u8` before an `Option` (0, 1), for a `bool` (0, 1) and for the variant of an enumeration;
//! * a `u32` count before byte strings and lists;
//! * maps and sets sorted strictly ascending, so without duplicates.
//!
//! [`Manifest::decode`] refuses all else: other versions, unknown variants, unsorted or
//! out-of-range values, trailing bytes.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod check;
mod codec;
mod error;
mod model;

pub use error::ManifestError;
pub use model::{
    Anchor, Changes, Disk, DiskFormat, Interface, InterfaceKind, Ipv4, Ipv6, Manifest, RootIdentity, Signals, Stdio,
    Stream, User, limits,
};

use sha2::{Digest, Sha256};

/// SHA-256(label ‖ encoding), the value that is measured.
pub fn digest(encoded: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(b"rkt-io manifest\0").chain_update(encoded).finalize().into()
}

#[cfg(test)]
mod tests;
