//! LUKS1 (specification 1.2.3) and LUKS2 (1.1.2), for containers encrypted with `aes-xts-plain64`.
//!
//! [`Container::open`] reads and checks a header, [`Container::unlock`] gets the volume key out of a key
//! slot, [`Container::payload`] says what is encrypted with it; [`format_luks2`] makes a container. The
//! enclave opens and changes containers, the host's tools make them, by the same code: the bytes come
//! through [`Storage`], AES-XTS through [`Xts`].
//!
//! A header may be hostile: all of it is checked, what it may cost is bounded by [`Limits`], and what we
//! do not know is refused by name. LUKS hides content; it notices no change of it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod binary;
mod container;
mod error;
mod format;
mod hash;
mod json;
mod kdf;
mod luks1;
mod luks2;
mod metadata;
mod slot;
mod storage;

pub use container::{Container, Payload, SlotInfo};
pub use error::{LuksError, StorageError};
pub use format::{Options, format_luks1, format_luks2, uuid_text};
pub use hash::{Hash, STRIPES};
pub use kdf::{Kdf, Limits};
pub use slot::VolumeKey;
pub use storage::{Random, Storage, Xts};
